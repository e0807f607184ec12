"""The PostgreSQL engine: any number of processes, on any number of machines, on one database."""

from pathlib import Path

from deskroster.ledger.engines import Engine

SCHEMES = ("postgresql", "postgres")


def opened(folder: Path, address: str | None) -> Engine:
    """Connect. Raises ValueError for what is no address of a database, Failed if no primary answers, FolderInUse."""
    from deskroster.ledger.engines.postgresql.engine import (
        PostgreSQL,  # only where it is used: it takes time and memory
    )

    return PostgreSQL(address or "")
