"""Introspection of PostgreSQL: the part of `engines.Db` that asks the database about itself."""

from collections.abc import Iterator, Sequence
from typing import Any

from deskroster.ledger.engines import Cursor, Damage

_DECLARED = """
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
"""Only what every major version of PostgreSQL reports in the same words: the result is signed."""


class Introspection:
    """A mixin of `Session`: each method is a query on it."""

    bytewise = '"C"'

    def execute(self, statement: str, values: Sequence[Any] = (), /) -> Cursor:
        raise NotImplementedError

    def has_table(self, name: str) -> bool:
        return bool(self.execute("SELECT to_regclass(?) IS NOT NULL", (name,)).fetchone()[0])

    def declared(self) -> list[str]:
        return [text for (text,) in self.execute(_DECLARED)]

    def faults(self, most: int, *, quickly: bool = False) -> Iterator[str]:
        return iter(())  # PostgreSQL checks each page as it reads it

    def dangling(self) -> Iterator[str]:
        return iter(())  # PostgreSQL enforces its foreign keys

    def moment(self, ours: float) -> float:
        return float(self.execute("SELECT extract(epoch FROM clock_timestamp())::float8").fetchone()[0])

    def product(self) -> str:
        version = self.execute("SELECT current_setting('server_version')").fetchone()[0]
        return f"PostgreSQL {version.partition(' ')[0]}"

    def unbound_role(self) -> str | None:
        row = self.execute(
            "SELECT rolname FROM pg_roles WHERE rolname = current_user AND (rolsuper OR rolbypassrls)"
        ).fetchone()
        return None if row is None else str(row[0])

    def shrink_cache(self) -> None:
        pass  # the cache is on the server

    def damage(self, error: Exception) -> Damage | None:
        return None  # any error aborts the transaction
