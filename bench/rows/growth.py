"""What a hundred times the data costs: an uncached page, and catching up after one delete. In process."""

import gc
import random
import time
from collections.abc import Callable, Iterator
from statistics import median

from bench.data import roster as made
from bench.figures import Bench, Figure
from deskroster.core import agents
from deskroster.core.access import OPERATOR
from deskroster.core.changes import Commit, Origin
from deskroster.core.roster import Roster
from deskroster.core.table import Window
from deskroster.dialects.udesk import shapes

SMALL, LARGE = 10_000, 1_000_000
PAGE = 20
_ORIGIN = Origin(agent_id=None, dialect="bench", address="", request_id="bench")


def measure(bench: Bench) -> Iterator[Figure]:
    rosters = {size: made(size) for size in (SMALL, LARGE)}
    gc.freeze()
    for what, job in (("an uncached page", _page), ("catching up after one delete", _catch_up)):
        costs: dict[int, list[float]] = {size: [] for size in rosters}
        for number in range(bench.rounds + 1):
            for size, roster in rosters.items():
                cost = _cost(job, roster, bench.requests(500))
                if number:
                    costs[size].append(cost)
        growth = median(large / small for small, large in zip(costs[SMALL], costs[LARGE], strict=True))
        yield Figure(
            what=f"{what} at {LARGE:,} agents against {SMALL:,}",
            measured=growth,
            at_least=3,
            aim=2,
            unit="×",
            less=True,
            remark=f"{median(costs[LARGE]) * 1e6:,.0f} µs against {median(costs[SMALL]) * 1e6:,.0f} µs",
        )


def _cost(job: Callable[[Roster], float], roster: Roster, times: int) -> float:
    """Return the CPU time of a job in seconds, on average."""
    return sum(job(roster) for _ in range(times)) / times


def _page(roster: Roster) -> float:
    roster.forget_encoded()
    window = Window(random.randrange(len(roster.agents) - PAGE), PAGE)
    began = time.thread_time()
    _show(roster, window)
    return time.thread_time() - began


def _catch_up(roster: Roster) -> float:
    """Apply the commit of a deletion, and show a page of what is left."""
    window = Window(random.randrange(len(roster.agents) - PAGE), PAGE)
    _show(roster, window)
    agent_id = roster.agents.ids.window(random.randrange(1, len(roster.agents)), 1)[0]
    changes = agents.delete(roster, OPERATOR, agent_id)
    commit = Commit(roster.number + 1, 1_700_000_000, _ORIGIN, changes)
    began = time.thread_time()
    roster.advance(commit)
    _show(roster, window)
    return time.thread_time() - began


def _show(roster: Roster, window: Window) -> None:
    shapes.agents_page(roster, agents.find(roster, OPERATOR, window))
