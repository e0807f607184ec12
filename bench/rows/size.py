"""Memory with 100,000 agents, and how soon they are served."""

import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from bench.figures import Bench, Figure
from bench.load import ask
from bench.measure import Server, load, product, together

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
    empty = median(_started(bench.company(EMPTY))[1] for _ in range(3))
    folder = bench.company(AGENTS)
    starts = [_started(folder) for _ in range(3)]
    with product(folder) as server:
        ask(server.port, "udesk_groups", groups=1, per_page=1)
        _sweep(server)
        swept = server.memory
    started = median(memory for _, memory in starts)
    yield _memory("after start", started - empty, 160, 100, empty)
    yield _memory("after one sweep of every list", swept - empty, 280, 200, empty)
    yield Figure(
        what=f"start to ready with {AGENTS:,} agents",
        measured=median(seconds for seconds, _ in starts),
        at_least=3,
        aim=1,
        unit="s",
        less=True,
        remark="to the first answer",
    )


def _started(folder: Path) -> tuple[float, float]:
    """Return the seconds from the start to the first answer, and the MiB held then."""
    began = time.perf_counter()
    with product(folder) as server:
        ask(server.port, "udesk_groups", groups=1, per_page=1)
        return time.perf_counter() - began, server.memory


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
