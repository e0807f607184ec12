"""Bytes to a server and back: a socket, and what came over it as answers."""

import socket
import time
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec
import pytest

from deskroster.dialects import DIALECTS

PATIENCE = 60.0  # seconds that a busy machine may take for an answer
_REFUSALS = {dialect.name: dialect.refusal for dialect in DIALECTS}


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


class Talk:
    """A connection, from `address`: one of 127.0.0.0/8."""

    def __init__(self, url: str, address: str = "127.0.0.1", *, small: bool = False) -> None:
        to = urlsplit(url)
        self.socket = socket.socket()
        if small:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2_048)
        self.socket.settimeout(PATIENCE)
        self.socket.bind((address, 0))
        self.socket.connect((to.hostname, to.port))
        self._received = b""
        self.closed = False

    def __enter__(self) -> "Talk":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, sent: bytes) -> None:
        self.socket.sendall(sent)

    def answer(self, method: str = "GET", seconds: float = PATIENCE) -> Answer | None:
        """Return the next answer; None if the server closed, or says nothing more for so many seconds."""
        while b"\r\n\r\n" not in self._received:
            if not self._read(seconds):
                return None
        head, _, rest = self._received.partition(b"\r\n\r\n")
        line, *lines = head.decode("latin-1").split("\r\n")
        status = int(line.split(" ")[1])
        headers = {name.lower(): value.strip() for name, _, value in (one.partition(":") for one in lines)}
        length = 0 if method == "HEAD" or status < 200 else int(headers["content-length"])
        while len(rest) < length:
            self._received = head + b"\r\n\r\n" + rest
            if not self._read(seconds):
                return None
            rest = self._received.partition(b"\r\n\r\n")[2]
        self._received = rest[length:]
        return Answer(status, headers, rest[:length])

    def answers(self, seconds: float = PATIENCE) -> list[Answer]:
        """Return all that is answered until the server closed, or said nothing more for so many seconds."""
        return list(iter(lambda: self.answer(seconds=seconds), None))

    def ends_within(self, seconds: float) -> bool:
        """Tell whether the server closes the connection in this time, however much it still says."""
        until = time.monotonic() + seconds
        while not self.closed and (left := until - time.monotonic()) > 0:
            self._read(left)
        return self.closed

    def _read(self, seconds: float) -> bool:
        self.socket.settimeout(seconds)
        try:
            part = self.socket.recv(65_536)
        except TimeoutError:
            return False
        except ConnectionError:
            part = b""
        self._received += part
        self.closed = self.closed or not part
        return bool(part)


def is_refusal(dialect: str, answer: Answer) -> bool:
    """Tell whether an answer is exactly the dialect's own refusal, for people and for programs."""
    shape = _REFUSALS[dialect]
    assert shape is not None
    try:
        told = msgspec.json.decode(answer.body, type=shape)
    except msgspec.MsgspecError:
        return False
    return msgspec.json.encode(told) == answer.body


def check_refusal(dialect: str, answer: Answer | None, status: int, allow: str = "") -> None:
    """Assert that an answer refuses with this status, in the dialect's shape."""
    if answer is None:
        pytest.fail("no answer")
    assert status == answer.status, answer
    assert is_refusal(dialect, answer), answer
    assert answer.headers["content-type"].startswith("application/")
    assert allow == answer.headers.get("allow", "")
