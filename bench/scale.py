"""`python -m bench.scale`: what 10,000 companies would ask of memory, of a database and of 50 machines. Run by hand.

`memory` is measured, and `database URL` on an empty PostgreSQL database; `plan` is computed and simulated from a seed.
"""

import asyncio
import bisect
import gc
import math
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b
from pathlib import Path
from statistics import mean, median

import psycopg

from bench.data import records
from deskroster.core import groups
from deskroster.core.access import Caller
from deskroster.core.changes import Batch, Change, Origin
from deskroster.core.records import AnyRecord, Company
from deskroster.core.roster import Roster
from deskroster.ledger import Store, Work
from deskroster.ledger.location import engine_at

SEED = 2026
ORIGIN = Origin(agent_id=None, dialect="bench", address="", request_id="bench")

COMPANIES, AGENTS, MACHINES, PROCESSES = 10_000, 1_000_000, 50, 2  # processes on each machine
REQUESTS, WRITES, SIGNED = 20_000, 200, 0.7  # a second at the peak; the share that brings a nonce
QUESTION = 0.002  # seconds that a question takes, its standby included
SMALLEST = 3  # agents


def memory() -> Iterable[Sequence[object]]:
    """Measure the memory of a loaded company, each size in its own process."""
    yield "agents per company", "companies loaded", "KiB per company", "bytes per agent", "ms of CPU to load a company"
    for agents, count in ((10, 300), (100, 100), (1_000, 20), (10_000, 4)):
        told = subprocess.run(
            [sys.executable, "-m", "bench.scale", "load", str(agents), str(count)], check=True, stdout=subprocess.PIPE
        ).stdout.split()
        kib, milliseconds = float(told[0]), float(told[1])
        yield f"{agents:,}", count, f"{kib:,.0f}", f"{kib * 1024 / agents:,.0f}", f"{milliseconds:,.1f}"


def load(agents: int, count: int) -> None:
    """Print the KiB and the milliseconds of CPU that a company takes to be loaded."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "bench.scale", "fill", folder, str(agents), str(count)], check=True)
        asyncio.run(_load(Path(folder), count))


async def _load(folder: Path, count: int) -> None:
    store = Store.open(folder)
    await store.load(count)  # what is loaded with the first one only is not counted
    gc.collect()
    before, began = _resident(), time.process_time()
    for company_id in range(1, count):
        await store.load(company_id)
    took = time.process_time() - began
    gc.collect()
    print((_resident() - before) / (count - 1), 1000 * took / (count - 1))
    await store.close()


async def fill(store: Store, agents: int, count: int) -> None:
    """Found so many companies with so many agents each."""
    content: list[AnyRecord] = list(records(agents))
    for number in range(1, count + 1):
        await store.create_company(Company(id=0, label=f"c{number}", name=f"Company {number}"), content, ORIGIN)
    await store.close()


async def database(url: str) -> list[Sequence[object]]:
    """Measure a database: what a question costs alone and shared, a commit, and the upkeep once a minute."""
    count, rows = 200, list[Sequence[object]]()
    with tempfile.TemporaryDirectory() as folder:
        await fill(Store.open(Path(folder), engine=engine_at(url)), 10, count)
        began = time.perf_counter()
        store = Store.open(Path(folder), engine=engine_at(url))
        for company_id in range(1, count + 1):
            ledger = await store.load(company_id)
        rows.append((f"load {count} companies of 10 agents, one by one", _each(began, count)))
        with psycopg.connect(url, autocommit=True) as look:
            for what, nonces in (("without a nonce", 0), ("with one nonce", 1), ("with 20 nonces", 20)):

                async def ask(turn: int, nonces: int = nonces) -> None:
                    asked = [f"{nonces}-{turn}-{number}" for number in range(nonces)] or [None]
                    await asyncio.gather(*(store.fresh(ledger, nonce) for nonce in asked))

                rows.append((f"a freshness query {what}", *await _costs(look, ask)))

            async def write(turn: int) -> None:
                await ledger.submit(Work(None, ORIGIN, _create(f"g{turn}"), lambda roster, done: b"", None))

            rows.append(("a single write", *await _costs(look, write)))
            began = time.perf_counter()
            await store.upkeep.run_once()
            rows.append((f"the upkeep of a minute, {count} companies loaded", _each(began, count)))
            connections = look.execute("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'deskroster'")
            rows.append(("connections of this process", str(connections.fetchone()[0])))
        await store.close()
    return [("what", "measured", "WAL written"), *rows]


async def _costs(look: "psycopg.Connection[tuple[int]]", job: Callable[[int], object], times: int = 300) -> list[str]:
    """Return the median time of a job, and the bytes of the write-ahead log that it causes."""
    for turn in range(20):
        await job(-turn - 1)
    took, before = [], _written(look)
    for turn in range(times):
        began = time.perf_counter()
        await job(turn)
        took.append(time.perf_counter() - began)
    return [f"{1000 * median(took):.2f} ms", f"{(_written(look) - before) / times:,.0f} bytes"]


def plan() -> Iterable[Iterable[Sequence[object]]]:
    """Compute what all companies together need. Each table is reproducible from the seed."""
    dice = random.Random(SEED)
    sizes = companies()
    yield [
        ("in a Zipf-like distribution", ""),
        *(
            (f"the {name} company", f"{sizes[at]:,} agents")
            for name, at in (("largest", 0), ("10th", 9), ("100th", 99))
        ),
        ("the median company", f"{sizes[COMPANIES // 2]:,} agents"),
        ("total", f"{sum(sizes):,} agents in {len(sizes):,} companies"),
    ]
    yield [
        ("requests a second for one company at one process", "queries a second", "requests that share one",
         "queries a second by the formula"),
        *((f"{rate:,}", f"{asked:,.1f}", f"{rate / asked:,.1f}", f"{questions(rate, QUESTION):,.1f}")
          for rate in (1, 10, 100, 500, 1_000, 5_000)
          for asked in [simulated(dice, rate, QUESTION)]),
    ]  # fmt: skip
    yield list(_fleet(sizes))
    yield list(_spread(sizes))


def companies() -> list[int]:
    """Return the agents of each company, largest first: few are large and most are small."""
    shares = [1 / (rank + 20) ** 0.95 for rank in range(COMPANIES)]
    scale = (AGENTS - SMALLEST * COMPANIES) / sum(shares)
    return [SMALLEST + round(scale * share) for share in shares]


def questions(rate: float, seconds: float, pause: float = 0.0) -> float:
    """Return the questions a second for one company at one process: one at a time, who waits shares the next.

    `pause`: seconds that the first who waits is let wait for others.
    """
    return 1 / (seconds + pause + math.exp(-rate * seconds) / rate)


def simulated(dice: random.Random, rate: float, seconds: float, asked: int = 4_000) -> float:
    """Return the same by playing it: requests come at random, a question takes its time."""
    now, arrival = 0.0, dice.expovariate(rate)
    for _ in range(asked):
        now = max(now, arrival)
        while arrival <= now:
            arrival += dice.expovariate(rate)
        now += seconds
    return asked / now


def _fleet(sizes: list[int]) -> Iterable[Sequence[object]]:
    yield ("where a company is served, and what a query is for", "companies in a process", "agents in a process",
           "queries a second", "requests that share one")  # fmt: skip
    total = sum(sizes)
    for machines in (MACHINES, 5, 1):
        places = machines * PROCESSES
        asked = sum(places * questions(REQUESTS * size / total / places, QUESTION) for size in sizes)
        share = machines / MACHINES
        held = f"{COMPANIES * share:,.0f}", f"{total * share:,.0f}"
        yield f"on {machines} of {MACHINES} machines, each company by itself", *held, *_asked(asked)
    for pause in (0.0, 0.005, 0.02):
        asked = MACHINES * PROCESSES * questions(REQUESTS / MACHINES / PROCESSES, QUESTION, pause)
        late = f" after a pause of {1000 * pause:.0f} ms" if pause else ""
        yield f"on 1 of {MACHINES} machines, one query for all companies of a process{late}", *held, *_asked(asked)


def _asked(asked: float) -> tuple[str, str]:
    return f"{asked:,.0f}", f"{REQUESTS / asked:.1f}"


def _spread(sizes: list[int]) -> Iterable[Sequence[object]]:
    yield ("points per machine on the ring", "most companies / mean", "most agents / mean",
           "the same with two machines per company", "companies that move when one of 50 machines fails")  # fmt: skip
    for points in (1, 16, 128, 1_024):
        ring = _ring(range(MACHINES), points)
        homes = [_homes(ring, company, 2) for company in range(COMPANIES)]
        one, two = Counter[int](), Counter[int]()
        for (first, second), size in zip(homes, sizes, strict=True):
            one[first] += size
            two[first] += size
            two[second] += size
        smaller = _ring(range(MACHINES - 1), points)
        moved = sum(_homes(smaller, company, 1)[0] != homes[company][0] for company in range(COMPANIES))
        number = Counter(first for first, _ in homes)
        yield (f"{points:,}", *(f"{max(held.values()) / mean(held[at] for at in range(MACHINES)):.2f}"
               for held in (number, one, two)), f"{100 * moved / COMPANIES:.1f} %")  # fmt: skip


def _ring(machines: Iterable[int], points: int) -> list[tuple[int, int]]:
    return sorted((_hash(f"machine {machine} {point}"), machine) for machine in machines for point in range(points))


def _homes(ring: list[tuple[int, int]], company: int, count: int) -> list[int]:
    """Return the machines that a company belongs to: the next on the ring."""
    at, found = bisect.bisect(ring, (_hash(f"company {company}"), 0)), list[int]()
    while len(found) < count:
        machine = ring[at % len(ring)][1]
        if machine not in found:
            found.append(machine)
        at += 1
    return found


def _hash(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest())


def _create(name: str) -> Callable[[Roster, Caller], list[Change] | Batch]:
    return lambda roster, caller: groups.create(roster, caller, name, (), 1_700_000_000)


def _resident() -> float:
    """Return the KiB that this process has in memory."""
    status = Path("/proc/self/status").read_text()
    return float(status.partition("VmRSS:")[2].split()[0])


def _written(look: "psycopg.Connection[tuple[int]]") -> int:
    (written,) = look.execute("SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint").fetchone() or (0,)
    return written


def _each(began: float, count: int) -> str:
    took = time.perf_counter() - began
    return f"{took:.2f} s, {1000 * took / count:.2f} ms each"


def _table(rows: Iterable[Sequence[object]]) -> None:
    head, *rest = ([str(cell) for cell in row] for row in rows)
    print("|", " | ".join(head), "|")
    print("|---" + "|---:" * (len(head) - 1) + "|")
    for row in rest:
        print("|", " | ".join(row + [""] * (len(head) - len(row))), "|")
    print()


def main(what: str = "", *arguments: str) -> None:
    match what, arguments:
        case "load", (agents, count):
            load(int(agents), int(count))
        case "fill", (folder, agents, count):
            asyncio.run(fill(Store.open(Path(folder)), int(agents), int(count)))
        case "memory", ():
            _table(memory())
        case "database", (url,):
            _table(asyncio.run(database(url)))
        case "plan", ():
            for table in plan():
                _table(table)
        case _:
            sys.exit(f"{__doc__}\npython -m bench.scale memory | plan | database URL")


if __name__ == "__main__":
    main(*sys.argv[1:])
