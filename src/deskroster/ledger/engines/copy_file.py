"""A copy of an installation is one SQLite file, whichever engine holds the data: a backup, or a copy to check."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import sqlalchemy

from deskroster.ledger.engines import Db, DiskFailed
from deskroster.ledger.engines.sqlite.connection import no_room, plain, read_only, translated
from deskroster.ledger.engines.sqlite.folder import FILE
from deskroster.ledger.engines.sqlite.migrating import for_alembic
from deskroster.ledger.files.paths import shown
from deskroster.texts import foreign, said

__all__ = ["FILE", "filled", "migrated", "opened"]

_IN_MEMORY = "PRAGMA temp_store = MEMORY"  # so that a check does not fail when /tmp is full


@contextmanager
def filled(file: Path, steps: Callable[[sqlalchemy.Connection], None]) -> Iterator[Db]:
    """Create a file with empty tables; give it in a transaction that is committed at the end.

    Raises OSError, NoRoom or DiskFailed, also for the errors of SQLite of the `with` block.
    """
    os.close(os.open(file, os.O_CREAT | os.O_EXCL, 0o600))
    try:
        with closing(plain(file)) as target:
            with for_alembic(target) as connection:
                steps(connection)
            target.execute("BEGIN")
            yield target
            target.execute("COMMIT")
    except sqlite3.DatabaseError as error:
        raise no_room(error, file) or DiskFailed(
            said("{file}: {error}", file=shown(file), error=foreign(error))
        ) from error  # no damage to the data


@contextmanager
def opened(file: Path) -> Iterator[Db]:
    """Open a file read-only. Raises Damaged or Failed for the errors of SQLite, also for those of the `with` block."""
    try:
        with closing(read_only(file)) as db:
            db.execute(_IN_MEMORY)
            yield db
    except sqlite3.DatabaseError as error:
        raise translated(error, shown(file)) from error


@contextmanager
def migrated(db: Db, steps: Callable[[sqlalchemy.Connection], None]) -> Iterator[Db]:
    """Give a copy of an opened file to which the steps of a migration were applied."""
    assert isinstance(db, sqlite3.Connection)
    with TemporaryDirectory() as folder, closing(plain(Path(folder) / FILE)) as copy:
        db.backup(copy)
        with for_alembic(copy) as connection:
            steps(connection)
        copy.execute(_IN_MEMORY)
        yield copy
