"""The shared engine: PostgreSQL with any number of processes on it. Few connections, each with a thread of its own."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeVar

import psycopg
from sqlalchemy import Connection, StaticPool, create_engine, text
from sqlalchemy.exc import DBAPIError

from deskroster.clocks import SYSTEM, Clock
from deskroster.core.problems import Damaged
from deskroster.ledger.engines import (
    BEGIN_TIMEOUT,
    COMMIT_TIMEOUT,
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
from deskroster.ledger.engines.postgresql.connection import Primary, Session
from deskroster.ledger.engines.postgresql.freshness import Questions
from deskroster.ledger.engines.postgresql.keeper import OPENED, Keeper
from deskroster.ledger.engines.postgresql.nonces import EvenClock
from deskroster.ledger.engines.postgresql.worker import SILENT_SECONDS, Lane
from deskroster.ledger.engines.waiting import in_time

T = TypeVar("T")
Rooms = Sequence[asyncio.Semaphore]
"""What keeps a kind of work from taking all lanes."""

LANES = 5  # connections for all but questions; a company writes on one at a time
LONG = 2  # of them, for what may take minutes: loading, checking, backups, founding, the upkeep
SLOW = LANES - 1  # of them, for that and for writing, which waits for locks and disks: a short read finds the last one
STUCK_AFTER = 1.0  # seconds that a writer waits for another, before whoever holds it up without working is ended
HOLD_SECONDS = 4.0  # for the right to write; then another connection is tried
TURN_TIMEOUT = "120s"  # of a migration for another one, or for a company that is founded: no verb waits behind it
LOCK_TIMEOUT = "2s"  # of a migration for a table: whoever comes meanwhile waits behind it, and no verb waits for 4 s
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 0.5  # seconds between attempts to settle a doubt

_END_STUCK = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE pid = ANY(pg_blocking_pids(%s)) AND wait_event_type = 'Client'
    AND state_change < now() - %s * interval '1 second'"""


class PostgreSQL:
    """A PostgreSQL database that others may write to as well.

    A company's writers take turns at its row in `companies`. Every transaction names the company that it is for, and
    row-level security hides all others from it.
    """

    shared = True
    blocks = False
    queue_timeout = 4.0  # with the query for freshness before it, a request is answered within eight, whatever happens
    folder: Path | None = None

    def __init__(self, url: str) -> None:
        """Connect. Raises ValueError for a URL that is none, Failed if no primary answers."""
        self.damage = ""
        self.alarm: Callable[[str], None] = lambda damage: None
        self._primary = Primary(url)
        self.fence = Fence()
        self._questions = Questions(self._primary, self.fence)
        self._clock: Clock = SYSTEM
        self._even_clock = EvenClock()
        self._lanes = [Lane(self._primary, transactions.wait_for_replicas) for _ in range(LANES)]
        self._keeper = Keeper(self._primary)
        self._idle: asyncio.Queue[Lane] | None = None
        self._long, self._slow = asyncio.Semaphore(LONG), asyncio.Semaphore(SLOW)
        self._doubtful: set[int] = set()
        self._primary.met = self._keep_on

    @property
    def where(self) -> str:
        return self._primary.where

    def serve(self, clock: Clock) -> None:
        self._clock = clock

    def fresh(self, company_id: int, nonce: str | None, now: int) -> Awaitable[Durable]:
        return self._questions.ask(company_id, None if nonce is None else digest(company_id, nonce), now)

    def count_call(self, company_id: int, limit: int) -> Awaitable[int]:
        """Count a call in the database, by its clock. Raises Failed."""
        return self._count_call(company_id, limit)

    async def _count_call(self, company_id: int, limit: int) -> int:
        (wait,) = await self._run_alone(call_limit.COUNT, (company_id, limit), company_id)
        return int(wait)

    async def expire(self) -> None:
        """Delete nonces that have expired, in short jobs, once the database's clock can be trusted."""
        now = await self.read(lambda db: db.moment(0))
        if self._even_clock.may_delete(now, self._clock.steady()):
            while await self.write(lambda db: nonces.delete(db, int(now))) == nonces.AT_ONCE:
                pass

    def mark_damaged(self, damage: str) -> None:
        if not self.damage:
            self.damage = damage
            self.alarm(damage)

    @property
    def in_doubt(self) -> bool:
        return bool(self._doubtful)

    def doubts(self, company_id: int) -> bool:
        return company_id in self._doubtful

    async def read(self, job: Job[T], company_id: int = EVERY_COMPANY, timeout: float = REQUEST_TIMEOUT) -> T:
        lane = await self._take((), timeout)
        try:
            return await self._judged(
                lane.run(lambda db: transactions.read_at_once(db, job, company_id, self.fence), within=timeout)
            )
        finally:
            self.give_back(lane)

    async def read_long(self, job: Job[T], company_id: int = EVERY_COMPANY, read_timeout: float = SILENT_SECONDS) -> T:
        rooms = (self._long, self._slow)
        lane = await self._take(rooms, BEGIN_TIMEOUT)
        try:
            return await self._judged(
                lane.run(lambda session: transactions.read_streamed(session, job, company_id, self.fence), read_timeout)
            )
        finally:
            self.give_back(lane, rooms)

    async def copy(self, target: Path, fill: Job[None]) -> None:
        await self.read_long(fill, read_timeout=SCAN_TIMEOUT)

    async def write(self, job: Job[T], company_id: int = EVERY_COMPANY, timeout: float = COMMIT_TIMEOUT) -> T:
        long = company_id == EVERY_COMPANY  # a company is founded, or the upkeep done: either takes its time
        held = await self._locked(company_id, (self._long, self._slow) if long else (self._slow,))
        return await held.commit(job, timeout)

    async def lock(self, company_id: int) -> "WriteLock":
        return await self._locked(company_id, (self._slow,))

    async def _locked(self, company_id: int, rooms: Rooms) -> "WriteLock":
        if self.damage:
            raise Damaged(self.damage)
        lane = await self._take(rooms, HOLD_SECONDS)
        loop = asyncio.get_running_loop()
        relief = loop.call_later(STUCK_AFTER, self._relieve, lane)
        deadline = loop.call_later(HOLD_SECONDS, lane.abort)
        try:
            number = await self._judged(
                lane.run(lambda session: transactions.lock(session, company_id, self.fence), HOLD_SECONDS)
            )
        except BaseException:
            self.give_back(lane, rooms)
            raise
        finally:
            relief.cancel()
            deadline.cancel()
        return WriteLock(self, lane, number, rooms)

    async def resolve(self, find: Job[T | None], company_id: int) -> T | None:
        pause = _FIRST_PAUSE
        try:
            while True:
                try:
                    held = await self.lock(company_id)
                    try:
                        found = await held.read(find)
                    except BaseException:
                        await held.release()
                        raise
                    await held.commit(lambda db: None)  # as durable as a write: it waits for the replica too
                    return found
                except (Damaged, Outdated):
                    raise
                except Exception:  # noqa: BLE001 - whatever it was, there is no answer yet
                    self._doubtful.add(company_id)
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, _LONGEST_PAUSE)
        finally:
            self._doubtful.discard(company_id)

    async def _run_alone(self, statement: str, values: Sequence[int], company_id: int) -> Any:
        """Run a statement in a transaction of its own, and return its row. It need not outlive a loss of power.

        The server never waits for this process in that transaction, so a process that stands still blocks no other.
        """
        rooms = (self._slow,)
        lane = await self._take(rooms, REQUEST_TIMEOUT)
        relief = asyncio.get_running_loop().call_later(STUCK_AFTER, self._relieve, lane)
        try:
            return await self._judged(
                lane.run(
                    lambda db: transactions.run_alone(db, statement, values, company_id, self.fence),
                    within=REQUEST_TIMEOUT,
                )
            )
        finally:
            relief.cancel()
            self.give_back(lane, rooms)

    def read_now(self, job: Job[T]) -> T:
        return self._keeper.run_now(lambda session: transactions.read_streamed(session, job, EVERY_COMPANY, self.fence))

    def write_now(self, job: Job[T]) -> T:
        def transaction(session: Session) -> T:
            transactions.lock_all(session, self.fence)
            with session.streaming():
                result = job(session)
            transactions.commit(session, lambda db: None)
            return result

        return self._keeper.run_now(transaction)

    def migrate(self, steps: Callable[[Connection], None], job: Job[None]) -> None:
        """Run the steps of a migration, and a job, in one transaction, one process at a time. Raises Failed."""
        plain = self._primary.connect()
        plain.autocommit = False
        engine = create_engine("postgresql+psycopg://", creator=lambda: plain, poolclass=StaticPool)
        try:
            with engine.connect() as connection:
                turn = f"SELECT pg_advisory_xact_lock({OPENED}, 1), pg_advisory_xact_lock({OPENED}, 2)"
                for statement in (f"SET lock_timeout = '{TURN_TIMEOUT}'", turn, f"SET lock_timeout = '{LOCK_TIMEOUT}'"):
                    connection.execute(text(statement))
                steps(connection)
                job(Session(plain))
                connection.commit()
        except (psycopg.Error, DBAPIError) as error:
            raise Failed(str(getattr(error, "orig", error)).strip()) from error
        finally:
            engine.dispose()
            plain.close()

    def make_durable_now(self) -> None:
        pass  # who decides an outcome has done so

    def lock_exclusively(self) -> None:
        self._keeper.lock_exclusively()

    async def aclose(self) -> None:
        await self._questions.close()

    def close(self) -> None:
        for lane in (*self._lanes, self._keeper):
            lane.close()

    async def _judged(self, running: Coroutine[Any, Any, T]) -> T:
        try:
            return await running
        except Damaged as error:
            self.mark_damaged(str(error))
            raise

    async def _take(self, rooms: Rooms, timeout: float) -> Lane:
        """Return a lane that nobody uses, once there is room in all of these. Raises NotBegun after the patience."""
        if self._idle is None:
            self._idle = asyncio.LifoQueue()
            for lane in reversed(self._lanes):
                self._idle.put_nowait(lane)
        if self._idle.empty() or any(room.locked() for room in rooms):
            return await in_time(self._taken(rooms), timeout, lambda lane: self.give_back(lane, rooms))
        return await self._taken(rooms)

    async def _taken(self, rooms: Rooms) -> Lane:
        taken: list[asyncio.Semaphore] = []
        assert self._idle is not None
        try:
            for room in rooms:
                await room.acquire()
                taken.append(room)
            return await self._idle.get()
        except BaseException:
            for room in taken:
                room.release()
            raise

    def give_back(self, lane: Lane, rooms: Rooms = ()) -> None:
        """Let others have a lane, and the room that was taken for it."""
        assert self._idle is not None
        self._idle.put_nowait(lane)
        for room in rooms:
            room.release()

    def _relieve(self, lane: "Lane") -> None:
        """End who holds up a lane that waits for a lock, while they wait for their own process: it is stuck.

        Safe, because an outcome is decided under the lock. Who waits for the replica of a commit is not ended: that
        would show the commit without it.
        """
        pid = lane.pid
        if pid is not None:
            self._keeper.end_silence(SILENT_SECONDS)
            self._keeper.start(lambda session: session.connection.execute(_END_STUCK, (pid, STUCK_AFTER)).fetchall())
            asyncio.get_running_loop().call_later(STUCK_AFTER, self._relieve_again, lane, pid)

    def _relieve_again(self, lane: "Lane", pid: int) -> None:
        if lane.waiting and lane.pid == pid:
            self._relieve(lane)

    def _keep_on(self) -> None:
        """See to it that it is said by a session that lasts: where one connection had to be made again, all had to."""
        self._keeper.start(lambda session: None)


class WriteLock:
    """A transaction that holds the row of a company."""

    def __init__(self, engine: PostgreSQL, lane: Lane, number: int | None, rooms: Rooms) -> None:
        self.number = number
        self._rooms = rooms
        self._engine = engine
        self._lane: Lane | None = lane

    async def read(self, job: Job[T], timeout: float = REQUEST_TIMEOUT) -> T:
        assert self._lane is not None
        return await self._lane.run(job, within=timeout)

    async def commit(self, job: Job[T], timeout: float = COMMIT_TIMEOUT) -> T:
        """Run a job and commit. Raises InDoubt for a commit that was done without its replica."""
        lane = self._lane
        assert lane is not None
        try:
            return await lane.run(lambda session: transactions.commit(session, job), timeout, within=timeout)
        finally:
            self._end()

    def withdraw(self) -> bool:
        return False  # a commit has a connection of its own and begins at once

    async def release(self) -> None:
        if self._lane is not None:
            try:
                await self._lane.run(lambda session: session.connection.execute("ROLLBACK"))
            except Failed:
                pass  # the connection is gone, and the lock with it
            finally:
                self._end()

    async def reject(self) -> None:
        if self._lane is not None:
            self._lane.abort()
            await self.release()

    def _end(self) -> None:
        lane, self._lane = self._lane, None
        if lane is not None:
            self._engine.give_back(lane, self._rooms)
