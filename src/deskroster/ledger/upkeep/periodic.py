"""What each process does once a minute: delete what has expired, verify logs, save and load observations."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import NamedTuple

from deskroster.clocks import Clock, Wall
from deskroster.core.problems import Damaged
from deskroster.ledger.beside import idempotency, last_seen
from deskroster.ledger.disk import log
from deskroster.ledger.disk.vault import Vault
from deskroster.ledger.engines import ERRORS, Db, Engine, InDoubt
from deskroster.ledger.files.forms import NewerData
from deskroster.ledger.ledger import Ledger

INTERVAL_SECONDS = 60.0  # between two runs, at least
CLOSE_TIMEOUT = 10.0  # for the current run to finish when the process ends
MAX_VERIFIED = 10_000  # changes of a company's log that one run verifies
VERIFY_BATCH = 1_000  # of them in one job
SAVE_BATCH = 500  # rows of one transaction: other upkeep, and new companies, wait for it
LOAD_BATCH = 100  # companies whose observations one job loads, at most
MAX_LOADED_ROWS = 5_000  # rows after which such a job loads no further company
LOAD_TIMEOUT = 30.0  # for one such job; no request waits for it

_RETRIED = (*ERRORS, InDoubt, NewerData)
"""Errors for which a part of the upkeep is retried in the next run."""


class Verified(NamedTuple):
    """Up to which commit the log of a company is verified: as stored in the database, and now."""

    stored: int
    current: int


class Upkeep:
    """The work of one process once a minute: in short jobs, each part independent of the failures of others.

    It is scheduled while there is something to do; where other processes share the data, always.
    """

    def __init__(
        self, engine: Engine, vault: Vault, clock: Clock, forward: Wall, ledgers: Mapping[int, Ledger]
    ) -> None:
        self.verified: dict[int, Verified] = {}  # by company id
        self._engine, self._vault, self._clock = engine, vault, clock
        self._ledgers = ledgers
        self._forward = forward
        self._timer: asyncio.TimerHandle | None = None
        self._running: asyncio.Task[None] | None = None
        self._closed = False

    def schedule(self) -> None:
        """Schedule a run within a minute."""
        if self._timer is None and not self._closed:
            self._timer = asyncio.get_running_loop().call_later(INTERVAL_SECONDS, self._start)

    async def run_once(self) -> None:
        """Run now."""
        if self._engine.shared or self._unsaved or self._unverified:
            await self._try(self._expire_replies)
            await self._try(self._engine.expire)
        await self._verify_and_save()
        if self._engine.shared:
            await self._try(self._load_observations)
        if self._unverified:
            self.schedule()

    async def close(self) -> None:
        """Wait for the current run, and save the observations."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        if self._running is not None:
            await asyncio.wait([self._running], timeout=CLOSE_TIMEOUT)
            self._running.cancel()
        await self._verify_and_save()

    def _start(self) -> None:
        self._timer = None
        busy = self._running is not None and not self._running.done()
        if not busy:
            self._running = asyncio.get_running_loop().create_task(self.run_once())
        if busy or self._engine.shared:  # the observations of other processes are to be loaded
            self.schedule()

    @property
    def _unsaved(self) -> bool:
        return any(ledger.observed.unsaved for ledger in self._ledgers.values())

    @property
    def _unverified(self) -> bool:
        return any(verified.stored < self._ledgers[id].roster.number for id, verified in self.verified.items())

    async def _try(self, part: Callable[[], Awaitable[None]]) -> bool:
        """Run a part; tell whether it succeeded. Damage that it finds stops writing."""
        try:
            await part()
        except Damaged as error:
            self._engine.mark_damaged(str(error))
        except _RETRIED:
            pass  # retried in the next run
        else:
            return True
        return False

    async def _expire_replies(self) -> None:
        """Delete replies that are over a day old by the database's clock and by our monotonic one.

        Correct the dates of those in the future, which a clock that ran ahead has written: they would be stored for
        longer.
        """
        forward = self._forward()
        now = await self._engine.read(lambda db: db.moment(forward))
        before = int(min(now, forward)) - idempotency.LIFETIME
        while await self._engine.write(lambda db: idempotency.delete_expired(db, before)) == idempotency.BATCH:
            pass
        await self._engine.write(lambda db: idempotency.correct_dates(db, self._vault, int(now)))

    async def _verify_and_save(self) -> None:
        for id in list(self.verified):
            damage = self._engine.damage
            if not await self._try(partial(self._verify, id)) and damage == self._engine.damage:
                self.verified[id] = self.verified.pop(id)  # it comes last in the next run
                break  # the database is unreachable: it would be for the others too
        await self._try(self._store_verified)
        await self._try(self._save)

    async def _verify(self, id: int) -> None:
        """Verify the next part of a log, in short jobs."""
        for _ in range(0, MAX_VERIFIED, VERIFY_BATCH):
            stored, since = self.verified[id]
            if since >= self._ledgers[id].roster.number:
                break
            job = partial(log.verify, company_id=id, since=since, most=VERIFY_BATCH)
            self.verified[id] = Verified(stored, await self._engine.read(job, id))

    async def _store_verified(self) -> None:
        """Store up to where the logs are verified."""
        unstored = [
            (id, verified.current) for id, verified in self.verified.items() if verified.stored < verified.current
        ]
        for at in range(0, len(unstored), SAVE_BATCH):
            batch = unstored[at : at + SAVE_BATCH]

            def job(db: Db, batch: list[tuple[int, int]] = batch) -> None:
                for id, number in batch:
                    log.note_verified(db, self._vault, id, number)

            await self._engine.write(job)
            self.verified |= {id: Verified(number, number) for id, number in batch}

    async def _save(self) -> None:
        """Save observations. What could not be saved stays unsaved."""
        now = self._clock()
        rows = [row for id, ledger in list(self._ledgers.items()) for row in ledger.observed.take(id)]
        try:
            while rows:
                batch = rows[:SAVE_BATCH]
                await self._engine.write(lambda db, batch=batch: last_seen.save(db, self._vault, batch, now))  # type: ignore[misc]
                del rows[:SAVE_BATCH]
        finally:
            for company_id, kind, id, *_ in rows:
                self._ledgers[company_id].observed.put_back(kind, id)

    async def _load_observations(self) -> None:
        """Load what other processes have observed."""
        our_time, ids = self._clock(), list(self._ledgers)

        def job(db: Db) -> tuple[dict[int, last_seen.Seen], float]:
            loaded: dict[int, last_seen.Seen] = {}
            for id in ids[:LOAD_BATCH]:
                loaded[id] = last_seen.load(db, self._vault, id)
                if sum(map(len, loaded.values())) >= MAX_LOADED_ROWS:
                    break
            return loaded, db.moment(our_time)

        while ids:
            loaded, now = await self._engine.read(job, timeout=LOAD_TIMEOUT)
            for id, seen in loaded.items():
                self._ledgers[id].merge_observations(seen, now)
                await asyncio.sleep(0)
            del ids[: len(loaded)]
