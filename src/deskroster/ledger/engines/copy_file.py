"""A copy of an installation is one file of SQLite, whichever engine has the data: backups, and copies to check."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import sqlalchemy

from deskroster.ledger.engines import Db
from deskroster.ledger.engines.sqlite.connection import plain, read_only, translated
from deskroster.ledger.engines.sqlite.folder import FILE
from deskroster.ledger.engines.sqlite.migrating import for_alembic
from deskroster.ledger.files.paths import shown

__all__ = ["FILE", "filled", "migrated", "opened"]

_IN_MEMORY = "PRAGMA temp_store = MEMORY"  # a full /tmp must not get in the way of a check


@contextmanager
def filled(file: Path, steps: Callable[[sqlalchemy.Connection], None]) -> Iterator[Db]:
    """Make a file with tables, and give it in a transaction that is committed at the end."""
    os.close(os.open(file, os.O_CREAT | os.O_EXCL, 0o600))
    with closing(plain(file)) as target:
        with for_alembic(target) as connection:
            steps(connection)
        target.execute("BEGIN")
        yield target
        target.execute("COMMIT")


@contextmanager
def opened(file: Path) -> Iterator[Db]:
    """Open a file to read it. Raises Damaged or Failed for what SQLite raises, in the block too."""
    try:
        with closing(read_only(file)) as db:
            db.execute(_IN_MEMORY)
            yield db
    except sqlite3.DatabaseError as error:
        raise translated(error, shown(file)) from error


@contextmanager
def migrated(db: Db, steps: Callable[[sqlalchemy.Connection], None]) -> Iterator[Db]:
    """Give a copy of an opened file with the steps of a migration done."""
    assert isinstance(db, sqlite3.Connection)
    with TemporaryDirectory() as folder, closing(plain(Path(folder) / FILE)) as copy:
        db.backup(copy)
        with for_alembic(copy) as connection:
            steps(connection)
        copy.execute(_IN_MEMORY)
        yield copy
