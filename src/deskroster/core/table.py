"""Table: the records of one kind, by id and in order, and pages of them."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Generic, TypeVar

from msgspec import Struct

from deskroster.core.ids import Ids
from deskroster.core.problems import Invalid, NotFound, Rule
from deskroster.core.records import AnyRecord, Kind

R = TypeVar("R", bound=AnyRecord)

MAX_IDS = 10_000  # in a list of ids, and so in a group


class Window(Struct, frozen=True, gc=False):
    """Which part of a list is wanted: at most `limit` records from the rank `start` on."""

    start: int
    limit: int
    newest_first: bool = False

    @classmethod
    def numbered(cls, number: int, size: int, *, newest_first: bool = False) -> "Window":
        """Return the window of a page by its number, from 1 on, where all pages have one size."""
        return cls((number - 1) * size, size, newest_first)

    @property
    def number(self) -> int:
        """The number of the page that begins here, where all have the same size."""
        return self.start // self.limit + 1


Sources = tuple[tuple[Kind, Sequence[int]], ...]
"""The records that an answer is made from, by kind. It also depends on which records of each kind there are."""


class Page(Struct, frozen=True, gc=False):
    """What a window shows of a list: ids in order, how many the whole list has, and what they were read from."""

    window: Window
    ids: list[int]
    total: int
    sources: Sources

    @property
    def pages(self) -> int:
        """How many pages of this size the list has."""
        return -(-self.total // self.window.limit)


class Table(Generic[R]):
    """The records of one kind, by id and in order."""

    __slots__ = ("ids", "kind", "rows")

    def __init__(self, kind: Kind) -> None:
        self.kind: Kind = kind
        self.rows: dict[int, R] = {}
        self.ids = Ids()

    def __getitem__(self, id: int) -> R:
        return self.rows[id]

    def __contains__(self, id: object) -> bool:
        return id in self.rows

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[R]:
        return (self.rows[i] for i in self.ids)

    def get(self, id: int) -> R | None:
        return self.rows.get(id)

    def find(self, id: int) -> R:
        """Return the record. Raises NotFound."""
        record = self.rows.get(id)
        if record is None:
            raise NotFound(self.kind, id)
        return record

    def page(self, window: Window, ids: Ids | Sequence[int] | None = None, owner: AnyRecord | None = None) -> Page:
        """Return what a window shows of an ascending list of records: of all, if no ids are given.

        A list that is a field of another record has that record as its `owner`.
        """
        listed = self.ids if ids is None else ids
        total, start, newest_first = len(listed), window.start, window.newest_first
        limit = min(window.limit, total - start)
        if newest_first:
            start = total - start - limit
        if limit <= 0:
            found = []
        elif isinstance(listed, Ids):
            found = listed.window(start, limit)
        else:
            found = list(listed[start : start + limit])
        if newest_first:
            found.reverse()
        read: Sources = ((self.kind, found),)
        return Page(window, found, total, read if owner is None else (*read, (owner.kind, (owner.id,))))

    def id_set(self, field: str, ids: Iterable[int]) -> tuple[int, ...]:
        """Return ids of records as a set: ascending, each once. Raises Invalid: TOO_MANY, UNKNOWN."""
        listed = list(ids)
        if len(listed) > MAX_IDS:
            raise Invalid(field, Rule.TOO_MANY, MAX_IDS)
        if not all(map(self.rows.__contains__, listed)):
            raise Invalid(field, Rule.UNKNOWN)
        return tuple(sorted(set(listed)))
