"""Answers: whole answers to lists, kept from when they are first asked for until a record or list they show changes."""

from collections import OrderedDict
from collections.abc import Hashable, Iterable
from operator import itemgetter
from sys import getsizeof
from typing import Any, NamedTuple

from deskroster.core.records import KINDS, Kind
from deskroster.core.table import Sources

MAX_BYTES = 16 << 20  # held by one roster, names and all; over it the oldest are dropped and made again when asked for
MAX_ANSWERS = 10_000  # likewise
MAX_NAME = 2_048  # bytes in memory; the answer to a longer one is not kept: a query may have 8 KiB of anything
_OVERHEAD = 600  # bytes of the objects around one answer
_STAMP = 72  # bytes for each stamp that it depends on: its place and its value, and a reference to both
_NEIGHBOURS = 4  # binary digits of an id that are left out: so many records that most often are on one page
_STAMPS = 2_048  # of a kind: beyond this many times so many ids, some share one


class _Kept(NamedTuple):
    answer: Any
    size: int  # with the name and all around it
    stamps: "itemgetter[Any]"  # of what it shows
    seen: Any  # what they were


class Answers:
    """Answers by name. Each stamp counts the changes of some records; an answer is true while its stamps stand still.

    Names tell all that an answer depends on beside the roster.
    """

    __slots__ = ("_held", "_kept", "_stamps", "rehearsing")

    def __init__(self) -> None:
        self._kept: OrderedDict[Hashable, _Kept] = OrderedDict()
        self._stamps = [0] * (len(KINDS) * (_STAMPS + 1))
        self._held = 0
        self.rehearsing = False  # what changes now is taken back before anyone asks, so no answer becomes untrue

    def get(self, name: Hashable) -> Any | None:
        """Return the answer, if it is kept and still true."""
        kept = self._kept.get(name)
        if kept is None:
            return None
        answer, _, stamps, seen = kept
        return answer if stamps(self._stamps) == seen else None

    def keep(self, name: Hashable, answer: Any, size: int, sources: Sources) -> None:
        """Keep an answer of so many bytes that is made from these records, unless its name is too long to be kept."""
        named = _size(name)
        if named > MAX_NAME:
            return
        places = {_LISTS[kind] for kind, _ in sources}
        places.update(_LISTS[kind] + 1 + (id >> _NEIGHBOURS) % _STAMPS for kind, ids in sources for id in ids)
        stamps = itemgetter(*places)
        before = self._kept.pop(name, None)
        kept = _Kept(answer, size + named + _OVERHEAD + _STAMP * len(places), stamps, stamps(self._stamps))
        self._kept[name] = kept
        self._held += kept.size - (before.size if before else 0)
        while self._held > MAX_BYTES or len(self._kept) > MAX_ANSWERS:
            self._held -= self._kept.popitem(last=False)[1].size

    def touch(self, kind: Kind, ids: Iterable[int]) -> None:
        """Count a change of how these records are shown."""
        stamps, first = self._stamps, _LISTS[kind] + 1
        for id in () if self.rehearsing else ids:
            stamps[first + (id >> _NEIGHBOURS) % _STAMPS] += 1

    def touch_lists(self, kind: Kind) -> None:
        """Count a change of which records of a kind there are, or stand in which list."""
        if not self.rehearsing:
            self._stamps[_LISTS[kind]] += 1

    def clear(self) -> None:
        self._kept.clear()
        self._held = 0


def _size(name: Hashable) -> int:
    """Return the bytes that a name takes in memory: text and bytes, or a tuple of these; others are shared."""
    if isinstance(name, tuple):
        return getsizeof(name) + sum(map(_size, name))
    return getsizeof(name) if isinstance(name, (str, bytes)) else 0


_LISTS = {kind: place * (_STAMPS + 1) for place, kind in enumerate(KINDS)}
"""Where the stamps of each kind begin: the first is that of its lists."""
