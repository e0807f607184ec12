"""Looks: what a database is asked about itself, each in its own words."""

import sqlite3
from collections.abc import Iterator

from deskroster.ledger.engines import Db

_SQLITE = (
    "SELECT type || ' ' || name || ' ' || tbl_name || ' ' || ifnull(sql, '') FROM sqlite_master ORDER BY type, name"
)
_POSTGRESQL = """
    SELECT 'table ' || c.relname || ' ' || c.relrowsecurity || c.relforcerowsecurity FROM pg_class c
        WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r'
    UNION ALL SELECT 'column ' || c.relname || ' ' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
        || ' ' || a.attnotnull FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
        WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r' AND a.attnum > 0
        AND NOT a.attisdropped
    UNION ALL SELECT 'constraint ' || conname || ' ' || contype::text || ' ' || convalidated FROM pg_constraint
        WHERE connamespace = current_schema()::regnamespace AND contype IN ('p', 'u', 'f', 'c')
    UNION ALL SELECT 'index ' || indexname FROM pg_indexes WHERE schemaname = current_schema()
    UNION ALL SELECT 'policy ' || tablename || ' ' || policyname || ' ' || permissive || ' ' || cmd FROM pg_policies
        WHERE schemaname = current_schema()
    UNION ALL SELECT 'trigger ' || c.relname || ' ' || t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
        WHERE c.relnamespace = current_schema()::regnamespace AND NOT t.tgisinternal
    ORDER BY 1"""
"""Nothing that a major version of PostgreSQL words in another way."""


def of_sqlite(db: Db) -> bool:
    """Tell whether it is SQLite that answers."""
    return isinstance(db, sqlite3.Connection)


def has_table(db: Db, name: str) -> bool:
    """Tell whether there is a table of this name."""
    if of_sqlite(db):
        return db.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (name,)).fetchone() is not None
    return bool(db.execute("SELECT to_regclass(?) IS NOT NULL", (name,)).fetchone()[0])


def is_empty(db: Db) -> bool:
    """Tell whether there is no table at all."""
    return not declared(db)


def declared(db: Db) -> list[str]:
    """Return how tables, indexes and triggers are declared, in an order that is always the same."""
    return [text for (text,) in db.execute(_SQLITE if of_sqlite(db) else _POSTGRESQL)]


def faults(db: Db, most: int, *, quickly: bool = False) -> Iterator[str]:
    """Yield what the database itself finds wrong with its pages. PostgreSQL looks at each when it is read."""
    if of_sqlite(db):
        how = "quick_check" if quickly else "integrity_check"
        yield from (text for (text,) in db.execute(f"PRAGMA {how}({most})").fetchall() if text != "ok")


def dangling(db: Db) -> Iterator[str]:
    """Yield which tables have rows that point at none. PostgreSQL does not let it come to that."""
    if of_sqlite(db):
        for table, _, parent, _ in db.execute("PRAGMA foreign_key_check"):
            yield f"{table} points at {parent}"


def moment(db: Db, ours: float) -> float:
    """Return Unix time by the clock that all processes share: the database's; ours where no other process is."""
    if of_sqlite(db):
        return ours
    return float(db.execute("SELECT extract(epoch FROM clock_timestamp())::float8").fetchone()[0])


def product(db: Db) -> str:
    """Return what answers, with its version."""
    if of_sqlite(db):
        return f"SQLite {sqlite3.sqlite_version}"
    version = db.execute("SELECT current_setting('server_version')").fetchone()[0]
    return f"PostgreSQL {version.partition(' ')[0]}"


def unbound_role(db: Db) -> str | None:
    """Return the role that works here, if row-level security does not bind it."""
    if of_sqlite(db):
        return None
    row = db.execute(
        "SELECT rolname FROM pg_roles WHERE rolname = current_user AND (rolsuper OR rolbypassrls)"
    ).fetchone()
    return None if row is None else str(row[0])


def forget_pages(db: Db) -> None:
    """Give up the memory of what was read once."""
    if of_sqlite(db):
        db.execute("PRAGMA shrink_memory").fetchall()
