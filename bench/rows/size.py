"""Memory with 100,000 agents, and how soon they are served."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import NamedTuple

from bench.figures import Bench, Figure
from bench.load import ask
from bench.measure import TOP, Server, load, product, ratio, together
from bench.rivals import reading

AGENTS, GROUPS = 100_000, 10_000
EMPTY = 10
SWEEP = (
    ("udesk_groups", {"groups": GROUPS}),
    ("udesk_agents", {"agents": AGENTS}),
    ("kf5_groups", {"groups": GROUPS}),
    ("kf5_users", {"agents": AGENTS}),
    ("servicego_staff", {"agents": AGENTS}),
    ("servicego_groups", {"groups": GROUPS}),
)


def measure(bench: Bench) -> Iterator[Figure]:
    empty = median(_started(bench.company(EMPTY)).memory for _ in range(3))
    folder = bench.company(AGENTS)
    starts, bare = list[Started](), list[float]()
    for _ in range(bench.rounds):
        starts.append(_started(folder))
        bare.append(_read(folder))
    with product(folder) as server:
        ask(server.port, "udesk_groups", groups=1, per_page=1)
        _sweep(server)
        swept = server.memory
    started = median(one.memory for one in starts)
    yield _memory("after start", started - empty, 160, 100, empty)
    yield _memory("after one sweep of every list", swept - empty, 280, 200, empty)
    yield Figure(
        what=f"CPU time from start to ready with {AGENTS:,} agents against a bare loop that makes the same records",
        measured=ratio([one.cpu for one in starts], bare),
        at_least=3,
        aim=1.5,
        unit="×",
        less=True,
        remark=f"{median(one.cpu for one in starts):.2f} s against {median(bare):.2f} s; "
        f"{median(one.seconds for one in starts):.2f} s to the first answer",
    )


class Started(NamedTuple):
    """What a start took until the first answer, and the MiB held then."""

    seconds: float
    cpu: float  # seconds
    memory: float


def _started(folder: Path) -> Started:
    began = time.perf_counter()
    with product(folder) as server:
        ask(server.port, "udesk_groups", groups=1, per_page=1)
        return Started(time.perf_counter() - began, server.cpu, server.memory)


def _read(folder: Path) -> float:
    """Return the seconds of CPU time that a bare loop takes for the same rows."""
    command = [sys.executable, "-m", reading.__name__, str(folder / "deskroster.db")]
    return float(subprocess.run(command, check=True, capture_output=True, text=True, cwd=TOP).stdout)


def _sweep(server: Server) -> None:
    """Ask for every page of every list of every dialect."""
    for call, records in SWEEP:
        pages = next(iter(records.values())) // 100
        together(server, load(server, call, pages, connections=4, per_page=100, sweep=True, **records))


def _memory(when: str, more: float, at_least: float, aim: float, empty: float) -> Figure:
    return Figure(
        what=f"memory for {AGENTS:,} agents over the empty server, {when}",
        measured=more,
        at_least=at_least,
        aim=aim,
        unit="MiB",
        less=True,
        remark=f"the empty server: {empty:.0f} MiB",
    )
