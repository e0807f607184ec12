"""What is in the database after a round is compared with what every writer knows."""

from collections import Counter
from collections.abc import Iterable

from tests.proofs.durability.image import Image
from tests.proofs.durability.world import Agent, Group, Known
from tests.proofs.durability.writers import Outcome, Writer

SURELY_NOT_DONE = (Outcome.BUSY, Outcome.REFUSED)


def compared(now: Image, before: Image, writers: Iterable[Writer]) -> Counter[str]:
    """Count what is lost, what nobody tried or was told that it is done, and what is half there."""
    found = Counter({"half writes": len(now.tables ^ now.log)})
    strange = set(now.tables - before.tables)
    for writer in writers:
        own = now.of(writer.tag)
        strange -= own
        found += _of_one(own, writer)
    found["phantom writes"] += len(strange)
    return +found


def _of_one(own: Known, writer: Writer) -> Counter[str]:
    due = min(writer.possible(), key=lambda known: len(known ^ own))
    names_due, names_there = set(map(_names, due)), set(map(_names, own))
    missing, surplus = names_due - names_there, names_there - names_due
    phantoms = {names for names in surplus if not _may_ever_have_been(names[-1], writer)}
    lost = max(len(missing), len(surplus - phantoms))  # what was changed or deleted, and is there as it was before
    half = 0 if lost or phantoms else len(due - own)
    return Counter({"lost writes": lost, "phantom writes": len(phantoms), "half writes": half})


def _names(record: Agent | Group) -> tuple[str, ...]:
    return (record.email, record.name) if isinstance(record, Agent) else (record.name,)


def _may_ever_have_been(name: str, writer: Writer) -> bool:
    """Whether a name was given by a call that was done, or may have been."""
    count = name.removeprefix(writer.tag)
    calls = len(writer.outcomes)
    return count.isdecimal() and 0 < int(count) <= calls and writer.outcomes[int(count) - 1] not in SURELY_NOT_DONE
