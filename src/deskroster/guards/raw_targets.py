"""Raw targets: percent-encodes bytes above 0x7F in request lines, as curl, PHP and Java send them.

llhttp refuses such bytes (RFC 3986 has none), and cannot go on after that. So a packet that has any is fed to it in
pieces that end where a request line, a head or a body may end.
"""

import re
from collections.abc import Callable, Iterator

from deskroster.dialect.paths import quoted
from deskroster.guards.progress import Progress

_LINE_ENDED = re.compile(rb"[ \t]HTTP/[0-9.]+\r?\n[^\n]*\Z")
_MAY_END = re.compile(rb"(?:\A\n|(?:\A|(?<=\n))\r\n)(?=[^\n]*(?:[\x80-\xff]|\Z))")
"""Where a chunked body may end, before a line that is to be encoded or has not come whole: after an empty line.

The packet before may have had a part of that.
"""


class RawTargets:
    """The request line of one connection: whether it is still being received."""

    __slots__ = ("_line_open", "_progress")

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._line_open = True

    def head_unfinished(self, data: bytes, has_headers: bool) -> None:
        """Note that an ASCII packet ended within a head; `has_headers`: the parser has reported some of it."""
        self._line_open = not (has_headers or _LINE_ENDED.search(data))

    def pieces(self, data: bytes, body_length: Callable[[], int | None]) -> Iterator[bytes]:
        """Yield a packet in pieces, each to be parsed before the next is asked for.

        `body_length`: the Content-Length of the request whose body is being received; None if it is chunked.
        """
        at = 0
        while at < len(data):
            if self._progress.stage == "body":
                end = self._end_in_body(data, at, body_length())
                yield data[at:end]
            else:
                self._line_open |= self._progress.stage == "idle"
                end = _after(b"\n", data, at)
                line = data[at:end]
                yield quoted(line) if self._line_open else line
                # Empty lines may come before a request.
                self._line_open &= not line.endswith(b"\n") or self._progress.stage == "idle"
            at = end

    def _end_in_body(self, data: bytes, at: int, length: int | None) -> int:
        if length is not None:
            return at + max(1, length - self._progress.body_bytes)
        end = _MAY_END.search(data, at)
        return end.end() if end else len(data)


def _after(sought: bytes, data: bytes, at: int) -> int:
    found = data.find(sought, at)
    return len(data) if found < 0 else found + len(sought)
