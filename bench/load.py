"""The load generator: a process of its own that keeps connections busy with requests that it has signed beforehand.

It reads a Spec as a line of JSON from standard input, says `ready` when it is connected and all is signed, starts at
the next line that it reads, and writes a Result as a line of JSON.
"""

import random
import secrets
import select
import socket
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from http.client import HTTPResponse
from typing import Any

import msgspec

from bench.calls import maker

_CHUNK = 1 << 18
_KEPT = 1_024  # bytes, about, of an answer
_SUCCESSES = (b'{"code":1000,', b'{"code":200,', b'{"groups":[', b'{"users":[')


class Spec(msgspec.Struct, frozen=True, kw_only=True):
    """What load: at most so many requests in at most so many seconds, on keep-alive connections."""

    port: int
    call: str
    arguments: dict[str, Any] = {}
    connections: int = 32
    requests: int
    seconds: float = 60.0
    rate: float | None = None  # a second; None: each connection asks again as soon as it is answered


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it."""

    answered: int
    refused: int
    seconds: float
    body_bytes: float  # of an answer, on average
    p50: float  # seconds from sending a request to the last byte of its answer
    p99: float
    sample: str  # the start of the last answer


class Connection:
    """One connection, with at most one request in flight."""

    __slots__ = ("answer", "length", "missing", "sent_at", "socket")

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.answer = b""
        self.length = 0  # of the body
        self.missing = 0  # bytes of the answer, when its head has been read
        self.sent_at = 0.0

    def send(self, request: bytes) -> None:
        self.sent_at = time.perf_counter()
        self.answer = b""
        self.missing = 0
        self.socket.sendall(request)

    def receive(self) -> bool:
        """Take what has come; tell whether the answer is whole. Only its first part is kept."""
        data = self.socket.recv(_CHUNK)
        if not data:
            raise ConnectionError("the server hung up")
        if self.missing:
            self.missing -= len(data)
            if len(self.answer) < _KEPT:
                self.answer += data[:_KEPT]
            return self.missing <= 0
        data = self.answer + data
        self.answer = data
        end = data.find(b"\r\n\r\n")
        if end < 0:
            return False
        start = data.lower().index(b"content-length:", 0, end) + 15
        self.length = int(data[start : data.index(b"\r", start)])
        self.missing = end + 4 + self.length - len(data)
        return self.missing <= 0


class Load:
    """Requests, and the connections to send them on."""

    def __init__(self, spec: Spec) -> None:
        dice, salt = random.Random(secrets.randbits(64)), secrets.token_hex(6)
        make = maker(spec.call, spec.arguments)
        self._spec = spec
        self._requests: Iterator[bytes] = iter([make(dice, n, f"{salt}-{n}") for n in range(spec.requests)])
        self._connections = [Connection(spec.port) for _ in range(spec.connections)]
        self._times: list[float] = []
        self._refused = 0
        self._bytes = 0
        self._last = b""

    def run(self) -> Result:
        begin = time.perf_counter()
        if self._spec.rate is None:
            self._closed(begin + self._spec.seconds)
        else:
            self._paced(begin, self._spec.rate)
        took = time.perf_counter() - begin
        times, count = sorted(self._times), len(self._times)
        return Result(
            answered=count,
            refused=self._refused,
            seconds=took,
            body_bytes=self._bytes / max(count, 1),
            p50=times[count // 2] if times else 0.0,
            p99=times[count * 99 // 100] if times else 0.0,
            sample=self._last.decode("utf-8", "replace"),
        )

    def _closed(self, until: float) -> None:
        """Ask again on each connection as soon as it is answered."""
        poll, of = self._poll()
        busy = 0
        for connection in self._connections:
            busy += self._send_next(connection)
        while busy:
            for descriptor, _ in poll(10):
                connection = of[descriptor]
                if connection.receive():
                    self._note(connection)
                    if time.perf_counter() >= until or not self._send_next(connection):
                        busy -= 1

    def _paced(self, begin: float, rate: float) -> None:
        """Ask at even intervals, on the connection that has been free for longest; what is late, as soon as one is."""
        poll, of = self._poll()
        idle, sent = deque(self._connections), 0
        while True:
            now = time.perf_counter()
            over = now >= begin + self._spec.seconds
            while idle and not over and now >= begin + sent / rate and self._send_next(idle[0]):
                idle.popleft()
                sent += 1
            if over and len(idle) == len(self._connections):
                return
            for descriptor, _ in poll(max(0.0, min(begin + sent / rate - now, 0.1)) if idle and not over else 0.1):
                connection = of[descriptor]
                if connection.receive():
                    self._note(connection)
                    idle.append(connection)

    def _poll(self) -> tuple[Callable[[float], list[tuple[int, int]]], dict[int, Connection]]:
        waiting = select.epoll()
        of = {connection.socket.fileno(): connection for connection in self._connections}
        for descriptor in of:
            waiting.register(descriptor, select.EPOLLIN)
        return waiting.poll, of

    def _send_next(self, connection: Connection) -> bool:
        request = next(self._requests, None)
        if request is None:
            return False
        connection.send(request)
        return True

    def _note(self, connection: Connection) -> None:
        self._times.append(time.perf_counter() - connection.sent_at)
        answer = connection.answer
        end = answer.find(b"\r\n\r\n") + 4
        self._bytes += connection.length
        if not (answer.startswith(b"HTTP/1.1 20") and answer.startswith(_SUCCESSES, end)):
            self._refused += 1
        self._last = answer[:_KEPT]


def ask(port: int, call: str, **arguments: Any) -> bytes:
    """Make one request and return the body of its answer."""
    with socket.create_connection(("127.0.0.1", port)) as connected:
        connected.sendall(maker(call, arguments)(random.Random(1), 0, secrets.token_hex(6)))
        answer = HTTPResponse(connected)
        answer.begin()
        return answer.read()


def main() -> None:
    spec = msgspec.json.decode(sys.stdin.readline(), type=Spec)
    load = Load(spec)
    print("ready", flush=True)
    sys.stdin.readline()
    print(msgspec.json.encode(load.run()).decode(), flush=True)


if __name__ == "__main__":
    main()
