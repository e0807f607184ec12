"""Store: the data folder of an installation, and the ledgers of its companies."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from msgspec.structs import replace
from sqlalchemy import bindparam, func, select

from deskroster.clocks import SYSTEM, Clock, ForwardTime, Wall, clock_of
from deskroster.core.changes import Change, Commit, Origin, created
from deskroster.core.problems import Busy, Conflict, Damaged, Reason, Unknown
from deskroster.core.records import AnyRecord, Company
from deskroster.core.roster import Roster
from deskroster.ledger import installation, location
from deskroster.ledger.beside import last_seen
from deskroster.ledger.beside.last_seen import Observations
from deskroster.ledger.companies import Companies, listed
from deskroster.ledger.disk import log, notes, reading, tables
from deskroster.ledger.disk.vault import Vault
from deskroster.ledger.disk.writing import ZERO_HASH, rows_of, sql
from deskroster.ledger.engines import (
    BEGIN_TIMEOUT,
    ERRORS,
    EVERY_COMPANY,
    REQUEST_TIMEOUT,
    SCAN_TIMEOUT,
    Db,
    Durable,
    Engine,
    NotBegun,
    Outdated,
    unique_violation,
)
from deskroster.ledger.engines.copy_file import FILE
from deskroster.ledger.engines.waiting import in_time, within
from deskroster.ledger.files import atomic
from deskroster.ledger.ledger import Ledger
from deskroster.ledger.upkeep import backup, check, check_process
from deskroster.ledger.upkeep.check import Finding
from deskroster.ledger.upkeep.periodic import VERIFY_BATCH, Upkeep, Verified

FOUNDING_SECONDS = 120.0  # to write a company that is founded with many records, and to load it
CHECKED = "check"  # a copy that is looked over, while that goes on; it has `.partial` behind its name

T = TypeVar("T")
Alarm = Callable[[str], None]
"""Called with what was found broken."""


_IN_FOLDER = location.engine_at(None)


def _ignore(damage: str) -> None:
    pass


class Store:
    """An open installation: its key in a folder, its data in that folder too or in a database that others may use.

    What is in the folder belongs to this process until `close`.
    """

    def __init__(self, folder: Path, engine: Engine, vault: Vault, clock: Clock) -> None:
        self.vault = vault
        self._folder = folder
        self._engine = engine
        backup.abandon(folder / CHECKED)  # of a process that was killed
        engine.serve(clock)
        self._clock = clock
        self._forward = ForwardTime(clock)
        self._ledgers: dict[int, Ledger] = {}
        self.upkeep = Upkeep(engine, vault, clock, self._forward, self._ledgers)
        self.listed = Companies(engine, self._ledgers)
        self._founding, self._loading, self._copying = asyncio.Lock(), asyncio.Lock(), asyncio.Lock()
        self._closed = False

    @classmethod
    def open(
        cls, folder: Path, clock: Clock | Wall = SYSTEM, engine: Callable[[Path], Engine] = _IN_FOLDER,
        alarm: Alarm = _ignore, outdated: Alarm = _ignore,
    ) -> "Store":  # fmt: skip
        """Open an installation, made if it is absent, its tables brought up to date and quickly checked.

        `alarm` is called, once and perhaps in another thread, when damage is found later on: writing has stopped then.
        So is `outdated` when key, place or tables were changed beside this process: it answers nothing but Busy.
        Raises what the engine raises, WrongKey, Damaged, or NewerData for data that a later version has written.
        """
        atomic.make_folder(folder)
        location.hide_from_git(folder)
        held = engine(folder)
        try:
            held.make_durable_now()
            vault = installation.open_vault(folder, held)
            installation.fence_in(held, vault)
            held.alarm, held.fence.alarm = alarm, outdated
            return cls(folder, held, vault, clock_of(clock))
        except BaseException:
            held.close()
            raise

    @property
    def writable(self) -> bool:
        """Whether every company that is loaded can be written to."""
        return not (self._engine.damage or self._engine.in_doubt or self._closed)

    @property
    def outdated(self) -> str:
        """Why nothing can be read or written by this process any more, and what to do; empty if it can."""
        return self._engine.fence.outdated

    async def ready(self) -> bool:
        """Tell whether writes can be taken, and what is durable can be known."""
        try:
            for ledger in islice(self._ledgers.values(), 1):
                await self.refresh(ledger)
        except (Busy, Damaged):
            return False
        return self.writable and not self.outdated

    def count_call(self, company_id: int, limit: int) -> int | Coroutine[Any, Any, int]:
        """Count a call to a company against a limit a minute; return the seconds until there is room, 0 if there is.

        At once where no other process serves the company, else a coroutine. Raises Busy.
        """
        wait = self._engine.count_call(company_id, limit)
        return wait if isinstance(wait, int) else self._counted(wait)

    async def _counted(self, counting: Awaitable[int]) -> int:
        try:
            return await counting
        except ERRORS as error:
            raise Busy from error

    def fresh(self, ledger: Ledger, nonce: str | None = None) -> bool | Coroutine[Any, Any, bool]:
        """Have all that was durable of a company when this was called; spend a nonce: False if it was used before.

        At once where no other process writes, else a coroutine. Raises Busy where it cannot be known.
        """
        durable = ledger.fresh(nonce)
        return durable.unused if isinstance(durable, Durable) else self._refreshed(durable)

    async def refresh(self, ledger: Ledger) -> None:
        """Have all that was durable of a company when this was called. Raises Busy where it cannot be known."""
        asking = self.fresh(ledger)
        if not isinstance(asking, bool):
            await asking

    async def _refreshed(self, asking: Awaitable[Durable]) -> bool:
        durable = await asking
        if durable.companies != self.listed.counted:
            await self.listed.refresh()
        return durable.unused

    async def companies_with_email(self, email: str) -> list[int]:
        """Return the ids of the companies that have an agent with this address (in lower case), ascending. Raises Busy.

        The database is asked where other processes write, or not all companies are loaded.
        """
        if self._engine.shared or len(self._ledgers) < len(self.listed):
            return sorted(await self._read(lambda db: [id for (id,) in db.execute(_WITH_EMAIL, (email,))]))
        return sorted(id for id, ledger in self._ledgers.items() if email in ledger.roster.by_email)

    async def create_company(self, company: Company, records: Iterable[AnyRecord], origin: Origin) -> Ledger:
        """Write the first commit of a new company: its settings, under an id of their own, and its first records.

        Raises Conflict if its label is taken, Busy or Unknown as `Ledger.submit` does.
        """
        async with within(REQUEST_TIMEOUT, self._founding):
            self.listed.take(await self._read(listed))  # one may have been in doubt
            if self.listed.labelled(company.label) is not None:
                raise Conflict(Reason.NAME_TAKEN, "label")
            company = replace(company, id=self.listed.next_id())
            await self._write_first(company, [created(company), *map(created, records)], origin)
            self.listed.add(company)
        try:
            return await in_time(self._load_in_time(company.id), FOUNDING_SECONDS, lambda ledger: None)
        except (Busy, NotBegun):
            raise Unknown from None  # it is founded, and cannot be shown yet

    async def load(self, company_id: int) -> Ledger:
        """Return the ledger of a company, always the same one. Raises KeyError if there is no such company, Busy.

        It takes as long as the company is large.
        """
        async with self._loading:
            return await self._loaded(company_id)

    async def backup(self, folder: Path) -> backup.Manifest:
        """Write a verified backup to `folder`, which must not exist, or nothing.

        Raises BadBackup, NoRoom, OSError, Busy.
        """
        async with within(BEGIN_TIMEOUT, self._copying):
            with backup.begun(folder) as partial:
                file = partial / FILE
                await self._engine.copy(file, lambda db: backup.fill(db, file, self.vault))
                found = await check_process.findings(file, self.vault)
                manifest = await asyncio.to_thread(backup.seal, partial, folder, int(self._clock()), found)
        with suppress(OSError):  # the backup counts, even if there is no room to note where it is
            await asyncio.to_thread(backup.remember, self._folder, folder, manifest)
        return manifest

    async def check(self) -> list[Finding]:
        """Return what is not as it must be; if that is in the data, writing stops.

        Others read and write meanwhile: what is looked over is a copy in the folder, or where the database is shared
        one snapshot. Raises NoRoom, Busy, Failed.
        """
        if not self._engine.blocks:
            return await self.check_in_place()
        async with within(BEGIN_TIMEOUT, self._copying):
            with backup.begun(self._folder / CHECKED) as partial:
                try:
                    await self._engine.copy(partial / FILE, lambda db: None)
                    found = await check_process.findings(partial / FILE, self.vault)
                except Damaged as error:
                    found = [Finding("integrity", 0, str(error))]
                finally:
                    await asyncio.to_thread(backup.abandon, self._folder / CHECKED)
        return self._judged(found)

    async def check_in_place(self) -> list[Finding]:
        """Return the same where nobody is served: all others wait, and no copy needs room."""
        return self._judged(
            await self._engine.read_long(lambda db: check.everything(db, self.vault), read_timeout=SCAN_TIMEOUT)
        )

    def _judged(self, found: list[Finding]) -> list[Finding]:
        damage = [f"{what}: {where}" for what, _, where in found if what not in check.NO_DAMAGE]
        if damage:
            self._engine.mark_damaged("; ".join(damage))
        return found

    async def product(self) -> str:
        """Return which database it is, with its version."""
        return await self._read(lambda db: db.product())

    async def close(self) -> None:
        """Finish what is queued, save what was observed, and leave the folder to others."""
        self._closed = True
        try:
            for ledger in list(self._ledgers.values()):
                await ledger.close()
            await self.upkeep.close()
        finally:
            await self._let_go()

    async def _let_go(self) -> None:
        try:
            await self._engine.aclose()
        finally:
            self._engine.close()

    async def _read(self, job: Callable[[Db], T], company_id: int = EVERY_COMPANY) -> T:
        try:
            return await self._engine.read(job, company_id, REQUEST_TIMEOUT)
        except ERRORS as error:
            raise Busy from error

    async def _load_in_time(self, company_id: int) -> Ledger:
        """Do as `load`, and wait no longer for others that are loaded than the patience."""
        async with within(REQUEST_TIMEOUT, self._loading):
            return await self._loaded(company_id)

    async def _loaded(self, company_id: int) -> Ledger:
        if company_id not in self._ledgers:
            self._ledgers[company_id] = await self._load(company_id)
            self.listed.loaded(self._ledgers[company_id])
        return self._ledgers[company_id]

    async def _load(self, company_id: int) -> Ledger:
        now = self._clock()

        def job(db: Db) -> tuple[reading.Loaded, tuple[last_seen.Seen, float], Verified]:
            loaded = reading.load(db, self.vault, company_id)
            noted = log.verified(db, self.vault, company_id)
            reach = Verified(noted, log.verify(db, company_id, noted, VERIFY_BATCH))  # the upkeep reads the rest
            seen = last_seen.load(db, self.vault, company_id), db.moment(now)
            return loaded, seen, reach

        try:
            loaded, seen, reach = await self._engine.read_long(job, company_id)
        except ERRORS as error:
            raise Busy from error
        except Damaged as error:
            self._engine.mark_damaged(str(error))
            raise
        self.upkeep.verified[company_id] = reach
        if self._engine.shared or reach.current < loaded.roster.number:
            self.upkeep.schedule()
        observed = Observations(*seen, self.upkeep.schedule)
        return Ledger(self._engine, self.vault, loaded, observed, self._clock, self._forward)

    async def _write_first(self, company: Company, changes: list[Change], origin: Origin) -> None:
        roster = Roster(company)
        for change in changes:
            roster.apply(change)
        commit, attempt = Commit(1, int(self._clock()), origin, changes), log.new_attempt()

        def job(db: Db) -> None:
            rows_of(self.vault, company.id, changes).execute(db)
            notes.count_company_change(db)
            log.append(db, self.vault, company.id, [commit], ZERO_HASH, roster.next_ids, attempt)

        try:
            await self._engine.write(job, timeout=FOUNDING_SECONDS)
        except (NotBegun, Outdated) as error:
            raise Busy from error
        except Exception as error:
            find = self._engine.resolve(lambda db: log.find(db, company.id, 1, attempt), EVERY_COMPANY)
            settling = asyncio.get_running_loop().create_task(find)
            await asyncio.wait([settling], timeout=REQUEST_TIMEOUT)
            if settling.cancel() or isinstance(settling.exception(), (Damaged, Outdated)):
                raise Unknown from error
            if settling.result() is None:
                raise unique_violation(error) or Busy() from error


_WITH_EMAIL = sql(select(tables.agents.c.company_id).where(func.lower(tables.agents.c.email) == bindparam("email_")))
