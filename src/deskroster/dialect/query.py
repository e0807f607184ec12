"""Query strings, as these vendors' clients write them: values raw or percent-encoded, in any order."""

import re
from urllib.parse import unquote

from msgspec import UNSET, Struct, UnsetType

from deskroster.core.problems import NotFound
from deskroster.core.records import Kind
from deskroster.core.table import Window

MAX_PAGE = 2**63 - 1
REPEATED = "\0"
"""The value of a parameter that was sent more than once. No parameter accepts it."""

_PLUS_STAYS = frozenset({"email", "nonce", "sign"})


def parse(raw: bytes) -> dict[str, str]:
    """Return the parameters of a query string. A `+` is a space, except in `email`, `nonce` and `sign`."""
    text = raw.decode("utf-8", "replace")
    query: dict[str, str] = {}
    encoded = "%" in text or "+" in text
    for part in text.split("&"):
        name, _, value = part.partition("=")
        if encoded:
            name = _decoded(name.replace("+", " "))
            value = _decoded(value if name in _PLUS_STAYS else value.replace("+", " "))
        query[name] = REPEATED if name in query else value
    query.pop("", None)
    return query


def _decoded(text: str) -> str:
    return unquote(text) if "%" in text else text


class Paging(Struct, frozen=True):
    """Which page; out of range is clamped."""

    page: int | UnsetType = UNSET
    per_page: int | UnsetType = UNSET


def clamped_window(query: dict[str, str], size: int, most: int) -> Window:
    """Return the page that `page` and `per_page` name: without them the first, of `size` records; `most` at most."""
    page = _clamped(query, "page", 1, MAX_PAGE)
    return Window.numbered(page, _clamped(query, "per_page", size, most))


def _clamped(query: dict[str, str], name: str, default: int, most: int) -> int:
    """Return a number, clamped to 1 and `most`; the default for one that is absent or no number."""
    sent = query.get(name)
    if sent is None:
        return default
    if sent.isascii() and sent.isdigit():
        digits = sent.lstrip("0")
        number = int(digits or 0) if len(digits) < 20 else most
        return most if number > most else number or 1
    digits = sent.removeprefix("-")
    return 1 if digits.isascii() and digits.isdigit() else default


ID = re.compile(r"[1-9][0-9]{0,18}")


def parse_id(kind: Kind, sent: str) -> int:
    """Return the id that was sent as text. Raises NotFound, with the text (64 characters at most), if it is none."""
    if not ID.fullmatch(sent) or int(sent) >= 2**63:
        raise NotFound(kind, sent[:64])
    return int(sent)
