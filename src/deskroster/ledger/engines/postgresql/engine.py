"""The PostgreSQL engine: any number of processes share the data. A connection pool, with a thread per connection."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeVar

import psycopg
from sqlalchemy import Connection, StaticPool, create_engine, text
from sqlalchemy.exc import DBAPIError

from deskroster.clocks import SYSTEM, Clock
from deskroster.core.problems import Busy, Damaged
from deskroster.ledger.engines import (
    BEGIN_TIMEOUT,
    COMMIT_TIMEOUT,
    ERRORS,
    EVERY_COMPANY,
    REQUEST_TIMEOUT,
    SCAN_TIMEOUT,
    Durable,
    Failed,
    Job,
    Outdated,
)
from deskroster.ledger.engines.fence import Fence
from deskroster.ledger.engines.nonces import digest
from deskroster.ledger.engines.postgresql import call_limit, nonces, transactions
from deskroster.ledger.engines.postgresql.advisory_lock import ADVISORY_LOCK, LockHolder
from deskroster.ledger.engines.postgresql.connection import Primary, Session
from deskroster.ledger.engines.postgresql.freshness import FreshnessQueries
from deskroster.ledger.engines.postgresql.nonces import EvenClock
from deskroster.ledger.engines.postgresql.worker import READ_TIMEOUT, ConnectionWorker
from deskroster.ledger.engines.waiting import in_time
from deskroster.texts import Text, foreign

T = TypeVar("T")
Semaphores = Sequence[asyncio.Semaphore]
"""Semaphores that keep a kind of work from taking all connections of the pool."""

POOL_SIZE = 5  # connections for all but freshness queries; a company writes on one at a time
MAX_LONG = 2  # of them, for work that may take minutes: loading, checking, backups, new companies, the upkeep
MAX_SLOW = POOL_SIZE - 1  # of them, for that and for writes, which wait for locks and fsyncs: one is left for reads
MAX_UNRELEASED = 10_000  # nonces that could not be released, and are remembered
STUCK_SECONDS = 1.0  # seconds that a writer waits for a lock before an idle session that blocks it is terminated
WRITE_LOCK_TIMEOUT = 4.0  # seconds for a company's write lock; then another connection is tried
MIGRATION_LOCK_TIMEOUT = "120s"  # for a migration to wait for another, or for a new company: no verb waits behind it
TABLE_LOCK_TIMEOUT = "2s"  # for a migration to lock a table: other processes queue behind it, and no verb waits for 4 s
_MIN_BACKOFF, _MAX_BACKOFF = 0.05, 0.5  # seconds of backoff between retries, where an outcome is unknown

_TERMINATE_BLOCKERS = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE pid = ANY(pg_blocking_pids(%s)) AND wait_event_type = 'Client'
    AND state_change < now() - %s * interval '1 second'"""


class PostgreSQL:
    """A PostgreSQL database that other processes may write to.

    A company's write lock is the row lock of its row in `companies`. Every transaction sets the company that it is for,
    and row-level security hides the rows of all others.
    """

    shared = True
    blocks = False
    queue_timeout = 4.0  # seconds; with the freshness query before it, a request is answered within eight
    folder: Path | None = None

    def __init__(self, url: str) -> None:
        """Connect. Raises ValueError for an invalid URL, Failed if no primary answers."""
        self.damage = ""
        self.alarm: Callable[[str], None] = lambda damage: None
        self._primary = Primary(url)
        self.fence = Fence()
        self._freshness = FreshnessQueries(self._primary, self.fence)
        self._clock: Clock = SYSTEM
        self._even_clock = EvenClock()
        self._pool = [
            ConnectionWorker(self._primary, transactions.require_synchronous_commit) for _ in range(POOL_SIZE)
        ]
        self._lock_holder = LockHolder(self._primary)
        self._idle: asyncio.Queue[ConnectionWorker] | None = None
        self._long, self._slow = asyncio.Semaphore(MAX_LONG), asyncio.Semaphore(MAX_SLOW)
        self._unknown_outcomes: set[int] = set()
        self._unreleased: set[tuple[int, str]] = set()  # nonces that could not be released
        self._primary.on_connect = self._retake_advisory_lock

    @property
    def where(self) -> Text:
        return self._primary.where

    def serve(self, clock: Clock) -> None:
        self._clock = clock

    def fresh(self, company_id: int, nonce: str | None, now: int) -> Awaitable[Durable]:
        if nonce is not None and (company_id, nonce) in self._unreleased:
            return self._fresh_once_released(company_id, nonce, now)
        return self._freshness.query(company_id, None if nonce is None else digest(company_id, nonce), now)

    async def _fresh_once_released(self, company_id: int, nonce: str, now: int) -> Durable:
        try:
            await self.release(company_id, nonce)
        except ERRORS as error:
            raise Busy from error
        return await self.fresh(company_id, nonce, now)

    async def release(self, company_id: int, nonce: str) -> None:
        if len(self._unreleased) < MAX_UNRELEASED:
            self._unreleased.add((company_id, nonce))
        await self._run_in_one_round_trip(nonces.release(company_id, nonce), (company_id,), company_id)
        self._unreleased.discard((company_id, nonce))

    async def count_call(self, company_id: int, limit: int) -> int:
        """Count a call in the database, by its clock. Raises Failed."""
        (wait,) = await self._run_in_one_round_trip(call_limit.COUNT, (company_id, limit), company_id)
        return int(wait)

    async def expire(self) -> None:
        """Delete expired nonces, in short transactions, once the database's clock can be trusted."""
        now = await self.read(lambda db: db.moment(0))
        if self._even_clock.may_delete(now, self._clock.steady()):
            while await self.write(lambda db: nonces.delete(db, int(now))) == nonces.DELETE_BATCH:
                pass

    def mark_damaged(self, damage: str) -> None:
        if not self.damage:
            self.damage = damage
            self.alarm(damage)

    @property
    def in_doubt(self) -> bool:
        return bool(self._unknown_outcomes)

    def doubts(self, company_id: int) -> bool:
        return company_id in self._unknown_outcomes

    async def read(self, job: Job[T], company_id: int = EVERY_COMPANY, timeout: float = REQUEST_TIMEOUT) -> T:
        worker = await self._acquire((), timeout)
        try:
            return await self._noting_damage(
                worker.run(
                    lambda db: transactions.read_buffered(db, job, company_id, self.fence), total_timeout=timeout
                )
            )
        finally:
            self.release_worker(worker)

    async def read_long(self, job: Job[T], company_id: int = EVERY_COMPANY, read_timeout: float = READ_TIMEOUT) -> T:
        semaphores = (self._long, self._slow)
        worker = await self._acquire(semaphores, BEGIN_TIMEOUT)
        try:
            return await self._noting_damage(
                worker.run(
                    lambda session: transactions.read_streamed(session, job, company_id, self.fence), read_timeout
                )
            )
        finally:
            self.release_worker(worker, semaphores)

    async def copy(self, target: Path, fill: Job[None]) -> None:
        await self.read_long(fill, read_timeout=SCAN_TIMEOUT)

    async def write(self, job: Job[T], company_id: int = EVERY_COMPANY, timeout: float = COMMIT_TIMEOUT) -> T:
        is_long = company_id == EVERY_COMPANY  # a company is created, or the upkeep runs: either may take long
        lock = await self._take_write_lock(company_id, (self._long, self._slow) if is_long else (self._slow,))
        return await lock.commit(job, timeout)

    async def lock(self, company_id: int) -> "WriteLock":
        return await self._take_write_lock(company_id, (self._slow,))

    async def _take_write_lock(self, company_id: int, semaphores: Semaphores) -> "WriteLock":
        if self.damage:
            raise Damaged(self.damage)
        worker = await self._acquire(semaphores, WRITE_LOCK_TIMEOUT)
        loop = asyncio.get_running_loop()
        terminator = loop.call_later(STUCK_SECONDS, self._terminate_blockers, worker)
        deadline = loop.call_later(WRITE_LOCK_TIMEOUT, worker.abort)
        try:
            number = await self._noting_damage(
                worker.run(lambda session: transactions.lock(session, company_id, self.fence), WRITE_LOCK_TIMEOUT)
            )
        except BaseException:
            self.release_worker(worker, semaphores)
            raise
        finally:
            terminator.cancel()
            deadline.cancel()
        return WriteLock(self, worker, number, semaphores)

    async def resolve(self, find: Job[T | None], company_id: int) -> T | None:
        backoff = _MIN_BACKOFF
        try:
            while True:
                try:
                    lock = await self.lock(company_id)
                    try:
                        result = await lock.read(find)
                    except BaseException:
                        await lock.release()
                        raise
                    await lock.commit(lambda db: None)  # an empty commit proves that the standby has all before it
                    return result
                except (Damaged, Outdated):
                    raise
                except Exception:  # noqa: BLE001 - retry, whatever it was: the outcome is still unknown
                    self._unknown_outcomes.add(company_id)
                    await asyncio.sleep(backoff)
                    backoff = min(2 * backoff, _MAX_BACKOFF)
        finally:
            self._unknown_outcomes.discard(company_id)

    async def _run_in_one_round_trip(self, statement: str, values: Sequence[int], company_id: int) -> Any:
        """Run a statement in a transaction of its own, and return its row. It may be lost in a power failure.

        The server never waits for this process during that transaction, so a frozen process blocks no other.
        """
        semaphores = (self._slow,)
        worker = await self._acquire(semaphores, REQUEST_TIMEOUT)
        terminator = asyncio.get_running_loop().call_later(STUCK_SECONDS, self._terminate_blockers, worker)
        try:
            return await self._noting_damage(
                worker.run(
                    lambda db: transactions.run_in_one_round_trip(db, statement, values, company_id, self.fence),
                    total_timeout=REQUEST_TIMEOUT,
                )
            )
        finally:
            terminator.cancel()
            self.release_worker(worker, semaphores)

    def read_now(self, job: Job[T]) -> T:
        return self._lock_holder.run_now(
            lambda session: transactions.read_streamed(session, job, EVERY_COMPANY, self.fence)
        )

    def write_now(self, job: Job[T]) -> T:
        def transaction(session: Session) -> T:
            transactions.lock_all(session, self.fence)
            with session.streaming():
                result = job(session)
            transactions.commit(session, lambda db: None)
            return result

        return self._lock_holder.run_now(transaction)

    def migrate(self, steps: Callable[[Connection], None], job: Job[None]) -> None:
        """Run the steps of a migration, and a job, in one transaction, one process at a time. Raises Failed."""
        raw_connection = self._primary.connect()
        raw_connection.autocommit = False
        engine = create_engine("postgresql+psycopg://", creator=lambda: raw_connection, poolclass=StaticPool)
        try:
            with engine.connect() as connection:
                for statement in (
                    f"SET lock_timeout = '{MIGRATION_LOCK_TIMEOUT}'",
                    f"SELECT pg_advisory_xact_lock({ADVISORY_LOCK}, 1), pg_advisory_xact_lock({ADVISORY_LOCK}, 2)",
                    f"SET lock_timeout = '{TABLE_LOCK_TIMEOUT}'",
                ):
                    connection.execute(text(statement))
                steps(connection)
                job(Session(raw_connection))
                connection.commit()
        except (psycopg.Error, DBAPIError) as error:
            raise Failed(foreign(getattr(error, "orig", error))) from error
        finally:
            engine.dispose()
            raw_connection.close()

    def make_durable_now(self) -> None:
        pass  # `resolve` has done so

    def lock_exclusively(self) -> None:
        self._lock_holder.lock_exclusively()

    async def aclose(self) -> None:
        await self._freshness.close()

    def close(self) -> None:
        for worker in (*self._pool, self._lock_holder):
            worker.close()

    async def _noting_damage(self, running: Coroutine[Any, Any, T]) -> T:
        try:
            return await running
        except Damaged as error:
            self.mark_damaged(str(error))
            raise

    async def _acquire(self, semaphores: Semaphores, timeout: float) -> ConnectionWorker:
        """Take a free worker from the pool, after all these semaphores. Raises NotBegun after `timeout` seconds."""
        if self._idle is None:
            self._idle = asyncio.LifoQueue()
            for worker in reversed(self._pool):
                self._idle.put_nowait(worker)
        if self._idle.empty() or any(semaphore.locked() for semaphore in semaphores):
            return await in_time(
                self._wait_for_worker(semaphores), timeout, lambda worker: self.release_worker(worker, semaphores)
            )
        return await self._wait_for_worker(semaphores)

    async def _wait_for_worker(self, semaphores: Semaphores) -> ConnectionWorker:
        acquired: list[asyncio.Semaphore] = []
        assert self._idle is not None
        try:
            for semaphore in semaphores:
                await semaphore.acquire()
                acquired.append(semaphore)
            return await self._idle.get()
        except BaseException:
            for semaphore in acquired:
                semaphore.release()
            raise

    def release_worker(self, worker: ConnectionWorker, semaphores: Semaphores = ()) -> None:
        """Return a worker to the pool, and release the semaphores that were acquired for it."""
        assert self._idle is not None
        self._idle.put_nowait(worker)
        for semaphore in semaphores:
            semaphore.release()

    def _terminate_blockers(self, worker: "ConnectionWorker") -> None:
        """Terminate the sessions that block a worker with their locks while they are idle: their process is stuck.

        Safe, because an outcome is decided under the lock. A session whose commit waits for a standby is not
        terminated: that would make the commit visible without one.
        """
        pid = worker.pid
        if pid is not None:
            self._lock_holder.check_read_timeout(READ_TIMEOUT)
            self._lock_holder.run_in_background(
                lambda session: session.connection.execute(_TERMINATE_BLOCKERS, (pid, STUCK_SECONDS)).fetchall()
            )
            asyncio.get_running_loop().call_later(STUCK_SECONDS, self._terminate_blockers_again, worker, pid)

    def _terminate_blockers_again(self, worker: "ConnectionWorker", pid: int) -> None:
        if worker.busy and worker.pid == pid:
            self._terminate_blockers(worker)

    def _retake_advisory_lock(self) -> None:
        """Take the advisory lock again after a reconnect: where one connection was lost, the lock's may be too."""
        self._lock_holder.run_in_background(lambda session: None)


class WriteLock:
    """A transaction that holds the row lock of a company."""

    def __init__(
        self, engine: PostgreSQL, worker: ConnectionWorker, number: int | None, semaphores: Semaphores
    ) -> None:
        self.number = number
        self._semaphores = semaphores
        self._engine = engine
        self._worker: ConnectionWorker | None = worker

    async def read(self, job: Job[T], timeout: float = REQUEST_TIMEOUT) -> T:
        assert self._worker is not None
        return await self._worker.run(job, total_timeout=timeout)

    async def commit(self, job: Job[T], timeout: float = COMMIT_TIMEOUT) -> T:
        """Run a job and commit. Raises InDoubt if no standby has confirmed the commit."""
        worker = self._worker
        assert worker is not None
        try:
            return await worker.run(lambda session: transactions.commit(session, job), timeout, total_timeout=timeout)
        finally:
            self._release_worker()

    def withdraw(self) -> bool:
        return False  # a commit has a connection of its own and starts at once

    async def release(self) -> None:
        if self._worker is not None:
            try:
                await self._worker.run(lambda session: session.connection.execute("ROLLBACK"))
            except Failed:
                pass  # the connection is gone, and the lock with it
            finally:
                self._release_worker()

    async def reject(self) -> None:
        if self._worker is not None:
            self._worker.abort()
            await self.release()

    def _release_worker(self) -> None:
        worker, self._worker = self._worker, None
        if worker is not None:
            self._engine.release_worker(worker, self._semaphores)
