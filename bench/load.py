"""The load generator: a process of its own that keeps connections busy with requests that it has signed beforehand.

It reads a list of Specs as a line of JSON from standard input, says `ready` when it is connected and all is signed,
starts at the next line that it reads, and writes a list of Results as a line of JSON.
"""

import random
import secrets
import select
import socket
import sys
import time
from collections import deque
from collections.abc import Iterator
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
    sleeps: bool = False  # till an answer comes. To wake it costs a server, and only one that is slower than it is


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


class Stream:
    """Requests of one call, and the connections to send them on: at a rate, or as soon as one has been answered."""

    def __init__(self, spec: Spec) -> None:
        dice, salt = random.Random(secrets.randbits(64)), secrets.token_hex(6)
        make = maker(spec.call, spec.arguments)
        self.connections = [Connection(spec.port) for _ in range(spec.connections)]
        self.sleeps = spec.sleeps
        self._spec = spec
        self._requests: Iterator[bytes] = iter([make(dice, n, f"{salt}-{n}") for n in range(spec.requests)])
        self._idle = deque(self.connections)  # the one that has been free for longest first
        self._begin = self._end = 0.0
        self._sent = 0
        self._times: list[float] = []
        self._refused = 0
        self._bytes = 0
        self._last = b""

    @property
    def over(self) -> bool:
        """Whether all is answered, and nothing more is to be sent."""
        return self._end > 0 and len(self._idle) == len(self.connections)

    def send(self, now: float) -> float:
        """Send what is due; return the seconds until more is, if a connection is free then."""
        self._begin = self._begin or now
        rate, until = self._spec.rate, self._begin + self._spec.seconds
        while self._idle and not self._end:
            due = self._begin + self._sent / rate if rate else now
            if due > now:
                return due - now
            request = next(self._requests, None) if now < until else None
            if request is None:
                self._end = now
            else:
                self._idle.popleft().send(request)
                self._sent += 1
        return 0.1

    def note(self, connection: Connection) -> None:
        """Take a whole answer down."""
        now = time.perf_counter()
        self._times.append(now - connection.sent_at)
        answer = connection.answer
        end = answer.find(b"\r\n\r\n") + 4
        self._bytes += connection.length
        if not (answer.startswith(b"HTTP/1.1 20") and answer.startswith(_SUCCESSES, end)):
            self._refused += 1
        self._last = answer[:_KEPT]
        self._idle.append(connection)
        if self._spec.rate is None:
            self.send(now)

    def result(self) -> Result:
        times, count = sorted(self._times), len(self._times)
        return Result(
            answered=count,
            refused=self._refused,
            seconds=time.perf_counter() - self._begin,
            body_bytes=self._bytes / max(count, 1),
            p50=times[count // 2] if times else 0.0,
            p99=times[count * 99 // 100] if times else 0.0,
            sample=self._last.decode("utf-8", "replace"),
        )


def run(streams: list[Stream]) -> list[Result]:
    """Send all streams, from one thread: what else the machine has to do does not grow with them."""
    waiting = select.epoll()
    of = {connection.socket.fileno(): (stream, connection) for stream in streams for connection in stream.connections}
    for descriptor in of:
        waiting.register(descriptor, select.EPOLLIN)
    sleeps = any(stream.sleeps for stream in streams)
    results: dict[Stream, Result] = {}
    while len(results) < len(streams):
        now = time.perf_counter()
        pause = min(stream.send(now) for stream in streams)
        for descriptor, _ in waiting.poll(pause if sleeps else 0):
            stream, connection = of[descriptor]
            if connection.receive():
                stream.note(connection)
        for stream in streams:
            if stream.over and stream not in results:
                results[stream] = stream.result()
    return [results[stream] for stream in streams]


def ask(port: int, call: str, **arguments: Any) -> bytes:
    """Make one request and return the body of its answer."""
    with socket.create_connection(("127.0.0.1", port)) as connected:
        connected.sendall(maker(call, arguments)(random.Random(1), 0, secrets.token_hex(6)))
        answer = HTTPResponse(connected)
        answer.begin()
        return answer.read()


def main() -> None:
    streams = [Stream(spec) for spec in msgspec.json.decode(sys.stdin.readline(), type=list[Spec])]
    print("ready", flush=True)
    sys.stdin.readline()
    print(msgspec.json.encode(run(streams)).decode(), flush=True)


if __name__ == "__main__":
    main()
