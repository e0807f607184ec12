"""Ledger: makes a company's changes durable. Verbs queue; a batch is rehearsed, written, and only then shown."""

import asyncio
from collections.abc import Awaitable, Callable

from deskroster.clocks import Wall
from deskroster.core.changes import Commit
from deskroster.core.problems import Busy, Damaged, Unknown
from deskroster.eager import begun
from deskroster.ledger import catchup, installation, log, replies
from deskroster.ledger.engines import (
    ERRORS,
    PATIENCE,
    Db,
    Durable,
    Engine,
    Failed,
    Gone,
    Held,
    InDoubt,
    Job,
    NotBegun,
    Outdated,
    clash,
)
from deskroster.ledger.forms import NewerData
from deskroster.ledger.loading import Loaded
from deskroster.ledger.observations import Observations, Seen
from deskroster.ledger.queue import Queue
from deskroster.ledger.rehearsal import Entry, Trial, Work, attempt, rehearse, surely
from deskroster.ledger.replies import Kept, Once
from deskroster.ledger.rows import rows_of
from deskroster.ledger.vault import Vault

_FEW = 8  # commits of others that are read at once
_PAUSE = 0.1  # seconds between attempts to get the right to write
_LOST_AFTER = 10.0  # seconds that a database may be behind: a primary that was cut off is, until it knows


class Ledger:
    """Durability for one company. `roster` shows exactly what is durable."""

    def __init__(
        self, engine: Engine, vault: Vault, loaded: Loaded, observed: Observations, clock: Wall, forward: Wall,
        patience: float = PATIENCE,
    ) -> None:  # fmt: skip
        self.roster = loaded.roster
        self.observed = observed
        self.settings_changed: Callable[[], None] = lambda: None  # called when the company's own settings have
        self._closed = False
        self._head = loaded.head  # of the commit `roster.number`, but between a commit and its showing
        self._engine, self._vault, self._patience = engine, vault, patience
        self._clock, self._forward = clock, forward  # by the second, which only goes forward, first answers are kept
        self._queue = Queue()
        self._alone = True  # no verb has begun in this turn of the loop
        self._runner: asyncio.Task[None] | None = None
        self._following: asyncio.Task[None] | None = None  # catches up, for all who wait for that
        self._lost_since: float | None = None  # since when the database has less than it had

    @property
    def damage(self) -> str:
        """What was found broken in the data. Nothing is written any more then."""
        return self._engine.damage

    @property
    def writable(self) -> bool:
        """Whether verbs are taken: not while it cannot be said what is durable, nor once damage was found."""
        return not (self._engine.doubts(self.roster.company.id) or self._closed or self.damage)

    async def submit(self, work: Work) -> bytes:
        """Run a verb and return its reply once it is durable. Raises its Problem, Busy (surely not done) or Unknown."""
        if self.damage:
            raise Damaged(self.damage)
        if not self.writable or self._queue.full:
            raise Busy
        loop = asyncio.get_running_loop()
        entry = Entry(work, loop.create_future(), loop.time() + self._patience)
        self._queue.add(entry)
        if self._runner is None or self._runner.done():
            self._runner = self._begin(loop)
        return await entry.answer

    def _begin(self, loop: asyncio.AbstractEventLoop) -> asyncio.Task[None] | None:
        """Decide what is queued: at once if verbs have come one by one, else with what still comes in this turn."""
        if not self._alone or self._queue.crowd > 1:
            return loop.create_task(self._run())
        self._alone = False
        loop.call_soon(self._end_turn)
        return begun(loop, self._run())

    def _end_turn(self) -> None:
        self._alone = True

    async def fresh(self, nonce: bytes | None = None) -> Durable:
        """Have all that was durable when this was called, where others may write; spend a nonce with the question.

        Raises Busy where it cannot be known, Damaged.
        """
        asking, number = self._engine.asking, self.roster.number
        if asking is None:
            return Durable(number, b"", 0, unused=True)
        answer = await asking.ask(self.roster.company.id, nonce, int(self._clock()))
        if answer.number < number:
            raise Busy  # a primary that has lost what was durable, and does not know it yet
        if answer.number > self.roster.number:
            await self._follow(answer)
        return answer

    async def preview(self, work: Work) -> bytes:
        """Return what `submit` would, and write nothing. Raises the verb's Problem."""
        with self.roster.rehearsal() as perform:
            return attempt(self.roster, work, perform, {}, int(self._clock()))[0]

    def once(self, caller: str, key: str, request: bytes) -> Once:
        """Return the name under which the first answer to an idempotency key is kept."""
        return Once(self._vault.digest("once", caller, key), self._vault.digest("request", request))

    def key_used(self, key_id: int, form: str, at: int) -> None:
        self.observed.note("key", key_id, at, form)

    def logged_in(self, agent_id: int, at: int) -> None:
        self.observed.note("agent", agent_id, at, "")
        self.roster.answers.invalidate("agent", (agent_id,))  # in KF5 they show it

    def learn(self, seen: Seen, now: float) -> None:
        """Take over what other processes have observed until now."""
        agents = [id for kind, id in self.observed.learn(seen, now) if kind == "agent"]
        self.roster.answers.invalidate("agent", agents)

    async def close(self) -> None:
        """Take nothing more and finish what is queued, as far as it can be within the patience."""
        self._closed = True
        for task in (self._runner, self._following):
            if task is not None:
                await asyncio.wait([task], timeout=2 * self._patience)
                task.cancel()

    async def _run(self) -> None:
        while self._queue:
            held = await self._hold()
            if held is None:
                break
            try:
                if self._queue:
                    await self._settle(self._queue.take(), held)
            finally:
                await held.release()
            if self._queue:
                await asyncio.sleep(0)  # for others, where nothing had to be written

    async def _hold(self) -> Held | None:
        """Wait for the right to write, and have all that others wrote; None when all that was queued has expired."""
        while self._queue:
            try:
                held = await self._engine.hold(self.roster.company.id)
            except Damaged as error:
                self._note_damage(error)
                self._queue.refuse(error)
            except Outdated:
                self._queue.refuse(Busy())
            except Exception:  # noqa: BLE001 - nothing was sent yet, so nothing is lost by trying again
                await asyncio.sleep(_PAUSE)
            else:
                try:
                    if await self._is_up_to(held):
                        return held
                    await held.reject()
                except ERRORS:
                    await held.release()
                except BaseException:
                    await held.release()
                    raise
                await asyncio.sleep(_PAUSE)
        return None

    async def _is_up_to(self, held: Held) -> bool:
        """Have all that others wrote; False where that cannot be: it is not the database that it was."""
        number = self.roster.number if held.number is None else held.number
        if number >= self.roster.number:
            self._lost_since = None
        if number > self.roster.number:
            await self._catch_up(held.read)
        if number < self.roster.number:
            now = asyncio.get_running_loop().time()
            self._lost_since = self._lost_since or now
            if now - self._lost_since > _LOST_AFTER:
                raise SystemExit(f"the database has lost commits: it is at {number}, and was at {self.roster.number}")
            return False
        return True

    async def _follow(self, answer: Durable) -> None:
        """Catch up to a commit that others have written, within the patience. Raises Busy, Damaged."""
        company_id = self.roster.company.id

        async def read(job: Job[catchup.Unseen]) -> catchup.Unseen:
            def checked(db: Db) -> catchup.Unseen:
                if not log.has(db, company_id, answer.number, answer.head):
                    raise Failed("another database answered than was asked before: one that was cut off from it")
                return job(db)

            few = answer.number - self.roster.number <= _FEW
            return await (self._engine.read if few else self._engine.read_long)(checked, company_id)

        loop = asyncio.get_running_loop()
        until = loop.time() + self._patience
        while answer.number > self.roster.number:
            following = self._following
            if following is None:
                # In a task of its own: who serves a request catches all, and what ends the process must not be.
                following = self._following = loop.create_task(self._catch_up(read))
                following.add_done_callback(self._have_followed)
            await asyncio.wait([following], timeout=until - loop.time())
            if not following.done():
                raise Busy  # it goes on, for whoever asks next
            try:
                following.result()
            except ERRORS as error:
                raise Busy from error

    def _have_followed(self, following: asyncio.Task[None]) -> None:
        self._following = None
        if not following.cancelled():
            following.exception()  # nobody may be waiting for it any more

    async def _catch_up(self, read: Callable[[Job[catchup.Unseen]], Awaitable[catchup.Unseen]]) -> None:
        """Advance through the commits that others have written, and let others in between."""
        company_id, vault, number, head = self.roster.company.id, self._vault, self.roster.number, self._head
        try:
            unseen = await read(lambda db: catchup.unseen(db, vault, company_id, number, head))
        except NewerData as error:  # what follows cannot be shown, so nothing can
            raise SystemExit(str(error)) from error
        except log.Broken as error:
            if error.number == number:
                raise SystemExit(f"the database has another commit {number} than it had") from error
            raise
        for commit in unseen.commits:
            if commit.number > self.roster.number:
                self._advance(unseen.followed(self.roster, commit))
                self._head = commit.hash
                await asyncio.sleep(0)
        self.roster.count_ids(unseen.next_ids)

    async def _settle(self, batch: list[Entry], held: Held) -> None:
        """Decide a batch: answer each of it, or put it back into the queue."""
        try:
            kept, now = await self._answered_before(batch, held)
        except Exception as error:  # noqa: BLE001 - whatever it was, nothing has been written
            self._note_damage(error)
            _answer_all(batch, Busy)
            return
        trial = rehearse(self.roster, batch, kept, int(self._clock()))
        self._queue.put_back(trial.left)
        if trial.commits:
            entries = [entry for entry, _ in trial.answers]
            doubt = asyncio.get_running_loop().call_later(self._left(entries), _give_up, entries, held)
            try:
                failure = await self._write(trial, held, now)
            except (Damaged, InDoubt, Outdated) as error:
                self._note_damage(error)
                _answer_all(entries, Unknown)
                return
            finally:
                doubt.cancel()
            if failure is not None:
                self._fail(entries, failure)
                return
            self._publish(trial)
        elif kept and not await self._as_durable_as_said(held, self._left(batch)):
            _answer_all(batch, Busy)
        for entry, answer in trial.answers:
            entry.settle(answer)

    def _left(self, entries: list[Entry]) -> float:
        """Return for how many seconds the outcome of these may stay open: whoever has waited long waits little more."""
        oldest = min(entry.until for entry in entries)
        return max(self._patience / 5, oldest - asyncio.get_running_loop().time())

    async def _as_durable_as_said(self, held: Held, patience: float) -> bool:
        """Commit nothing: that waits for the replica of all before it, so an answer that is given again is true."""
        try:
            await held.commit(lambda db: None, patience)
        except Exception as error:  # noqa: BLE001 - whatever it was, nothing was written
            self._note_damage(error)
            return False
        return True

    def _fail(self, entries: list[Entry], failure: Exception) -> None:
        """Let each verb of a batch that is surely not written try alone; one that was alone is answered.

        Where it was the database that went away, it may try for as long as it may wait.
        """
        gone = isinstance(failure, Gone)
        if len(entries) == 1 and not (gone and asyncio.get_running_loop().time() < entries[0].until):
            entries[0].settle(clash(failure) or Busy())
            return
        for entry in entries:
            entry.alone = True
        self._queue.put_back([entry for entry in entries if not entry.answer.done()])

    def _note_damage(self, error: Exception) -> None:
        if isinstance(error, Damaged):
            self._engine.condemn(str(error))

    async def _answered_before(self, batch: list[Entry], held: Held) -> tuple[dict[bytes, Kept], int]:
        """Return the first answers that are kept, and the time that those to come are of."""
        keys = [entry.work.once.key for entry in batch if entry.work.once is not None]
        if self.damage:
            raise Busy
        if not keys:
            return {}, 0
        company_id, now = self.roster.company.id, self._forward()
        return await held.read(lambda db: replies.find(db, self._vault, company_id, keys, now), self._left(batch))

    async def _write(self, trial: Trial, held: Held, now: int) -> Exception | None:
        """Write the commits of a rehearsal; return the error if they are surely not in the log. Raises InDoubt."""
        company_id, vault, head = self.roster.company.id, self._vault, self._head
        commits, attempt = trial.commits, log.new_attempt()

        def job(db: Db) -> bytes:
            rows_of(vault, company_id, (change for commit in commits for change in commit.changes)).execute(db)
            replies.keep(db, vault, company_id, trial.kept, now)
            if any(change.kind == "company" for commit in commits for change in commit.changes):
                installation.count_change(db)
            return log.append(db, vault, company_id, commits, head, trial.next_ids, attempt)

        try:
            self._note_head(commits[-1].number, await held.commit(job))
        except InDoubt:
            raise
        except NotBegun as error:
            return error
        except Exception as error:  # noqa: BLE001 - whatever it was, only the log knows the outcome
            self._note_damage(error)
            return await self._ask(commits[-1].number, attempt, error)
        return None

    async def _ask(self, number: int, attempt: str, error: Exception) -> Exception | None:
        """Ask the log whether this attempt wrote the commit with this number; if not, return the error."""
        company_id = self.roster.company.id
        head = await self._engine.settle(lambda db: log.find(db, company_id, number, attempt), company_id)
        if head is None:
            return error
        self._note_head(number, head)
        return None

    def _note_head(self, number: int, head: bytes) -> None:
        if number > self.roster.number:  # else it was read already, and perhaps more
            self._head = head

    def _publish(self, trial: Trial) -> None:
        for commit in trial.commits:
            self._advance(commit)
        self.roster.count_ids(trial.next_ids)

    def _advance(self, commit: Commit) -> None:
        before = self.roster.company
        surely(self.roster.advance, commit)
        if self.roster.company is not before:
            self.settings_changed()


def _give_up(entries: list[Entry], held: Held) -> None:
    """Answer verbs whose commit takes too long: Unknown only where it was begun."""
    _answer_all(entries, Busy if held.withdraw() else Unknown)


def _answer_all(entries: list[Entry], problem: type[Busy] | type[Unknown]) -> None:
    for entry in entries:
        entry.settle(problem())
