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
        """Seconds that all threads of its processes have been on a CPU (the first figure of schedstat)."""
        tasks = [task for pid in self._pids() for task in Path(f"/proc/{pid}/task").glob("*/schedstat")]
        return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9

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


class Load:
    """A load generator, connected and with everything signed."""

    def __init__(self, port: int, call: str, requests: int, **more: Any) -> None:
        arguments = {name: value for name, value in more.items() if name not in Spec.__struct_fields__}
        of_spec = {name: value for name, value in more.items() if name in Spec.__struct_fields__}
        self.spec = Spec(port=port, call=call, requests=requests, arguments=arguments, **of_spec)
        self._process = _python("bench.load", stdin=subprocess.PIPE)
        _tell(self._process, msgspec.json.encode(self.spec).decode())
        if _line(self._process) != "ready":
            raise RuntimeError("the load generator did not start")

    def go(self) -> None:
        _tell(self._process, "go")

    def result(self) -> Result:
        """Wait for the end. Raises RuntimeError unless every answer was a success."""
        line = _line(self._process)
        self._process.wait()
        if not line:
            raise RuntimeError(f"the load {self.spec} ended without a result")
        result = msgspec.json.decode(line, type=Result)
        if result.refused:
            raise RuntimeError(f"{result.refused} of {result.answered} {self.spec.call} refused: {result.sample}")
        return result


class Cost:
    """What one measurement gave."""

    def __init__(self, result: Result, cpu: float) -> None:
        self.result = result
        self.micros = cpu / result.answered * 1e6  # of CPU time per request
        self.rate = result.answered / result.seconds  # a second


def cost(server: Server, call: str, requests: int, **more: Any) -> Cost:
    """Return what a load costs a server."""
    load = Load(server.port, call, requests, **more)
    before = server.cpu
    load.go()
    result = load.result()
    return Cost(result, server.cpu - before)


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


def _python(module: str, *arguments: object, stdin: int, stderr: IO[str] | None = None) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", module, *map(str, arguments)]
    return subprocess.Popen(command, stdin=stdin, stdout=subprocess.PIPE, stderr=stderr, text=True, cwd=TOP)


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def _tell(process: subprocess.Popen[str], line: str) -> None:
    stdin: IO[str] | None = process.stdin
    assert stdin is not None
    stdin.write(line + "\n")
    stdin.flush()
