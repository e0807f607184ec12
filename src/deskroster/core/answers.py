"""Answers: a cache of whole answers. Each is valid until a record or list that it was made from changes."""

from collections import OrderedDict
from collections.abc import Hashable, Iterable
from operator import itemgetter
from sys import getsizeof
from typing import Any, NamedTuple

from deskroster.core.records import KINDS, Kind
from deskroster.core.table import Sources

MAX_BYTES = 16 << 20  # of one roster, keys and overhead included; above it the oldest entries are evicted
MAX_ANSWERS = 10_000  # likewise
MAX_KEY = 2_048  # bytes in memory; an answer with a larger key is not cached: a query may have 8 KiB of anything
_OVERHEAD = 600  # bytes of the objects around one answer
_STAMP_BYTES = 72  # of each stamp of an entry: its index, its value, and a reference to both
_ID_BITS = 4  # low bits of an id that are ignored: 16 neighbouring ids, mostly on one page, share a stamp
_STAMPS = 2_048  # per kind; above 2,048 × 16 ids, unrelated records share one


class _Entry(NamedTuple):
    answer: Any
    size: int  # bytes, with the key and the overhead
    stamps_of: "itemgetter[Any]"  # picks the stamps of the sources
    stamps: Any  # their values when the answer was made


class Answers:
    """Answers by key. A stamp counts the changes of some records; an answer is valid while its stamps are unchanged.

    A key must hold everything that an answer depends on beside the roster.
    """

    __slots__ = ("_bytes", "_entries", "_stamps", "rehearsing")

    def __init__(self) -> None:
        self._entries: OrderedDict[Hashable, _Entry] = OrderedDict()
        self._stamps = [0] * (len(KINDS) * (_STAMPS + 1))
        self._bytes = 0
        self.rehearsing = False  # changes of a rehearsal are taken back before anyone asks: no answer becomes stale

    def get(self, key: Hashable) -> Any | None:
        """Return the answer, or None if it is not cached or no longer valid."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        answer, _, stamps_of, stamps = entry
        return answer if stamps_of(self._stamps) == stamps else None

    def put(self, key: Hashable, answer: Any, size: int, sources: Sources) -> None:
        """Cache an answer of `size` bytes that was made from these records, unless its key is too large."""
        key_size = _size(key)
        if key_size > MAX_KEY:
            return
        indexes = {_FIRST[kind] for kind, _ in sources}
        indexes.update(_FIRST[kind] + 1 + (id >> _ID_BITS) % _STAMPS for kind, ids in sources for id in ids)
        stamps_of = itemgetter(*indexes)
        before = self._entries.pop(key, None)
        size += key_size + _OVERHEAD + _STAMP_BYTES * len(indexes)
        self._entries[key] = _Entry(answer, size, stamps_of, stamps_of(self._stamps))
        self._bytes += size - (before.size if before else 0)
        while self._bytes > MAX_BYTES or len(self._entries) > MAX_ANSWERS:
            self._bytes -= self._entries.popitem(last=False)[1].size

    def invalidate(self, kind: Kind, ids: Iterable[int]) -> None:
        """Invalidate the answers that were made from any of these records."""
        stamps, first = self._stamps, _FIRST[kind] + 1
        for id in () if self.rehearsing else ids:
            stamps[first + (id >> _ID_BITS) % _STAMPS] += 1

    def invalidate_lists(self, kind: Kind) -> None:
        """Invalidate all answers that were made from records of a kind: others may be in their lists now."""
        if not self.rehearsing:
            self._stamps[_FIRST[kind]] += 1

    def clear(self) -> None:
        """Remove all answers."""
        self._entries.clear()
        self._bytes = 0


def _size(key: Hashable) -> int:
    """Return the bytes that a key takes in memory: text, bytes and tuples; anything else in it is shared."""
    if isinstance(key, tuple):
        return getsizeof(key) + sum(map(_size, key))
    return getsizeof(key) if isinstance(key, (str, bytes)) else 0


_FIRST = {kind: place * (_STAMPS + 1) for place, kind in enumerate(KINDS)}
"""Index of the first stamp of each kind: the one of its lists."""
