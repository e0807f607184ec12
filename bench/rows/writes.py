"""Durable writes: together, one at a time, beside reads, and how long one takes."""

import sqlite3
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from statistics import median

from bench.figures import Bench, Figure
from bench.load import Result
from bench.measure import Cost, Server, cost, in_turn, load, micros, product, rates, ratio, together

AGENTS, GROUPS = 10_000, 1_000
READ = {"groups": GROUPS, "per_page": 20}


def measure_many(bench: Bench) -> Iterator[Figure]:
    """64 clients, their writes committed together, against a commit each."""
    with product(bench.company(AGENTS)) as ours, product(bench.company(AGENTS), "bench.one_by_one") as each:
        costs = in_turn(
            {
                "together": partial(cost, ours, "udesk_create", bench.requests(10_000), connections=64),
                "each": partial(cost, each, "udesk_create", bench.requests(4_000), connections=64),
            },
            bench.rounds,
        )
    together, alone = median(rates(costs["together"])), median(rates(costs["each"]))
    yield Figure(
        what="durable creates a second with 64 clients against a commit each",
        measured=ratio(rates(costs["together"]), rates(costs["each"])),
        at_least=4,
        aim=6,
        remark=f"{together:,.0f} against {alone:,.0f} a second",
    )
    yield Figure(
        what="the same as CPU time of the server",
        measured=ratio(micros(costs["each"]), micros(costs["together"])),
        remark=f"{median(micros(costs['together'])):,.0f} µs against {median(micros(costs['each'])):,.0f} µs",
    )


def measure_one(bench: Bench) -> Iterator[Figure]:
    """One client against a loop that inserts and commits and does nothing else."""
    requests = bench.requests(2_000)
    with product(bench.company(AGENTS)) as ours:
        costs = in_turn(
            {
                "ours": partial(cost, ours, "udesk_create", requests, connections=1),
                "bare": partial(_bare_loop, bench.folder / "bare.db", requests),
            },
            bench.rounds,
        )
    mine, bare = median(rates(costs["ours"])), median(rates(costs["bare"]))
    yield Figure(
        what="durable creates a second with 1 client against a bare insert-and-commit loop",
        measured=ratio(rates(costs["ours"]), rates(costs["bare"])),
        at_least=0.3,
        aim=0.5,
        remark=f"{mine:,.0f} against {bare:,.0f} a second",
    )


def measure_beside_reads(bench: Bench) -> Iterator[Figure]:
    """Measure reads while groups are renamed 200 times a second, all that the server does counted as theirs."""
    with product(bench.company(AGENTS)) as ours:
        costs = in_turn(
            {"alone": partial(_reads, bench, ours, 0), "beside": partial(_reads, bench, ours, 200)}, bench.rounds
        )
    yield Figure(
        what="reads while 200 durable writes a second go on, against reads alone",
        measured=ratio(micros(costs["alone"]), micros(costs["beside"])),
        at_least=0.75,
        aim=0.95,
        remark=f"{median(rates(costs['beside'])):,.0f} reads a second against {median(rates(costs['alone'])):,.0f}",
    )


def measure_latency(bench: Bench) -> Iterator[Figure]:
    """How long a durable write takes while 32 connections read as fast as they can."""
    with product(bench.company(AGENTS)) as ours:
        results = [_write_beside_reads(bench, ours) for _ in range(bench.rounds + 1)][1:]
    yield Figure(
        what="a durable write's p50 while 32 connections read as fast as they can",
        measured=median(result.p50 for result in results) * 1_000,
        at_least=10,
        aim=3,
        unit="ms",
        less=True,
        remark=f"p99 {median(result.p99 for result in results) * 1_000:.1f} ms",
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


def _write_beside_reads(bench: Bench, server: Server) -> Result:
    seconds = _seconds(bench)
    reading = load(server, "udesk_groups", int(50_000 * seconds), seconds=seconds, **READ)
    writing = load(server, "udesk_create", 20_000, connections=1, seconds=seconds)
    return together(server, reading, writing)[1][1]


def _bare_loop(path: Path, count: int) -> Cost:
    """Insert and commit, as durably: WAL, synchronous=FULL, one connection that nobody shares."""
    path.unlink(missing_ok=True)
    db = sqlite3.connect(path, isolation_level=None)
    for pragma in ("locking_mode = EXCLUSIVE", "journal_mode = WAL", "synchronous = FULL"):
        db.execute(f"PRAGMA {pragma}").fetchall()
    db.execute("CREATE TABLE groups (id INTEGER PRIMARY KEY, name TEXT, created_at INTEGER, updated_at INTEGER) STRICT")
    used, began = time.thread_time(), time.perf_counter()
    for number in range(count):
        db.execute("BEGIN IMMEDIATE")
        db.execute("INSERT INTO groups (name, created_at, updated_at) VALUES (?, 1, 1)", (f"Load {number}",))
        db.execute("COMMIT")
    seconds, used = time.perf_counter() - began, time.thread_time() - used
    db.close()
    return Cost(Result(answered=count, refused=0, seconds=seconds, body_bytes=0, p50=0, p99=0, sample=""), used)
