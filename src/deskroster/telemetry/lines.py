"""Log lines on their way out: a bounded queue, and one thread that writes. Logging never waits and never fails."""

import os
import select
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from queue import Empty, SimpleQueue
from typing import TextIO

import msgspec

WAITING_BYTES = 8 << 20  # of lines that are yet to be written: some 40,000 requests; what comes on top is dropped
FLUSH_SECONDS = 1.0  # for what is yet to be written when the process ends
_PAUSE = 0.01  # seconds in which lines gather, so that many are written by one call
_LINE_COST = 64  # bytes that a waiting line takes beside its own
_ATOMIC = select.PIPE_BUF  # bytes that a pipe takes whole, although several processes write to it

Write = Callable[[bytes], object]
"""Writes some whole lines. It may take its time, and may fail."""


class Lines:
    """Lines for one stream. The thread starts with the first line, so each process that is forked has its own."""

    def __init__(self, write: Write) -> None:
        self._write = write
        # Re-entrant: a signal handler, or a destructor that the garbage collector runs, may log in the midst of `put`.
        self._lock = threading.RLock()
        self._waiting: list[bytes | threading.Event] = []
        self._bytes = 0
        self._woken = False
        self._wake: SimpleQueue[None] = SimpleQueue()  # its `put` is re-entrant
        self._thread: threading.Thread | None = None
        self._closed = False
        self._told = 0  # how many dropped lines a line has told of
        self.dropped: dict[str, int] = {"queue_full": 0, "write_failed": 0}

    def put(self, line: bytes) -> None:
        """Have a line written, without the line break; drop and count it if too much is waiting."""
        cost = len(line) + _LINE_COST
        with self._lock:
            if self._closed or self._bytes + cost > WAITING_BYTES:
                self.dropped["queue_full"] += 1
                return
            self._bytes += cost
            self._waiting.append(line)
            if self._woken:
                return
            self._woken = self._started()
        self._wake.put(None)

    def flush(self, seconds: float = FLUSH_SECONDS) -> bool:
        """Wait until what was put is written or dropped; False if that takes longer."""
        written = threading.Event()
        with self._lock:
            if self._thread is None or (self._closed and not self._thread.is_alive()):
                return not self._waiting
            self._waiting.append(written)
        self._hurry()
        return written.wait(seconds)

    def close(self, seconds: float = FLUSH_SECONDS) -> None:
        """Flush, and end the thread. One that is stuck in a write is left behind: it does not keep the process."""
        written = self.flush(seconds)
        self._closed = True
        self._hurry()
        if written and self._thread is not None:
            self._thread.join(seconds)

    def _hurry(self) -> None:
        """Wake the thread, and end the pause that it then makes."""
        self._wake.put(None)
        self._wake.put(None)

    def _started(self) -> bool:
        """Have a thread. False if none can be started now: the queue fills up, and the next line tries again."""
        if self._thread is None:
            thread = threading.Thread(target=self._run, name="log", daemon=True)
            try:
                thread.start()
            except RuntimeError:
                return False
            self._thread = thread
        return True

    def _run(self) -> None:
        while not self._closed or self._waiting:
            with suppress(Empty):
                self._wake.get()
                self._wake.get(timeout=_PAUSE)
            with self._lock:
                waiting, self._waiting, self._woken = self._waiting, [], False
            self._tell_what_was_dropped()
            for piece in _pieces(waiting):
                if isinstance(piece, threading.Event):
                    piece.set()
                else:
                    self._out(piece)

    def _out(self, lines: list[bytes]) -> None:
        try:
            self._write(b"\n".join([*lines, b""]))
        except Exception:  # noqa: BLE001 - whatever it is: there is nowhere to tell it but in the count
            with self._lock:
                self.dropped["write_failed"] += len(lines)
        with self._lock:
            self._bytes -= sum(map(len, lines)) + _LINE_COST * len(lines)

    def _tell_what_was_dropped(self) -> None:
        dropped = sum(self.dropped.values())
        if dropped > self._told:
            told = {
                "lines": dropped - self._told,
                "event": "log_lines_dropped",
                "level": "warning",
                "timestamp": datetime.now(UTC),
            }
            with suppress(Exception):  # as above; the next round tells it
                self._write(msgspec.json.format(msgspec.json.encode(told), indent=0) + b"\n")
                self._told = dropped


def _pieces(waiting: list[bytes | threading.Event]) -> Iterator[list[bytes] | threading.Event]:
    """Join lines as far as a pipe takes them whole."""
    lines: list[bytes] = []
    size = 0
    for one in waiting:
        if lines and (isinstance(one, threading.Event) or size + len(one) + 1 > _ATOMIC):
            yield lines
            lines, size = [], 0
        if isinstance(one, threading.Event):
            yield one
        else:
            lines.append(one)
            size += len(one) + 1
    if lines:
        yield lines


def to_descriptor(number: int) -> Write:
    """Write to a file descriptor, beneath all streams and their buffers."""
    torn = False  # a line that could not be written whole stands at the end

    def write(lines: bytes) -> None:
        nonlocal torn
        rest = memoryview(b"\n" + lines if torn else lines)
        whole = len(rest)
        try:
            while rest:
                try:
                    rest = rest[os.write(number, rest) :]
                except BlockingIOError:  # another process has made it non-blocking, for all who have it
                    _wait_for_room(number)
        finally:
            torn = bool(rest) and (torn or len(rest) < whole)

    return write


def to_stream(stream: TextIO) -> Write:
    """Write to a text stream, such as a test has in the place of standard error."""

    def write(lines: bytes) -> None:
        stream.write(lines.decode())
        stream.flush()

    return write


def _wait_for_room(number: int) -> None:
    room = select.poll()
    room.register(number, select.POLLOUT)
    room.poll(1_000)
    time.sleep(_PAUSE)  # there may be some room and too little


def write_within(number: int, text: bytes, seconds: float) -> bool:
    """Write to a descriptor as far as it takes the text in time; False if that is not all of it. Never raises OSError.

    For a process without threads, and for last words, for which none is to be started.
    """
    until, rest = time.monotonic() + seconds, memoryview(text)
    with suppress(OSError):
        while rest and has_room(number, until - time.monotonic()):
            with suppress(BlockingIOError):
                rest = rest[os.write(number, rest[:_ATOMIC]) :]
    return not rest


def has_room(number: int, seconds: float) -> bool:
    """Wait until a descriptor takes some text without blocking, or is broken; False if that takes longer."""
    room = select.poll()
    room.register(number, select.POLLOUT)
    return seconds >= 0 and bool(room.poll(seconds * 1_000))
