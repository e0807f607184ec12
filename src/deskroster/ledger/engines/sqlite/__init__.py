"""The SQLite engine: one file in the data folder, one process, one connection, one worker thread."""

from pathlib import Path

from deskroster.ledger.engines import Engine
from deskroster.ledger.engines.sqlite.folder import discard, has_data, has_lost_data, put_away

__all__ = ["SCHEMES", "discard", "has_data", "has_lost_data", "opened", "put_away"]

SCHEMES: tuple[str, ...] = ()  # it has no address: the data is in the folder


def opened(folder: Path, address: str | None) -> Engine:
    """Open the database of a folder. Raises FolderInUse, Damaged."""
    from deskroster.ledger.engines.sqlite.engine import SQLite

    return SQLite(folder)
