"""The embedded engine: SQLite in a folder that this process alone has. One file, one connection, one thread."""

import asyncio
import fcntl
import os
import shutil
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection

from deskroster.core.problems import Damaged
from deskroster.ledger.engines import (
    COMMIT_SECONDS,
    COPY_SECONDS,
    EVERY_COMPANY,
    PATIENCE,
    Asking,
    FolderInUse,
    Job,
    Late,
    NoRoom,
)
from deskroster.ledger.engines.fence import Fence
from deskroster.ledger.engines.sqlite import wal
from deskroster.ledger.engines.sqlite.copying import Copying, Interrupted, size, sync
from deskroster.ledger.engines.sqlite.worker import Running, Worker
from deskroster.ledger.files import atomic, paths
from deskroster.ledger.files.paths import shown
from deskroster.ledger.migrations import core

T = TypeVar("T")

FILE = "deskroster.db"
LOCK = "lock"
_PRAGMAS = (
    "locking_mode = EXCLUSIVE",  # first: so the index of the WAL is kept in memory and no file is shared
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
ROOM = 16 << 20  # bytes that a copy leaves free: for SQLite's log, so that writes go on
_SYNCED = 16  # slices after which a copy is synced, so that no sync of a write has to wait for all of it
_MOMENT = 0.002  # seconds that the loop stands still for a write
_LEFT_OUT = 64  # writes, at most, that it does not stand still for after one that took longer
_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 1.0  # seconds between attempts to settle a doubt
_CORRUPT = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


class Embedded:
    """The database of a folder, held by this process alone. Every job runs in one thread, one after the other.

    The right to write is always held, nothing is ever unseen, and a job sees all companies.

    After an error the connection is thrown away, and the next job begins by opening another. To read through it needs
    no room on the disk. Before anything is written, what is in SQLite's log goes into the database file: some of it may
    be only in the memory of the system, and a disk that has once failed to take it is not asked to again.
    """

    asking: Asking | None = None

    def __init__(self, folder: Path) -> None:
        """Take the folder. Raises FolderInUse, and Damaged before SQLite could pass over what its log has lost."""
        self.folder: Path | None = folder
        self.path = folder / FILE
        self.damage = ""  # what was found broken; nothing is written any more
        self.fence = Fence()  # never asked: nobody can change the key or the place while the folder is locked
        self.alarm: Callable[[str], None] = lambda damage: None
        self._lock = lock(folder)
        log = folder / (FILE + "-wal")
        if wal.hides_transactions(log):
            os.close(self._lock)
            raise Damaged(f"{shown(log)}: durable transactions stand behind a broken one")
        self._thread = Worker("ledger")
        self._connection: sqlite3.Connection | None = None
        self._moments = Moments()
        self._copying: Copying | None = None
        self._hard = False  # what can be read outlives a power failure
        self._doubtful = False  # it cannot be said whether the last write was done

    @property
    def where(self) -> str:
        return shown(self.path)

    def condemn(self, damage: str) -> None:
        """Write nothing any more, and sound the alarm, once."""
        if not self.damage:
            self.damage = damage
            self.alarm(damage)

    @property
    def in_doubt(self) -> bool:
        return self._doubtful

    def doubts(self, company_id: int) -> bool:
        return self._doubtful

    async def hold(self, company_id: int) -> "Turn":
        return Turn(self)

    async def write(self, job: Job[T], company_id: int = EVERY_COMPANY, silence: float = COMMIT_SECONDS) -> T:
        return await self.start_write(job).ended(PATIENCE, silence)

    async def note(self, statement: str, values: Sequence[int], company_id: int) -> Any:
        return await self.write(lambda db: db.execute(statement, values).fetchone())

    async def read(self, job: Job[T], company_id: int = EVERY_COMPANY, patience: float = PATIENCE) -> T:
        return await self.run(lambda connection: _snapshot(connection, job), patience)

    async def read_long(self, job: Job[T], company_id: int = EVERY_COMPANY, silence: float = 0) -> T:
        """Run a job on one snapshot. Every other job waits until it ends."""
        running = self._submit(lambda connection: _snapshot(connection, job))
        return await running.ended(PATIENCE, None)

    async def copy(self, target: Path, otherwise: Job[None]) -> None:
        """Copy the database to a file page by page, in slices. Of one moment, that of the last slice."""
        until = asyncio.get_running_loop().time() + COPY_SECONDS
        while True:
            copying = await self.run(lambda connection: self._begin_copying(connection, target))
            await self._finish(copying, target, until)
            if not isinstance(copying.error, Interrupted):
                break
            await asyncio.to_thread(target.unlink, missing_ok=True)
        error = copying.error
        if error is not None and broken(error):
            self.condemn(f"{self.path}: {error}")
            raise Damaged(self.damage) from error
        if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL:
            raise NoRoom(f"the disk of {shown(target.parent)} is full") from error
        if error is not None:
            raise error

    async def _finish(self, copying: Copying, target: Path, until: float) -> None:
        """Copy slice by slice, and let others in between. Raises Late when it is not done in time."""
        slices = 0
        try:
            while not copying.done:
                if asyncio.get_running_loop().time() > until:
                    raise Late
                await self.run(lambda _: copying.step(), COPY_SECONDS)
                slices += 1
                if slices % _SYNCED == 0:
                    await asyncio.to_thread(sync, target)
        finally:
            if not copying.done:
                await self.run(lambda _: copying.stop(), COPY_SECONDS)

    async def settle(self, find: Job[T | None], company_id: int) -> T | None:
        pause = _FIRST_PAUSE
        try:
            while True:
                try:
                    found = await self.read(find)
                    if found is not None:
                        await self.run(self._harden)
                    return found
                except Damaged:
                    raise
                except Exception:  # noqa: BLE001 - whatever it was, there is no answer yet
                    self._doubtful = True
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, _LONGEST_PAUSE)
        finally:
            self._doubtful = False

    async def run(self, job: Callable[[sqlite3.Connection], T], patience: float = PATIENCE) -> T:
        """Run a job outside any transaction. Raises NotBegun, Late, Damaged, or what the job raises."""
        return await self._submit(job).ended(patience)

    def start_write(self, job: Job[T]) -> Running[T]:
        """Begin a write, and wait for it for a moment where that mostly suffices."""
        running = self._submit(lambda connection: self._transaction(connection, job))
        self._moments.suffice(running)
        return running

    def migrate(self, steps: Callable[[Connection], None], job: Job[None]) -> None:
        def run(connection: sqlite3.Connection) -> None:
            with core(connection) as same, same.begin():
                steps(same)
                job(connection)

        self._run_now(run)

    def read_now(self, job: Job[T]) -> T:
        return self._run_now(lambda connection: _snapshot(connection, job))

    def write_now(self, job: Job[T]) -> T:
        return self._run_now(lambda connection: self._transaction(connection, job))

    def harden_now(self) -> None:
        self._run_now(self._harden)

    def take_alone(self) -> None:
        pass  # it always is

    async def aclose(self) -> None:
        pass

    def _run_now(self, job: Callable[[sqlite3.Connection], T]) -> T:
        return self._submit(job).result()

    def close(self) -> None:
        self._thread.submit(self._drop).result()
        self._thread.close()
        os.close(self._lock)

    def _submit(self, job: Callable[[sqlite3.Connection], T]) -> Running[T]:
        return self._thread.submit(lambda: self._do(job))

    def _do(self, job: Callable[[sqlite3.Connection], T]) -> T:
        try:
            if self._connection is None:
                self._connection = connect(self.path)
            return job(self._connection)
        except (sqlite3.Error, UnicodeDecodeError) as error:
            self._drop()
            if broken(error):
                self.condemn(f"{self.where}: {error}")
                raise Damaged(self.damage) from error
            raise
        except BaseException:
            self._drop()
            raise

    def _transaction(self, connection: sqlite3.Connection, job: Job[T]) -> T:
        if self.damage:
            raise Damaged(self.damage)
        self._harden(connection)
        connection.execute("BEGIN IMMEDIATE")
        result = job(connection)
        self._commit(connection)
        return result

    def _commit(self, connection: sqlite3.Connection) -> None:
        connection.execute("COMMIT")

    def _harden(self, connection: sqlite3.Connection) -> None:
        if not self._hard:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            self._hard = True

    def _begin_copying(self, connection: sqlite3.Connection, target: Path) -> Copying:
        if shutil.disk_usage(target.parent).free < size(connection) + ROOM:
            raise NoRoom(f"a copy of {size(connection) + ROOM >> 20} MiB has no room on the disk of {target.parent}")
        self._copying = Copying(connection, target)
        return self._copying

    def _drop(self) -> None:
        self._hard = False
        connection, self._connection = self._connection, None
        if self._copying is not None:
            self._copying.stop()
            self._copying = None
        if connection is not None:
            connection.close()  # takes back what was not committed


class Turn:
    """The right to write, which this process always has. One commit at a time."""

    number: int | None = None

    def __init__(self, engine: Embedded) -> None:
        self._engine = engine
        self._commit: Running[Any] | None = None

    async def read(self, job: Job[T], patience: float = PATIENCE) -> T:
        return await self._engine.read(job, patience=patience)

    async def commit(self, job: Job[T], patience: float | None = None) -> T:
        self._commit = commit = self._engine.start_write(job)
        return await commit.ended(patience)

    def withdraw(self) -> bool:
        return self._commit is not None and self._commit.cancel()

    async def release(self) -> None:
        pass

    async def reject(self) -> None:
        raise NotImplementedError


class Moments:
    """The moments that the loop stands still for writes, as nearly each is done by then.

    To go on meanwhile takes longer, for everybody: the thread that comes back from the disk then has to get the
    interpreter out of the hands of the loop, which takes it again and again. On a slow disk the loop goes on.
    """

    def __init__(self) -> None:
        self._misses = 0
        self._left_out = 0

    def suffice(self, writing: Running[Any]) -> bool:
        """Wait for a moment, unless that was in vain of late; tell whether the write is done."""
        if self._left_out:
            self._left_out -= 1
            return False
        if not writing.wait(_MOMENT):
            self._misses += 1
            self._left_out = min(1 << self._misses, _LEFT_OUT)
            return False
        self._misses = 0
        return True


def lock(folder: Path) -> int:
    """Take the folder for this process, until the descriptor is closed or the process ends. Raises FolderInUse."""
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise FolderInUse(f"another process is using {shown(folder)}") from None
    return descriptor


def connect(path: Path) -> sqlite3.Connection:
    """Open a database file as the only one. The names in its folder are durable afterwards, and those gone are gone.

    Raises sqlite3.Error: one of SQLITE_NOTADB for a file of 0 bytes, which we never leave, or for a log without a file.

    Not bound to a thread: what is moved from it is read in the thread that writes the other database.
    """
    name = paths.for_sqlite(path)
    if not path.exists():
        _make(path)
    elif not path.stat().st_size:  # SQLite would take it for a new one, and delete what is in its log
        raise _lost("the file is empty: it has 0 bytes")
    connection = sqlite3.connect(name, isolation_level=None, timeout=1, cached_statements=256, check_same_thread=False)
    try:
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}").fetchall()
        atomic.sync_folder(path.parent)
    except BaseException:
        connection.close()
        raise
    return connection


def _make(path: Path) -> None:
    """Put a database without tables in place. It is written aside, so that a crash leaves no file of 0 bytes."""
    if path.with_name(path.name + "-wal").exists():
        raise _lost("the file is gone, and its log is there")  # which SQLite would take for that of the new one
    partial = atomic.aside(path)
    try:
        discard(partial)
        os.close(os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        with closing(sqlite3.connect(paths.for_sqlite(partial), isolation_level=None)) as connection:
            connection.execute("PRAGMA locking_mode = EXCLUSIVE").fetchall()
            connection.execute("PRAGMA journal_mode = WAL").fetchall()  # writes the first page
        partial.replace(path)
        atomic.sync_folder(path.parent)
    finally:
        discard(partial)


def discard(database: Path) -> None:
    """Remove a database file, if there is one, and what SQLite keeps beside it."""
    for ending in ("", "-journal", "-wal", "-shm"):
        database.with_name(database.name + ending).unlink(missing_ok=True)


def _lost(how: str) -> sqlite3.DatabaseError:
    error = sqlite3.DatabaseError(how)
    error.sqlite_errorcode = sqlite3.SQLITE_NOTADB
    return error


def broken(error: Exception) -> bool:
    """Tell whether an error says that the file is broken, and not just out of reach."""
    if isinstance(error, UnicodeDecodeError) or "Could not decode to UTF-8" in str(error):
        return True  # what the driver says of text, and of names in SQLite's own messages, that no one ever wrote
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _CORRUPT


def _snapshot(connection: sqlite3.Connection, job: Job[T]) -> T:
    connection.execute("BEGIN")
    try:
        return job(connection)
    finally:
        connection.execute("ROLLBACK")
