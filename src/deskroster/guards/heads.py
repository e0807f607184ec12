"""Heads: what is asked by the first bytes of a request, and what is refused of a head that is whole."""

import re
from collections.abc import Sequence

from deskroster.dialect.problems import BadHost, Malformed, Rejection, TooLarge
from deskroster.settings import Limits

_REQUEST_LINE = re.compile(rb"([!-~]{1,32})[ \t]+(/[!-~]{0,8192})")
_AROUND = 14  # bytes of a request line beside method and target: two spaces, the version, the end of the line
_AROUND_HEADER = 4  # the colon, a space, the end of the line

Pairs = Sequence[tuple[bytes, bytes]]


def request_line(data: bytes) -> tuple[str, bytes]:
    """Return the method and the path that bytes begin with which need not be HTTP; GET and / where they have none."""
    line = _REQUEST_LINE.match(data.lstrip(b"\r\n"))
    return ("GET", b"/") if line is None else (line[1].decode("ascii"), line[2].partition(b"?")[0])


def bad_target(url: bytes, headers: Pairs) -> Rejection | None:
    """Allow no fragment, and of targets that are no path `*`, and one with the host that `Host` names."""
    if b"#" in url:
        return Malformed("HTTP")
    if url == b"*":
        return None
    authority = url.partition(b"://")[2].partition(b"/")[0].partition(b"?")[0].lower()
    other = any(name == b"host" and value.lower() != authority for name, value in headers)
    return BadHost() if other else None


def too_large(method: bytes, url: bytes, headers: Pairs, limits: Limits) -> Rejection | None:
    """Compare a head, and the query in it, with their limits in bytes."""
    size = len(method) + len(url) + _AROUND + sum(len(name) + len(value) + _AROUND_HEADER for name, value in headers)
    if size > limits.head_bytes:
        return TooLarge("head")
    return TooLarge("query") if len(url.partition(b"?")[2]) > limits.query_bytes else None
