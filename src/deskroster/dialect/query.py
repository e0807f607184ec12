"""Query strings, as these vendors' clients write them: values raw or percent-encoded, in any order."""

import re
from urllib.parse import unquote

from deskroster.core.problems import NotFound
from deskroster.core.records import Kind
from deskroster.core.table import Window
from deskroster.dialect.problems import Malformed

MAX_PAGE = 2**63 - 1
MAX_SHOWN = 64  # characters of an id that is none
REPEATED = "\0"
"""The value of a parameter that was sent more than once. No parameter accepts it."""

_PLUS_STAYS = frozenset({"email", "nonce", "sign"})
_HOLDS_AN_EMAIL = {"email": "content", "2": "value", "3": "value"}
"""The value of `type` → the parameter that holds an e-mail or a mobile then."""
_TYPE = re.compile(r"(?:^|&)type=([^&]*)")


def parse(raw: bytes) -> dict[str, str]:
    """Return the parameters of a query string. Raises Malformed for what is no UTF-8.

    A `+` is a space, except where e-mails, nonces and signatures stand. Of a name that ends in `[]` all values are
    returned, with commas between them.
    """
    try:
        return _parsed(raw.decode())
    except UnicodeDecodeError:
        raise Malformed("query") from None


def _parsed(text: str) -> dict[str, str]:
    query: dict[str, str] = {}
    plus_stays, encoded = _PLUS_STAYS, "%" in text or "+" in text
    if encoded and (kind := _TYPE.search(text)):
        plus_stays = plus_stays | {_HOLDS_AN_EMAIL.get(kind[1], "email")}
    for part in text.split("&"):
        name, _, value = part.partition("=")
        if encoded:
            name = _decoded(name.replace("+", " "))
            value = _decoded(value if name in plus_stays else value.replace("+", " "))
        if name not in query:
            query[name] = value
        elif name.endswith("[]"):
            query[name] += f",{value}"
        else:
            query[name] = REPEATED
    query.pop("", None)
    return query


def _decoded(text: str) -> str:
    return unquote(text, errors="strict") if "%" in text else text


def clamped_window(query: dict[str, str], size: int, most: int, size_name: str = "per_page") -> Window:
    """Return the page that `page` and `per_page` name: without them the first, of `size` records; `most` at most."""
    page = _clamped(query, "page", 1, MAX_PAGE)
    return Window.numbered(page, _clamped(query, size_name, size, most))


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
    """Return the id that was sent as text. Raises NotFound, with the text as far as it is shown, if it is none."""
    if not ID.fullmatch(sent) or int(sent) >= 2**63:
        raise NotFound(kind, sent[:MAX_SHOWN])
    return int(sent)
