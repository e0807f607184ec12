"""Requests at their worst: what the dialects' cases are made of."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple
from uuid import uuid4

from tests.proofs.load.company import AGENTS, CROWD

BODY = 1_000_000  # bytes, a little less than a body may have
QUERY = 7_000  # characters; a signature comes after them
LAST = 2**63 - 1
TRIES = 20  # measurements at most
MEMBERS = list(range(1, CROWD + 1))
GONE = AGENTS + 10_000_000

LONG = {
    "ascii": "a" * (BODY - 1_000),
    "chinese": "中" * (BODY // 3 - 1_000),
    "emoji": "😀" * (BODY // 4 - 1_000),
    "folding to three": "ΐ" * (BODY // 2 - 1_000),
    "space": " " * (BODY - 1_000),
    "ideographic space": "\u3000" * (BODY // 3 - 1_000),
    "refused at the end": "b" * (BODY - 1_000) + "\x07",
}
NAMES = {
    "ascii": "A" * 255,
    "chinese": "中" * 255,
    "emoji": "😀" * 255,
    "folding to three": "ΐ" * 255,
    "combining": "a" + "\u0301" * 254,
    "quotes": '"' * 255,
    "in spaces": "\u2003" * 5_000 + "a" + "\u2003" * 5_000,
}

QUERIES = {
    "names": "a=1&" * (QUERY // 4),
    "repeats": "page=1&" * (QUERY // 7),
    "percent": "page=" + "%39" * (QUERY // 3),
    "digits": "page=" + "9" * QUERY,
    "plus": "page=" + "+" * QUERY,
    "the last page": f"page={LAST}&per_page=1000&pageNum={LAST}&pageSize=100",
}


class Case(NamedTuple):
    """A request at its worst. `swept`: with as many pieces as are ever held; else there are none."""

    what: str
    path: str
    body: Any = None  # bytes are sent as they are
    swept: bool = False
    headers: Mapping[str, str] = MappingProxyType({})
    again: tuple[str, ...] = ()  # paths for when it is measured again, where the first is used up
    undo: Any = None  # the body that is sent first when it is measured again, so that there is as much to do


def texts(path: str, body: Any, *fields: str) -> list[Case]:
    """Return the case of each hostile text in each of these fields of a body; `*` in its strings is a new text."""
    cases = []
    for field in fields:
        for what, text in {**LONG, **NAMES}.items():
            cases.append(Case(f"{field}: {what}", path, with_text(body, field, text)))
    return cases


def with_text(body: Any, field: str, text: str) -> Any:
    if isinstance(body, dict):
        inner = {name: with_text(value, field, text) for name, value in body.items()}
        outermost = not any(isinstance(value, dict) for value in body.values())
        return {**inner, field: text} if outermost else inner
    return body.replace("*", uuid4().hex) if isinstance(body, str) else body


def pages(path: str, page: str, size: str, last: int, more: str = "") -> list[Case]:
    """Return the first, the middle and the last page, with as many records as it may have."""
    most = {"per_page": 100, "perpage": 100, "pageSize": 100}[size]
    return [
        Case(f"page {number}", f"{path}?{page}={number}&{size}={most}{more}")
        for number in (1, last // most // 2, -(-last // most), LAST)
    ]


def listed(first: int, number: int, step: int = 1) -> str:
    return ",".join(str(first + i * step) for i in range(number))


def paths(path: str, first: int, step: int = 1) -> tuple[str, ...]:
    """Return the paths of as many others."""
    return tuple(path.format(first + step * at) for at in range(TRIES))


OPTIONS = [f"{i:x}" for i in range(BODY // 9)]
