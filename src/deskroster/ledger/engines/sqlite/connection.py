"""A connection to an SQLite file: how it is opened, introspection, and what the errors of SQLite mean."""

import errno
import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from deskroster.core.problems import Damaged
from deskroster.ledger.engines import BadTables, Damage, DiskFailed, Failed, NoRoom
from deskroster.ledger.files import atomic
from deskroster.ledger.files.paths import shown
from deskroster.texts import Text, foreign, said

PRAGMAS = (
    "locking_mode = EXCLUSIVE",  # must be first: the WAL index stays in memory and no -shm file is shared
    "journal_mode = WAL",
    "synchronous = FULL",
    "foreign_keys = ON",
    "temp_store = MEMORY",
    "cache_size = -16384",
    "wal_autocheckpoint = 4000",
    "journal_size_limit = 33554432",
    "trusted_schema = OFF",
    "cell_size_check = ON",
)
WAL = "-wal"  # the suffix of the write-ahead log
_MAX_PATH = 504  # bytes of an absolute path: SQLite allows 512 with its own suffix, such as -journal
_CORRUPT = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_STATEMENT = {sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_RANGE, sqlite3.SQLITE_MISUSE}
_UNIQUE = re.compile(r"UNIQUE constraint failed: (\w+)\.(\w+)")


class Connection(sqlite3.Connection):
    """A connection as jobs use it: implements `engines.Db`."""

    bytewise = "BINARY"

    def has_table(self, name: str) -> bool:
        return self.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (name,)).fetchone() is not None

    def declared(self) -> list[str]:
        columns = "type || ' ' || name || ' ' || tbl_name || ' ' || ifnull(sql, '')"
        return [text for (text,) in self.execute(f"SELECT {columns} FROM sqlite_master ORDER BY type, name")]

    def faults(self, most: int, *, quickly: bool = False) -> Iterator[str]:
        pragma = "quick_check" if quickly else "integrity_check"
        yield from (text for (text,) in self.execute(f"PRAGMA {pragma}({most})").fetchall() if text != "ok")

    def dangling(self) -> Iterator[str]:
        for table, _, parent, _ in self.execute("PRAGMA foreign_key_check"):
            yield f"{table} points at {parent}"

    def moment(self, ours: float) -> float:
        return ours

    def product(self) -> str:
        return f"SQLite {sqlite3.sqlite_version}"

    def unbound_role(self) -> str | None:
        return None

    def shrink_cache(self) -> None:
        self.execute("PRAGMA shrink_memory").fetchall()

    def damage(self, error: Exception) -> Damage | None:
        if is_damage(error):
            return "value"
        if not isinstance(error, sqlite3.DatabaseError):
            return None
        return "table" if _code(error, sqlite3.SQLITE_ERROR) == sqlite3.SQLITE_ERROR else None


def is_damage(error: Exception) -> bool:
    """Tell whether an error means that the file is corrupt, and not just unreadable at the moment."""
    if isinstance(error, UnicodeDecodeError) or "Could not decode to UTF-8" in str(error):
        return True  # sqlite3 raises this for text that is not UTF-8, which nobody ever wrote
    return _code(error, 0) in _CORRUPT


def no_room(error: Exception, copy: Path) -> NoRoom | None:
    """Return the exception of the ledger where an error of SQLite means that the disk of a copy is full."""
    return (
        NoRoom(said("the disk of {parent} is full", parent=shown(copy.parent)))
        if _code(error, 0) == sqlite3.SQLITE_FULL
        else None
    )


def translated(error: Exception, where: Text | str) -> Damaged | Failed:
    """Return the exception of the ledger for an error of SQLite."""
    if is_damage(error):
        return Damaged(said("{where}: {error}", where=where, error=foreign(error)))
    default = sqlite3.SQLITE_IOERR if isinstance(error, sqlite3.OperationalError) else sqlite3.SQLITE_ERROR
    code = _code(error, default)
    if code == sqlite3.SQLITE_ERROR:
        return BadTables(foreign(error))
    if code in _STATEMENT:
        unique = _UNIQUE.search(str(error))
        return Failed(foreign(error), f"uq_{unique[1]}_{unique[2]}" if unique else "")
    return DiskFailed(foreign(error))


def _code(error: Exception, default: int) -> int:
    """Return the primary result code of an error (sqlite.org/rescode.html)."""
    return int(getattr(error, "sqlite_errorcode", default)) & 0xFF


def path_for_sqlite(path: Path) -> str:
    """Return a path for SQLite, not to be used in a URI. Raises OSError if it is too long for SQLite."""
    absolute = os.path.realpath(path)
    if len(os.fsencode(absolute)) > _MAX_PATH:
        reason = f"SQLite takes paths of at most {_MAX_PATH} bytes"
        raise OSError(errno.ENAMETOOLONG, reason, absolute)
    return absolute


def plain(path: Path) -> Connection:
    """Open a file without pragmas. Transactions are begun and committed by explicit statements."""
    return sqlite3.connect(path_for_sqlite(path), isolation_level=None, factory=Connection)


def read_only(path: Path) -> Connection:
    """Open a file read-only that nobody writes to. Raises OSError for a path that is too long."""
    address = f"file://{quote(os.fsencode(path_for_sqlite(path)))}?mode=ro&immutable=1"
    return sqlite3.connect(address, uri=True, factory=Connection)


def connect(path: Path) -> Connection:
    """Open a database file exclusively, with `PRAGMAS`, and fsync its folder.

    Raises sqlite3.Error: with SQLITE_NOTADB for a file of 0 bytes, which we never write, or for a WAL without its file.

    Not bound to a thread: a move reads this database in the worker thread of the target database.
    """
    name = path_for_sqlite(path)
    if not path.exists():
        _create(path)
    elif not path.stat().st_size:  # SQLite would treat it as a new database, and delete its WAL
        raise _not_a_database("the file is empty: it has 0 bytes")
    connection = sqlite3.connect(
        name, isolation_level=None, timeout=1, cached_statements=256, check_same_thread=False, factory=Connection
    )
    try:
        for pragma in PRAGMAS:
            connection.execute(f"PRAGMA {pragma}").fetchall()
        atomic.sync_folder(path.parent)
    except BaseException:
        connection.close()
        raise
    return connection


def _create(path: Path) -> None:
    """Create a database without tables. A temporary file is renamed, so a crash leaves no file of 0 bytes."""
    if path.with_name(path.name + WAL).exists():
        # SQLite would treat it as the WAL of the new database.
        raise _not_a_database("the file is gone, and its log is there")
    partial = atomic.aside(path)
    try:
        discard(partial)
        os.close(os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        with closing(plain(partial)) as connection:
            connection.execute("PRAGMA locking_mode = EXCLUSIVE").fetchall()
            connection.execute("PRAGMA journal_mode = WAL").fetchall()  # writes the first page
        partial.replace(path)
        atomic.sync_folder(path.parent)
    finally:
        discard(partial)


def discard(database: Path) -> None:
    """Delete a database file, if there is one, and the files that SQLite keeps beside it."""
    for ending in ("", "-journal", WAL, "-shm"):
        database.with_name(database.name + ending).unlink(missing_ok=True)


def _not_a_database(reason: str) -> sqlite3.DatabaseError:
    error = sqlite3.DatabaseError(reason)
    error.sqlite_errorcode = sqlite3.SQLITE_NOTADB
    return error
