"""Rows: what is written to the tables for the changes of a batch, each row once."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from enum import IntEnum
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Table, bindparam, delete, insert, update
from sqlalchemy.sql import ClauseElement

from deskroster.core.changes import Change
from deskroster.core.records import KINDS, AnyRecord, Kind, Secret
from deskroster.ledger.disk import checksums, fields, tables
from deskroster.ledger.disk.tables import STORED, Stored
from deskroster.ledger.disk.vault import Vault, bound
from deskroster.ledger.engines import DIALECT, LIMIT, Db

FIRST_HASH = bytes(32)  # stands for the hash before the first commit of a company

Row = tuple[Any, ...]
Checksum = Callable[[Row], bytes]


class Step(IntEnum):
    """The order of statements: a unique value is released before another row takes it."""

    REMOVE = 0
    CHANGE = 1
    ADD = 2


class Rows:
    """The rows of one transaction by statement."""

    def __init__(self) -> None:
        self._of: defaultdict[tuple[Step, str], list[Row]] = defaultdict(list)

    def add(self, step: Step, statement: str, row: Row) -> None:
        self._of[step, statement].append(row)

    def execute(self, connection: Db) -> None:
        for (_, statement), rows in sorted(self._of.items(), key=_by_step):
            connection.executemany(statement, rows)


def _by_step(statement: tuple[tuple[Step, str], list[Row]]) -> Step:
    return statement[0][0]


def rows_of(vault: Vault, company_id: int, changes: Iterable[Change]) -> Rows:
    """Return the rows to write for these changes."""
    rows = Rows()
    net: dict[tuple[Kind, int], tuple[AnyRecord | None, AnyRecord | None]] = {}
    members: dict[tuple[int, int], bool] = {}  # (agent, group): whether the agent is in it in the end
    for kind, id, before, after in changes:
        net[kind, id] = (net[kind, id][0] if (kind, id) in net else before), after
        if kind == "agent":
            members.update({(id, other): joined for other, joined in _moved(before, after, "group_ids")})
        elif kind == "group":
            members.update({(other, id): joined for other, joined in _moved(before, after, "member_ids")})
    checksums = {kind: vault.checksums(company_id, kind) for kind in {kind for kind, _ in net}}
    for (kind, id), (before, after) in net.items():
        _put_record(rows, PLANS[kind], checksums[kind], _key(company_id, kind, id), before, after)
        _put_secrets(rows, vault, (company_id, kind, id), before, after)
        for field, table in STORED[kind].links.items():
            for other, joined in _moved(before, after, field):
                _put_link(rows, table, (company_id, id, other), joined)
    for (agent_id, group_id), joined in members.items():
        _put_link(rows, tables.memberships, (company_id, agent_id, group_id), joined)
    return rows


def sign(vault: Vault, company_id: int, records: Iterable[AnyRecord]) -> Rows:
    """Return the rows that give stored records their checksums with the key of this vault."""
    rows = Rows()
    for record in records:
        plan, key = PLANS[record.kind], _key(company_id, record.kind, record.id)
        rows.add(
            Step.CHANGE,
            plan.sign,
            (vault.checksums(company_id, record.kind)(plan.signed(record, plan.values(record))), *key),
        )
    return rows


def _key(company_id: int, kind: Kind, id: int) -> Row:
    return (company_id,) if kind == "company" else (company_id, id)


def _put_record(
    rows: Rows, plan: "Plan", checksum: Checksum, key: Row, before: AnyRecord | None, after: AnyRecord | None
) -> None:
    if after is None:
        rows.add(Step.REMOVE, plan.delete, key)
        return
    values = plan.values(after)
    signed = plan.signed(after, values)
    if before is None:
        rows.add(Step.ADD, plan.insert, (*key, *values, *plan.rest, checksum(signed)))
    elif signed != plan.signed(before, plan.values(before)):
        rows.add(Step.CHANGE, plan.update, (*values, checksum(signed), *key))


def _put_secrets(
    rows: Rows, vault: Vault, place: tuple[int, Kind, int], before: AnyRecord | None, after: AnyRecord | None
) -> None:
    if after is None:
        return
    for field in STORED[place[1]].secrets:
        _put_secret(rows, vault, (*place, field), getattr(before, field, None), getattr(after, field))
    if after.more or (before is not None and before.more):
        old, new = ({} if one is None else dict(fields.unknown_secrets(one)) for one in (before, after))
        for field in {**old, **new}:
            _put_secret(rows, vault, (*place, field), old.get(field), new.get(field))


def _put_secret(
    rows: Rows, vault: Vault, place: tuple[int, Kind, int, str], old: Secret | None, new: Secret | None
) -> None:
    if new is None and old is not None:
        rows.add(Step.REMOVE, FORGET_SECRET, place)
    elif new is not None and new != old:
        rows.add(Step.ADD, PUT_SECRET, (*place, vault.seal(new.reveal().encode(), bound(*place))))


def _put_link(rows: Rows, table: Table, row: Row, joined: bool) -> None:
    if joined:
        rows.add(Step.ADD, _JOIN[table], row)
    else:
        rows.add(Step.REMOVE, _PART[table], row)


def _moved(before: AnyRecord | None, after: AnyRecord | None, field: str) -> list[tuple[int, bool]]:
    old, new = getattr(before, field, ()), getattr(after, field, ())
    if old == new:
        return []
    return [*((id, True) for id in set(new).difference(old)), *((id, False) for id in set(old).difference(new))]


def sql(statement: ClauseElement) -> str:
    """Return the text of a statement for the driver. Its values come in the order of the table's columns."""
    return str(statement.compile(dialect=DIALECT))


def limited(statement: ClauseElement, most: int) -> str:
    """Return the text of a query that gives at most so many rows."""
    return f"{sql(statement)}{LIMIT}{most:d}"


def putting(table: Table) -> str:
    """Return the statement that writes a row over the one with its key, if there is one."""
    key = [column.name for column in table.primary_key.columns]
    rest = [column.name for column in table.columns if column.name not in key]
    what = "UPDATE SET " + ", ".join(f"{name} = excluded.{name}" for name in rest) if rest else "NOTHING"
    return f"{sql(insert(table))} ON CONFLICT ({', '.join(key)}) DO {what}"


def removing(table: Table) -> str:
    """Return the statement that deletes the row with a key."""
    return sql(delete(table).where(*(c == bindparam(f"key_{c.name}") for c in table.primary_key.columns)))


class Plan(NamedTuple):
    """How the record of a kind is written."""

    insert: str
    update: str  # values first, then the key
    delete: str
    sign: str  # checksum first, then the key
    values: Callable[[AnyRecord], Row]  # of the columns, `more` the last of them
    signed: Callable[[AnyRecord, Row], Row]  # what is under the checksum, given the values
    rest: Row  # columns of a new row that are no field


def _plan(kind: Kind, stored: Stored) -> Plan:
    table, names = stored.table, (*stored.fields, "more")
    values = _reader(table, stored.fields)
    one = [column == bindparam(f"key_{column.name}") for column in table.primary_key.columns]
    return Plan(
        sql(insert(table)),
        sql(update(table).where(*one).values({name: bindparam(name) for name in (*names, "checksum")})),
        removing(table),
        sql(update(table).where(*one).values(checksum=bindparam("checksum"))),
        lambda record: (*values(record), fields.column(record)),
        _signer(kind),
        (0, "{}", FIRST_HASH, b"") if kind == "company" else (),
    )


def _signer(kind: Kind) -> Callable[[AnyRecord, Row], Row]:
    arrange, links, secrets = checksums.arrangement(kind), STORED[kind].links, STORED[kind].secrets

    def signed(record: AnyRecord, values: Row) -> Row:
        row = (record.id, *values)
        if links or secrets:
            beside = [getattr(record, field) for field in links]
            beside += [_revealed(getattr(record, field)) for field in secrets]
            row = (*row[:-1], *beside, row[-1])
        if arrange is None and not record.more:
            return row
        unknown = [(name, secret.reveal()) for name, secret in fields.unknown_secrets(record)]
        return checksums.signed(arrange, row, unknown)

    return signed


def _reader(table: Table, names: tuple[str, ...]) -> Callable[[AnyRecord], Row]:
    plain: Callable[[AnyRecord], Row] = attrgetter(*names) if len(names) > 1 else lambda r: (getattr(r, names[0]),)
    packed: dict[int, Callable[[Any], Any]] = {
        at: as_json for at, name in enumerate(names) if table.c[name].info.get("json")
    }
    packed |= {at: _as_number for at, name in enumerate(names) if table.c[name].info.get("flag")}
    if not packed:
        return plain
    return lambda record: tuple(packed[at](v) if at in packed else v for at, v in enumerate(plain(record)))


def _as_number(flag: bool | None) -> int | None:
    return None if flag is None else int(flag)


def _revealed(secret: Secret | None) -> str | None:
    return None if secret is None else secret.reveal()


def as_json(value: Any) -> str:
    """Return a value as JSON text, as the tables keep it."""
    return msgspec.json.encode(value).decode()


PLANS: dict[Kind, Plan] = {kind: _plan(kind, STORED[kind]) for kind in KINDS}
PUT_SECRET, FORGET_SECRET = putting(tables.secrets), removing(tables.secrets)
_LINKS = (tables.memberships, *STORED["agent"].links.values())
_JOIN = {table: putting(table) for table in _LINKS}
_PART = {table: removing(table) for table in _LINKS}
