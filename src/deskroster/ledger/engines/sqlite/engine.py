"""SQLite in a folder that this process alone has. One file, one connection, one thread."""

import asyncio
import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy

from deskroster.clocks import SYSTEM, Clock
from deskroster.core.problems import Damaged
from deskroster.ledger.engines import (
    COMMIT_TIMEOUT,
    COPY_TIMEOUT,
    EVERY_COMPANY,
    REQUEST_TIMEOUT,
    Durable,
    Job,
    Late,
    NoRoom,
)
from deskroster.ledger.engines.fence import Fence
from deskroster.ledger.engines.sqlite import nonce_file, wal
from deskroster.ledger.engines.sqlite.call_limit import LastMinute
from deskroster.ledger.engines.sqlite.connection import WAL, Connection, connect, is_damage, translated
from deskroster.ledger.engines.sqlite.copying import Copying, Interrupted, size, sync
from deskroster.ledger.engines.sqlite.folder import FILE
from deskroster.ledger.engines.sqlite.migrating import for_alembic
from deskroster.ledger.engines.sqlite.nonce_file import Nonces
from deskroster.ledger.engines.sqlite.worker import Running, Worker
from deskroster.ledger.files.folder_lock import lock
from deskroster.ledger.files.paths import shown

T = TypeVar("T")

ROOM = 16 << 20  # bytes that a copy leaves free: for the WAL, so that writes go on
_SYNCED = 16  # slices after which a copy is synced, so that no sync of a write has to wait for all of it
_BLOCK_SECONDS = 0.002  # that the event loop is blocked for a write, at most
_MOST_SKIPPED = 64  # writes, at most, that it is not blocked for after one that took longer
_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 1.0  # seconds between retries to learn an outcome
_SPENT = {unused: Durable(None, None, None, unused) for unused in (True, False)}


class SQLite:
    """The database of a folder, held by this process alone. Every job runs in one thread, one after the other.

    This process always has the right to write, and sees all commits. A job sees all companies.

    After an error the connection is closed, and the next job opens another. Reading needs no room on the disk. Before
    anything is written, what is in the WAL goes into the database file: some of it may be only in the page cache, and
    after a failed fsync the system may drop pages without writing them.
    """

    shared = False
    blocks = True
    queue_timeout = REQUEST_TIMEOUT

    def __init__(self, folder: Path) -> None:
        """Lock the folder. Raises FolderInUse, and Damaged before SQLite could skip what its WAL has lost."""
        self.folder: Path | None = folder
        self.path = folder / FILE
        self.damage = ""  # what was found broken; nothing is written any more
        self.fence = Fence()  # never asked: nobody can change the key or the place while the folder is locked
        self.alarm: Callable[[str], None] = lambda damage: None
        self._lock = lock(folder)
        log = folder / (FILE + WAL)
        if wal.hides_transactions(log):
            os.close(self._lock)
            raise Damaged(f"{shown(log)}: durable transactions stand behind a broken one")
        self._thread = Worker("ledger")
        self._connection: Connection | None = None
        self._blocking = BriefBlocking()
        self._copying: Copying | None = None
        self._hard = False  # what can be read outlives a power failure
        self._doubtful = False  # the outcome of the last write is unknown
        self._clock: Clock = SYSTEM
        self._nonces: Nonces | None = None
        self._calls: dict[int, LastMinute] = {}  # by company

    @property
    def where(self) -> str:
        return shown(self.path)

    def serve(self, clock: Clock) -> None:
        """Open the file of nonces. Raises NoncesLost, NewerData."""
        self._clock = clock
        self._nonces = Nonces(self.path.with_name(nonce_file.FILE), clock)

    def fresh(self, company_id: int, nonce: str | None, now: int) -> Durable:
        """Spend a nonce. Nobody else writes, so there is nothing else to learn. Raises Busy."""
        assert self._nonces is not None
        return _SPENT[nonce is None or self._nonces.spend(company_id, nonce)]

    def count_call(self, company_id: int, limit: int) -> int:
        """Count a call in memory: no other process serves the company."""
        calls = self._calls.get(company_id)
        if calls is None:
            calls = self._calls[company_id] = LastMinute()
        return calls.count(self._clock.steady(), limit)

    async def expire(self) -> None:
        pass  # the file of nonces deletes old ones as it goes

    def mark_damaged(self, damage: str) -> None:
        """Write nothing any more, and sound the alarm, once."""
        if not self.damage:
            self.damage = damage
            self.alarm(damage)

    @property
    def in_doubt(self) -> bool:
        return self._doubtful

    def doubts(self, company_id: int) -> bool:
        return self._doubtful

    async def lock(self, company_id: int) -> "WriteLock":
        return WriteLock(self)

    async def write(self, job: Job[T], company_id: int = EVERY_COMPANY, timeout: float = COMMIT_TIMEOUT) -> T:
        return await self.start_write(job).ended(REQUEST_TIMEOUT, timeout)

    async def read(self, job: Job[T], company_id: int = EVERY_COMPANY, timeout: float = REQUEST_TIMEOUT) -> T:
        return await self.run(lambda connection: _snapshot(connection, job), timeout)

    async def read_long(self, job: Job[T], company_id: int = EVERY_COMPANY, read_timeout: float = 0) -> T:
        """Run a job on one snapshot. Every other job waits until it ends."""
        running = self._submit(lambda connection: _snapshot(connection, job))
        return await running.ended(REQUEST_TIMEOUT, None)

    async def copy(self, target: Path, fill: Job[None]) -> None:
        """Copy the database to a file page by page, in slices. Of one moment, that of the last slice."""
        until = asyncio.get_running_loop().time() + COPY_TIMEOUT
        while True:
            copying = await self.run(lambda connection: self._begin_copying(connection, target))
            await self._finish(copying, target, until)
            if not isinstance(copying.error, Interrupted):
                break
            await asyncio.to_thread(target.unlink, missing_ok=True)
        error = copying.error
        if error is not None and is_damage(error):
            self.mark_damaged(f"{self.path}: {error}")
            raise Damaged(self.damage) from error
        if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL:
            raise NoRoom(f"the disk of {shown(target.parent)} is full") from error
        if isinstance(error, sqlite3.Error):
            raise translated(error, self.where) from error
        if error is not None:
            raise error

    async def _finish(self, copying: Copying, target: Path, until: float) -> None:
        """Copy slice by slice, and let others in between. Raises Late when it is not done in time."""
        slices = 0
        try:
            while not copying.done:
                if asyncio.get_running_loop().time() > until:
                    raise Late
                await self.run(lambda _: copying.step(), COPY_TIMEOUT)
                slices += 1
                if slices % _SYNCED == 0:
                    await asyncio.to_thread(sync, target)
        finally:
            if not copying.done:
                await self.run(lambda _: copying.stop(), COPY_TIMEOUT)

    async def resolve(self, find: Job[T | None], company_id: int) -> T | None:
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

    async def run(self, job: Callable[[Connection], T], timeout: float = REQUEST_TIMEOUT) -> T:
        """Run a job outside any transaction. Raises NotBegun, Late, Damaged, or what the job raises."""
        return await self._submit(job).ended(timeout)

    def start_write(self, job: Job[T]) -> Running[T]:
        """Hand a write to the thread, and block the event loop briefly if it was done within that time of late."""
        running = self._submit(lambda connection: self._transaction(connection, job))
        self._blocking.wait_for(running)
        return running

    def migrate(self, steps: Callable[[sqlalchemy.Connection], None], job: Job[None]) -> None:
        def run(connection: Connection) -> None:
            with for_alembic(connection) as same, same.begin():
                steps(same)
                job(connection)

        self._run_now(run)

    def read_now(self, job: Job[T]) -> T:
        return self._run_now(lambda connection: _snapshot(connection, job))

    def write_now(self, job: Job[T]) -> T:
        return self._run_now(lambda connection: self._transaction(connection, job))

    def make_durable_now(self) -> None:
        self._run_now(self._harden)

    def lock_exclusively(self) -> None:
        pass  # it always is

    async def aclose(self) -> None:
        pass

    def _run_now(self, job: Callable[[Connection], T]) -> T:
        return self._submit(job).result()

    def close(self) -> None:
        self._thread.submit(self._drop).result()
        self._thread.close()
        os.close(self._lock)
        if self._nonces is not None:
            self._nonces.close()

    def _submit(self, job: Callable[[Connection], T]) -> Running[T]:
        return self._thread.submit(lambda: self._do(job))

    def _do(self, job: Callable[[Connection], T]) -> T:
        try:
            if self._connection is None:
                self._connection = connect(self.path)
            return job(self._connection)
        except (sqlite3.Error, UnicodeDecodeError) as error:
            self._drop()
            meaning = translated(error, self.where)
            if isinstance(meaning, Damaged):
                self.mark_damaged(str(meaning))
            raise meaning from error
        except BaseException:
            self._drop()
            raise

    def _transaction(self, connection: Connection, job: Job[T]) -> T:
        if self.damage:
            raise Damaged(self.damage)
        self._harden(connection)
        connection.execute("BEGIN IMMEDIATE")
        result = job(connection)
        self._commit(connection)
        return result

    def _commit(self, connection: Connection) -> None:
        connection.execute("COMMIT")

    def _harden(self, connection: Connection) -> None:
        if not self._hard:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            self._hard = True

    def _begin_copying(self, connection: Connection, target: Path) -> Copying:
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


class WriteLock:
    """The right to write, which this process always has. One commit at a time."""

    number: int | None = None

    def __init__(self, engine: SQLite) -> None:
        self._engine = engine
        self._commit: Running[Any] | None = None

    async def read(self, job: Job[T], timeout: float = REQUEST_TIMEOUT) -> T:
        return await self._engine.read(job, timeout=timeout)

    async def commit(self, job: Job[T], timeout: float | None = None) -> T:
        self._commit = commit = self._engine.start_write(job)
        return await commit.ended(timeout)

    def withdraw(self) -> bool:
        return self._commit is not None and self._commit.cancel()

    async def release(self) -> None:
        pass

    async def reject(self) -> None:
        raise NotImplementedError


class BriefBlocking:
    """Block the event loop up to 2 ms for a commit; otherwise the writer thread competes with it for the GIL.

    A thread that returns from the disk has to take the GIL from the event loop, which takes it back again and again, so
    everybody would wait longer. Where commits take longer than that, the event loop goes on.
    """

    def __init__(self) -> None:
        self._misses = 0
        self._skipped = 0

    def wait_for(self, writing: Running[Any]) -> bool:
        """Block until the write is done, unless that took too long of late; tell whether it is done."""
        if self._skipped:
            self._skipped -= 1
            return False
        if not writing.wait(_BLOCK_SECONDS):
            self._misses += 1
            self._skipped = min(1 << self._misses, _MOST_SKIPPED)
            return False
        self._misses = 0
        return True


def _snapshot(connection: Connection, job: Job[T]) -> T:
    connection.execute("BEGIN")
    try:
        return job(connection)
    finally:
        connection.execute("ROLLBACK")
