"""Immediate answers: a GET whose answer waits for nothing is answered within the parser's callback, without a task."""

from collections.abc import Callable
from time import perf_counter
from typing import Any

from httptools import HttpRequestParser

from deskroster.dialect import Reply
from deskroster.guards.heads import Pairs

AtOnce = Callable[[Any], Reply | None]
"""Returns the answer to an ASGI scope, or None where that has to wait for something."""

_MAX_SECONDS = 0.005  # for the requests of one packet: the event loop serves other connections after that
_BODY_HEADERS = {b"content-length", b"transfer-encoding", b"expect"}


class Immediate:
    """Answers requests of one connection immediately."""

    __slots__ = ("_answer", "_packet_at")

    def __init__(self, answer: AtOnce) -> None:
        self._answer = answer
        self._packet_at = 0.0  # seconds, by `perf_counter`

    def packet(self) -> None:
        """Note that a packet has come."""
        self._packet_at = perf_counter()

    def answer(self, parser: HttpRequestParser, scope: Any, url: bytes, headers: Pairs) -> Reply | None:
        """Return the answer to a request of HTTP/1.1 that is a GET without a body and keeps the connection, or None."""
        if (
            perf_counter() - self._packet_at > _MAX_SECONDS
            or parser.get_method() != b"GET"
            or parser.get_http_version() != "1.1"
            or not parser.should_keep_alive()
            or not _BODY_HEADERS.isdisjoint([name for name, _ in headers])
        ):
            return None
        scope["method"] = "GET"
        scope["raw_path"], _, scope["query_string"] = url.partition(b"?")
        return self._answer(scope)
