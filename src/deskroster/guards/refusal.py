"""Refusal: the answer to a request that breaks a limit or HTTP itself, in the words of its dialect."""

from collections.abc import Callable
from typing import NoReturn

from httptools import HttpRequestParser

from deskroster.core.problems import Busy
from deskroster.dialect import Reply
from deskroster.dialect.problems import Rejection
from deskroster.dialect.request import Headers
from deskroster.guards import heads
from deskroster.guards.encoding import final_response

Fault = Rejection | Busy
Refuse = Callable[[str, bytes, Headers, Fault, str], Reply]
"""Words a fault for a method, a path and headers, each as far as it was received, and the address of the client."""


class ParserStopped(Exception):
    """Raised in a callback of the parser, to stop it."""


class Refusal:
    """What is wrong with the requests of one connection, and the answer to it."""

    __slots__ = ("_refuse", "fault")

    def __init__(self, refuse: Refuse) -> None:
        self.fault: Fault | None = None  # the first one; nothing is parsed after it
        self._refuse = refuse

    def stop(self, fault: Fault) -> NoReturn:
        """Stop the parser because of a fault. To be called in its callbacks only."""
        self.fault = fault
        raise ParserStopped

    def stop_if(self, fault: Fault | None) -> None:
        if fault is not None:
            self.stop(fault)

    def of_connection(self) -> bytes:
        """Return the answer to a connection that is one too many, before it has sent anything."""
        return final_response(self._refuse("GET", b"/", (), Busy(), ""))

    def of_request(
        self, fault: Fault, parser: HttpRequestParser, url: bytes, headers: Headers, data: bytes, client: str
    ) -> bytes:
        """Return the answer to the request that is being received; before its target was parsed, `data` is searched."""
        if url:
            method, path = parser.get_method().decode("ascii"), heads.path_of(url)
        else:
            (method, path), headers = heads.request_line(data), heads.fields(data)
        return final_response(self._refuse(method, path, headers, fault, client), without_body=method == "HEAD")
