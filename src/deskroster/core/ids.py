"""Ids in ascending order, with windows by rank that cost nearly the same for a hundred and for a million."""

from bisect import bisect_left, bisect_right
from collections.abc import Hashable, Iterable, Iterator
from itertools import accumulate, chain
from typing import TypeVar

K = TypeVar("K", bound=Hashable)

MANY = 1_000  # ids in a tuple of an index; above it they are `Ids`, where adding one does not copy all
_MOST_IN_CHUNK = 16_384  # at a million ids, shifting a chunk costs about as much as counting the chunks


class Ids:
    """A sorted set of ids in chunks: adding or removing an id shifts one chunk, a window skips whole chunks."""

    __slots__ = ("_chunks", "_firsts", "_starts")

    def __init__(self, ascending: Iterable[int] = ()) -> None:
        ids = list(ascending)
        half = _MOST_IN_CHUNK // 2
        self._chunks = [ids[i : i + half] for i in range(0, len(ids), half)]
        self._firsts = [chunk[0] for chunk in self._chunks]
        self._starts: list[int] | None = None  # rank of each chunk's first id, and the length at the end

    def __len__(self) -> int:
        return self._ranks()[-1]

    def __bool__(self) -> bool:
        return bool(self._chunks)

    def __iter__(self) -> Iterator[int]:
        return chain.from_iterable(self._chunks)

    def __contains__(self, id: int) -> bool:
        at = bisect_right(self._firsts, id) - 1
        if at < 0:
            return False
        chunk = self._chunks[at]
        place = bisect_left(chunk, id)
        return place < len(chunk) and chunk[place] == id

    def first(self) -> int | None:
        return self._firsts[0] if self._firsts else None

    def add(self, id: int) -> None:
        self._starts = None
        if not self._chunks:
            self._chunks, self._firsts = [[id]], [id]
            return
        at = max(bisect_right(self._firsts, id) - 1, 0)
        chunk = self._chunks[at]
        place = bisect_left(chunk, id)
        if place < len(chunk) and chunk[place] == id:
            return
        chunk.insert(place, id)
        self._firsts[at] = chunk[0]
        if len(chunk) > _MOST_IN_CHUNK:
            # Ids mostly grow at the end: there a full chunk stays full and a new one begins.
            cut = len(chunk) - 1 if at == len(self._chunks) - 1 and place == len(chunk) - 1 else len(chunk) // 2
            self._chunks[at : at + 1] = [chunk[:cut], chunk[cut:]]
            self._firsts[at : at + 1] = [chunk[0], chunk[cut]]

    def discard(self, id: int) -> None:
        at = bisect_right(self._firsts, id) - 1
        if at < 0:
            return
        chunk = self._chunks[at]
        place = bisect_left(chunk, id)
        if place == len(chunk) or chunk[place] != id:
            return
        self._starts = None
        del chunk[place]
        if chunk:
            self._firsts[at] = chunk[0]
        else:
            del self._chunks[at], self._firsts[at]

    def window(self, start: int, count: int) -> list[int]:
        """Return at most `count` ids from the rank `start` (the first is 0) on."""
        ranks = self._ranks()
        if start >= ranks[-1] or count <= 0:
            return []
        at = bisect_right(ranks, start) - 1
        offset = start - ranks[at]
        found = self._chunks[at][offset : offset + count]
        while len(found) < count and at + 1 < len(self._chunks):
            at += 1
            found += self._chunks[at][: count - len(found)]
        return found

    def between(self, least: int, over: int) -> list[int]:
        """Return the ids from `least` on and below `over`."""
        first = max(bisect_right(self._firsts, least) - 1, 0)
        last = bisect_left(self._firsts, over)
        return [
            id
            for chunk in self._chunks[first:last]
            for id in chunk[bisect_left(chunk, least) : bisect_left(chunk, over)]
        ]

    def _ranks(self) -> list[int]:
        if self._starts is None:
            self._starts = list(accumulate(map(len, self._chunks), initial=0))
        return self._starts


Sharing = tuple[int, ...] | Ids
"""The ids that share one value; most often it is one id."""


def including(ids: tuple[int, ...], id: int) -> tuple[int, ...]:
    """Return ascending ids with one added."""
    place = bisect_left(ids, id)
    return ids if place < len(ids) and ids[place] == id else (*ids[:place], id, *ids[place:])


def without(ids: tuple[int, ...], id: int) -> tuple[int, ...]:
    """Return ascending ids with one removed."""
    place = bisect_left(ids, id)
    return ids if place == len(ids) or ids[place] != id else ids[:place] + ids[place + 1 :]


def insert(index: dict[K, Sharing], key: K, id: int) -> None:
    """Add an id to those under a key of an index."""
    ids = index.get(key, ())
    if isinstance(ids, Ids):
        ids.add(id)
    else:
        ids = including(ids, id)
        index[key] = Ids(ids) if len(ids) > MANY else ids


def remove(index: dict[K, Sharing], key: K, id: int) -> None:
    """Remove an id from those under a key of an index, and the key with its last id."""
    ids = index.get(key, ())
    if isinstance(ids, Ids):
        ids.discard(id)
    else:
        ids = index[key] = without(ids, id)
    if not ids:
        del index[key]
