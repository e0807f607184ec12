"""What each process does once a minute: delete what has expired, verify its logs, save and load what was last seen."""

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

SAVE_SECONDS = 60.0  # at least, between two savings of what was observed
ENDING_SECONDS = 10.0  # for what is under way when the process ends
MOST_AGAIN = 10_000  # changes of the log that are read again each time, of each company
AGAIN_AT_ONCE = 1_000  # of them in one job
SAVED_AT_ONCE = 500  # rows of one transaction: all others who do upkeep or found a company wait for it
LEARNED_AT_ONCE = 100  # companies whose observations are read in one job; fewer where these are many
ENOUGH = 5_000  # rows after which such a job reads no further company
LEARNING_SECONDS = 30.0  # for one of these jobs; nobody waits for it

_PASSING = (*ERRORS, InDoubt, NewerData)
"""What keeps a part of the upkeep from being done this time. The next time it is tried again."""


class Reach(NamedTuple):
    """How far the log of a company was read again: as noted in the database, and in truth."""

    noted: int
    reached: int


class Upkeep:
    """What one process does once a minute, each part in short jobs and whatever becomes of the others.

    It is done while there is something to do; where others have the data too it always is.
    """

    def __init__(
        self, engine: Engine, vault: Vault, clock: Clock, forward: Wall, ledgers: Mapping[int, Ledger]
    ) -> None:
        self.reach: dict[int, Reach] = {}  # by company
        self._engine, self._vault, self._clock = engine, vault, clock
        self._ledgers = ledgers
        self._forward = forward
        self._timer: asyncio.TimerHandle | None = None
        self._running: asyncio.Task[None] | None = None
        self._closed = False

    def stir(self) -> None:
        """See to it that it is done within a minute."""
        if self._timer is None and not self._closed:
            self._timer = asyncio.get_running_loop().call_later(SAVE_SECONDS, self._start)

    async def once(self) -> None:
        """Do it now."""
        if self._engine.shared or self._unsaved or self._unread:
            await self._tried(self._expire_answers)
            await self._tried(self._engine.expire)
        await self._read_and_save()
        if self._engine.shared:
            await self._tried(self._learn)
        if self._unread:
            self.stir()

    async def close(self) -> None:
        """Wait for what is under way, and save what was observed."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        if self._running is not None:
            await asyncio.wait([self._running], timeout=ENDING_SECONDS)
            self._running.cancel()
        await self._read_and_save()

    def _start(self) -> None:
        self._timer = None
        busy = self._running is not None and not self._running.done()
        if not busy:
            self._running = asyncio.get_running_loop().create_task(self.once())
        if busy or self._engine.shared:  # what others saw is to be learned too
            self.stir()

    @property
    def _unsaved(self) -> bool:
        return any(ledger.observed.unsaved for ledger in self._ledgers.values())

    @property
    def _unread(self) -> bool:
        return any(reach.noted < self._ledgers[id].roster.number for id, reach in self.reach.items())

    async def _tried(self, part: Callable[[], Awaitable[None]]) -> bool:
        """Do a part of it; tell whether that went well. Damage that it meets stops writing."""
        try:
            await part()
        except Damaged as error:
            self._engine.mark_damaged(str(error))
        except _PASSING:
            pass  # the next time
        else:
            return True
        return False

    async def _expire_answers(self) -> None:
        """Delete first answers that are over a day old, by the database's clock and by ours that only goes forward.

        Answers that a clock which ran ahead has dated later are dated anew: they would be stored for longer.
        """
        forward = self._forward()
        now = await self._engine.read(lambda db: db.moment(forward))
        old = int(min(now, forward)) - idempotency.LIFETIME
        while await self._engine.write(lambda db: idempotency.delete_expired(db, old)) == idempotency.BATCH:
            pass
        await self._engine.write(lambda db: idempotency.correct_dates(db, self._vault, int(now)))

    async def _read_and_save(self) -> None:
        for id in list(self.reach):
            damage = self._engine.damage
            if not await self._tried(partial(self._read_on, id)) and damage == self._engine.damage:
                self.reach[id] = self.reach.pop(id)  # it comes last the next time
                break  # it is the database that is out of reach: none of the others would fare better
        await self._tried(self._note_reach)
        await self._tried(self._save)

    async def _read_on(self, id: int) -> None:
        """Read a log again from where that ended last time, in short jobs."""
        for _ in range(0, MOST_AGAIN, AGAIN_AT_ONCE):
            noted, since = self.reach[id]
            if since >= self._ledgers[id].roster.number:
                break
            job = partial(log.verify, company_id=id, since=since, most=AGAIN_AT_ONCE)
            self.reach[id] = Reach(noted, await self._engine.read(job, id))

    async def _note_reach(self) -> None:
        """Note how far the logs were read."""
        left = [(id, reach.reached) for id, reach in self.reach.items() if reach.noted < reach.reached]
        for at in range(0, len(left), SAVED_AT_ONCE):
            some = left[at : at + SAVED_AT_ONCE]

            def job(db: Db, some: list[tuple[int, int]] = some) -> None:
                for id, reached in some:
                    log.note_verified(db, self._vault, id, reached)

            await self._engine.write(job)
            self.reach |= {id: Reach(reached, reached) for id, reached in some}

    async def _save(self) -> None:
        """Save what was observed. What could not be saved is kept for the next time."""
        now = self._clock()
        rows = [row for id, ledger in list(self._ledgers.items()) for row in ledger.observed.take(id)]
        try:
            while rows:
                some = rows[:SAVED_AT_ONCE]
                await self._engine.write(lambda db, some=some: last_seen.save(db, self._vault, some, now))  # type: ignore[misc]
                del rows[:SAVED_AT_ONCE]
        finally:
            for company_id, kind, id, *_ in rows:
                self._ledgers[company_id].observed.put_back(kind, id)

    async def _learn(self) -> None:
        """Learn what other processes have observed."""
        wall, left = self._clock(), list(self._ledgers)

        def job(db: Db) -> tuple[dict[int, last_seen.Seen], float]:
            found: dict[int, last_seen.Seen] = {}
            for id in left[:LEARNED_AT_ONCE]:
                found[id] = last_seen.load(db, self._vault, id)
                if sum(map(len, found.values())) >= ENOUGH:
                    break
            return found, db.moment(wall)

        while left:
            found, now = await self._engine.read(job, timeout=LEARNING_SECONDS)
            for id, seen in found.items():
                self._ledgers[id].learn(seen, now)
                await asyncio.sleep(0)
            del left[: len(found)]
