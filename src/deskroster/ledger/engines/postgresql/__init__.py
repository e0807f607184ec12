"""The PostgreSQL engine: any number of processes, on any number of machines, on one database."""

from pathlib import Path

from deskroster.ledger.engines import Engine

SCHEMES = ("postgresql", "postgres")


def opened(folder: Path, address: str | None) -> Engine:
    """Connect. Raises ValueError for an invalid address, Failed if no primary answers, FolderInUse."""
    from deskroster.ledger.engines.postgresql.engine import (
        PostgreSQL,  # imported on use: psycopg takes time and memory
    )

    return PostgreSQL(address or "")
