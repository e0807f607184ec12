"""What every call of ServiceGo has in common: how queries are read, and the envelope of each answer."""

import re
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from deskroster.core.changes import Batch, Done
from deskroster.core.problems import Invalid, NotFound, Rule, Wanted
from deskroster.core.records import Kind
from deskroster.core.table import Page, Window
from deskroster.dialect import PageReply, Reply, Request
from deskroster.dialect.limits import paged
from deskroster.dialect.reading import Reference

PAGE_SIZE, MOST_PAGE_SIZE = 20, 100
MAX_NUMBER = 2**63 - 1  # of an id, and of a page
MAX_IDS = 1_000  # of a deletion, counting repeats
MISSING: dict[Kind, str] = {"agent": "员工不存在", "group": "员工组不存在"}
"""The vendor's words for one that is not there; a `failMap` has them in every language."""
NOT_DELETABLE = "员工不可删除"

_WHOLE = re.compile(r"-?[0-9]+")
_ID = re.compile(r"[1-9][0-9]*")

_encode = msgspec.json.Encoder().encode


class Wire(Struct, frozen=True, rename="camel"):
    """What all of this dialect's JSON has in common: `user_info` is `userInfo` on the wire."""


_PAGE_NUMBER = Meta(extra_json_schema={"minimum": 1, "default": 1, "format": "int64"})


class Paging(Wire, frozen=True):
    """Which page; out of range is refused."""

    page_num: Annotated[int, _PAGE_NUMBER] | UnsetType = UNSET
    page_size: Annotated[int, paged(PAGE_SIZE, MOST_PAGE_SIZE)] | UnsetType = UNSET


class DeletionOut(Wire, frozen=True):
    """What became of each id, `total` of all asked for."""

    success_list: list[int]
    success_total: int
    fail_map: dict[str, str]
    fail_total: int
    total: int


class PagingOut(Wire, frozen=True):
    page_num: int
    page_size: int
    total: int


class DoneReply(Wire, frozen=True):
    code: int
    message: str
    visible: bool


class DeletionReply(DoneReply, frozen=True):
    data: DeletionOut


class IdReply(DoneReply, frozen=True):
    data: Reference


def window(request: Request) -> Window:
    """Return which page was asked for. Raises Invalid."""
    number = _whole(request, "pageNum", 1, MAX_NUMBER)
    size = _whole(request, "pageSize", PAGE_SIZE, MOST_PAGE_SIZE)
    return Window.numbered(number, size, newest_first=True)


def query_id(request: Request, name: str) -> int | None:
    """Return the id in the query, None if it is absent; 0, which nothing has, if it is beyond 64 bits.

    Raises Invalid if it is no positive integer.
    """
    sent = request.query.get(name)
    if sent is None:
        return None
    if not _ID.fullmatch(sent):
        raise Invalid(name, Rule.FORM)
    return _id(sent) or 0


def listed_ids(request: Request) -> list[str]:
    """Return the ids that the path lists, as sent, each once. Raises Invalid: TOO_MANY, FORM."""
    sent = request.path_text("id").split(",")
    if len(sent) > MAX_IDS:
        raise Invalid("ids", Rule.TOO_MANY, MAX_IDS)
    if not all(map(_ID.fullmatch, sent)):
        raise Invalid("ids", Rule.FORM)
    return list(dict.fromkeys(sent))


def possible_ids(listed: list[str]) -> list[int]:
    """Return the ids within 64 bits."""
    return [id for id in map(_id, listed) if id is not None]


def done() -> Reply:
    return Reply(200, b'{"code":200,"message":"OK","visible":false}')


def data(encoded: bytes) -> Reply:
    return Reply(200, b'{"code":200,"message":"OK","visible":false,"data":%b}' % encoded)


def page_of(elements: bytes, page: Page) -> PageReply:
    paging = b'{"pageNum":%d,"pageSize":%d,"total":%d}' % (page.window.number, page.window.limit, page.total)
    body = b'{"code":200,"message":"OK","visible":false,"paging":%b,"data":[%b]}' % (paging, elements)
    return PageReply(200, body, sources=page.sources)


def id_only(id: int) -> Reply:
    return data(_encode(Reference(id)))


def deletion(kind: Kind, listed: list[str], done: Done) -> Reply:
    """Return which of the listed ids are deleted and, in the vendor's words, why the others are not."""
    assert isinstance(done, Batch)
    gone: list[int] = []
    failed: dict[str, str] = {}
    for sent in listed:
        id = _id(sent)
        if id is None or isinstance(done.refused.get(id), NotFound):
            failed[sent] = MISSING[kind]
        elif id in done.refused:
            failed[sent] = NOT_DELETABLE
        else:
            gone.append(id)
    return data(_encode(DeletionOut(gone, len(gone), failed, len(failed), len(listed))))


def _whole(request: Request, name: str, default: int, most: int) -> int:
    sent = request.query.get(name)
    if sent is None:
        return default
    if not _WHOLE.fullmatch(sent):
        raise Invalid(name, Rule.TYPE, wanted=Wanted.INTEGER)
    digits = sent.lstrip("0")
    if len(digits) > len(str(MAX_NUMBER)) or not 1 <= int(digits or 0) <= most:
        raise Invalid(name, Rule.RANGE)
    return int(digits)


def _id(sent: str) -> int | None:
    """Return the id that a positive integer is; None if it is beyond 64 bits."""
    id = int(sent) if len(sent) <= len(str(MAX_NUMBER)) else MAX_NUMBER + 1
    return id if id <= MAX_NUMBER else None
