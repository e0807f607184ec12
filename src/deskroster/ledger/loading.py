"""Loading: a company's roster from the tables, in one snapshot, each row compared with its checksum."""

import ctypes
import gc
import sqlite3
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
from deskroster.ledger import log, tables
from deskroster.ledger.engines import Db, looks
from deskroster.ledger.engines.embedded import broken
from deskroster.ledger.rows import Row, sql
from deskroster.ledger.tables import STORED
from deskroster.ledger.vault import Vault, WrongKey, bound

_CHUNK = 1000  # rows that are turned into records at once
_FLAGS = {0: False, 1: True, None: None}

Ids = dict[int, tuple[int, ...]]


class Loaded(NamedTuple):
    """A company as it is durable, and where its log stands."""

    roster: Roster
    head: bytes  # the hash of the last commit


def companies(connection: Db) -> list[Company]:
    """Return the settings of every company, by id."""
    return [_company(row) for row in connection.execute(_COMPANIES)]


def load(connection: Db, vault: Vault, company_id: int) -> Loaded:
    """Return a company as it is durable. Raises KeyError if there is none, Damaged if it is not as it was written."""
    roster, head = settings(connection, vault, company_id)
    with legible(f"company {company_id}"), _collector_off():
        rows = Reader(connection, vault, company_id)
        for kind in KINDS[1:]:
            roster.fill(kind, rows.records(kind))
    looks.forget_pages(connection)
    _give_back()
    return Loaded(roster, head)


def settings(connection: Db, vault: Vault, company_id: int) -> Loaded:
    """Return a company without its records. Raises KeyError or Damaged."""
    row = connection.execute(_COMPANY, (company_id,)).fetchone()
    if row is None:
        raise KeyError(company_id)
    *values, number, next_ids, head, anchor, checksum = row
    if checksum != vault.checksums(company_id, "company")(tuple(values)):
        raise Damaged(f"the settings of company {company_id} are not as they were written")
    if anchor != log.anchor(vault, company_id, (number, next_ids, head)):
        raise Damaged(f"the end of the log of company {company_id} is not as it was written")
    return Loaded(Roster(_company(row), number, msgspec.json.decode(next_ids, type=dict[Kind, int])), head)


@contextmanager
def legible(what: str) -> Iterator[None]:
    """Raise Damaged where `what` holds values that were never written."""
    try:
        yield
    except (WrongKey, msgspec.MsgspecError, ValueError, TypeError, LookupError) as error:
        raise Damaged(f"{what} cannot be read: {error}") from error
    except sqlite3.OperationalError as error:
        if not broken(error):
            raise
        raise Damaged(f"{what} cannot be read: {error}") from error


class Reader:
    """Reads the records of a company. What many records have in common is kept once."""

    def __init__(self, connection: Db, vault: Vault, company_id: int) -> None:
        self._connection = connection
        self._vault = vault
        self._company_id = company_id
        self._shared: dict[Any, Any] = {}
        groups = linked(connection, tables.memberships, company_id)
        members: defaultdict[int, list[int]] = defaultdict(list)
        for agent_id, group_ids in groups.items():
            for group_id in group_ids:
                members[group_id].append(agent_id)
        self._members: dict[str, tuple[str, Ids]] = {
            "group": ("member_ids", {group_id: tuple(ids) for group_id, ids in members.items()}),
            "agent": ("group_ids", groups),
        }

    def records(self, kind: Kind) -> Iterator[AnyRecord]:
        """Yield the records of a kind by ascending id. Raises Damaged."""
        of, defaults = RECORDS[kind], _DEFAULTS[kind]
        convert = self._converters(kind)
        for ids, columns in self._chunks(kind):
            values: dict[str, Iterable[Any]] = {"id": ids}
            for name, column in columns.items():
                # What no record of the chunk has set is left to the default: it is most of what an agent could have.
                if column.count(defaults[name]) < len(column):
                    values[name] = convert[name](column)
            names = tuple(values)
            for row in zip(*values.values(), strict=True):
                yield of(**dict(zip(names, row)))  # noqa: B905 - once for each record; they are of one length

    def _chunks(self, kind: Kind) -> Iterator[tuple[Row, dict[str, Row]]]:
        """Yield ids and the columns that go with them, their checksums compared."""
        stored, checksum = STORED[kind], self._vault.checksums(self._company_id, kind)
        links = [linked(self._connection, table, self._company_id) for table in stored.links.values()]
        secrets = [self._secrets(kind, field) for field in stored.secrets]
        field, members = self._members.get(kind, ("", {}))
        cursor = self._connection.execute(SELECT[kind], (self._company_id,))
        while rows := cursor.fetchmany(_CHUNK):
            ids, *columns, written = zip(*rows, strict=True)
            columns += [tuple(map(held.get, ids, repeat(()))) for held in links]
            columns += [tuple(map(held.get, ids)) for held in secrets]
            found = tuple(map(checksum, zip(ids, *columns, strict=True)))
            if found != written:
                wrong = next(id for id, was, now in zip(ids, written, found, strict=True) if was != now)
                raise Damaged(f"company {self._company_id}, {kind} {wrong}: not as it was written")
            named = dict(zip((*stored.fields, *stored.links, *stored.secrets), columns, strict=True))
            if field:
                named[field] = tuple(map(members.get, ids, repeat(())))
            yield ids, named

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
            return lambda column: self._share(list(map(decode, column)))
        return iter if type is str or type is int else self._share

    def _share(self, column: Sequence[Any]) -> Iterable[Any]:
        return map(self._shared.setdefault, column, column)

    def _secrets(self, kind: Kind, field: str) -> dict[int, str]:
        unseal, company_id = self._vault.open, self._company_id
        return {
            id: unseal(sealed, bound(company_id, kind, id, field)).decode()
            for id, sealed in self._connection.execute(_SECRETS, (company_id, kind, field))
        }


def linked(connection: Db, table: Table, company_id: int) -> Ids:
    """Return what each agent holds, ascending."""
    held: Ids = {}
    alone = _Alone()
    for agent_id, id in connection.execute(LINKED[table], (company_id,)):
        if agent_id in held:
            held[agent_id] += (id,)
        else:
            held[agent_id] = alone[id]
    return held


class _Alone(dict[int, tuple[int, ...]]):
    """One tuple for each id that stands alone: it does for all who hold nothing else."""

    def __missing__(self, id: int) -> tuple[int, ...]:
        one = self[id] = (id,)
        return one


def _as_secrets(column: Row) -> Iterable[Secret | None]:
    return (None if value is None else Secret(value) for value in column)


def _give_back() -> None:
    """Return to the system what loading has freed, where the C library can: a sixth of all at 100,000 agents."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


@contextmanager
def _collector_off() -> Iterator[None]:
    """Keep the collector from walking what is being loaded, and afterwards from walking it ever again."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        if was_on:
            gc.enable()


def _company(row: Row) -> Company:
    fields = STORED["company"].fields
    values = dict(zip(fields, row[1 : 1 + len(fields)], strict=True))
    forms = msgspec.json.decode(values.pop("signature_forms"), type=TYPES["company"]["signature_forms"])
    return Company(id=row[0], signature_forms=forms, **values)


def _select(kind: Kind) -> str:
    table, fields = STORED[kind].table, STORED[kind].fields
    key = list(table.primary_key.columns)
    picked = [key[-1], *(table.c[name] for name in (*fields, "checksum"))]
    return sql(select(*picked).where(table.c.company_id == bindparam("key")).order_by(*key))


TYPES = {kind: {field.name: field.type for field in msgspec.structs.fields(of)} for kind, of in RECORDS.items()}
_DEFAULTS = {kind: {field.name: field.default for field in msgspec.structs.fields(of)} for kind, of in RECORDS.items()}
_COMPANIES = sql(select(tables.companies).order_by(tables.companies.c.company_id))
_COMPANY = sql(select(tables.companies).where(tables.companies.c.company_id == bindparam("key")))
SELECT = {kind: _select(kind) for kind in KINDS}
"""The rows of a kind by ascending id: the id, the fields in the order of the table's columns, the checksum."""
LINKED = {
    table: sql(select(*list(table.c)[1:3]).where(table.c.company_id == bindparam("key")).order_by(*list(table.c)[1:3]))
    for table in (tables.memberships, *STORED["agent"].links.values())
}
"""Pairs of an agent and what it holds, ascending."""
_SECRETS = sql(
    select(tables.secrets.c.record_id, tables.secrets.c.sealed).where(
        tables.secrets.c.company_id == bindparam("key"),
        tables.secrets.c.kind == bindparam("kind_"),
        tables.secrets.c.field == bindparam("field_"),
    )
)
