"""Ledger: makes a company's changes durable. Verbs queue; a batch is rehearsed, written, and only then shown."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from time import perf_counter
from typing import Any, NamedTuple

from msgspec import Struct

from deskroster.core.access import OPERATOR, Identity, Verb, resolve
from deskroster.core.changes import MAX_CHANGES, Batch, Change, Commit, Origin, check_size
from deskroster.core.problems import Busy, Conflict, Damaged, Reason, Unknown
from deskroster.core.records import Kind
from deskroster.core.roster import Roster
from deskroster.ledger import log, replies
from deskroster.ledger.engines import Embedded, clash
from deskroster.ledger.loading import Loaded
from deskroster.ledger.observations import Observations
from deskroster.ledger.replies import Kept, Once
from deskroster.ledger.rows import rows_of
from deskroster.ledger.vault import Vault

MAX_VERBS = 256  # of one batch
MAX_REHEARSAL = 0.02  # seconds after which no more verbs are taken into a batch: nobody is answered meanwhile
MAX_QUEUE = 4_096  # waiting verbs; above it, Busy
PATIENCE = 5.0  # seconds that a verb may wait in the queue, and that an outcome may stay open

Perform = Callable[[Iterable[Change]], None]
Answer = bytes | Exception


class Work(NamedTuple):
    """A verb to be run, and how its reply is shaped on the roster that it leaves.

    Without an identity it is the operator's. `origin.request_id` is its own: by it an outcome in doubt is decided.
    """

    identity: Identity | None
    origin: Origin
    verb: Verb
    shape: Callable[[Roster, Any], bytes]
    once: Once | None = None


class _Entry(Struct, eq=False):
    """A work in the queue, and the loop's time at which it is given up there."""

    work: Work
    answer: asyncio.Future[bytes]
    until: float
    alone: bool = False  # a batch with it has failed, so it gets one of its own


class _Trial(NamedTuple):
    """What a rehearsal gave: an answer for each entry, the commits to write and what is written with them."""

    answers: list[tuple[_Entry, Answer]]
    left: list[_Entry]  # would have made the batch too large
    commits: list[Commit]
    kept: dict[bytes, Kept]
    next_ids: dict[Kind, int]


class Ledger:
    """Durability for one company. `roster` shows exactly what is durable."""

    def __init__(
        self, engine: Embedded, vault: Vault, loaded: Loaded, observed: Observations, clock: Callable[[], float],
        patience: float = PATIENCE,
    ) -> None:  # fmt: skip
        self.roster = loaded.roster
        self.observed = observed
        self._closed = False
        self._head = loaded.head
        self._engine = engine
        self._vault = vault
        self._clock = clock
        self._patience = patience
        self._queue: deque[_Entry] = deque()
        self._runner: asyncio.Task[None] | None = None
        self._expiry: asyncio.TimerHandle | None = None

    @property
    def damage(self) -> str:
        """What was found broken in the data. Nothing is written any more then."""
        return self._engine.damage

    @property
    def writable(self) -> bool:
        """Whether verbs are taken: not while it cannot be said what is durable, nor once damage was found."""
        return not (self._engine.doubtful or self._closed or self.damage)

    async def submit(self, work: Work) -> bytes:
        """Run a verb and return its reply once it is durable. Raises its Problem, Busy (surely not done) or Unknown."""
        if self.damage:
            raise Damaged(self.damage)
        if not self.writable or len(self._queue) >= MAX_QUEUE:
            raise Busy
        loop = asyncio.get_running_loop()
        entry = _Entry(work, loop.create_future(), loop.time() + self._patience)
        self._queue.append(entry)
        if self._runner is None:
            self._runner = loop.create_task(self._run())
        else:
            self._watch()
        return await entry.answer

    async def preview(self, work: Work) -> bytes:
        """Return what `submit` would, and write nothing. Raises the verb's Problem."""
        with self.roster.rehearsal() as perform:
            return self._attempt(work, perform, {}, int(self._clock()))[0]

    def once(self, caller: str, key: str, request: bytes) -> Once:
        """Return the name under which the first answer to an idempotency key is kept."""
        return Once(self._vault.digest("once", caller, key), self._vault.digest("request", request))

    def key_used(self, key_id: int, form: str, at: int) -> None:
        self.observed.note("key", key_id, at, form)

    def logged_in(self, agent_id: int, at: int) -> None:
        self.observed.note("agent", agent_id, at, "")
        self.roster.pieces.answers.touch("agent", (agent_id,))  # in KF5 they show it

    async def close(self) -> None:
        """Take nothing more and finish what is queued, as far as it can be within the patience."""
        self._closed = True
        if self._runner is not None:
            await asyncio.wait([self._runner], timeout=2 * self._patience)
        if self._runner is not None:
            self._runner.cancel()

    async def _run(self) -> None:
        try:
            while self._queue:
                await self._settle(self._take())
                await asyncio.sleep(0)  # for others, where nothing had to be written
        finally:
            self._runner = None

    def _take(self) -> list[_Entry]:
        batch = [self._queue.popleft()]
        while self._queue and len(batch) < MAX_VERBS and not (batch[0].alone or self._queue[0].alone):
            batch.append(self._queue.popleft())
        return batch

    def _put_back(self, entries: list[_Entry]) -> None:
        self._queue.extendleft(reversed(entries))
        self._watch()

    def _watch(self) -> None:
        if self._expiry is None and self._queue:
            self._expiry = asyncio.get_running_loop().call_at(self._queue[0].until, self._expire)

    def _expire(self) -> None:
        self._expiry = None
        while self._queue and self._queue[0].until <= asyncio.get_running_loop().time():
            _answer(self._queue.popleft(), Busy())
        self._watch()

    async def _settle(self, batch: list[_Entry]) -> None:
        """Decide a batch: answer each of it, or put it back into the queue."""
        try:
            kept = await self._answered_before(batch)
        except Exception as error:  # noqa: BLE001 - whatever it was, nothing has been written
            self._note_damage(error)
            _answer_all(batch, Busy)
            return
        trial = self._rehearse(batch, kept)
        self._put_back(trial.left)
        if trial.commits:
            entries = [entry for entry, _ in trial.answers]
            doubt = asyncio.get_running_loop().call_later(self._patience, _answer_all, entries, Unknown)
            try:
                failure = await self._write(trial)
            except Damaged as error:
                self._note_damage(error)
                _answer_all(entries, Unknown)
                return
            finally:
                doubt.cancel()
            if failure is not None:
                self._fail(entries, failure)
                return
            self._publish(trial)
        for entry, answer in trial.answers:
            _answer(entry, answer)

    def _fail(self, entries: list[_Entry], failure: Exception) -> None:
        """Let each verb of a batch that is surely not written try alone; one that was alone is answered."""
        if len(entries) == 1:
            _answer(entries[0], clash(failure) or Busy())
            return
        for entry in entries:
            entry.alone = True
        self._put_back([entry for entry in entries if not entry.answer.done()])

    def _note_damage(self, error: Exception) -> None:
        if isinstance(error, Damaged):
            self._engine.condemn(str(error))

    async def _answered_before(self, batch: list[_Entry]) -> dict[bytes, Kept]:
        keys = [entry.work.once.key for entry in batch if entry.work.once is not None]
        if self.damage:
            raise Busy
        if not keys:
            return {}
        company_id, since = self.roster.company.id, int(self._clock()) - replies.LIFETIME
        return await self._engine.read(lambda db: replies.find(db, self._vault, company_id, keys, since))

    def _rehearse(self, batch: list[_Entry], kept: dict[bytes, Kept]) -> _Trial:
        """Run each verb on the result of the one before, then take all back. No reader sees anything of it."""
        roster, now, began = self.roster, int(self._clock()), perf_counter()
        trial = _Trial([], [], [], {}, {})
        size = 0
        with roster.rehearsal() as perform:
            for at, entry in enumerate(batch):
                if entry.answer.done():
                    continue
                if trial.answers and perf_counter() - began > MAX_REHEARSAL:
                    trial.left.extend(batch[at:])
                    break
                work = entry.work
                next_ids = dict(roster.next_ids)
                try:
                    reply, changes = self._attempt(work, perform, kept, now)
                except Exception as refusal:  # noqa: BLE001 - a fault in one verb is the answer to that one alone
                    trial.answers.append((entry, refusal))
                    continue
                if size and size + len(changes) > MAX_CHANGES:
                    perform([change.inverse() for change in reversed(changes)])
                    roster.next_ids = next_ids
                    trial.left.extend(batch[at:])
                    break
                size += len(changes)
                if changes:
                    trial.commits.append(Commit(roster.number + len(trial.commits) + 1, now, work.origin, changes))
                    if work.once is not None:
                        kept[work.once.key] = trial.kept[work.once.key] = Kept(work.once.request, reply)
                trial.answers.append((entry, reply))
            trial.next_ids.update(roster.next_ids)
        return trial

    def _attempt(self, work: Work, perform: Perform, kept: dict[bytes, Kept], now: int) -> tuple[bytes, list[Change]]:
        """Perform one work on the rehearsed roster and return its reply. If it raises, the roster is as it was."""
        roster = self.roster
        caller = OPERATOR if work.identity is None else resolve(roster, work.identity, now)
        if work.once is not None and work.once.key in kept:
            first = kept[work.once.key]
            if first.request != work.once.request:
                raise Conflict(Reason.IDEMPOTENCY_KEY)
            return first.reply, []
        result = work.verb(roster, caller)
        changes = result.changes if isinstance(result, Batch) else result
        check_size(changes)
        next_ids = dict(roster.next_ids)
        _surely(perform, changes)
        try:
            return work.shape(roster, result), changes
        except BaseException:
            perform([change.inverse() for change in reversed(changes)])
            roster.next_ids = next_ids
            raise

    async def _write(self, trial: _Trial) -> Exception | None:
        """Write the commits of a rehearsal; return the error if they are surely not in the log."""
        company_id, vault, head = self.roster.company.id, self._vault, self._head
        commits, at = trial.commits, trial.commits[-1].at

        def job(db: Any) -> bytes:
            rows_of(vault, company_id, (change for commit in commits for change in commit.changes)).execute(db)
            replies.keep(db, vault, company_id, trial.kept, at)
            return log.append(db, vault, company_id, commits, head, trial.next_ids)

        try:
            self._head = await self._engine.write(job)
        except Exception as error:  # noqa: BLE001 - whatever it was, only the log knows the outcome
            self._note_damage(error)
            return await self._ask(commits[-1], error)
        return None

    async def _ask(self, commit: Commit, error: Exception) -> Exception | None:
        """Ask the log whether the commit with this number and request id is in it; if not, return the error."""
        company_id = self.roster.company.id
        head = await self._engine.settle(lambda db: log.find(db, company_id, commit))
        if head is None:
            return error
        self._head = head
        return None

    def _publish(self, trial: _Trial) -> None:
        for commit in trial.commits:
            _surely(self.roster.advance, commit)
        self.roster.next_ids = trial.next_ids


def _surely(step: Callable[[Any], None], what: Any) -> None:
    """Take a step that cannot fail. If it does, memory is not what is durable: the process ends, to load again."""
    try:
        step(what)
    except Exception as error:
        raise SystemExit(f"the roster could not follow its log: {error!r}") from error


def _answer(entry: _Entry, answer: Answer) -> None:
    if entry.answer.done():
        return
    if isinstance(answer, bytes):
        entry.answer.set_result(answer)
    else:
        entry.answer.set_exception(answer)


def _answer_all(entries: list[_Entry], problem: type[Busy] | type[Unknown]) -> None:
    for entry in entries:
        _answer(entry, problem())
