"""Several processes on one PostgreSQL beside one with SQLite, and what it costs to ask what the others have written."""

import random
import re
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from bench.calls import Make, udesk_create, udesk_members
from bench.figures import Bench, Figure
from bench.load import Connection
from bench.measure import Cost, Server, cost, in_turn, micros, product, rates, ratio
from bench.postgresql import PostgreSQL, running

AGENTS, GROUPS = 10_000, 1_000
READ = {"groups": GROUPS, "per_page": 20}
PROCESSES = (1, 2, 4)
SQLITE = 0
_AMONG_MANY = {"sleeps": True}  # there are more processes than cores: one that never sleeps would be in their way
_WARM_UP = 10  # commits
_ID = re.compile(rb'"id": ?(\d+)')
Costs = dict[int, list[Cost]]
"""By the number of processes on PostgreSQL; `SQLITE` for one on SQLite."""


def measure(bench: Bench) -> Iterator[Figure]:
    folder = bench.folder / "processes"
    folder.mkdir()
    with running(folder) as postgresql:
        company = bench.company(AGENTS)
        postgresql.take_over(company)
        folders = {count: postgresql.copy(company, f"by_{count}") for count in PROCESSES}
        with ExitStack() as stack:
            servers = {SQLITE: stack.enter_context(product(bench.company(AGENTS)))}
            for count in PROCESSES:
                servers[count] = stack.enter_context(product(folders[count], workers=count))
            yield from _reads(bench, servers)
            yield from _writes(bench, servers)
        yield from _visibility(bench, postgresql, company)


def _reads(bench: Bench, servers: dict[int, Server]) -> Iterator[Figure]:
    many = _in_turn(bench, servers, "udesk_groups", 4_000, connections=32, **READ)
    alone = _in_turn(bench, {one: servers[one] for one in (SQLITE, 1)}, "udesk_groups", 1_500, connections=1, **READ)
    yield from _rates("reads", "32 clients", many)
    yield _second(in_turn(_measures(bench, servers), bench.rounds), "32 clients each", at_least=1.15, aim=1.0)
    yield _second(many, "32 clients between them")
    for clients, costs in (("32 clients", many), ("1 client", alone)):
        yield Figure(
            what=f"CPU time per read on PostgreSQL against SQLite, {clients}",
            measured=ratio(micros(costs[1]), micros(costs[SQLITE])),
            unit="×",
            less=True,
            remark=f"{median(micros(costs[1])):,.0f} µs against {median(micros(costs[SQLITE])):,.0f} µs",
        )
        yield Figure(
            what=f"a read's p50 on PostgreSQL, {clients}",
            measured=_p50(costs[1]),
            unit="ms",
            less=True,
            remark=f"SQLite {_p50(costs[SQLITE]):.2f} ms",
        )


def _measures(bench: Bench, servers: dict[int, Server]) -> dict[int, Callable[[], Cost]]:
    """Return what asks each process as much: a question is shared by all who wait for it, so that clients count."""
    more = READ | _AMONG_MANY
    return {
        count: partial(cost, servers[count], "udesk_groups", bench.requests(4_000), connections=32 * count, **more)
        for count in (1, 2)
    }


def _second(costs: Costs, clients: str, at_least: float | None = None, aim: float | None = None) -> Figure:
    return Figure(
        what=f"CPU time per read with two processes against one, {clients}",
        measured=ratio(micros(costs[2]), micros(costs[1])),
        at_least=at_least,
        aim=aim,
        unit="×",
        less=True,
        remark=f"{median(micros(costs[2])):,.0f} µs against {median(micros(costs[1])):,.0f} µs",
    )


def _writes(bench: Bench, servers: dict[int, Server]) -> Iterator[Figure]:
    yield from _rates("durable creates", "64 clients", _in_turn(bench, servers, "udesk_create", 1_500, connections=64))


def _rates(what: str, clients: str, costs: Costs) -> Iterator[Figure]:
    for count in PROCESSES:
        processes = "1 process" if count == 1 else f"{count} processes"
        yield Figure(
            what=f"{what} a second by {processes} on PostgreSQL against SQLite, {clients}",
            measured=ratio(rates(costs[count]), rates(costs[SQLITE])),
            remark=f"{median(rates(costs[count])):,.0f} against {median(rates(costs[SQLITE])):,.0f} a second",
        )


def _visibility(bench: Bench, postgresql: PostgreSQL, company: Path) -> Iterator[Figure]:
    """Create a group by one process and ask another for it as soon as that is answered; and again, without any news."""
    folders = [postgresql.copy(company, "seen"), postgresql.another(company, "elsewhere", "seen")]
    with product(folders[0]) as one, product(folders[1]) as other:
        writing, reading, salt = Connection(one.port), Connection(other.port), secrets.token_hex(6)
        news, none = list[float](), list[float]()
        for number in range(bench.requests(300)):
            made = _group_id(_asked(writing, udesk_create(), f"{salt}-{number}")[1])
            for times, which in ((news, "news"), (none, "none")):
                seconds, answer = _asked(reading, udesk_members(made, made), f"{salt}-{number}-{which}")
                if b'{"code":1000,' not in answer:
                    raise RuntimeError(f"the next request does not see what was committed: {answer[-300:]!r}")
                times.append(seconds * 1_000)
    news, none = sorted(news[_WARM_UP:]), none[_WARM_UP:]
    yield Figure(
        what="the next request elsewhere after a commit, which it sees: p50",
        measured=median(news),
        unit="ms",
        less=True,
        remark=f"p99 {news[len(news) * 99 // 100]:.1f} ms; without news {median(none):.2f} ms; {len(news)} seen",
    )


def _asked(connection: Connection, make: Make, unique: str) -> tuple[float, bytes]:
    """Make a request; return the seconds until its answer, and that."""
    connection.send(make(random.Random(0), 0, unique))
    while not connection.receive():
        pass
    return time.perf_counter() - connection.sent_at, connection.answer


def _group_id(answer: bytes) -> int:
    found = _ID.search(answer)
    if found is None:
        raise RuntimeError(f"no group was made: {answer[-300:]!r}")
    return int(found[1])


def _in_turn(bench: Bench, servers: dict[int, Server], call: str, requests: int, **more: Any) -> Costs:
    more |= _AMONG_MANY
    measures = {one: partial(cost, server, call, bench.requests(requests), **more) for one, server in servers.items()}
    return in_turn(measures, bench.rounds)


def _p50(costs: list[Cost]) -> float:
    return median(one.result.p50 for one in costs) * 1_000
