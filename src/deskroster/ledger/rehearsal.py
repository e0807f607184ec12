"""Rehearsal: run a batch of verbs on the roster, collect replies and commits, and roll back."""

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

MAX_REHEARSAL = 0.02  # seconds after which a batch takes no more verbs: the event loop is blocked meanwhile

Perform = Callable[[Iterable[Change]], None]
Answer = bytes | Exception


class Work(NamedTuple):
    """A verb to run, and a function that makes its reply from the roster as the verb leaves it.

    Without an identity it is the operator's.
    """

    identity: Identity | None
    origin: Origin
    verb: Verb
    shape: Callable[[Roster, Any], bytes]
    once: Once | None = None


class Entry(Struct, eq=False):
    """A verb in the queue, with its deadline by the event loop's clock."""

    work: Work
    future: asyncio.Future[bytes]
    deadline: float
    own_batch: bool = False  # retry in a batch of its own: a batch with it has failed

    def finish(self, answer: "Answer") -> None:
        """Set the result of the future, unless it has one."""
        if self.future.done():
            return
        if isinstance(answer, bytes):
            self.future.set_result(answer)
        else:
            self.future.set_exception(answer)


class Trial(NamedTuple):
    """The result of a rehearsal: an answer for each entry, the commits, and the replies to store with them."""

    answers: list[tuple[Entry, Answer]]
    deferred: list[Entry]  # entries that would have made the batch too large
    commits: list[Commit]
    new_replies: dict[bytes, StoredReply]
    next_ids: dict[Kind, int]


def rehearse(roster: Roster, batch: list[Entry], stored_replies: dict[bytes, StoredReply], now: int) -> Trial:
    """Run each verb on the result of the one before, then roll all of it back. No reader sees any of it."""
    began = perf_counter()
    trial = Trial([], [], [], {}, {})
    size = 0
    with roster.rehearsal() as perform:
        for at, entry in enumerate(batch):
            if entry.future.done():
                continue
            if trial.answers and perf_counter() - began > MAX_REHEARSAL:
                trial.deferred.extend(batch[at:])
                break
            work = entry.work
            next_ids = dict(roster.next_ids)
            try:
                reply, changes = run_verb(roster, work, perform, stored_replies, now)
            except Exception as refusal:  # noqa: BLE001 - an error in one verb is the answer to that verb alone
                trial.answers.append((entry, refusal))
                continue
            if size and size + len(changes) > MAX_CHANGES:
                perform([change.inverse() for change in reversed(changes)])
                roster.next_ids = next_ids
                trial.deferred.extend(batch[at:])
                break
            size += len(changes)
            if changes:
                trial.commits.append(Commit(roster.number + len(trial.commits) + 1, now, work.origin, changes))
                if work.once is not None:
                    stored_replies[work.once.key] = trial.new_replies[work.once.key] = StoredReply(
                        work.once.request, reply
                    )
            trial.answers.append((entry, reply))
        trial.next_ids.update(roster.next_ids)
    return trial


def run_verb(
    roster: Roster, work: Work, perform: Perform, stored_replies: Mapping[bytes, StoredReply], now: int
) -> tuple[bytes, list[Change]]:
    """Run one verb on the rehearsed roster; return its reply and changes. If it raises, the roster is as before."""
    caller = OPERATOR if work.identity is None else resolve(roster, work.identity, now)
    if work.once is not None and work.once.key in stored_replies:
        stored = stored_replies[work.once.key]
        if stored.request != work.once.request:
            raise Conflict(Reason.IDEMPOTENCY_KEY)
        return stored.reply, []
    result = work.verb(roster, caller)
    changes = result.changes if isinstance(result, Batch) else result
    check_size(changes)
    next_ids = dict(roster.next_ids)
    apply_or_exit(perform, changes)
    try:
        return work.shape(roster, result), changes
    except BaseException:
        perform([change.inverse() for change in reversed(changes)])
        roster.next_ids = next_ids
        raise


def apply_or_exit(apply: Callable[[Any], None], argument: Any) -> None:
    """Apply what cannot fail. If it fails, the roster is not what is durable: exit the process, to load it again."""
    try:
        apply(argument)
    except Exception as error:
        raise SystemExit(f"the roster could not follow its log: {error!r}") from error
