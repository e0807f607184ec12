"""One write for each dialect, signed, as the bytes of which a request is made: to be spoilt in every way."""

import json
from collections.abc import Callable
from itertools import count
from typing import Any
from urllib.parse import urlencode

from msgspec import Struct

from deskroster.testing import StillClock
from tests.contracts import CONTRACTS, creates, has_nonce, lists
from tests.world import ADMIN

HOST = b"Host: demo.example.com\r\n"

_numbers = count(1)


class Call(Struct, frozen=True):
    """A write that an administrator may make. Each body creates a record of another name."""

    dialect: str
    path: bytes
    listed: bytes  # the path of the list that shows it
    named: Callable[[str], Any]  # the body, by the name of what is created
    query: bytes  # the signature, where it stands there
    credentials: bytes  # a header line, where they stand there

    @property
    def target(self) -> bytes:
        return self._signed(self.path)

    @property
    def list_target(self) -> bytes:
        return self._signed(self.listed)

    def _signed(self, path: bytes) -> bytes:
        return path + (b"?" + self.query if self.query else b"")

    @property
    def head(self) -> bytes:
        """The header lines beside those of the body."""
        return HOST + self.credentials

    def body(self) -> bytes:
        return json.dumps(self.named(f"wire {next(_numbers)}")).encode()

    def request(
        self, extra: bytes = b"", *, line: bytes = b"", head: bytes | None = None, framed: bytes | None = None
    ) -> bytes:
        """Return the request; `framed` is what stands instead of the length and the body."""
        body = self.body()
        if framed is None:
            framed = b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
        head = self.head if head is None else head
        return (line or b"POST %b HTTP/1.1" % self.target) + b"\r\n" + head + extra + framed


def calls(clock: StillClock) -> list[Call]:
    """Return a write of every dialect. Its signature has no nonce, so that it is good for many requests."""
    return [call_of(name, clock) for name in CONTRACTS]


def call_of(name: str, clock: StillClock) -> Call:
    """Return the write of a dialect."""
    contract = CONTRACTS[name]
    lasting = [form for form in contract.forms.values() if not has_nonce(form)]
    assert lasting, f"{name} has no form without a nonce: have the suites of the wire sign each request anew"
    proof = lasting[0].prove(ADMIN.email, ADMIN.token, int(clock()), "")
    lines = "".join(f"{header}: {value}\r\n" for header, value in proof.headers.items())
    return Call(
        dialect=name,
        path=creates(name).encode(),
        listed=lists(name).encode(),
        named=contract.named.body,
        query=urlencode(proof.parameters).encode(),
        credentials=lines.encode(),
    )
