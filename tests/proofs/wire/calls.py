"""One write for each dialect, signed, as the bytes of which a request is made: to be spoilt in every way."""

import json
from base64 import b64encode
from itertools import count
from urllib.parse import urlencode

from msgspec import Struct

from deskroster.testing import ServiceGoSignature, StillClock, UdeskSignature
from tests.world import ADMIN

HOST = b"Host: demo.example.com\r\n"

_numbers = count(1)


class Call(Struct, frozen=True):
    """A write that an administrator may make. Each body creates a record of another name."""

    dialect: str
    path: bytes
    query: bytes  # the signature, where it stands there
    credentials: bytes  # a header line, where they stand there

    @property
    def target(self) -> bytes:
        return self.path + (b"?" + self.query if self.query else b"")

    @property
    def head(self) -> bytes:
        """The header lines beside those of the body."""
        return HOST + self.credentials

    def body(self) -> bytes:
        name = {"name": f"wire {next(_numbers)}"}
        return json.dumps({"group": name} if self.dialect == "kf5" else name).encode()

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
    udesk = urlencode(UdeskSignature(ADMIN, clock, "C").parameters()).encode()
    servicego = urlencode(ServiceGoSignature(ADMIN, clock).parameters()).encode()
    return [
        Call("udesk", b"/open_api_v1/user_groups", udesk, b""),
        Call("kf5", b"/apiv2/groups.json", b"", _basic(f"{ADMIN.email}/token", ADMIN.token)),
        Call("servicego", b"/api/v1/userGroup", servicego, b""),
        Call("own", b"/deskroster/v1/positions", b"", _basic(ADMIN.email, ADMIN.token)),
    ]


def _basic(name: str, secret: str) -> bytes:
    return b"Authorization: Basic %b\r\n" % b64encode(f"{name}:{secret}".encode())
