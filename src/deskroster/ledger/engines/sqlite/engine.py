"""The SQLite engine: the folder is locked by this process. One file, one connection, one worker thread."""

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
from deskroster.ledger.engines.sqlite.connection import WAL, Connection, connect, is_damage, no_room, translated
from deskroster.ledger.engines.sqlite.copying import Copying, Interrupted, size, sync
from deskroster.ledger.engines.sqlite.folder import FILE
from deskroster.ledger.engines.sqlite.migrating import for_alembic
from deskroster.ledger.engines.sqlite.nonce_file import Nonces
from deskroster.ledger.engines.sqlite.worker import JobFuture, Worker
from deskroster.ledger.files.folder_lock import lock
from deskroster.ledger.files.paths import shown
from deskroster.texts import Text, foreign, said, verbatim

T = TypeVar("T")

COPY_RESERVE = 16 << 20  # bytes of disk space that a copy leaves for the WAL, so that writes go on
_SLICES_PER_FSYNC = 16  # slices after which a copy is fsynced, so that no fsync of a commit has to write all of it
_BLOCK_SECONDS = 0.002  # for which the event loop may block for a commit
_MAX_SKIPPED = 64  # writes, at most, for which it does not block after one that took longer
_MIN_BACKOFF, _MAX_BACKOFF = 0.02, 1.0  # seconds of backoff between retries, where an outcome is unknown
_RESULTS = {unused: Durable(None, None, None, unused) for unused in (True, False)}


class SQLite:
    """The database of a folder that this process has locked. All jobs run in one thread, in their order.

    This process always holds the write lock and knows every commit. A job sees the rows of all companies.

    After an error the connection is closed, and the next job opens another. Reading needs no free disk space. Before
    anything is written again, the WAL is checkpointed into the database file: part of it may be only in the page cache,
    and after a failed fsync the kernel may drop pages without writing them.
    """

    shared = False
    blocks = True
    queue_timeout = REQUEST_TIMEOUT

    def __init__(self, folder: Path) -> None:
        """Lock the folder. Raises FolderInUse; Damaged if the WAL has damage that SQLite does not report."""
        self.folder: Path | None = folder
        self.path = folder / FILE
        self.damage = ""  # which damage was found; writes are refused since
        self.fence = Fence()  # never compared: nobody can change the key or the location of a locked folder
        self.alarm: Callable[[str], None] = lambda damage: None
        self._lock = lock(folder)
        wal_file = folder / (FILE + WAL)
        if wal.hides_transactions(wal_file):
            os.close(self._lock)
            raise Damaged(said("{wal_file}: durable transactions stand behind a broken one", wal_file=shown(wal_file)))
        self._thread = Worker("ledger")
        self._connection: Connection | None = None
        self._blocking = BriefBlocking()
        self._copying: Copying | None = None
        self._checkpointed = False  # whether all that can be read is in the database file, and survives a power failure
        self._outcome_unknown = False  # whether the outcome of the last write is unknown
        self._clock: Clock = SYSTEM
        self._nonces: Nonces | None = None
        self._calls: dict[int, LastMinute] = {}  # by company id

    @property
    def where(self) -> Text:
        return verbatim(shown(self.path))

    def serve(self, clock: Clock) -> None:
        """Open the file of nonces. Raises NoncesLost, NewerData."""
        self._clock = clock
        self._nonces = Nonces(self.path.with_name(nonce_file.FILE), clock)

    def fresh(self, company_id: int, nonce: str | None, now: int) -> Durable:
        """Spend a nonce. Nobody else writes, so the roster is always fresh. Raises Busy."""
        assert self._nonces is not None
        return _RESULTS[nonce is None or self._nonces.spend(company_id, nonce)]

    def release(self, company_id: int, nonce: str) -> None:
        assert self._nonces is not None
        self._nonces.release(company_id, nonce)

    def count_call(self, company_id: int, limit: int) -> int:
        """Count a call in memory: no other process serves the company."""
        calls = self._calls.get(company_id)
        if calls is None:
            calls = self._calls[company_id] = LastMinute()
        return calls.count(self._clock.steady(), limit)

    async def expire(self) -> None:
        pass  # the file of nonces drops expired ones as it grows

    def mark_damaged(self, damage: str) -> None:
        """Refuse all writes from now on, and call the alarm, once."""
        if not self.damage:
            self.damage = damage
            self.alarm(damage)

    @property
    def in_doubt(self) -> bool:
        return self._outcome_unknown

    def doubts(self, company_id: int) -> bool:
        return self._outcome_unknown

    async def lock(self, company_id: int) -> "WriteLock":
        return WriteLock(self)

    async def write(self, job: Job[T], company_id: int = EVERY_COMPANY, timeout: float = COMMIT_TIMEOUT) -> T:
        return await self.start_write(job).result_within(REQUEST_TIMEOUT, timeout)

    async def read(self, job: Job[T], company_id: int = EVERY_COMPANY, timeout: float = REQUEST_TIMEOUT) -> T:
        return await self.run(lambda connection: _snapshot(connection, job), timeout)

    async def read_long(self, job: Job[T], company_id: int = EVERY_COMPANY, read_timeout: float = 0) -> T:
        """Run a job on one snapshot. All other jobs wait until it ends."""
        future = self._submit(lambda connection: _snapshot(connection, job))
        return await future.result_within(REQUEST_TIMEOUT, None)

    async def copy(self, target: Path, fill: Job[None]) -> None:
        """Copy the database to a file by an online backup, in slices. The copy is a snapshot as of its last slice."""
        until = asyncio.get_running_loop().time() + COPY_TIMEOUT
        while True:
            copying = await self.run(lambda connection: self._begin_copying(connection, target))
            await self._copy_slices(copying, target, until)
            if not isinstance(copying.error, Interrupted):
                break
            await asyncio.to_thread(target.unlink, missing_ok=True)
        error = copying.error
        if error is not None and is_damage(error):
            damage = said("{where}: {error}", where=str(self.path), error=foreign(error))
            self.mark_damaged(str(damage))
            raise Damaged(damage) from error
        if isinstance(error, sqlite3.Error):
            raise no_room(error, target) or translated(error, self.where) from error
        if error is not None:
            raise error

    async def _copy_slices(self, copying: Copying, target: Path, until: float) -> None:
        """Copy slice by slice, with other jobs in between. Raises Late after `until` (of the event loop's clock)."""
        slices = 0
        try:
            while not copying.done:
                if asyncio.get_running_loop().time() > until:
                    raise Late
                await self.run(lambda _: copying.step(), COPY_TIMEOUT)
                slices += 1
                if slices % _SLICES_PER_FSYNC == 0:
                    await asyncio.to_thread(sync, target)
        finally:
            if not copying.done:
                await self.run(lambda _: copying.stop(), COPY_TIMEOUT)

    async def resolve(self, find: Job[T | None], company_id: int) -> T | None:
        backoff = _MIN_BACKOFF
        try:
            while True:
                try:
                    result = await self.read(find)
                    if result is not None:
                        await self.run(self._checkpoint)
                    return result
                except Damaged:
                    raise
                except Exception:  # noqa: BLE001 - retry, whatever it was: the outcome is still unknown
                    self._outcome_unknown = True
                    await asyncio.sleep(backoff)
                    backoff = min(2 * backoff, _MAX_BACKOFF)
        finally:
            self._outcome_unknown = False

    async def run(self, job: Callable[[Connection], T], timeout: float = REQUEST_TIMEOUT) -> T:
        """Run a job outside any transaction. Raises NotBegun, Late, Damaged, or what the job raises."""
        return await self._submit(job).result_within(timeout)

    def start_write(self, job: Job[T]) -> JobFuture[T]:
        """Queue a write for the worker thread, and briefly block the event loop for it: see `BriefBlocking`."""
        future = self._submit(lambda connection: self._transaction(connection, job))
        self._blocking.wait_for(future)
        return future

    def migrate(self, steps: Callable[[sqlalchemy.Connection], None], job: Job[None]) -> None:
        def run(connection: Connection) -> None:
            with for_alembic(connection) as alembic_connection, alembic_connection.begin():
                steps(alembic_connection)
                job(connection)

        self._run_now(run)

    def read_now(self, job: Job[T]) -> T:
        return self._run_now(lambda connection: _snapshot(connection, job))

    def write_now(self, job: Job[T]) -> T:
        return self._run_now(lambda connection: self._transaction(connection, job))

    def make_durable_now(self) -> None:
        self._run_now(self._checkpoint)

    def lock_exclusively(self) -> None:
        pass  # the folder is locked

    async def aclose(self) -> None:
        pass

    def _run_now(self, job: Callable[[Connection], T]) -> T:
        return self._submit(job).result()

    def close(self) -> None:
        self._thread.submit(self._disconnect).result()
        self._thread.close()
        os.close(self._lock)
        if self._nonces is not None:
            self._nonces.close()

    def _submit(self, job: Callable[[Connection], T]) -> JobFuture[T]:
        return self._thread.submit(lambda: self._run_job(job))

    def _run_job(self, job: Callable[[Connection], T]) -> T:
        try:
            if self._connection is None:
                self._connection = connect(self.path)
            return job(self._connection)
        except (sqlite3.Error, UnicodeDecodeError) as error:
            self._disconnect()
            translation = translated(error, self.where)
            if isinstance(translation, Damaged):
                self.mark_damaged(str(translation))
            raise translation from error
        except BaseException:
            self._disconnect()
            raise

    def _transaction(self, connection: Connection, job: Job[T]) -> T:
        if self.damage:
            raise Damaged(self.damage)
        self._checkpoint(connection)
        connection.execute("BEGIN IMMEDIATE")
        result = job(connection)
        self._commit(connection)
        return result

    def _commit(self, connection: Connection) -> None:
        connection.execute("COMMIT")

    def _checkpoint(self, connection: Connection) -> None:
        if not self._checkpointed:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            self._checkpointed = True

    def _begin_copying(self, connection: Connection, target: Path) -> Copying:
        if shutil.disk_usage(target.parent).free < size(connection) + COPY_RESERVE:
            needed = size(connection) + COPY_RESERVE >> 20
            raise NoRoom(
                said(
                    "a copy of {needed} MiB has no room on the disk of {parent}",
                    needed=needed,
                    parent=shown(target.parent),
                )
            )
        self._copying = Copying(connection, target)
        return self._copying

    def _disconnect(self) -> None:
        self._checkpointed = False
        connection, self._connection = self._connection, None
        if self._copying is not None:
            self._copying.stop()
            self._copying = None
        if connection is not None:
            connection.close()  # rolls back an open transaction


class WriteLock:
    """The write lock, which this process always holds. One commit at a time."""

    number: int | None = None

    def __init__(self, engine: SQLite) -> None:
        self._engine = engine
        self._commit: JobFuture[Any] | None = None

    async def read(self, job: Job[T], timeout: float = REQUEST_TIMEOUT) -> T:
        return await self._engine.read(job, timeout=timeout)

    async def commit(self, job: Job[T], timeout: float | None = None) -> T:
        self._commit = commit = self._engine.start_write(job)
        return await commit.result_within(timeout)

    def withdraw(self) -> bool:
        return self._commit is not None and self._commit.cancel()

    async def release(self) -> None:
        pass

    async def reject(self) -> None:
        raise NotImplementedError


class BriefBlocking:
    """Block the event loop up to 2 ms for a commit; otherwise the writer thread competes with it for the GIL.

    A thread that returns from an fsync must take the GIL from the event loop, which takes it back again and again, so
    every request would wait longer. Where commits take longer than 2 ms, the event loop goes on.
    """

    def __init__(self) -> None:
        self._slow_writes = 0
        self._skipped = 0

    def wait_for(self, writing: JobFuture[Any]) -> bool:
        """Block until the write is done, unless writes took too long recently. Tell whether it is done."""
        if self._skipped:
            self._skipped -= 1
            return False
        if not writing.wait(_BLOCK_SECONDS):
            self._slow_writes += 1
            self._skipped = min(1 << self._slow_writes, _MAX_SKIPPED)
            return False
        self._slow_writes = 0
        return True


def _snapshot(connection: Connection, job: Job[T]) -> T:
    connection.execute("BEGIN")
    try:
        return job(connection)
    finally:
        connection.execute("ROLLBACK")
