"""Pieces: the encoded form of a record in one dialect, kept from when it is first asked for until it changes."""

from collections.abc import Callable, Collection, Generator, Iterable, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any, cast

from deskroster.core.answers import Answers
from deskroster.core.ids import Ids
from deskroster.core.records import KINDS, AnyRecord, Kind

if TYPE_CHECKING:
    from deskroster.core.changes import Change
    from deskroster.core.roster import Roster

MAX_BYTES = 48 << 20  # held by one roster; over it all are dropped and made again when asked for
_OVERHEAD = 120  # bytes of the dictionary entry and the object around one piece

Shape = Callable[["Roster", Any], bytes]


class Pieces:
    """Bytes by kind, shape and id. A shape may read its record and the names of its neighbours, never further:
    those are the ones whose change drops the piece, and makes untrue the answers that show it.
    """

    __slots__ = ("_held", "_kinds", "_roster", "answers")

    def __init__(self, roster: "Roster") -> None:
        self._roster = roster
        self._kinds: dict[Kind, dict[Shape, dict[int, bytes]]] = {kind: {} for kind in KINDS}
        self._held = 0
        self.answers = Answers()

    def join(self, kind: Kind, shape: Shape, ids: Iterable[int]) -> bytes:
        """Return the pieces of these records with commas between them. The ids must exist."""
        return b",".join(self.pick(kind, shape, ids))

    def pick(self, kind: Kind, shape: Shape, ids: Iterable[int]) -> Sequence[bytes]:
        """Return the pieces of these records, for a shape that joins them in its own way. The ids must exist."""
        known = self._kinds[kind].get(shape)
        wanted = tuple(ids)
        if known is not None and len(wanted) > 1:
            try:
                found: tuple[bytes, ...] = itemgetter(*wanted)(known)  # in one step; a single one would come bare
                return found
            except KeyError:
                pass
        return [self.get(kind, shape, i) for i in wanted]

    def get(self, kind: Kind, shape: Shape, id: int) -> bytes:
        """Return one piece, made if it is not held. The id must exist."""
        known = self._kinds[kind].get(shape)
        if known is None:
            known = self._kinds[kind][shape] = {}
        piece = known.get(id)
        if piece is None:
            piece = shape(self._roster, self._roster.table(kind).rows[id])
            self._held += len(piece) + _OVERHEAD
            if self._held > MAX_BYTES:
                self.clear()
                known = self._kinds[kind][shape] = {}
                self._held = len(piece) + _OVERHEAD
            known[id] = piece
        return piece

    def joined(
        self, kind: Kind, shape: Shape, ids: Iterable[int], finish: Callable[[bytes], bytes] = bytes
    ) -> Generator[None, None, bytes]:
        """Join the pieces of these records, each finished, in steps of one; what is gone by its turn is left out."""
        rows, joined = self._roster.table(kind).rows, bytearray()
        for i in ids:
            if i in rows:
                if joined:
                    joined += b","
                joined += finish(self.get(kind, shape, i))
                yield
        return cast(bytes, joined)  # not copied: it is large, and about to be joined with more

    def clear(self) -> None:
        for shapes in self._kinds.values():
            shapes.clear()
        self._held = 0
        self.answers.clear()

    def drop_around(self, change: "Change") -> None:
        """Drop the pieces of the changed record and of every record one step along the indexes."""
        roster, (kind, id, before, after) = self._roster, change
        self._drop(kind, (id,))
        if kind != "group" or before is None or after is None:  # groups are listed by nothing but their id
            self.answers.touch_lists(kind)
        match kind:
            case "company":
                self.clear()
            case "agent":
                self._drop("group", _either(before, after, "group_ids"))
                self._drop("profile_record", roster.mentions.get((kind, id), ()))
            case "group":
                self._drop("agent", _either(before, after, "member_ids"))
            case "profile_field":
                self._forget("profile_record")
            case "profile_record":
                self._drop("profile_record", roster.mentions.get((kind, id), ()))
            case "position" | "role" | "department" | "permission_set":
                self._drop("agent", roster.agents_with[kind].get(id, ()))
            case "key":
                pass

    def _drop(self, kind: Kind, ids: Collection[int] | Ids) -> None:
        if not ids:
            return
        self.answers.touch(kind, ids)
        for known in self._kinds[kind].values():
            for i in ids:
                piece = known.pop(i, None)
                if piece is not None:
                    self._held -= len(piece) + _OVERHEAD

    def _forget(self, kind: Kind) -> None:
        self.answers.touch_lists(kind)
        for known in self._kinds[kind].values():
            self._held -= sum(map(len, known.values())) + _OVERHEAD * len(known)
            known.clear()


def _either(before: AnyRecord | None, after: AnyRecord | None, field: str) -> Collection[int]:
    """Return the ids that a field has before a change or after it."""
    old, new = getattr(before, field, ()), getattr(after, field, ())
    return old if old == new else {*old, *new}
