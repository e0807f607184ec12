"""Measuring: CPU time and memory of a server, under a load, in turn with the others."""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any, TypeVar

import msgspec

from bench.load import Result, Spec

K = TypeVar("K")  # by which measures are told apart
TOP = Path(__file__).parents[1]


class Server:
    """A process that prints, when it answers, its port, or a line of JSON with its address."""

    def __init__(self, module: str, *arguments: object) -> None:
        began = time.perf_counter()
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed with the server
        self._process = _python(module, *arguments, stdin=subprocess.DEVNULL, stderr=self._log)
        line = _line(self._process)
        if not line:
            self._log.seek(0)
            raise RuntimeError(f"{module} did not start: {self._log.read()}")
        self.port = int(line) if line.isdigit() else int(json.loads(line)["url"].rpartition(":")[2])
        self.seconds = time.perf_counter() - began  # until it was ready

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.terminate()
        self._process.wait(60)
        self._log.close()

    @property
    def cpu(self) -> float:
        """Seconds of CPU time that its processes have used, with those of threads that have ended."""
        return sum(time.clock_gettime(_cpu_clock(pid)) for pid in self._pids())

    @property
    def memory(self) -> float:
        """MiB that are resident."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:")) / 1024

    def _pids(self) -> list[int]:
        """Return the process and those that it has started."""
        mine = self._process.pid
        return [mine, *map(int, Path(f"/proc/{mine}/task/{mine}/children").read_text().split())]


def product(folder: Path, module: str = "deskroster", workers: int = 1) -> Server:
    """Start the command itself, or a module that runs it with something changed."""
    return Server(module, "serve", "--data", folder, "--port", 0, "--json", "--workers", workers)


def load(server: Server, call: str, requests: int, **more: Any) -> Spec:
    """Return what load a call is on a server; what is not of the load is an argument of the call."""
    arguments = {name: value for name, value in more.items() if name not in Spec.__struct_fields__}
    of_spec = {name: value for name, value in more.items() if name in Spec.__struct_fields__}
    return Spec(port=server.port, call=call, requests=requests, arguments=arguments, **of_spec)


class Generator:
    """A process that puts loads on servers, connected and with everything signed."""

    def __init__(self, *loads: Spec, module: str = "bench.load") -> None:
        self._loads = loads
        self._process = _python(module, stdin=subprocess.PIPE)
        self._tell(msgspec.json.encode(loads).decode())
        if _line(self._process) != "ready":
            raise RuntimeError("the load generator did not start")

    def go(self) -> None:
        self._tell("go")

    def results(self) -> list[Result]:
        """Wait for the end of each load."""
        written = _line(self._process)
        self._process.communicate()
        if not written:
            raise RuntimeError(f"the load {self._loads} ended without a result")
        return msgspec.json.decode(written, type=list[Result])

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()


class Cost:
    """What one measurement gave."""

    def __init__(self, result: Result, cpu: float) -> None:
        self.result = result
        self.micros = cpu / result.answered * 1e6  # of CPU time per request
        self.rate = result.answered / result.seconds  # a second


def cost(server: Server, call: str, requests: int, **more: Any) -> Cost:
    """Return what a load costs a server."""
    return together(server, load(server, call, requests, **more))[0]


def together(server: Server, *loads: Spec) -> tuple[Cost, list[Result]]:
    """Return what loads that go on together cost a server, all counted as the first one's, and what came of each.

    One process sends them all, so that the machine has no more to do beside the server than for one load. Raises
    RuntimeError unless every answer was a success.
    """
    generator = Generator(*loads)
    before = server.cpu
    generator.go()
    results = generator.results()
    used = server.cpu - before
    for load, result in zip(loads, results, strict=True):
        if result.refused:
            raise RuntimeError(f"{result.refused} of {result.answered} {load.call} refused: {result.sample}")
    return Cost(results[0], used), results


def in_turn(measures: Mapping[K, Callable[[], Cost]], rounds: int) -> dict[K, list[Cost]]:
    """Measure each in turn, round after round; the first round warms up and does not count."""
    costs: dict[K, list[Cost]] = {name: [] for name in measures}
    for number in range(rounds + 1):
        for name, measure in measures.items():
            measured = measure()
            if number:
                costs[name].append(measured)
    return costs


def ratio(above: list[float], below: list[float]) -> float:
    """Return the median of what the one is in terms of the other, round by round."""
    return statistics.median(a / b for a, b in zip(above, below, strict=True))


def micros(costs: list[Cost]) -> list[float]:
    return [one.micros for one in costs]


def rates(costs: list[Cost]) -> list[float]:
    return [one.rate for one in costs]


def _cpu_clock(pid: int) -> int:
    """Return the CPU-time clock of a process, as clock_getcpuclockid(3) of glibc and musl makes it."""
    return (~pid << 3) | 2


def _python(module: str, *arguments: object, stdin: int, stderr: IO[str] | None = None) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", module, *map(str, arguments)]
    return subprocess.Popen(command, stdin=stdin, stdout=subprocess.PIPE, stderr=stderr, text=True, cwd=TOP)


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()
