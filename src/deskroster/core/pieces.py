"""Pieces: a cache of encoded records. A piece is the JSON of one record in one dialect."""

from collections.abc import Callable, Collection, Generator, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, Generic, TypeVar, cast

from deskroster.core.ids import Ids
from deskroster.core.records import KINDS, AnyRecord, Kind
from deskroster.core.table import Table

MAX_BYTES = 48 << 20  # of one roster; above it all pieces are dropped
_OVERHEAD = 120  # bytes of the dictionary entry and the object around one piece

Owner = TypeVar("Owner")

Encoder = Callable[[Owner, Any], bytes]
"""Encodes a record of an owner. It may read the record and the names of its neighbours, never further."""


class Pieces(Generic[Owner]):
    """Bytes by kind, encoder and id, of the records of an owner.

    When a record changes, the owner drops its pieces and those of its neighbours, and no others.
    """

    __slots__ = ("_bytes", "_kinds", "_owner", "_tables")

    def __init__(self, owner: Owner, tables: Mapping[Kind, Table[AnyRecord]]) -> None:
        self._owner = owner
        self._tables = tables
        self._kinds: dict[Kind, dict[Encoder[Owner], dict[int, bytes]]] = {kind: {} for kind in KINDS}
        self._bytes = 0

    def join(self, kind: Kind, encoder: Encoder[Owner], ids: Iterable[int]) -> bytes:
        """Return the pieces of these records with commas between them. The ids must exist."""
        return b",".join(self.pick(kind, encoder, ids))

    def pick(self, kind: Kind, encoder: Encoder[Owner], ids: Iterable[int]) -> Sequence[bytes]:
        """Return the pieces of these records, for a dialect that joins them in its own way. The ids must exist."""
        known = self._kinds[kind].get(encoder)
        wanted = tuple(ids)
        if known is not None and len(wanted) > 1:
            try:
                found: tuple[bytes, ...] = itemgetter(*wanted)(known)  # one C call; with one id it returns no tuple
                return found
            except KeyError:
                pass
        return [self.get(kind, encoder, i) for i in wanted]

    def get(self, kind: Kind, encoder: Encoder[Owner], id: int) -> bytes:
        """Return one piece, encoded if it is not in the cache. The id must exist."""
        known = self._kinds[kind].get(encoder)
        if known is None:
            known = self._kinds[kind][encoder] = {}
        piece = known.get(id)
        if piece is None:
            piece = encoder(self._owner, self._tables[kind].rows[id])
            self._bytes += len(piece) + _OVERHEAD
            if self._bytes > MAX_BYTES:
                self.clear()
                known = self._kinds[kind][encoder] = {}
                self._bytes = len(piece) + _OVERHEAD
            known[id] = piece
        return piece

    def joined(
        self, kind: Kind, encoder: Encoder[Owner], ids: Iterable[int], finish: Callable[[bytes], bytes] = bytes
    ) -> Generator[None, None, bytes]:
        """Join the pieces of these records, each finished, in steps of one; leave out what is gone by its turn."""
        rows, joined = self._tables[kind].rows, bytearray()
        for i in ids:
            if i in rows:
                if joined:
                    joined += b","
                joined += finish(self.get(kind, encoder, i))
                yield
        return cast(bytes, joined)  # not copied: it is large, and about to be joined with more

    def drop(self, kind: Kind, ids: Collection[int] | Ids | None) -> None:
        """Drop the pieces of these records; of all of the kind if no ids are given."""
        for known in self._kinds[kind].values():
            for i in list(known) if ids is None else ids:
                piece = known.pop(i, None)
                if piece is not None:
                    self._bytes -= len(piece) + _OVERHEAD

    def clear(self) -> None:
        """Drop all pieces."""
        for pieces in self._kinds.values():
            pieces.clear()
        self._bytes = 0
