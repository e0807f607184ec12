"""Rehearsal: what a batch of verbs would do and answer, tried on the roster and taken back."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from time import perf_counter
from typing import Any, NamedTuple

from msgspec import Struct

from deskroster.core.access import OPERATOR, Identity, Verb, resolve
from deskroster.core.changes import MAX_CHANGES, Batch, Change, Commit, Origin, check_size
from deskroster.core.problems import Conflict, Reason
from deskroster.core.records import Kind
from deskroster.core.roster import Roster
from deskroster.ledger.beside.idempotency import Once, StoredReply

MAX_REHEARSAL = 0.02  # seconds after which no more verbs are taken into a batch: nobody is answered meanwhile

Perform = Callable[[Iterable[Change]], None]
Answer = bytes | Exception


class Work(NamedTuple):
    """A verb to be run, and how its reply is shaped on the roster that it leaves.

    Without an identity it is the operator's.
    """

    identity: Identity | None
    origin: Origin
    verb: Verb
    shape: Callable[[Roster, Any], bytes]
    once: Once | None = None


class Entry(Struct, eq=False):
    """A work in the queue, and the loop's time at which it is given up there."""

    work: Work
    answer: asyncio.Future[bytes]
    until: float
    alone: bool = False  # a batch with it has failed, so it gets one of its own

    def settle(self, answer: "Answer") -> None:
        """Give the answer, unless there is one."""
        if self.answer.done():
            return
        if isinstance(answer, bytes):
            self.answer.set_result(answer)
        else:
            self.answer.set_exception(answer)


class Trial(NamedTuple):
    """What a rehearsal gave: an answer for each entry, the commits to write and what is written with them."""

    answers: list[tuple[Entry, Answer]]
    left: list[Entry]  # would have made the batch too large
    commits: list[Commit]
    kept: dict[bytes, StoredReply]
    next_ids: dict[Kind, int]


def rehearse(roster: Roster, batch: list[Entry], kept: dict[bytes, StoredReply], now: int) -> Trial:
    """Run each verb on the result of the one before, then take all back. No reader sees anything of it."""
    began = perf_counter()
    trial = Trial([], [], [], {}, {})
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
                reply, changes = attempt(roster, work, perform, kept, now)
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
                    kept[work.once.key] = trial.kept[work.once.key] = StoredReply(work.once.request, reply)
            trial.answers.append((entry, reply))
        trial.next_ids.update(roster.next_ids)
    return trial


def attempt(
    roster: Roster, work: Work, perform: Perform, kept: Mapping[bytes, StoredReply], now: int
) -> tuple[bytes, list[Change]]:
    """Perform one work on the rehearsed roster and return its reply. If it raises, the roster is as it was."""
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
    surely(perform, changes)
    try:
        return work.shape(roster, result), changes
    except BaseException:
        perform([change.inverse() for change in reversed(changes)])
        roster.next_ids = next_ids
        raise


def surely(step: Callable[[Any], None], what: Any) -> None:
    """Take a step that cannot fail. If it does, memory is not what is durable: the process ends, to load again."""
    try:
        step(what)
    except Exception as error:
        raise SystemExit(f"the roster could not follow its log: {error!r}") from error
