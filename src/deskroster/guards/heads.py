"""Heads: what the head of a request asks for, and what is refused of it."""

import re
from collections.abc import Iterable

from deskroster.dialect.problems import BadHost, Malformed, Rejection, TooLarge
from deskroster.settings import Limits

_REQUEST_LINE = re.compile(rb"([!-~]{1,32})[ \t]+(/[!-~]{0,8192})")
_REQUEST_LINE_REST = 14  # bytes of a request line beside method and target: two spaces, the version, CRLF
_HEADER_LINE_REST = 4  # the colon, a space, CRLF
_SLASH = ord("/")

Pairs = Iterable[tuple[bytes, bytes]]


def request_line(data: bytes) -> tuple[str, bytes]:
    """Return the method and the path at the start of a packet that need not be HTTP; GET and / where it has none."""
    line = _REQUEST_LINE.match(data.lstrip(b"\r\n"))
    return ("GET", b"/") if line is None else (line[1].decode("ascii"), line[2].partition(b"?")[0])


def fields(data: bytes) -> list[tuple[bytes, bytes]]:
    """Return the headers of a packet that need not be HTTP, as ASGI has them: those that came whole."""
    lines = data.lstrip(b"\r\n").partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]
    pairs = (line.partition(b":") for line in lines if b":" in line)
    return [(name.lower(), value.strip(b" \t")) for name, _, value in pairs]


def path_of(url: bytes) -> bytes:
    """Return the path of a target, which may name a host before it."""
    path = url if url[0] == _SLASH else url[url.find(b"/", url.find(b"://") + 3) :]
    return path.partition(b"?")[0]


def bad_target(url: bytes, headers: Pairs) -> Rejection | None:
    """Refuse a fragment, and a target that is neither a path nor `*` unless its host is the one in `Host`."""
    if b"#" in url:
        return Malformed("HTTP")
    if url == b"*":
        return None
    authority = url.partition(b"://")[2].partition(b"/")[0].partition(b"?")[0].lower()
    other = any(name == b"host" and value.lower() != authority for name, value in headers)
    return BadHost() if other else None


def bad_coding(version: str, headers: Pairs) -> Rejection | None:
    """Refuse a transfer coding in HTTP/1.0, and any beside `chunked`; llhttp has seen that it is the last one."""
    codings = [value.strip().lower() for name, value in headers if name == b"transfer-encoding"]
    return Malformed("HTTP") if version == "1.0" or codings != [b"chunked"] else None


def too_large(method: bytes, url: bytes, headers: Pairs, limits: Limits) -> Rejection | None:
    """Refuse a head, or a query in it, that exceeds its limit in bytes."""
    size = (
        len(method) + len(url) + _REQUEST_LINE_REST
        + sum(len(name) + len(value) + _HEADER_LINE_REST for name, value in headers)
    )  # fmt: skip
    if size > limits.head_bytes:
        return TooLarge("head")
    return TooLarge("query") if len(url.partition(b"?")[2]) > limits.query_bytes else None


def without_upgrade(method: bytes, url: bytes, version: str, headers: Pairs) -> bytes:
    """Return a head as if its client had not asked for another protocol."""
    lines = [b"%b: %b\r\n" % header for header in headers if header[0] != b"upgrade"]
    return b"%b %b HTTP/%b\r\n%b\r\n" % (method, url, version.encode(), b"".join(lines))
