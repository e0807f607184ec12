"""Load a company's roster from the tables, in one snapshot, and verify the checksum of every row."""

import ctypes
import gc
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import repeat
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Table, bindparam, select

from deskroster.core.problems import Damaged
from deskroster.core.records import KINDS, RECORDS, AnyRecord, Company, Kind, Secret
from deskroster.core.roster import Roster
from deskroster.ledger.disk import checksums, fields, log, tables
from deskroster.ledger.disk.fields import DEFAULTS, EMPTY_MORE, TYPES
from deskroster.ledger.disk.tables import STORED
from deskroster.ledger.disk.vault import Vault, WrongKey, address_of
from deskroster.ledger.disk.writing import Row, sql
from deskroster.ledger.engines import Db
from deskroster.texts import Text, foreign, said

_CHUNK = 1000  # rows that are decoded at once
_FLAGS = {0: False, 1: True, None: None}

Ids = dict[int, tuple[int, ...]]


class Loaded(NamedTuple):
    """The durable state of a company, and the end of its log."""

    roster: Roster
    head: bytes  # hash of the last commit


def companies(connection: Db) -> list[Company]:
    """Return the settings of every company, ordered by id."""
    return [_company(row) for row in connection.execute(_COMPANIES)]


def load(connection: Db, vault: Vault, company_id: int) -> Loaded:
    """Return the durable state of a company. Raises KeyError if there is none, Damaged if a checksum is wrong."""
    roster, head = settings(connection, vault, company_id)
    with unreadable_is_damage(connection, said("company {company_id}", company_id=company_id)), _without_gc():
        rows = Reader(connection, vault, company_id)
        for kind in KINDS[1:]:
            roster.fill(kind, rows.records(kind))
    connection.shrink_cache()
    _trim_heap()
    return Loaded(roster, head)


def settings(connection: Db, vault: Vault, company_id: int) -> Loaded:
    """Return a company without its records. Raises KeyError or Damaged."""
    row = connection.execute(_COMPANY, (company_id,)).fetchone()
    if row is None:
        raise KeyError(company_id)
    *values, number, next_ids, head, anchor, checksum = row
    covered = checksums.covered_values(checksums.arrangement("company"), tuple(values), ())
    checksums.verify(vault, company_id, "company", (covered,), (checksum,))
    if not log.anchored(vault, company_id, (number, next_ids, head), anchor):
        raise Damaged(
            said("the end of the log of company {company_id} is not as it was written", company_id=company_id)
        )
    ids = msgspec.json.decode(next_ids)  # also of unknown kinds
    return Loaded(Roster(_company(row), number, ids), head)


@contextmanager
def unreadable_is_damage(db: Db, what: Text | str) -> Iterator[None]:
    """Raise Damaged for values in `what` that cannot be decoded or decrypted."""
    try:
        yield
    except (WrongKey, msgspec.MsgspecError, ValueError, TypeError, LookupError) as error:
        raise Damaged(said("{what} cannot be read: {error}", what=what, error=foreign(error))) from error
    except Exception as error:
        if db.damage(error) != "value":
            raise
        raise Damaged(said("{what} cannot be read: {error}", what=what, error=foreign(error))) from error


class Reader:
    """Reads the records of a company. Equal values of many records share one object."""

    def __init__(self, connection: Db, vault: Vault, company_id: int) -> None:
        self._connection = connection
        self._vault = vault
        self._company_id = company_id
        self._interned: dict[Any, Any] = {}
        groups = links_of(connection, tables.memberships, company_id)
        members: defaultdict[int, list[int]] = defaultdict(list)
        for agent_id, group_ids in groups.items():
            for group_id in group_ids:
                members[group_id].append(agent_id)
        self._members: dict[str, tuple[str, Ids]] = {
            "group": ("member_ids", {group_id: tuple(ids) for group_id, ids in members.items()}),
            "agent": ("group_ids", groups),
        }

    def records(self, kind: Kind) -> Iterator[AnyRecord]:
        """Yield the records of a kind, ordered by id. Raises Damaged."""
        of, defaults = RECORDS[kind], DEFAULTS[kind]
        convert = self._converters(kind)
        for ids, columns, later in self._chunks(kind):
            values: dict[str, Iterable[Any]] = {"id": ids, **later}
            for name, column in columns.items():
                # A column with only defaults is left out: most fields of an agent are never set.
                if column.count(defaults[name]) < len(column):
                    values[name] = convert[name](column)
            names = tuple(values)
            for row in zip(*values.values(), strict=True):
                yield of(**dict(zip(names, row)))  # noqa: B905 - once for each record; the lengths are equal

    def _chunks(self, kind: Kind) -> Iterator[tuple[Row, dict[str, Row], dict[str, Row]]]:
        """Yield, per chunk: ids; columns by name, with verified checksums; and the columns that come from `more`.

        Most records have nothing in `more`: then nothing is decoded.
        """
        stored, arrange = STORED[kind], checksums.arrangement(kind)
        links = [links_of(self._connection, table, self._company_id) for table in stored.links.values()]
        secrets, unknown = self._secrets(kind)
        field, members = self._members.get(kind, ("", {}))
        cursor = self._connection.execute(SELECT_RECORDS[kind], (self._company_id,))
        while rows := cursor.fetchmany(_CHUNK):
            ids, *columns, mores, stored_checksums = zip(*rows, strict=True)
            columns += [tuple(map(ids_of.get, ids, repeat(()))) for ids_of in links]
            columns += [tuple(map(secrets[name].get, ids)) for name in stored.secrets]
            covered: Iterable[Row] = zip(ids, *columns, mores, strict=True)
            if arrange or unknown:
                covered = (checksums.covered_values(arrange, row, unknown.get(row[0], {}).items()) for row in covered)
            checksums.verify(self._vault, self._company_id, kind, tuple(covered), stored_checksums)
            by_name = dict(zip((*stored.fields, *stored.links, *stored.secrets), columns, strict=True))
            if field:
                by_name[field] = tuple(map(members.get, ids, repeat(())))
            has_no_more = not unknown and mores.count(EMPTY_MORE) == len(mores)
            yield ids, by_name, {} if has_no_more else _more_columns(kind, ids, mores, unknown)

    def _converters(self, kind: Kind) -> dict[str, Callable[[Row], Iterable[Any]]]:
        table, secrets = STORED[kind].table, STORED[kind].secrets
        return {
            name: _as_secrets
            if name in secrets
            else self._converter(table.c[name].info if name in table.c else {}, type)
            for name, type in TYPES[kind].items()
        }

    def _converter(self, info: Mapping[str, Any], type: Any) -> Callable[[Row], Iterable[Any]]:
        if info.get("flag"):
            return lambda column: map(_FLAGS.__getitem__, column)
        if info.get("json"):
            decode = msgspec.json.Decoder(type).decode
            return lambda column: self._intern(list(map(decode, column)))
        return iter if type is str or type is int else self._intern

    def _intern(self, column: Sequence[Any]) -> Iterable[Any]:
        return map(self._interned.setdefault, column, column)

    def _secrets(self, kind: Kind) -> tuple[dict[str, dict[int, str]], dict[int, dict[str, str]]]:
        """Return the decrypted secrets of a kind: known fields by field and id, unknown ones by id and field."""
        unseal, company_id = self._vault.open, self._company_id
        known: dict[str, dict[int, str]] = {field: {} for field in STORED[kind].secrets}
        unknown: defaultdict[int, dict[str, str]] = defaultdict(dict)
        for id, field, sealed in self._connection.execute(_SECRETS, (company_id, kind)):
            value = unseal(sealed, address_of(company_id, kind, id, field)).decode()
            if field in known:
                known[field][id] = value
            else:
                unknown[id][field] = value
        return known, unknown


def _more_columns(kind: Kind, ids: Row, mores: Row, secrets: Mapping[int, Mapping[str, str]]) -> dict[str, Row]:
    """Return the columns of the fields in `more`, and of those that are unknown."""
    decoded = [fields.read_more_column(kind, text) for text in mores]
    default = DEFAULTS[kind]
    columns = {
        name: tuple(known.get(name, default[name]) for known, _ in decoded)
        for name in fields.IN_MORE[kind]
        if any(name in known for known, _ in decoded)
    }
    unknown = [
        fields.ordered(more | {name: Secret(value) for name, value in secrets.get(id, {}).items()})
        for id, (_, more) in zip(ids, decoded, strict=True)
    ]
    return {**columns, "more": tuple(unknown)}


def links_of(connection: Db, table: Table, company_id: int) -> Ids:
    """Return the linked ids of each agent, in order."""
    ids_of: Ids = {}
    single_ids = _SingleIds()
    for agent_id, id in connection.execute(SELECT_LINKS[table], (company_id,)):
        if agent_id in ids_of:
            ids_of[agent_id] += (id,)
        else:
            ids_of[agent_id] = single_ids[id]
    return ids_of


class _SingleIds(dict[int, tuple[int, ...]]):
    """Caches one tuple for each single id: all agents with only that link share it."""

    def __missing__(self, id: int) -> tuple[int, ...]:
        one = self[id] = (id,)
        return one


def _as_secrets(column: Row) -> Iterable[Secret | None]:
    return (None if value is None else Secret(value) for value in column)


def _trim_heap() -> None:
    """Return freed heap memory to the kernel, if the C library can: a sixth of it, at 100,000 agents."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


@contextmanager
def _without_gc() -> Iterator[None]:
    """Pause the garbage collector, and at the end exempt all objects from it (`gc.freeze`)."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        if was_on:
            gc.enable()


def _company(row: Row) -> Company:
    names = STORED["company"].fields
    values = dict(zip(names, row[1 : 1 + len(names)], strict=True))
    forms = msgspec.json.decode(values.pop("signature_forms"), type=TYPES["company"]["signature_forms"])
    known, unknown = fields.read_more_column("company", row[1 + len(names)])
    return Company(id=row[0], signature_forms=forms, **values, **known, more=fields.ordered(unknown))


def _select(kind: Kind) -> str:
    table, names = STORED[kind].table, STORED[kind].fields
    key = list(table.primary_key.columns)
    columns = [key[-1], *(table.c[name] for name in (*names, "more", "checksum"))]
    return sql(select(*columns).where(table.c.company_id == bindparam("key")).order_by(*key))


_COMPANIES = sql(select(tables.companies).order_by(tables.companies.c.company_id))
_COMPANY = sql(select(tables.companies).where(tables.companies.c.company_id == bindparam("key")))
SELECT_RECORDS = {kind: _select(kind) for kind in KINDS}
"""The rows of a kind by ascending id: the id, the fields in the order of the table's columns, `more`, the checksum."""
SELECT_LINKS = {
    table: sql(select(*list(table.c)[1:3]).where(table.c.company_id == bindparam("key")).order_by(*list(table.c)[1:3]))
    for table in (tables.memberships, *STORED["agent"].links.values())
}
"""Pairs of agent id and linked id, in order."""
_SECRETS = sql(
    select(tables.secrets.c.record_id, tables.secrets.c.field, tables.secrets.c.sealed).where(
        tables.secrets.c.company_id == bindparam("key"), tables.secrets.c.kind == bindparam("kind_")
    )
)
