"""The lists of KF5 and ServiceGo against the Udesk list of the same kind of record and of equal bytes."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from bench.figures import Bench, Figure
from bench.load import ask
from bench.measure import Server, cost, in_turn, micros, product, ratio

AGENTS, GROUPS = 10_000, 1_000
_GROUPS, _AGENTS = ("udesk_groups", {"groups": GROUPS}), ("udesk_agents", {"agents": AGENTS})
PAIRS = (
    ("KF5 groups, 20", "kf5_groups", {"groups": GROUPS, "per_page": 20}, _GROUPS),
    ("KF5 users, 20", "kf5_users", {"agents": AGENTS, "per_page": 20}, _AGENTS),
    ("KF5 users, 100", "kf5_users", {"agents": AGENTS, "per_page": 100}, _AGENTS),
    ("ServiceGo staff, 20", "servicego_staff", {"agents": AGENTS, "per_page": 20}, _AGENTS),
    ("ServiceGo staff, 100", "servicego_staff", {"agents": AGENTS, "per_page": 100}, _AGENTS),
    ("ServiceGo groups, 20", "servicego_groups", {"groups": GROUPS, "per_page": 20}, _GROUPS),
)


def measure(bench: Bench) -> Iterator[Figure]:
    with product(bench.company(AGENTS)) as server:
        for name, call, arguments, (udesk, records) in PAIRS:
            length = len(ask(server.port, call, **arguments))
            equal = records | {"per_page": _per_page(server, udesk, records, length)}
            requests = bench.requests(10_000)
            costs = in_turn(
                {
                    "theirs": partial(cost, server, call, requests, **arguments),
                    "udesk": partial(cost, server, udesk, requests, **equal),
                },
                bench.rounds,
            )
            sizes = [round(costs[one][0].result.body_bytes) for one in ("theirs", "udesk")]
            yield Figure(
                what=f"{name} against the Udesk list of equal bytes",
                measured=ratio(micros(costs["udesk"]), micros(costs["theirs"])),
                at_least=0.9,
                aim=1.0,
                remark=f"{sizes[0]:,} and {sizes[1]:,} bytes",
            )


def _per_page(server: Server, call: str, records: dict[str, Any], length: int) -> int:
    """Return the page size at which a Udesk list is about as long."""
    ten, hundred = (len(ask(server.port, call, **records, per_page=size)) for size in (10, 100))
    each = (hundred - ten) / 90
    return min(max(round((length - (ten - 10 * each)) / each), 1), 100)
