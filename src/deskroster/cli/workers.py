"""Workers: several processes that serve the same address. The first process only supervises them."""

import os
import select
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any, NamedTuple, NoReturn

import msgspec

from deskroster.cli.console import Exit, Refused, print_error
from deskroster.telemetry import STDERR
from deskroster.telemetry.lines import write_within
from deskroster.texts import said, verbatim

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_STDOUT = 1
SHORT_LIFE = 5.0  # seconds: a worker that ends sooner is not restarted at once
_RESTART_DELAY = 1.0  # seconds until a worker is restarted that ended so soon, or could not be started
_STDERR_TIMEOUT = 2.0  # seconds to write to standard error

OnReady = Callable[[list[str]], None]
"""Called by a worker when it answers, with the addresses and the companies that it serves."""

Start = Callable[[int, OnReady], None]
"""Serves as the worker of this number until a signal, in a process of its own. Raises Refused."""


class Worker(NamedTuple):
    """A worker process: its number, and when it was started by the monotonic clock."""

    number: int
    started: float


class Workers:
    """The worker processes. Each is restarted when it ends by itself.

    The supervising process forks, so it must have no other thread and no event loop. Children that are not workers
    are reaped and otherwise ignored: a shell that ran this program by `exec` leaves it its own children, and process 1
    of a container gets all orphans.
    """

    def __init__(self, count: int, start: Start, ready: Callable[[list[str]], bytes]) -> None:
        """`ready` returns the text for standard output, once all workers answer."""
        self._count = count
        self._start = start
        self._ready = ready
        self._workers: dict[int, Worker] = {}  # by process id; without those that were reaped
        self._stopping = False
        self._unwritten = b""  # output that standard output has not accepted yet
        self._parent_pipe = os.pipe()  # nothing is written to it: reading it ends when this process ends
        self._wakeup_pipe = _nonblocking_pipe()

    def run(self) -> int:
        """Start all workers, print the text of `ready` when all answer, and wait until all end; return an exit code."""
        handle_stop_signals(self._stop)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup ignores it
            signal.signal(signal.SIGHUP, self._stop)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # wakes `_wait`; waitpid fails for children if it is ignored
        signal.set_wakeup_fd(self._wakeup_pipe[1], warn_on_full_buffer=False)
        reported = _wait_until_ready(self._spawn_all())
        if not reported and not self._stopping:
            self._stop()
            if worst := self._wait_for_all():
                return worst
            raise Refused(Exit.UNAVAILABLE, said("a worker was ended before it could serve"))
        if not self._stopping:
            self._unwritten = self._ready(reported)
        return self._supervise()

    def _supervise(self) -> int:
        restart_at: dict[int, float] = {}  # by worker number
        logged = False  # that a worker cannot be started
        while not self._stopping:
            self._wait(min(restart_at.values(), default=None))
            now = time.monotonic()
            for worker, _ in self._reap():
                restart_at[worker.number] = now + (_RESTART_DELAY if now - worker.started < SHORT_LIFE else 0)
            for number in [number for number, at in restart_at.items() if at <= now]:
                try:
                    self._spawn(number, lambda reported: None)
                    del restart_at[number]
                    logged = False
                except OSError as error:  # too many processes, or too little memory
                    restart_at[number] = now + _RESTART_DELAY
                    if not logged:
                        _log("worker not started", why=error.strerror)
                    logged = True
        self._wait_for_all()
        return int(Exit.OK)

    def _wait(self, until: float | None) -> None:
        """Wait for a signal, or until a time; meanwhile write pending output if standard output accepts it."""
        poll = select.poll()
        poll.register(self._wakeup_pipe[0], select.POLLIN)
        if self._unwritten:
            poll.register(_STDOUT, select.POLLOUT)
        ready = dict(poll.poll(None if until is None else max(0.0, until - time.monotonic()) * 1_000))
        if self._wakeup_pipe[0] in ready:
            with suppress(BlockingIOError):
                os.read(self._wakeup_pipe[0], 4096)
        if _STDOUT in ready:
            self._write_output()

    def _write_output(self) -> None:
        try:
            written = os.write(_STDOUT, self._unwritten[: select.PIPE_BUF])  # a pipe that is ready accepts this much
            self._unwritten = self._unwritten[written:]
        except BlockingIOError:
            pass
        except OSError:
            self._unwritten = b""  # it cannot be shown; the log says that the workers are ready

    def _spawn_all(self) -> list[int]:
        """Start all workers; return a descriptor for each, on which it reports that it answers. Raises Refused."""
        readers: list[int] = []
        try:
            for number in range(self._count):
                readers.append(self._spawn_with_pipe(number, readers))
        except OSError as error:
            self._stop()
            self._wait_for_all()
            raise Refused(
                Exit.UNAVAILABLE,
                said(
                    "{count} workers cannot be started: {why}",
                    count=self._count,
                    why=verbatim(error.strerror or str(error)),
                ),
            ) from None
        return readers

    def _spawn_with_pipe(self, number: int, readers: list[int]) -> int:
        """Start a worker; return a descriptor on which it reports that it answers.

        `readers`: the descriptors of earlier workers, which the child closes.
        """
        reader, writer = os.pipe()

        def on_ready(reported: list[str]) -> None:
            with suppress(BrokenPipeError):  # the first process has ended, and this one is about to
                os.write(writer, msgspec.json.encode(reported) + b"\n")
            os.close(writer)

        self._spawn(number, on_ready, [reader, *readers])
        os.close(writer)
        return reader

    def _spawn(self, number: int, on_ready: OnReady, close_in_child: list[int] | None = None) -> None:
        """Start a worker, unless `_stop` was called: it would not signal this one."""
        with _signals_blocked():
            if self._stopping:
                return
            pid = os.fork()
            if pid == 0:
                self._run_worker(number, on_ready, [*(close_in_child or ()), self._parent_pipe[1], *self._wakeup_pipe])
            self._workers[pid] = Worker(number, time.monotonic())

    def _run_worker(self, number: int, on_ready: OnReady, close: list[int]) -> NoReturn:
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            for one in (*_SIGNALS, signal.SIGCHLD):
                if signal.getsignal(one) is not signal.SIG_IGN:
                    signal.signal(one, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            for descriptor in close:
                os.close(descriptor)
            threading.Thread(target=self._end_with_parent, daemon=True).start()
            self._start(number, on_ready)
            code = 0
        except Refused as refusal:
            print_error(refusal)
            code = refusal.code
        except KeyboardInterrupt:
            code = Exit.INTERRUPTED
        except BaseException:
            write_within(STDERR, traceback.format_exc().encode("utf-8", "backslashreplace"), _STDERR_TIMEOUT)
            raise
        finally:
            os._exit(code)

    def _end_with_parent(self) -> None:
        os.read(self._parent_pipe[0], 1)
        os.kill(os.getpid(), signal.SIGTERM)

    def _reap(self) -> list[tuple[Worker, int]]:
        """Return the workers that have ended, with their exit codes; reap all other ended children too."""
        ended = []
        with _signals_blocked():  # `_stop` must not signal a process id that was reaped: another process may have it
            while True:
                try:
                    pid, status = os.waitpid(-1, os.WNOHANG)
                except ChildProcessError:
                    break
                if pid == 0:
                    break
                if (worker := self._workers.pop(pid, None)) is not None:
                    ended.append((worker, os.waitstatus_to_exitcode(status)))
        return ended

    def _wait_for_all(self) -> int:
        """Wait until all workers have ended; return the highest exit code of those that were not interrupted, or 0."""
        worst = 0
        while True:
            worst = max([worst, *(code for _, code in self._reap() if code != Exit.INTERRUPTED)])
            if not self._workers:
                return worst
            self._wait(None)

    def _stop(self, *_: object) -> None:
        self._stopping = True
        for pid in self._workers:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
                os.kill(pid, signal.SIGCONT)  # a process that is stopped handles no SIGTERM


def handle_stop_signals(handler: Callable[..., Any]) -> None:
    """Call `handler` on SIGTERM and SIGINT, even if the parent process ignored SIGTERM or blocked signals.

    SIGINT stays ignored if it was: a shell ignores it for background jobs, so that Ctrl-C does not end them.
    """
    signal.signal(signal.SIGTERM, handler)
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, handler)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (*_SIGNALS, signal.SIGCHLD))


@contextmanager
def _signals_blocked() -> Iterator[None]:
    """Block signals: a handler that ran while a process is started or reaped would not see that process."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _nonblocking_pipe() -> tuple[int, int]:
    ends = os.pipe()
    for end in ends:
        os.set_blocking(end, False)
    return ends


def _wait_until_ready(readers: list[int]) -> list[str]:
    """Wait without a timeout until every worker answers; return what the first one reported, or [] if one has ended."""
    received = dict.fromkeys(readers, b"")
    poll = select.poll()
    for reader in readers:
        poll.register(reader, select.POLLIN)
    try:
        while not all(one.endswith(b"\n") for one in received.values()):
            for reader, _ in poll.poll():
                part = os.read(reader, 65_536)
                if not part:
                    return []
                received[reader] += part
                if part.endswith(b"\n"):
                    poll.unregister(reader)
    finally:
        for reader in readers:
            os.close(reader)
    return msgspec.json.decode(received[readers[0]], type=list[str])


def _log(event: str, **more: object) -> None:
    """Write a log line without the log's thread: a process that forks must have no other thread."""
    line = msgspec.json.encode({**more, "event": event, "level": "warning", "timestamp": datetime.now(UTC)})
    write_within(STDERR, msgspec.json.format(line, indent=0) + b"\n", _STDERR_TIMEOUT)
