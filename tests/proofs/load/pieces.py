"""A roster with as many pieces as it ever holds: what a change has to drop at most."""

from deskroster.core.pieces import MAX_BYTES, Encoder
from deskroster.core.records import Kind
from deskroster.core.roster import Roster
from deskroster.dialects.kf5.shapes import fields_piece, group_piece, user_piece
from deskroster.dialects.own.shapes.agents import agent_piece
from deskroster.dialects.servicego.profiles import user_info_piece
from deskroster.dialects.servicego.shapes import staff_piece, user_group_piece
from deskroster.dialects.udesk import shapes as udesk

ENCODERS: list[tuple[Kind, Encoder[Roster]]] = [
    ("group", group_piece), ("group", udesk.group_piece), ("group", user_group_piece),
    ("profile_record", fields_piece), ("profile_record", user_info_piece),
    ("agent", staff_piece), ("agent", agent_piece), ("agent", user_piece), ("agent", udesk.agent_piece),
]  # fmt: skip
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
