"""Lists against raw uvicorn, the usual way, and hand-written SQL."""

import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from bench.figures import Bench, Figure
from bench.load import ask
from bench.measure import Cost, Server, cost, in_turn, micros, product, ratio
from bench.rivals import sql, usual

AGENTS, GROUPS = 10_000, 1_000


class Shape(NamedTuple):
    """One list, how often each server is asked for it, and what is at least wanted and aimed at against each rival."""

    name: str
    call: str
    arguments: dict[str, Any]
    requests: dict[str, int]
    wanted: dict[str, tuple[float, float]]


SHAPES = (
    Shape("list of 20", "udesk_groups", {"groups": GROUPS, "per_page": 20},
          {"raw": 15_000, "usual": 300, "sql": 3_000},
          {"raw": (0.5, 0.7), "usual": (80, 140), "sql": (6, 9)}),
    Shape("list of 100", "udesk_groups", {"groups": GROUPS, "per_page": 100},
          {"raw": 15_000, "usual": 100, "sql": 1_000},
          {"raw": (0.4, 0.7), "usual": (200, 430), "sql": (20, 30)}),
    Shape("one group's agents", "udesk_members", {"groups": GROUPS},
          {"raw": 15_000, "usual": 400, "sql": 4_000},
          {"raw": (0.5, 0.7), "usual": (40, 70), "sql": (1.2, 1.5)}),
)  # fmt: skip
RIVALS = {"raw": "raw uvicorn", "usual": "the usual way", "sql": "hand-written SQL"}


def measure(bench: Bench) -> Iterator[Figure]:
    of_sql = bench.company(AGENTS)
    shutil.copy(of_sql / "deskroster.db", of_sql / sql.COPY)
    usual.fill(bench.folder / "usual.db", AGENTS)
    with (
        product(bench.company(AGENTS)) as ours,
        Server("bench.rivals.usual", bench.folder / "usual.db") as usual_way,
        product(of_sql, "bench.rivals.sql") as by_sql,
    ):
        for shape in SHAPES:
            body = bench.folder / "body.json"
            body.write_bytes(ask(ours.port, shape.call, **shape.arguments))
            with Server("bench.rivals.raw", body) as raw:
                _check(shape, body, ours, usual_way, by_sql)
                servers = {"raw": raw, "usual": usual_way, "sql": by_sql}
                costs = in_turn(_measures(bench, shape, ours, servers), bench.rounds)
            for rival, (at_least, aim) in shape.wanted.items():
                yield Figure(
                    what=f"{shape.name} against {RIVALS[rival]}",
                    measured=ratio(micros(costs[rival]), micros(costs["ours"])),
                    at_least=at_least,
                    aim=aim,
                    remark=_remark(costs, rival),
                )


def _measures(bench: Bench, shape: Shape, ours: Server, servers: dict[str, Server]) -> dict[str, Callable[[], Cost]]:
    def of(server: Server, requests: int) -> Callable[[], Cost]:
        return partial(cost, server, shape.call, bench.requests(requests), **shape.arguments)

    mine = of(ours, shape.requests["raw"])
    return {"ours": mine} | {name: of(server, shape.requests[name]) for name, server in servers.items()}


def _check(shape: Shape, body: Path, *servers: Server) -> None:
    """Refuse to compare servers that do not answer the same."""
    bodies = {ask(server.port, shape.call, **shape.arguments) for server in servers}
    if bodies != {body.read_bytes()}:
        raise RuntimeError(f"the servers answer {shape.name} differently: {[one[:200] for one in bodies]}")


def _remark(costs: dict[str, list[Cost]], rival: str) -> str:
    def middle(name: str) -> float:
        return sorted(micros(costs[name]))[len(costs[name]) // 2]

    return f"{middle('ours'):,.0f} µs against {middle(rival):,.0f} µs"
