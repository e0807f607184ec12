"""A server under the load, and a witness of what the machine allows beside it: times, errors, open files and memory."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from bench.measure import Generator, Server, load, product
from tests.proofs.load.generate import READS, WRITES

RATE = READS + WRITES  # a second
CONNECTIONS = 32
SETTLING = 2  # seconds after which all connections are open and all that is lazy is made
WORK = 0.0007  # seconds of CPU time for a request, before it is known what they are on this machine
FILES_MORE = 2  # that may be open at the end: a snapshot may catch one that is being written


class Held(NamedTuple):
    """How a server stood the load."""

    answered: int
    refused: int
    p50: float  # seconds
    p99: float
    witness_p99: float  # at the same time
    files: list[int]  # open, each second
    memory: float  # MiB, at the end
    cpu: float  # cores
    sample: str  # the last answer

    @property
    def work(self) -> float:
        """Seconds of CPU time for a request."""
        return self.cpu / RATE

    @property
    def leaks(self) -> bool:
        """Whether more files are open at the end than soon after the start."""
        return self.files[-1] > self.files[min(SETTLING, len(self.files) - 1)] + FILES_MORE

    def __str__(self) -> str:
        return (
            f"{self.answered} answered, {self.refused} refused, p50 {self.p50 * 1e3:.1f} ms, "
            f"p99 {self.p99 * 1e3:.1f} ms (witness {self.witness_p99 * 1e3:.1f} ms), {self.files[-1]} files, "
            f"{self.memory:.0f} MiB, {self.cpu:.0%} of a core"
        )


@contextmanager
def first_in_turn() -> Iterator[None]:
    """Have this process, and what it starts, go before others of the machine, where that is allowed: it is to root."""
    before = os.getpriority(os.PRIO_PROCESS, 0)
    with suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, -20)
    try:
        yield
    finally:
        os.setpriority(os.PRIO_PROCESS, 0, before)


@contextmanager
def serving(folder: Path, module: str = "deskroster") -> Iterator[Server]:
    """Serve a folder by the command, or by a module that runs it with something changed."""
    with _closed(product(folder, module)) as server:
        yield server


@contextmanager
def witnessing(work: float) -> Iterator[Server]:
    """Serve nothing, at so many seconds of CPU time for a request."""
    with _closed(Server("tests.proofs.load.witness", work)) as server:
        yield server


@contextmanager
def _closed(server: Server) -> Iterator[Server]:
    try:
        with server:
            yield server
    finally:
        assert server._process.stdout is not None
        server._process.stdout.close()


def hold(server: Server, witness: Server, seconds: int) -> Held:
    """Put the load on a server for so many seconds."""
    most = {"seconds": float(seconds), "rate": RATE, "connections": CONNECTIONS, "sleeps": True}
    mixed = load(server, "mixed", RATE * seconds, **most)
    generator = Generator(mixed, module="tests.proofs.load.generate")
    control = Generator(load(witness, "udesk_groups", RATE * seconds, groups=1, per_page=1, **most))
    cpu, began, files = server.cpu, time.monotonic(), []
    generator.go()
    control.go()
    while time.monotonic() - began < seconds - 0.5:
        files.append(open_files(server))
        time.sleep(min(1.0, max(0.0, began + seconds - 0.5 - time.monotonic())))
    files.append(open_files(server))
    [result], [beside] = generator.results(), control.results()
    return Held(
        result.answered, result.refused, result.p50, result.p99, beside.p99, files, server.memory,
        (server.cpu - cpu) / (time.monotonic() - began), result.sample,
    )  # fmt: skip


def open_files(server: Server) -> int:
    return sum(1 for _ in Path(f"/proc/{server._process.pid}/fd").iterdir())
