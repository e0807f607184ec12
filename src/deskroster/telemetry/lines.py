"""Log lines: a bounded queue, and one thread that writes them. Logging never blocks and never raises."""

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

WAITING_BYTES = 8 << 20  # of the queue: some 40,000 requests; lines beyond that are dropped
FLUSH_SECONDS = 1.0  # to write the queue when the process ends
_BATCH_SECONDS = 0.01  # in which lines are collected, so that one system call writes many
_LINE_OVERHEAD = 64  # bytes of memory of a line in the queue beside its text
_MAX_ATOMIC = select.PIPE_BUF  # bytes that a write to a pipe does not mix with the writes of other processes

Write = Callable[[bytes], object]
"""Writes whole lines. It may block, and may raise."""


class Lines:
    """The queue of one stream. The thread starts with the first line, so a forked process has a thread of its own."""

    def __init__(self, write: Write) -> None:
        self._write = write
        # Re-entrant: a signal handler, or a destructor that the garbage collector runs, may log during `put`.
        self._lock = threading.RLock()
        self._waiting: list[bytes | threading.Event] = []
        self._bytes = 0
        self._notified = False  # whether the thread was woken for the lines that are waiting
        self._wake: SimpleQueue[None] = SimpleQueue()  # its `put` is re-entrant
        self._thread: threading.Thread | None = None
        self._closed = False
        self._reported = 0  # dropped lines that a line in the log has reported
        self.dropped: dict[str, int] = {"queue_full": 0, "write_failed": 0}

    def put(self, line: bytes) -> None:
        """Queue a line, given without its line break; drop and count it if the queue is full."""
        cost = len(line) + _LINE_OVERHEAD
        with self._lock:
            if self._closed or self._bytes + cost > WAITING_BYTES:
                self.dropped["queue_full"] += 1
                return
            self._bytes += cost
            self._waiting.append(line)
            if self._notified:
                return
            self._notified = self._has_thread()
        self._wake.put(None)

    def flush(self, seconds: float = FLUSH_SECONDS) -> bool:
        """Wait until all queued lines are written or dropped. Return False on timeout."""
        written = threading.Event()
        with self._lock:
            if self._thread is None or (self._closed and not self._thread.is_alive()):
                return not self._waiting
            self._waiting.append(written)
        self._wake_now()
        return written.wait(seconds)

    def close(self, seconds: float = FLUSH_SECONDS) -> None:
        """Flush, and end the thread. A thread that is blocked in a write is left: it is a daemon thread."""
        written = self.flush(seconds)
        self._closed = True
        self._wake_now()
        if written and self._thread is not None:
            self._thread.join(seconds)

    def _wake_now(self) -> None:
        """Wake the thread, and cut short its wait for a batch."""
        self._wake.put(None)
        self._wake.put(None)

    def _has_thread(self) -> bool:
        """Start the thread, unless there is one. Return False if that fails: the next line tries again."""
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
                self._wake.get(timeout=_BATCH_SECONDS)
            with self._lock:
                waiting, self._waiting, self._notified = self._waiting, [], False
            self._report_dropped()
            for batch in _batches(waiting):
                if isinstance(batch, threading.Event):
                    batch.set()
                else:
                    self._write_batch(batch)

    def _write_batch(self, lines: list[bytes]) -> None:
        try:
            self._write(b"\n".join([*lines, b""]))
        except Exception:  # noqa: BLE001 - no error can be logged where the log cannot be written: it is counted
            with self._lock:
                self.dropped["write_failed"] += len(lines)
        with self._lock:
            self._bytes -= sum(map(len, lines)) + _LINE_OVERHEAD * len(lines)

    def _report_dropped(self) -> None:
        dropped = sum(self.dropped.values())
        if dropped > self._reported:
            report = {
                "lines": dropped - self._reported,
                "event": "log_lines_dropped",
                "level": "warning",
                "timestamp": datetime.now(UTC),
            }
            with suppress(Exception):  # as above; the next batch reports it
                self._write(msgspec.json.format(msgspec.json.encode(report), indent=0) + b"\n")
                self._reported = dropped


def _batches(waiting: list[bytes | threading.Event]) -> Iterator[list[bytes] | threading.Event]:
    """Group lines into writes that a pipe takes atomically; yield events between them as they are."""
    lines: list[bytes] = []
    size = 0
    for one in waiting:
        if lines and (isinstance(one, threading.Event) or size + len(one) + 1 > _MAX_ATOMIC):
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
    """Return a function that writes to a file descriptor, without a buffer."""
    torn = False  # whether the last line that was written is incomplete

    def write(lines: bytes) -> None:
        nonlocal torn
        rest = memoryview(b"\n" + lines if torn else lines)
        whole = len(rest)
        try:
            while rest:
                try:
                    rest = rest[os.write(number, rest) :]
                except BlockingIOError:  # another process that shares the descriptor has made it non-blocking
                    _wait_until_writable(number)
        finally:
            torn = bool(rest) and (torn or len(rest) < whole)

    return write


def to_stream(stream: TextIO) -> Write:
    """Return a function that writes to a text stream: in tests, in place of standard error."""

    def write(lines: bytes) -> None:
        stream.write(lines.decode())
        stream.flush()

    return write


def _wait_until_writable(number: int) -> None:
    poll = select.poll()
    poll.register(number, select.POLLOUT)
    poll.poll(1_000)
    time.sleep(_BATCH_SECONDS)  # `poll` also reports it where there is room for less than a batch


def write_within(number: int, text: bytes, seconds: float) -> bool:
    """Write to a file descriptor. Return False if that takes too long or fails. Never raises OSError.

    For a process that must not have threads, and for messages before a process exits.
    """
    until, rest = time.monotonic() + seconds, memoryview(text)
    with suppress(OSError):
        while rest and is_writable(number, until - time.monotonic()):
            with suppress(BlockingIOError):
                rest = rest[os.write(number, rest[:_MAX_ATOMIC]) :]
    return not rest


def is_writable(number: int, seconds: float) -> bool:
    """Wait until a file descriptor can be written without blocking, or is broken. Return False on timeout."""
    poll = select.poll()
    poll.register(number, select.POLLOUT)
    return seconds >= 0 and bool(poll.poll(seconds * 1_000))
