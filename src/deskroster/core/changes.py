"""Change and Commit: what happened, as facts that can be applied, taken back, written down and read again."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from deskroster.core.problems import Invalid, Problem, Rule
from deskroster.core.records import Agent, AnyRecord, Group, Kind

MAX_CHANGES = 10_000  # of one commit: applying more would block the event loop too long
MAX_MOVES = 20_000  # memberships that a commit of several changes may add and remove


class Change(NamedTuple):
    """One fact about one record: what it was (None: it was not) and what it is (None: it is no more).

    The `before` of a deleted agent or group carries its memberships, so the inverse restores it exactly.
    """

    kind: Kind
    id: int
    before: AnyRecord | None
    after: AnyRecord | None

    def inverse(self) -> "Change":
        return Change(self.kind, self.id, self.after, self.before)


class Batch(NamedTuple):
    """What a verb on many records did: its changes, and the Problem of each record that it refused."""

    changes: list[Change]
    refused: Mapping[int, Problem]


Done = list[Change] | Batch
"""What a verb returns."""


class Origin(msgspec.Struct, frozen=True, gc=False):
    """Where a commit came from. `agent_id` is None for the operator of the installation."""

    agent_id: int | None
    dialect: str
    address: str
    request_id: str
    note: Mapping[str, int] | None = None  # facts of the request that are recorded with it, such as a new owner


class Commit(NamedTuple):
    """The changes of one verb, whole: numbered per company without a gap, in the order of their durability."""

    number: int
    at: int
    origin: Origin
    changes: Iterable[Change]  # lazy where another process made the commit: decoded while they are applied


def created(record: AnyRecord) -> Change:
    """Return the change that creates `record`."""
    return Change(record.kind, record.id, None, record)


def changed(record: AnyRecord, **fields: Any) -> list[Change]:
    """Return the change that gives `record` these fields; none if it has them already."""
    after = msgspec.structs.replace(record, **fields)
    return [] if after == record else [Change(record.kind, record.id, record, after)]


def new_id(done: Done) -> int:
    """Return the id of the record that a verb has created."""
    assert isinstance(done, list)
    return done[0].id


def check_size(changes: Sequence[Change]) -> None:
    """Raise Invalid if these are more than one commit may hold."""
    if len(changes) > MAX_CHANGES:
        raise Invalid("changes", Rule.TOO_MANY, MAX_CHANGES)
    if len(changes) > 1 and sum(map(_moves, changes)) > MAX_MOVES:
        raise Invalid("changes", Rule.TOO_MANY, MAX_MOVES)


def _moves(change: Change) -> int:
    before, after = _memberships(change.before), _memberships(change.after)
    return 0 if before == after else len(set(before).symmetric_difference(after))


def _memberships(record: AnyRecord | None) -> tuple[int, ...]:
    match record:
        case Agent():
            return record.group_ids
        case Group():
            return record.member_ids
        case _:
            return ()


def deleted(record: AnyRecord) -> Change:
    """Return the change that deletes `record`."""
    return Change(record.kind, record.id, record, None)
