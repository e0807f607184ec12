"""Workers: several processes that serve the same address. The first process only watches over them."""

import os
import select
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn

import msgspec

from deskroster.cli.console import Exit, Refused, complain

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
START_SECONDS = 120.0  # for a worker to answer
SHORT_LIFE = 5.0  # seconds: whoever ends sooner is not started again at once

Tell = Callable[[list[str]], None]
"""Called with what there is to tell when a worker answers."""

Start = Callable[[int, Tell], None]
"""Serves as the worker of this number until told to stop, in a process of its own. Raises Refused."""


class Workers:
    """The processes, each started again when it ends by itself. No thread or loop may run in this one."""

    def __init__(self, count: int, start: Start, ready: Tell) -> None:
        self._count = count
        self._start = start
        self._ready = ready
        self._began: dict[int, float] = {}
        self._numbers: dict[int, int] = {}  # of the worker in a process
        self._stopping = False
        self._alive = os.pipe()  # nothing is ever written to it: it ends with this process

    def run(self) -> int:
        """Start all, tell when the last of them answers, and wait for their end; return an exit code."""
        for number in _SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup has it
                signal.signal(number, self._stop)
        told = [_hear(reader) for reader in [self._spawn_and_listen(number) for number in range(self._count)]]
        if not all(told) and not self._stopping:
            self._stop()
            return self._wait_for_all() or int(Exit.UNAVAILABLE)
        if not self._stopping:
            self._ready(told[0])
        return self._watch()

    def _watch(self) -> int:
        while not self._stopping:
            pid = self._ended()
            if pid is None:
                break
            if time.monotonic() - self._began.pop(pid) < SHORT_LIFE and not self._stopping:
                time.sleep(1)
            self._spawn(self._numbers.pop(pid), lambda told: None)
        self._wait_for_all()
        return int(Exit.OK)

    def _spawn_and_listen(self, number: int) -> int:
        """Start a worker; return where it tells that it answers."""
        reader, writer = os.pipe()

        def tell(told: list[str]) -> None:
            os.write(writer, msgspec.json.encode(told) + b"\n")
            os.close(writer)

        self._spawn(number, tell)
        os.close(writer)
        return reader

    def _spawn(self, number: int, tell: Tell) -> None:
        """Start a worker, unless it is time to stop: then nobody would tell it."""
        with _held_back():
            if self._stopping:
                return
            pid = os.fork()
            if pid == 0:
                self._work(number, tell)
            self._began[pid], self._numbers[pid] = time.monotonic(), number

    def _work(self, number: int, tell: Tell) -> NoReturn:
        code = 1
        try:
            for one in _SIGNALS:
                if signal.getsignal(one) is not signal.SIG_IGN:
                    signal.signal(one, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            os.close(self._alive[1])
            threading.Thread(target=self._end_with_the_first, daemon=True).start()
            self._start(number, tell)
            code = 0
        except Refused as refusal:
            complain(refusal)
            code = refusal.code
        except KeyboardInterrupt:
            code = Exit.INTERRUPTED
        except BaseException:
            traceback.print_exc()
            raise
        finally:
            os._exit(code)

    def _end_with_the_first(self) -> None:
        os.read(self._alive[0], 1)
        os.kill(os.getpid(), signal.SIGTERM)

    def _ended(self) -> int | None:
        try:
            return os.wait()[0]
        except ChildProcessError:
            return None

    def _wait_for_all(self) -> int:
        """Return the worst exit code of those that are left."""
        worst = 0
        while self._began:
            try:
                pid, status = os.wait()
            except ChildProcessError:
                break
            self._began.pop(pid, None)
            worst = max(worst, os.waitstatus_to_exitcode(status))
        return worst

    def _stop(self, *_: object) -> None:
        self._stopping = True
        for pid in self._began:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)


@contextmanager
def _held_back() -> Iterator[None]:
    """Let signals wait: one that comes while a process is started would miss it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _hear(reader: int) -> list[str]:
    """Wait for what a worker tells; nothing if it ends before."""
    until, said = time.monotonic() + START_SECONDS, b""
    with os.fdopen(reader, "rb", buffering=0) as pipe:
        while not said.endswith(b"\n") and (left := until - time.monotonic()) > 0:
            if select.select([pipe], [], [], left)[0]:
                part = pipe.read(4096)
                if not part:
                    return []
                said += part
    return msgspec.json.decode(said, type=list[str]) if said.endswith(b"\n") else []
