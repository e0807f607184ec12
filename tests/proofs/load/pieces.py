"""A roster with as many pieces as it ever holds: what a change has to drop at most."""

from deskroster.core.pieces import MAX_BYTES, Encoder
from deskroster.core.records import Kind
from deskroster.core.roster import Roster
from tests.contracts import CONTRACTS

_AGENTS_LAST = sorted((piece for one in CONTRACTS.values() for piece in one.pieces), key=lambda one: one[0] == "agent")
ENCODERS: list[tuple[Kind, Encoder[Roster]]] = _AGENTS_LAST  # of them there are most
_LARGEST = 1 << 20  # bytes of one piece, about; with one more than fits, all are dropped


def sweep(roster: Roster) -> None:
    """Hold the pieces of all groups and profiles, and of as many agents as there is room for."""
    if roster.pieces._bytes > MAX_BYTES * 0.8:
        return
    roster.forget_encoded()
    for kind, encoder in ENCODERS:
        for id in roster.table(kind).ids:
            if roster.pieces._bytes > MAX_BYTES - 2 * _LARGEST:
                return
            roster.pieces.get(kind, encoder, id)
