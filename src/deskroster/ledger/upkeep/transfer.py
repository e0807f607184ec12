"""Copy all rows of an installation from one database to another, and compare both."""

from collections.abc import Callable, Iterator
from itertools import zip_longest
from typing import Any

from sqlalchemy import Text, func, insert, select
from sqlalchemy.schema import Table

from deskroster.ledger.disk import tables
from deskroster.ledger.disk.writing import sql
from deskroster.ledger.engines import Db

_CHUNK = 1_000  # rows that are fetched at once
_TABLES = [*tables.metadata.sorted_tables]
Report = Callable[[int], None]
"""A callback: so many more rows are done."""


def count(db: Db) -> int:
    """Return the number of rows."""
    return sum(db.execute(sql(select(func.count()).select_from(table))).fetchone()[0] for table in _TABLES)


def clear(db: Db) -> None:
    """Delete all rows."""
    for table in reversed(_TABLES):
        db.execute(f'DELETE FROM "{table.name}"')


def copy(source: Db, target: Db, report: Report) -> None:
    """Copy every row from one database to another, whose tables are empty."""
    for table in _TABLES:
        statement = sql(insert(table))
        cursor = source.execute(_in_order(source, table))
        while rows := cursor.fetchmany(_CHUNK):
            target.executemany(statement, rows)
            report(len(rows))


def differences(one: Db, other: Db, report: Report) -> Iterator[str]:
    """Yield the differences between two databases, row by row."""
    for table in _TABLES:
        left, right = (_rows(db, table) for db in (one, other))
        for row, twin in zip_longest(left, right):
            if row != twin:
                key = dict(zip(table.primary_key.columns.keys(), row or twin or (), strict=False))
                yield f"{table.name} {key}"
            report(1)


def _rows(db: Db, table: Table) -> Iterator[tuple[Any, ...]]:
    cursor = db.execute(_in_order(db, table))
    while rows := cursor.fetchmany(_CHUNK):
        yield from map(tuple, rows)


def _in_order(db: Db, table: Table) -> str:
    """Return the query of a table in the order of its key. Text is ordered by bytes, in each database's syntax."""
    order = ", ".join(
        f'"{column.name}" COLLATE {db.bytewise}' if isinstance(column.type, Text) else f'"{column.name}"'
        for column in table.primary_key.columns
    )
    return f"{sql(select(table))} ORDER BY {order}"
