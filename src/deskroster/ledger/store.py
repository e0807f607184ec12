"""Store: an open installation, with the ledgers of its companies."""

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
from deskroster.ledger.companies import Companies, read_list
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
from deskroster.texts import foreign

CREATE_TIMEOUT = 120.0  # seconds to write a new company with many records, and to load it
RELEASE_TIMEOUT = 1.0  # seconds that a refusal waits for its nonce to be released; that goes on behind it
CHECKED = "check"  # the name of a copy while it is checked, with `.partial` behind it

T = TypeVar("T")
Alarm = Callable[[str], None]
"""Called with the damage that was found, or why the process is outdated."""


_IN_FOLDER = location.engine_at(None)


def _ignore(damage: str) -> None:
    pass


class Store:
    """An open installation: its key in a folder, its data in that folder or in a database that other processes may use.

    If the data is in the folder, this process holds the lock of the folder until `close`.
    """

    def __init__(self, folder: Path, engine: Engine, vault: Vault, clock: Clock) -> None:
        self.vault = vault
        self._folder = folder
        self._engine = engine
        backup.abandon(folder / CHECKED)  # left by a killed process
        engine.serve(clock)
        self._clock = clock
        self._forward = ForwardTime(clock)
        self._ledgers: dict[int, Ledger] = {}
        self.upkeep = Upkeep(engine, vault, clock, self._forward, self._ledgers)
        self.listed = Companies(engine, self._ledgers)
        self._creating, self._loading, self._copying = asyncio.Lock(), asyncio.Lock(), asyncio.Lock()
        self._closed = False

    @classmethod
    def open(
        cls, folder: Path, clock: Clock | Wall = SYSTEM, engine: Callable[[Path], Engine] = _IN_FOLDER,
        alarm: Alarm = _ignore, outdated: Alarm = _ignore,
    ) -> "Store":  # fmt: skip
        """Open an installation, or create it: migrate its tables, and check them quickly.

        `alarm` is called once, perhaps in another thread, when damage is found later: writes are refused then.
        `outdated` is called when another process has changed the key, the location or the schema: all requests get Busy
        then. Raises what the engine raises, WrongKey, Damaged, or NewerData for data that a later version has written.
        """
        atomic.make_folder(folder)
        location.hide_from_git(folder)
        opened = engine(folder)
        try:
            opened.make_durable_now()
            vault = installation.open_vault(folder, opened)
            installation.fence_in(opened, vault)
            opened.alarm, opened.fence.alarm = alarm, outdated
            return cls(folder, opened, vault, clock_of(clock))
        except BaseException:
            opened.close()
            raise

    @property
    def writable(self) -> bool:
        """Whether every loaded company accepts writes."""
        return not (self._engine.damage or self._engine.in_doubt or self._closed)

    @property
    def outdated(self) -> str:
        """Why this process may not read or write any more, and what to do; empty if it may."""
        return self._engine.fence.outdated

    async def ready(self) -> bool:
        """Tell whether writes are accepted, and a freshness query succeeds."""
        try:
            for ledger in islice(self._ledgers.values(), 1):
                await self.refresh(ledger)
        except (Busy, Damaged):
            return False
        return self.writable and not self.outdated

    def count_call(self, company_id: int, limit: int) -> int | Coroutine[Any, Any, int]:
        """Count a call against the company's limit per minute; return 0, or the seconds until a call may be counted.

        Returns a coroutine if other processes serve the company. Raises Busy.
        """
        wait = self._engine.count_call(company_id, limit)
        return wait if isinstance(wait, int) else self._busy_if_failed(wait)

    async def release(self, company_id: int, nonce: str) -> None:
        """Make a nonce unused again, as its request is refused and may be sent again; wait a second for it at most."""
        releasing = self._engine.release(company_id, nonce)
        if releasing is None:
            return
        task = asyncio.ensure_future(releasing)
        task.add_done_callback(lambda done: done.cancelled() or done.exception())  # then it is released when it comes
        await asyncio.wait([task], timeout=RELEASE_TIMEOUT)

    async def _busy_if_failed(self, coroutine: Awaitable[int]) -> int:
        try:
            return await coroutine
        except ERRORS as error:
            raise Busy from error

    def fresh(self, ledger: Ledger, nonce: str | None = None) -> bool | Coroutine[Any, Any, bool]:
        """Catch up with all commits of a company that are durable now; spend a nonce, and return False if it was used.

        Returns a coroutine if other processes may write. Raises Busy if the database cannot be asked.
        """
        durable = ledger.durable(nonce)
        return durable.unused if isinstance(durable, Durable) else self._caught_up(ledger, durable, nonce)

    async def refresh(self, ledger: Ledger) -> None:
        """Catch up with all commits of a company that are durable now. Raises Busy."""
        result = self.fresh(ledger)
        if not isinstance(result, bool):
            await result

    async def _caught_up(self, ledger: Ledger, query: Awaitable[Durable], nonce: str | None) -> bool:
        number = ledger.roster.number
        durable = await query
        try:
            await ledger.catch_up(durable, number)
            if durable.companies != self.listed.counted:
                await self.listed.refresh()
        except Exception:
            if nonce is not None and durable.unused:
                await self.release(ledger.roster.company.id, nonce)
            raise
        return durable.unused

    async def companies_with_email(self, email: str) -> list[int]:
        """Return the ids of the companies that have an agent with this address (in lower case), ascending. Raises Busy.

        Reads the database if other processes may write, or not all companies are loaded.
        """
        if self._engine.shared or len(self._ledgers) < len(self.listed):
            return sorted(await self._read(lambda db: [id for (id,) in db.execute(_WITH_EMAIL, (email,))]))
        return sorted(id for id, ledger in self._ledgers.items() if email in ledger.roster.by_email)

    async def create_company(self, company: Company, records: Iterable[AnyRecord], origin: Origin) -> Ledger:
        """Create a company by its first commit: its settings, with a new id, and its first records.

        Raises Conflict if its label is taken, Busy or Unknown as `Ledger.submit` does.
        """
        async with within(REQUEST_TIMEOUT, self._creating):
            self.listed.take(await self._read(read_list))  # the outcome of an earlier one may have been unknown
            if self.listed.labelled(company.label) is not None:
                raise Conflict(Reason.NAME_TAKEN, "label")
            company = replace(company, id=self.listed.next_id())
            await self._write_first(company, [created(company), *map(created, records)], origin)
            self.listed.add(company)
        try:
            return await in_time(self._load_within_timeout(company.id), CREATE_TIMEOUT, lambda ledger: None)
        except (Busy, NotBegun):
            raise Unknown from None  # it is created, but cannot be shown yet

    async def load(self, company_id: int) -> Ledger:
        """Return the ledger of a company, always the same one. Raises KeyError if there is no such company, Busy.

        Loading has no timeout: it takes as long as the company is large.
        """
        async with self._loading:
            return await self._load_once(company_id)

    async def backup(self, folder: Path) -> backup.Manifest:
        """Write a verified backup to `folder`, which must not exist; after an error nothing is left of it.

        Raises BadBackup, NoRoom, OSError, Busy.
        """
        async with within(BEGIN_TIMEOUT, self._copying):
            with backup.begun(folder) as partial:
                file = partial / FILE
                await self._engine.copy(file, lambda db: backup.fill(db, file, self.vault))
                findings = await check_process.findings(file, self.vault)
                manifest = await asyncio.to_thread(backup.seal, partial, folder, int(self._clock()), findings)
        with suppress(OSError):  # the backup counts, even if it cannot be noted where it is
            await asyncio.to_thread(backup.remember, self._folder, folder, manifest)
        return manifest

    async def check(self) -> list[Finding]:
        """Run all checks and return the findings. Damage to the data stops writes.

        Reads and writes go on: what is checked is a copy in the folder, or one snapshot of a shared database. Raises
        NoRoom, Busy, Failed.
        """
        if not self._engine.blocks:
            return await self.check_in_place()
        async with within(BEGIN_TIMEOUT, self._copying):
            with backup.begun(self._folder / CHECKED) as partial:
                try:
                    await self._engine.copy(partial / FILE, lambda db: None)
                    findings = await check_process.findings(partial / FILE, self.vault)
                except Damaged as error:
                    findings = [Finding("integrity", 0, foreign(error))]
                finally:
                    await asyncio.to_thread(backup.abandon, self._folder / CHECKED)
        return self._stop_on_damage(findings)

    async def check_in_place(self) -> list[Finding]:
        """Run the same checks without a copy, while nobody is served: all other jobs wait."""
        return self._stop_on_damage(
            await self._engine.read_long(lambda db: check.everything(db, self.vault), read_timeout=SCAN_TIMEOUT)
        )

    def _stop_on_damage(self, findings: list[Finding]) -> list[Finding]:
        damage = [f"{what}: {where}" for what, _, where in findings if what not in check.NO_DAMAGE]
        if damage:
            self._engine.mark_damaged("; ".join(damage))
        return findings

    async def product(self) -> str:
        """Return the name of the database, with its version."""
        return await self._read(lambda db: db.product())

    async def close(self) -> None:
        """Process what is queued, save the observations, and release the folder."""
        self._closed = True
        try:
            for ledger in list(self._ledgers.values()):
                await ledger.close()
            await self.upkeep.close()
        finally:
            await self._close_engine()

    async def _close_engine(self) -> None:
        try:
            await self._engine.aclose()
        finally:
            self._engine.close()

    async def _read(self, job: Callable[[Db], T], company_id: int = EVERY_COMPANY) -> T:
        try:
            return await self._engine.read(job, company_id, REQUEST_TIMEOUT)
        except ERRORS as error:
            raise Busy from error

    async def _load_within_timeout(self, company_id: int) -> Ledger:
        """Load a company; wait at most `REQUEST_TIMEOUT` for others that are being loaded."""
        async with within(REQUEST_TIMEOUT, self._loading):
            return await self._load_once(company_id)

    async def _load_once(self, company_id: int) -> Ledger:
        if company_id not in self._ledgers:
            self._ledgers[company_id] = await self._load(company_id)
            self.listed.loaded(self._ledgers[company_id])
        return self._ledgers[company_id]

    async def _load(self, company_id: int) -> Ledger:
        now = self._clock()

        def job(db: Db) -> tuple[reading.Loaded, tuple[last_seen.Seen, float], Verified]:
            loaded = reading.load(db, self.vault, company_id)
            stored = log.verified(db, self.vault, company_id)
            current = log.verify(db, company_id, stored, VERIFY_BATCH)  # the upkeep verifies the rest
            verified = Verified(stored, current)
            seen = last_seen.load(db, self.vault, company_id), db.moment(now)
            return loaded, seen, verified

        try:
            loaded, seen, verified = await self._engine.read_long(job, company_id)
        except ERRORS as error:
            raise Busy from error
        except Damaged as error:
            self._engine.mark_damaged(str(error))
            raise
        self.upkeep.verified[company_id] = verified
        if self._engine.shared or verified.current < loaded.roster.number:
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
            await self._engine.write(job, timeout=CREATE_TIMEOUT)
        except (NotBegun, Outdated) as error:
            raise Busy from error
        except Exception as error:
            find = self._engine.resolve(lambda db: log.find(db, company.id, 1, attempt), EVERY_COMPANY)
            resolving = asyncio.get_running_loop().create_task(find)
            await asyncio.wait([resolving], timeout=REQUEST_TIMEOUT)
            if resolving.cancel() or isinstance(resolving.exception(), (Damaged, Outdated)):
                raise Unknown from error
            if resolving.result() is None:
                raise unique_violation(error) or Busy() from error


_WITH_EMAIL = sql(select(tables.agents.c.company_id).where(func.lower(tables.agents.c.email) == bindparam("email_")))
