"""Both directions of the mapping between the roster and the JSON of our own API, by resource. Here: what all share."""

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from deskroster.core import moments
from deskroster.core.pieces import Encoder
from deskroster.core.records import Kind
from deskroster.core.roster import Roster
from deskroster.core.table import Page, Window
from deskroster.dialect import PageReply, Reply, Request
from deskroster.dialect.limits import CLAMPED, PageNumber, paged
from deskroster.dialect.query import clamped_window

PER_PAGE, MOST_PER_PAGE = 100, 1_000

encode = msgspec.json.Encoder().encode


class Paging(Struct, frozen=True):
    """Which page; out of range is clamped."""

    page: PageNumber | UnsetType = UNSET
    per_page: Annotated[int, paged(PER_PAGE, MOST_PER_PAGE, **{CLAMPED: True})] | UnsetType = UNSET


Moment = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
"""A time on the wire. It is text here, not a `datetime`: a test that freezes time puts another class in its place."""


class Nothing(Struct, frozen=True):
    """What is left to say of a record that was removed."""


def window(request: Request) -> Window:
    """Return which page was asked for."""
    return clamped_window(request.query, PER_PAGE, MOST_PER_PAGE)


def listed(roster: Roster, kind: Kind, encoder: Encoder[Roster], page: Page) -> Reply:
    """Return a page of records that have pieces."""
    items = roster.pieces.join(kind, encoder, page.ids)
    return PageReply(200, b'{"items":[%b],"total":%d}' % (items, page.total), sources=page.sources)


def one(roster: Roster, kind: Kind, encoder: Encoder[Roster], id: int) -> Reply:
    return Reply(200, roster.pieces.get(kind, encoder, id))


def created(request: Request, id: int, record: bytes) -> Reply:
    """Return a new record with its address."""
    return Reply(201, record, (("Location", f"{request.root}{request.path}/{id}"),))


def written(record: Any) -> Reply:
    return Reply(200, encode(record))


def moment(at: int) -> str:
    """Return a time as it is shown (RFC 3339, in UTC)."""
    return moments.shown(at)
