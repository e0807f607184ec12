"""Ledger: durability for one company. Verbs queue; a batch is rehearsed, committed, and only then shown."""

import asyncio
from collections.abc import Awaitable, Callable

from deskroster.clocks import Wall
from deskroster.core.changes import Commit
from deskroster.core.problems import Busy, Damaged, Unknown
from deskroster.eager import begun
from deskroster.ledger.beside import idempotency
from deskroster.ledger.beside.idempotency import Once, StoredReply
from deskroster.ledger.beside.last_seen import Observations, Seen
from deskroster.ledger.disk import catchup, log, notes
from deskroster.ledger.disk.reading import Loaded
from deskroster.ledger.disk.vault import Vault
from deskroster.ledger.disk.writing import rows_of
from deskroster.ledger.engines import (
    ERRORS,
    Db,
    Durable,
    Engine,
    Failed,
    Gone,
    InDoubt,
    Job,
    NotBegun,
    Outdated,
    WriteLock,
    unique_violation,
)
from deskroster.ledger.files.forms import NewerData
from deskroster.ledger.queue import Queue
from deskroster.ledger.rehearsal import Entry, Trial, Work, apply_or_exit, rehearse, run_verb
from deskroster.texts import said

_MAX_SHORT_CATCH_UP = 8  # missing commits up to which catching up is a short read
_RETRY_SECONDS = 0.1  # between retries to take the write lock
_LOST_TIMEOUT = 10.0  # seconds that a database may lack commits: a primary that was cut off does, until it knows


class Ledger:
    """Durability for one company. `roster` shows exactly what is durable."""

    def __init__(
        self, engine: Engine, vault: Vault, loaded: Loaded, observed: Observations, clock: Wall, forward: Wall
    ) -> None:
        self.roster = loaded.roster
        self.observed = observed
        self.settings_changed: Callable[[], None] = lambda: None  # called when they have
        self._closed = False
        self._head = loaded.head  # hash of the last commit, which `roster` may not show yet
        self._engine, self._vault, self._timeout = engine, vault, engine.queue_timeout
        self._clock, self._forward = clock, forward  # stored replies are dated by `_forward`, which is monotonic
        self._queue = Queue()
        self._first_in_iteration = True  # no verb has started in this iteration of the event loop
        self._runner: asyncio.Task[None] | None = None
        self._catching_up: asyncio.Task[None] | None = None  # catches up, for all requests that wait for it
        self._lost_since: float | None = None  # since when the database lacks commits

    @property
    def damage(self) -> str:
        """The damage that was found in the data, if any. Writes are refused then."""
        return self._engine.damage

    @property
    def writable(self) -> bool:
        """Whether verbs are accepted: not while the outcome of a commit is unknown, nor once damage was found."""
        return not (self._engine.doubts(self.roster.company.id) or self._closed or self.damage)

    async def submit(self, work: Work) -> bytes:
        """Run a verb; return its reply once it is durable. Raises its Problem, Busy (certainly not done) or Unknown."""
        if self.damage:
            raise Damaged(self.damage)
        if not self.writable or self._queue.full:
            raise Busy
        loop = asyncio.get_running_loop()
        entry = Entry(work, loop.create_future(), loop.time() + self._timeout)
        self._queue.add(entry)
        if self._runner is None or self._runner.done():
            self._runner = self._start_runner(loop)
        return await entry.future

    def _start_runner(self, loop: asyncio.AbstractEventLoop) -> asyncio.Task[None] | None:
        """Start to process the queue: at once after a lone verb, else with all verbs of this event loop iteration."""
        if not self._first_in_iteration or self._queue.recent_batch_size > 1:
            return loop.create_task(self._run())
        self._first_in_iteration = False
        loop.call_soon(self._end_iteration)
        return begun(loop, self._run())

    def _end_iteration(self) -> None:
        self._first_in_iteration = True

    def durable(self, nonce: str | None = None) -> Durable | Awaitable[Durable]:
        """Ask what is durable now, and spend a nonce.

        Returns an awaitable if other processes may write, to be caught up with. Raises Busy if the database cannot be
        asked.
        """
        return self._engine.fresh(self.roster.company.id, nonce, int(self._clock()))

    async def catch_up(self, durable: Durable, number_before: int) -> None:
        """Catch up with all that was durable when it was asked for, at our commit `number_before`.

        Raises Busy, Damaged.
        """
        if durable.number is None or durable.head is None:
            return
        if durable.number < number_before:
            raise Busy  # a primary that was cut off lacks durable commits, and does not know it yet
        if durable.number > self.roster.number:
            await self._catch_up_to(durable.number, durable.head)

    async def preview(self, work: Work) -> bytes:
        """Return what `submit` would, and write nothing. Raises the verb's Problem."""
        with self.roster.rehearsal() as perform:
            return run_verb(self.roster, work, perform, {}, int(self._clock()))[0]

    def once(self, caller: str, key: str, request: bytes) -> Once:
        """Return the HMACs under which the first reply to an idempotency key is stored."""
        return Once(self._vault.digest("once", caller, key), self._vault.digest("request", request))

    def key_used(self, key_id: int, form: str, at: int) -> None:
        self.observed.record("key", key_id, at, form)

    def logged_in(self, agent_id: int, at: int) -> None:
        self.observed.record("agent", agent_id, at, "")
        self.roster.answers.invalidate("agent", (agent_id,))  # a dialect may show it

    def merge_observations(self, seen: Seen, now: float) -> None:
        """Merge the observations that other processes have saved."""
        agents = [id for kind, id in self.observed.merge(seen, now) if kind == "agent"]
        self.roster.answers.invalidate("agent", agents)

    async def close(self) -> None:
        """Refuse new verbs, and finish what is queued, within the timeout."""
        self._closed = True
        for task in (self._runner, self._catching_up):
            if task is not None:
                await asyncio.wait([task], timeout=2 * self._timeout)
                task.cancel()

    async def _run(self) -> None:
        while self._queue:
            lock = await self._take_lock()
            if lock is None:
                break
            try:
                if self._queue:
                    await self._process(self._queue.take(), lock)
            finally:
                await lock.release()
            if self._queue:
                await asyncio.sleep(0)  # lets other tasks run, where nothing had to be written

    async def _take_lock(self) -> WriteLock | None:
        """Take the write lock and catch up; None if all verbs in the queue have timed out. Retries."""
        while self._queue:
            try:
                lock = await self._engine.lock(self.roster.company.id)
            except Damaged as error:
                self._note_damage(error)
                self._queue.refuse(error)
            except Outdated:
                self._queue.refuse(Busy())
            except Exception:  # noqa: BLE001 - nothing was sent yet, so a retry is safe
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                try:
                    if await self._has_caught_up(lock):
                        return lock
                    await lock.reject()
                except ERRORS:
                    await lock.release()
                except BaseException:
                    await lock.release()
                    raise
                await asyncio.sleep(_RETRY_SECONDS)
        return None

    async def _has_caught_up(self, lock: WriteLock) -> bool:
        """Catch up under the write lock. Return False if the database lacks commits that were durable."""
        number = self.roster.number if lock.number is None else lock.number
        if number >= self.roster.number:
            self._lost_since = None
        if number > self.roster.number:
            await self._catch_up(lock.read)
        if number < self.roster.number:
            now = asyncio.get_running_loop().time()
            self._lost_since = self._lost_since or now
            if now - self._lost_since > _LOST_TIMEOUT:
                raise SystemExit(f"the database has lost commits: it is at {number}, and was at {self.roster.number}")
            return False
        return True

    async def _catch_up_to(self, number: int, head: bytes) -> None:
        """Catch up to a commit of another process, within the timeout. Raises Busy, Damaged."""
        company_id = self.roster.company.id

        async def read(job: Job[catchup.Unseen]) -> catchup.Unseen:
            def checked(db: Db) -> catchup.Unseen:
                if not log.has(db, company_id, number, head):
                    raise Failed(said("another database answered than was asked before: one that was cut off from it"))
                return job(db)

            is_short = number - self.roster.number <= _MAX_SHORT_CATCH_UP
            return await (self._engine.read if is_short else self._engine.read_long)(checked, company_id)

        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._timeout
        while number > self.roster.number:
            task = self._catching_up
            if task is None:
                # In a task of its own: a request catches all exceptions, and SystemExit must end the process.
                task = self._catching_up = loop.create_task(self._catch_up(read))
                task.add_done_callback(self._end_catching_up)
            await asyncio.wait([task], timeout=deadline - loop.time())
            if not task.done():
                raise Busy  # catching up goes on, for the next request
            try:
                task.result()
            except ERRORS as error:
                raise Busy from error

    def _end_catching_up(self, task: asyncio.Task[None]) -> None:
        self._catching_up = None
        if not task.cancelled():
            task.exception()  # nobody may be waiting for it

    async def _catch_up(self, read: Callable[[Job[catchup.Unseen]], Awaitable[catchup.Unseen]]) -> None:
        """Advance the roster through the commits of other processes; let other tasks run in between."""
        company_id, vault, number, head = self.roster.company.id, self._vault, self.roster.number, self._head
        try:
            unseen = await read(lambda db: catchup.unseen(db, vault, company_id, number, head))
        except NewerData as error:  # the commits behind it cannot be shown either
            raise SystemExit(str(error)) from error
        except log.Broken as error:
            if error.number == number:
                raise SystemExit(f"the database has another commit {number} than it had") from error
            raise
        for commit in unseen.commits:
            if commit.number > self.roster.number:
                self._advance(unseen.as_commit(self.roster, commit))
                self._head = commit.hash
                await asyncio.sleep(0)
        self.roster.count_ids(unseen.next_ids)

    async def _process(self, batch: list[Entry], lock: WriteLock) -> None:
        """Process a batch: answer each verb, or put it back into the queue."""
        try:
            stored_replies, now = await self._find_replies(batch, lock)
        except Exception as error:  # noqa: BLE001 - whatever it was, nothing has been written
            self._note_damage(error)
            _answer_all(batch, Busy)
            return
        trial = rehearse(self.roster, batch, stored_replies, int(self._clock()))
        self._queue.put_back(trial.deferred)
        if trial.commits:
            entries = [entry for entry, _ in trial.answers]
            deadline = asyncio.get_running_loop().call_later(self._remaining_seconds(entries), _time_out, entries, lock)
            try:
                failure = await self._write(trial, lock, now)
            except (Damaged, InDoubt, Outdated) as error:
                self._note_damage(error)
                _answer_all(entries, Unknown)
                return
            finally:
                deadline.cancel()
            if failure is not None:
                self._retry_or_refuse(entries, failure)
                return
            self._publish(trial)
        elif stored_replies and not await self._prove_durable(lock, self._remaining_seconds(batch)):
            _answer_all(batch, Busy)
        for entry, answer in trial.answers:
            entry.finish(answer)

    def _remaining_seconds(self, entries: list[Entry]) -> float:
        """Return the timeout for the outcome of these verbs: less for those that have waited long."""
        oldest = min(entry.deadline for entry in entries)
        return max(self._timeout / 5, oldest - asyncio.get_running_loop().time())

    async def _prove_durable(self, lock: WriteLock, timeout: float) -> bool:
        """Commit nothing. An empty commit proves that the standby has everything before it, stored replies included."""
        try:
            await lock.commit(lambda db: None, timeout)
        except Exception as error:  # noqa: BLE001 - whatever it was, nothing was written
            self._note_damage(error)
            return False
        return True

    def _retry_or_refuse(self, entries: list[Entry], failure: Exception) -> None:
        """Retry each verb of a failed batch in a batch of its own; refuse a verb that was alone.

        If the connection was lost, a lone verb is retried until its deadline. Nothing of the batch was written.
        """
        lost = isinstance(failure, Gone)
        if len(entries) == 1 and not (lost and asyncio.get_running_loop().time() < entries[0].deadline):
            entries[0].finish(unique_violation(failure) or Busy())
            return
        for entry in entries:
            entry.own_batch = True
        self._queue.put_back([entry for entry in entries if not entry.future.done()])

    def _note_damage(self, error: Exception) -> None:
        if isinstance(error, Damaged):
            self._engine.mark_damaged(str(error))

    async def _find_replies(self, batch: list[Entry], lock: WriteLock) -> tuple[dict[bytes, StoredReply], int]:
        """Return the stored replies to the idempotency keys of a batch, and the date for new ones."""
        keys = [entry.work.once.key for entry in batch if entry.work.once is not None]
        if self.damage:
            raise Busy
        if not keys:
            return {}, 0
        company_id, now = self.roster.company.id, self._forward()
        return await lock.read(
            lambda db: idempotency.find(db, self._vault, company_id, keys, now), self._remaining_seconds(batch)
        )

    async def _write(self, trial: Trial, lock: WriteLock, now: int) -> Exception | None:
        """Commit a rehearsal; return the error if it is certainly not in the log. Raises InDoubt."""
        company_id, vault, head = self.roster.company.id, self._vault, self._head
        commits, attempt = trial.commits, log.new_attempt()

        def job(db: Db) -> bytes:
            rows_of(vault, company_id, (change for commit in commits for change in commit.changes)).execute(db)
            idempotency.store(db, vault, company_id, trial.new_replies, now)
            if any(change.kind == "company" for commit in commits for change in commit.changes):
                notes.count_company_change(db)
            return log.append(db, vault, company_id, commits, head, trial.next_ids, attempt)

        try:
            self._note_head(commits[-1].number, await lock.commit(job))
        except InDoubt:
            raise
        except NotBegun as error:
            return error
        except Exception as error:  # noqa: BLE001 - whatever it was, only the log knows the outcome
            self._note_damage(error)
            return await self._resolve(commits[-1].number, attempt, error)
        return None

    async def _resolve(self, number: int, attempt: str, error: Exception) -> Exception | None:
        """Ask the log whether this attempt wrote this commit; if not, return the error. Retries until it is known."""
        company_id = self.roster.company.id
        head = await self._engine.resolve(lambda db: log.find(db, company_id, number, attempt), company_id)
        if head is None:
            return error
        self._note_head(number, head)
        return None

    def _note_head(self, number: int, head: bytes) -> None:
        if number > self.roster.number:  # else catching up has read this commit already, and perhaps more
            self._head = head

    def _publish(self, trial: Trial) -> None:
        for commit in trial.commits:
            self._advance(commit)
        self.roster.count_ids(trial.next_ids)

    def _advance(self, commit: Commit) -> None:
        before = self.roster.company
        apply_or_exit(self.roster.advance, commit)
        if self.roster.company is not before:
            self.settings_changed()


def _time_out(entries: list[Entry], lock: WriteLock) -> None:
    """Time out the verbs of a commit: Unknown if it has started, else Busy."""
    _answer_all(entries, Busy if lock.withdraw() else Unknown)


def _answer_all(entries: list[Entry], problem: type[Busy] | type[Unknown]) -> None:
    for entry in entries:
        entry.finish(problem())
