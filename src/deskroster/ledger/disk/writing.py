"""The rows that are written for the changes of a batch. Each row is written once."""

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
from deskroster.ledger.disk.vault import Vault, address_of
from deskroster.ledger.engines import DIALECT, LIMIT, Db

ZERO_HASH = bytes(32)  # the hash before the first commit of a company

Row = tuple[Any, ...]
Checksum = Callable[[Row], bytes]


class Step(IntEnum):
    """The order of statements: a unique value is released before another row takes it."""

    REMOVE = 0
    CHANGE = 1
    ADD = 2


class Rows:
    """The rows of one transaction, grouped by statement, for `executemany`."""

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
    first_and_last: dict[tuple[Kind, int], tuple[AnyRecord | None, AnyRecord | None]] = {}
    memberships: dict[tuple[int, int], bool] = {}  # (agent id, group id): whether the agent is a member in the end
    for kind, id, before, after in changes:
        first_and_last[kind, id] = (first_and_last[kind, id][0] if (kind, id) in first_and_last else before), after
        if kind == "agent":
            memberships.update({(id, other): is_member for other, is_member in _id_changes(before, after, "group_ids")})
        elif kind == "group":
            memberships.update(
                {(other, id): is_member for other, is_member in _id_changes(before, after, "member_ids")}
            )
    checksums = {kind: vault.checksums(company_id, kind) for kind in {kind for kind, _ in first_and_last}}
    for (kind, id), (before, after) in first_and_last.items():
        _put_record(rows, PLANS[kind], checksums[kind], _key(company_id, kind, id), before, after)
        _put_secrets(rows, vault, (company_id, kind, id), before, after)
        for field, table in STORED[kind].links.items():
            for other, is_linked in _id_changes(before, after, field):
                _put_link(rows, table, (company_id, id, other), is_linked)
    for (agent_id, group_id), is_member in memberships.items():
        _put_link(rows, tables.memberships, (company_id, agent_id, group_id), is_member)
    return rows


def checksum_rows(vault: Vault, company_id: int, records: Iterable[AnyRecord]) -> Rows:
    """Return the rows that replace the checksums of stored records by those of this vault."""
    rows = Rows()
    for record in records:
        plan, key = PLANS[record.kind], _key(company_id, record.kind, record.id)
        rows.add(
            Step.CHANGE,
            plan.update_checksum,
            (vault.checksums(company_id, record.kind)(plan.covered(record, plan.values(record))), *key),
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
    covered = plan.covered(after, values)
    if before is None:
        rows.add(Step.ADD, plan.insert, (*key, *values, *plan.rest, checksum(covered)))
    elif covered != plan.covered(before, plan.values(before)):
        rows.add(Step.CHANGE, plan.update, (*values, checksum(covered), *key))


def _put_secrets(
    rows: Rows, vault: Vault, record: tuple[int, Kind, int], before: AnyRecord | None, after: AnyRecord | None
) -> None:
    if after is None:
        return
    for field in STORED[record[1]].secrets:
        _put_secret(rows, vault, (*record, field), getattr(before, field, None), getattr(after, field))
    if after.more or (before is not None and before.more):
        old, new = ({} if version is None else dict(fields.unknown_secrets(version)) for version in (before, after))
        for field in {**old, **new}:
            _put_secret(rows, vault, (*record, field), old.get(field), new.get(field))


def _put_secret(
    rows: Rows, vault: Vault, address: tuple[int, Kind, int, str], old: Secret | None, new: Secret | None
) -> None:
    if new is None and old is not None:
        rows.add(Step.REMOVE, DELETE_SECRET, address)
    elif new is not None and new != old:
        rows.add(Step.ADD, UPSERT_SECRET, (*address, vault.seal(new.reveal().encode(), address_of(*address))))


def _put_link(rows: Rows, table: Table, row: Row, is_linked: bool) -> None:
    if is_linked:
        rows.add(Step.ADD, _UPSERT_LINK[table], row)
    else:
        rows.add(Step.REMOVE, _DELETE_LINK[table], row)


def _id_changes(before: AnyRecord | None, after: AnyRecord | None, field: str) -> list[tuple[int, bool]]:
    old, new = getattr(before, field, ()), getattr(after, field, ())
    if old == new:
        return []
    return [*((id, True) for id in set(new).difference(old)), *((id, False) for id in set(old).difference(new))]


def sql(statement: ClauseElement) -> str:
    """Return the SQL text of a statement. Its parameters are in the order of the table's columns."""
    return str(statement.compile(dialect=DIALECT))


def limited_sql(statement: ClauseElement, most: int) -> str:
    """Return the SQL text of a query with a LIMIT."""
    return f"{sql(statement)}{LIMIT}{most:d}"


def upsert_sql(table: Table) -> str:
    """Return the upsert statement of a table: INSERT … ON CONFLICT DO UPDATE."""
    key = [column.name for column in table.primary_key.columns]
    others = [column.name for column in table.columns if column.name not in key]
    action = "UPDATE SET " + ", ".join(f"{name} = excluded.{name}" for name in others) if others else "NOTHING"
    return f"{sql(insert(table))} ON CONFLICT ({', '.join(key)}) DO {action}"


def delete_sql(table: Table) -> str:
    """Return the statement that deletes a row by its primary key."""
    return sql(delete(table).where(*(c == bindparam(f"key_{c.name}") for c in table.primary_key.columns)))


class Plan(NamedTuple):
    """How the records of a kind are written."""

    insert: str
    update: str  # parameters: values, then key
    delete: str
    update_checksum: str  # parameters: checksum, then key
    values: Callable[[AnyRecord], Row]  # of the columns; `more` is the last
    covered: Callable[[AnyRecord, Row], Row]  # the values that the checksum covers, from the record and the values
    rest: Row  # columns of a new row that are no fields


def _plan(kind: Kind, stored: Stored) -> Plan:
    table, names = stored.table, (*stored.fields, "more")
    values = _getter(table, stored.fields)
    has_key = [column == bindparam(f"key_{column.name}") for column in table.primary_key.columns]
    return Plan(
        sql(insert(table)),
        sql(update(table).where(*has_key).values({name: bindparam(name) for name in (*names, "checksum")})),
        delete_sql(table),
        sql(update(table).where(*has_key).values(checksum=bindparam("checksum"))),
        lambda record: (*values(record), fields.more_column(record)),
        _covered_by(kind),
        (0, "{}", ZERO_HASH, b"") if kind == "company" else (),
    )


def _covered_by(kind: Kind) -> Callable[[AnyRecord, Row], Row]:
    arrange, links, secrets = checksums.arrangement(kind), STORED[kind].links, STORED[kind].secrets

    def covered(record: AnyRecord, values: Row) -> Row:
        row = (record.id, *values)
        if links or secrets:
            links_and_secrets = [getattr(record, field) for field in links]
            links_and_secrets += [_revealed(getattr(record, field)) for field in secrets]
            row = (*row[:-1], *links_and_secrets, row[-1])
        if arrange is None and not record.more:
            return row
        unknown = [(name, secret.reveal()) for name, secret in fields.unknown_secrets(record)]
        return checksums.covered_values(arrange, row, unknown)

    return covered


def _getter(table: Table, names: tuple[str, ...]) -> Callable[[AnyRecord], Row]:
    get_fields: Callable[[AnyRecord], Row] = attrgetter(*names) if len(names) > 1 else lambda r: (getattr(r, names[0]),)
    converters: dict[int, Callable[[Any], Any]] = {
        at: as_json for at, name in enumerate(names) if table.c[name].info.get("json")
    }
    converters |= {at: _as_number for at, name in enumerate(names) if table.c[name].info.get("flag")}
    if not converters:
        return get_fields
    return lambda record: tuple(converters[at](v) if at in converters else v for at, v in enumerate(get_fields(record)))


def _as_number(flag: bool | None) -> int | None:
    return None if flag is None else int(flag)


def _revealed(secret: Secret | None) -> str | None:
    return None if secret is None else secret.reveal()


def as_json(value: Any) -> str:
    """Return a value as JSON text, as the tables store it."""
    return msgspec.json.encode(value).decode()


PLANS: dict[Kind, Plan] = {kind: _plan(kind, STORED[kind]) for kind in KINDS}
UPSERT_SECRET, DELETE_SECRET = upsert_sql(tables.secrets), delete_sql(tables.secrets)
_LINKS = (tables.memberships, *STORED["agent"].links.values())
_UPSERT_LINK = {table: upsert_sql(table) for table in _LINKS}
_DELETE_LINK = {table: delete_sql(table) for table in _LINKS}
