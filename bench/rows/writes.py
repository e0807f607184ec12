"""Durable writes: together, one at a time, beside reads, and how long one takes."""

from collections.abc import Iterator
from functools import partial
from statistics import median

from bench.figures import Bench, Figure
from bench.load import Result
from bench.measure import Cost, Server, cost, in_turn, load, micros, product, rates, ratio, together
from bench.rivals import chained

AGENTS, GROUPS = 10_000, 1_000
READ = {"groups": GROUPS, "per_page": 20}
READS_FOR_A_WRITE = 200


def measure_many(bench: Bench) -> Iterator[Figure]:
    """64 clients, their writes committed together: what one costs beside a read, and beside a commit each."""
    with product(bench.company(AGENTS)) as ours, product(bench.company(AGENTS), "bench.one_by_one") as each:
        costs = in_turn(
            {
                "together": partial(cost, ours, "udesk_create", bench.requests(10_000), connections=64),
                "reads": partial(cost, ours, "udesk_groups", bench.requests(15_000), connections=64, **READ),
                "each": partial(cost, each, "udesk_create", bench.requests(4_000), connections=64),
            },
            bench.rounds,
        )
    used = {name: median(micros(some)) for name, some in costs.items()}
    together, alone = median(rates(costs["together"])), median(rates(costs["each"]))
    yield Figure(
        what="CPU time of a durable create with 64 clients against a list of 20",
        measured=ratio(micros(costs["together"]), micros(costs["reads"])),
        at_least=3.5,
        aim=2.5,
        unit="×",
        less=True,
        remark=f"{used['together']:,.0f} µs against {used['reads']:,.0f} µs",
    )
    yield Figure(
        what="durable creates a second with 64 clients against a commit each",
        measured=ratio(rates(costs["together"]), rates(costs["each"])),
        remark=f"{together:,.0f} against {alone:,.0f} a second",
    )
    yield Figure(
        what="the same as CPU time of the server",
        measured=ratio(micros(costs["each"]), micros(costs["together"])),
        remark=f"{used['together']:,.0f} µs against {used['each']:,.0f} µs",
    )


def measure_one(bench: Bench) -> Iterator[Figure]:
    """One client against a loop that hashes, chains and commits as much, and does nothing else."""
    requests = bench.requests(2_000)
    with product(bench.company(AGENTS)) as ours:
        costs = in_turn(
            {
                "ours": partial(cost, ours, "udesk_create", requests, connections=1),
                "bare": partial(chained.loop, bench.folder / "bare.db", requests),
            },
            bench.rounds,
        )
    mine, bare = median(rates(costs["ours"])), median(rates(costs["bare"]))
    yield Figure(
        what="durable creates a second with 1 client against a bare loop that hashes, chains and commits as much",
        measured=ratio(rates(costs["ours"]), rates(costs["bare"])),
        at_least=0.3,
        aim=0.5,
        remark=f"{mine:,.0f} against {bare:,.0f} a second",
    )


def measure_beside_reads(bench: Bench) -> Iterator[Figure]:
    """Measure reads while groups are renamed, all that the server does counted as theirs.

    A write comes for every 200 reads that there are without: so a machine that is slower has fewer of both.
    """
    rate = 0.0

    def alone() -> Cost:
        nonlocal rate
        cost = _reads(bench, ours, 0)
        rate = cost.rate
        return cost

    def beside() -> Cost:
        return _reads(bench, ours, round(rate / READS_FOR_A_WRITE))

    with product(bench.company(AGENTS)) as ours:
        costs = in_turn({"alone": alone, "beside": beside}, bench.rounds)
    yield Figure(
        what=f"reads while durable writes go on, one for {READS_FOR_A_WRITE} reads alone, against reads alone",
        measured=ratio(micros(costs["alone"]), micros(costs["beside"])),
        at_least=0.75,
        aim=0.95,
        remark=f"{median(rates(costs['beside'])):,.0f} reads a second against {median(rates(costs['alone'])):,.0f}",
    )


def measure_latency(bench: Bench) -> Iterator[Figure]:
    """How long a durable write takes while 32 connections read as fast as they can, against the same write alone."""
    times: dict[bool, list[float]] = {False: [], True: []}
    with product(bench.company(AGENTS)) as ours:
        for number in range(bench.rounds + 1):
            for beside in times:
                result = _write(bench, ours, beside)
                if number:
                    times[beside].append(result.p50 * 1_000)
    yield Figure(
        what="a durable write's p50 while 32 connections read as fast as they can, against the same write alone",
        measured=ratio(times[True], times[False]),
        at_least=13,
        aim=4,
        unit="×",
        less=True,
        remark=f"{median(times[True]):.2f} ms against {median(times[False]):.2f} ms",
    )


def _seconds(bench: Bench) -> float:
    return 1.5 if bench.quick else 4.0


def _reads(bench: Bench, server: Server, writes: int) -> Cost:
    seconds = _seconds(bench)
    loads = [load(server, "udesk_groups", int(50_000 * seconds), seconds=seconds, **READ)]
    if writes:
        count = int(writes * seconds)
        loads.append(load(server, "udesk_rename", count, groups=GROUPS, rate=writes, connections=16, seconds=seconds))
    used, results = together(server, *loads)
    if writes and (written := results[1]).answered < 0.95 * writes * written.seconds:
        raise RuntimeError(f"only {written.answered} writes in {written.seconds:.1f} s")
    return used


def _write(bench: Bench, server: Server, beside_reads: bool) -> Result:
    seconds = _seconds(bench)
    loads = [load(server, "udesk_create", 20_000, connections=1, seconds=seconds)]
    if beside_reads:
        loads.append(load(server, "udesk_groups", int(50_000 * seconds), seconds=seconds, **READ))
    return together(server, *loads)[1][0]
