"""Transfer: all rows of an installation from one database to another, and whether both hold the same."""

from collections.abc import Callable, Iterator
from itertools import zip_longest
from typing import Any

from sqlalchemy import Text, func, insert, select
from sqlalchemy.schema import Table

from deskroster.ledger.disk import tables
from deskroster.ledger.disk.writing import sql
from deskroster.ledger.engines import Db

_CHUNK = 1_000  # rows
_TABLES = [*tables.metadata.sorted_tables]
Tell = Callable[[int], None]
"""Called with how many rows more are done."""


def count(db: Db) -> int:
    """Return how many rows there are."""
    return sum(db.execute(sql(select(func.count()).select_from(table))).fetchone()[0] for table in _TABLES)


def clear(db: Db) -> None:
    """Remove all rows."""
    for table in reversed(_TABLES):
        db.execute(f'DELETE FROM "{table.name}"')


def copy(source: Db, target: Db, tell: Tell) -> None:
    """Write every row of one database to another, which has the tables and nothing in them."""
    for table in _TABLES:
        statement = sql(insert(table))
        cursor = source.execute(_in_order(source, table))
        while rows := cursor.fetchmany(_CHUNK):
            target.executemany(statement, rows)
            tell(len(rows))


def differences(one: Db, other: Db, tell: Tell) -> Iterator[str]:
    """Yield what is not the same in both, row by row."""
    for table in _TABLES:
        left, right = (_rows(db, table) for db in (one, other))
        for row, twin in zip_longest(left, right):
            if row != twin:
                key = dict(zip(table.primary_key.columns.keys(), row or twin or (), strict=False))
                yield f"{table.name} {key}"
            tell(1)


def _rows(db: Db, table: Table) -> Iterator[tuple[Any, ...]]:
    cursor = db.execute(_in_order(db, table))
    while rows := cursor.fetchmany(_CHUNK):
        yield from map(tuple, rows)


def _in_order(db: Db, table: Table) -> str:
    """Return what selects a table by ascending key, text by its bytes, as each database calls that."""
    order = ", ".join(
        f'"{column.name}" COLLATE {db.bytewise}' if isinstance(column.type, Text) else f'"{column.name}"'
        for column in table.primary_key.columns
    )
    return f"{sql(select(table))} ORDER BY {order}"
