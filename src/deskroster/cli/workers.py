"""Workers: several processes that serve the same address. The first process only watches over them."""

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

from deskroster.cli.console import Exit, Refused, complain
from deskroster.telemetry import STDERR
from deskroster.telemetry.lines import write_within

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_STDOUT = 1
SHORT_LIFE = 5.0  # seconds: whoever ends sooner is not started again at once
_PAUSE = 1.0  # seconds until a worker is started again that ended so soon, or could not be started
_LAST_WORDS = 2.0  # seconds for standard error to take them

Tell = Callable[[list[str]], None]
"""Called with what there is to tell when a worker answers."""

Start = Callable[[int, Tell], None]
"""Serves as the worker of this number until told to stop, in a process of its own. Raises Refused."""


class Worker(NamedTuple):
    """A process that serves."""

    number: int
    began: float


class Workers:
    """The processes, each started again when it ends by itself. No thread or loop may run in this one.

    Other children may end as well: a shell that ran this program by `exec` has left it its own, and process 1 of a
    container is given all orphans. Those are reaped, and that is all.
    """

    def __init__(self, count: int, start: Start, ready: Callable[[list[str]], bytes]) -> None:
        """`ready` returns what to write to standard output when all answer."""
        self._count = count
        self._start = start
        self._ready = ready
        self._workers: dict[int, Worker] = {}  # by process id: of those that have not been reaped
        self._stopping = False
        self._unshown = b""
        self._alive = os.pipe()  # nothing is ever written to it: it ends with this process
        self._woken = _pipe_for_signals()

    def run(self) -> int:
        """Start all, tell when the last of them answers, and wait for their end; return an exit code."""
        heed(self._stop)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as nohup has it
            signal.signal(signal.SIGHUP, self._stop)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # it wakes; if it were ignored, nobody could be waited for
        signal.set_wakeup_fd(self._woken[1], warn_on_full_buffer=False)
        told = _hear(self._spawn_all())
        if not told and not self._stopping:
            self._stop()
            if worst := self._wait_for_all():
                return worst
            raise Refused(Exit.UNAVAILABLE, "a worker was ended before it could serve")
        if not self._stopping:
            self._unshown = self._ready(told)
        return self._watch()

    def _watch(self) -> int:
        due: dict[int, float] = {}  # when which worker is to be started again
        said = False  # that none can be started
        while not self._stopping:
            self._wait(min(due.values(), default=None))
            now = time.monotonic()
            for worker, _ in self._reap():
                due[worker.number] = now + (_PAUSE if now - worker.began < SHORT_LIFE else 0)
            for number in [number for number, at in due.items() if at <= now]:
                try:
                    self._spawn(number, lambda told: None)
                    del due[number]
                    said = False
                except OSError as error:  # too many processes, or too little memory
                    due[number] = now + _PAUSE
                    if not said:
                        _log("worker not started", why=error.strerror)
                    said = True
        self._wait_for_all()
        return int(Exit.OK)

    def _wait(self, until: float | None) -> None:
        """Wait for a signal, or until a time; meanwhile write what is to be shown as far as there is room for it."""
        waiting = select.poll()
        waiting.register(self._woken[0], select.POLLIN)
        if self._unshown:
            waiting.register(_STDOUT, select.POLLOUT)
        ready = dict(waiting.poll(None if until is None else max(0.0, until - time.monotonic()) * 1_000))
        if self._woken[0] in ready:
            with suppress(BlockingIOError):
                os.read(self._woken[0], 4096)
        if _STDOUT in ready:
            self._show()

    def _show(self) -> None:
        try:
            written = os.write(_STDOUT, self._unshown[: select.PIPE_BUF])  # for so much there is room
            self._unshown = self._unshown[written:]
        except BlockingIOError:
            pass
        except OSError:
            self._unshown = b""  # it cannot be shown; the log says that the workers are ready

    def _spawn_all(self) -> list[int]:
        """Start all workers; return where each tells that it answers. Raises Refused."""
        readers: list[int] = []
        try:
            for number in range(self._count):
                readers.append(self._spawn_and_listen(number, readers))
        except OSError as error:
            self._stop()
            self._wait_for_all()
            raise Refused(Exit.UNAVAILABLE, f"{self._count} workers cannot be started: {error.strerror}") from None
        return readers

    def _spawn_and_listen(self, number: int, readers: list[int]) -> int:
        """Start a worker; return where it tells that it answers. `readers` are those of workers before it."""
        reader, writer = os.pipe()

        def tell(told: list[str]) -> None:
            with suppress(BrokenPipeError):  # the first process is gone, and this one will be
                os.write(writer, msgspec.json.encode(told) + b"\n")
            os.close(writer)

        self._spawn(number, tell, [reader, *readers])
        os.close(writer)
        return reader

    def _spawn(self, number: int, tell: Tell, not_its: list[int] | None = None) -> None:
        """Start a worker, unless it is time to stop: then nobody would tell it."""
        with _held_back():
            if self._stopping:
                return
            pid = os.fork()
            if pid == 0:
                self._work(number, tell, [*(not_its or ()), self._alive[1], *self._woken])
            self._workers[pid] = Worker(number, time.monotonic())

    def _work(self, number: int, tell: Tell, not_its: list[int]) -> NoReturn:
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            for one in (*_SIGNALS, signal.SIGCHLD):
                if signal.getsignal(one) is not signal.SIG_IGN:
                    signal.signal(one, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            for descriptor in not_its:
                os.close(descriptor)
            threading.Thread(target=self._end_with_the_first, daemon=True).start()
            self._start(number, tell)
            code = 0
        except Refused as refusal:
            complain(refusal)
            code = refusal.code
        except KeyboardInterrupt:
            code = Exit.INTERRUPTED
        except BaseException:
            write_within(STDERR, traceback.format_exc().encode("utf-8", "backslashreplace"), _LAST_WORDS)
            raise
        finally:
            os._exit(code)

    def _end_with_the_first(self) -> None:
        os.read(self._alive[0], 1)
        os.kill(os.getpid(), signal.SIGTERM)

    def _reap(self) -> list[tuple[Worker, int]]:
        """Return the workers that have ended, and how; reap whatever else has ended."""
        ended = []
        with _held_back():  # an id that was reaped may be anybody's: `_stop` must not find it
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
        """Return the worst exit code of the workers that are left, of those that ended by themselves; else 0."""
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
                os.kill(pid, signal.SIGCONT)  # one that is stopped would not hear it


def heed(end: Callable[..., Any]) -> None:
    """Have SIGTERM and SIGINT end this process by `end`, whatever it has inherited.

    Who started it may have SIGTERM ignored or signals blocked; neither is meant for a server that is to be stopped.
    SIGINT stays ignored where it was: so a shell keeps Ctrl-C from what it runs in the background.
    """
    signal.signal(signal.SIGTERM, end)
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, end)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (*_SIGNALS, signal.SIGCHLD))


@contextmanager
def _held_back() -> Iterator[None]:
    """Let signals wait: one that comes while a process is started or reaped would miss it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _pipe_for_signals() -> tuple[int, int]:
    ends = os.pipe()
    for end in ends:
        os.set_blocking(end, False)
    return ends


def _hear(readers: list[int]) -> list[str]:
    """Wait until every worker has told that it answers, however long it loads; nothing as soon as one ends before."""
    said = dict.fromkeys(readers, b"")
    waiting = select.poll()
    for reader in readers:
        waiting.register(reader, select.POLLIN)
    try:
        while not all(one.endswith(b"\n") for one in said.values()):
            for reader, _ in waiting.poll():
                part = os.read(reader, 65_536)
                if not part:
                    return []
                said[reader] += part
                if part.endswith(b"\n"):
                    waiting.unregister(reader)
    finally:
        for reader in readers:
            os.close(reader)
    return msgspec.json.decode(said[readers[0]], type=list[str])


def _log(event: str, **more: object) -> None:
    """Write a line as the log has it, without the log's thread: no thread may run in a process that forks."""
    line = msgspec.json.encode({**more, "event": event, "level": "warning", "timestamp": datetime.now(UTC)})
    write_within(STDERR, msgspec.json.format(line, indent=0) + b"\n", _LAST_WORDS)
