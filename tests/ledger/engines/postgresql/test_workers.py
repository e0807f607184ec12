"""On PostgreSQL long work never takes the last connection, and each wait for one has an end."""

import asyncio
import threading
from contextlib import asynccontextmanager

import pytest

from deskroster import eager
from deskroster.core.records import Company
from deskroster.ledger.engines import NotBegun
from deskroster.ledger.engines.postgresql import engine as postgresql
from deskroster.ledger.engines.postgresql.engine import MAX_LONG, POOL_SIZE
from tests.ledger.support import first_records, names, new_group, origin, work

pytestmark = pytest.mark.once

SECONDS = 60.0  # for what happens at once on an idle machine


@asynccontextmanager
async def long_jobs(engine, count):
    """Have so many long jobs that end with the block; give how many have begun."""
    begun, end = [], threading.Event()

    def job(db):
        begun.append(db.execute("SELECT 1").fetchone())
        end.wait(SECONDS)

    jobs = [asyncio.ensure_future(engine.read_long(job)) for _ in range(count)]
    while len(begun) < min(count, engine._long._value + len(begun)):  # noqa: ASYNC110 - until all that may have begun
        await asyncio.sleep(0.01)
    try:
        yield begun
    finally:
        end.set()
        await asyncio.gather(*jobs)


@pytest.mark.parametrize("count", [MAX_LONG, 4, POOL_SIZE, 3 * POOL_SIZE])
def test_reads_and_writes_go_on_however_much_long_work_is_under_way(processes, count):
    async def run():
        async with processes(1) as ([(store, ledger)], _):
            async with long_jobs(store._engine, count) as begun:
                reads = [store.companies_with_email("zhaofeng@udesk.cn") for _ in range(20)]
                writes = [ledger.submit(work(new_group(name))) for name in "abc"]
                answers = await asyncio.wait_for(asyncio.gather(*reads, *writes), SECONDS)

                assert [[1]] * 20 + [b"1", b"2", b"3"] == answers
                assert MAX_LONG == len(begun)
            assert ["a", "b", "c"] == names(ledger)
            assert count == len(begun)

    asyncio.run(run())


def test_control_without_room_kept_for_short_work_nothing_goes_on(processes):
    async def run():
        async with processes(1) as ([(store, _)], _):
            engine = store._engine
            engine._long, engine._slow = asyncio.Semaphore(POOL_SIZE), asyncio.Semaphore(POOL_SIZE)
            async with long_jobs(engine, POOL_SIZE):
                with pytest.raises(NotBegun):
                    await engine.read(lambda db: None, timeout=0.05)
                with pytest.raises(NotBegun):
                    await engine._acquire((engine._slow,), 0.05)

    asyncio.run(run())


def test_a_read_finds_a_connection_while_every_writer_waits_for_a_lock(processes, databases, database):
    async def run():
        async with processes(1) as ([(store, ledger)], _):
            ledgers = [ledger]
            for name in ("b", "c", "d", "e", "f"):
                company = Company(id=0, label=name, name=name)
                ledgers.append(await store.create_company(company, first_records(), origin()))
            with databases.connect(database) as other:
                other.execute("BEGIN; SELECT set_config('deskroster.company', '0', true)")
                other.execute("SELECT number FROM companies FOR UPDATE")
                writes = [asyncio.ensure_future(one.submit(work(new_group("a")))) for one in ledgers]
                while store._engine._slow._value:  # noqa: ASYNC110 - until as many wait as may
                    await asyncio.sleep(0.01)

                assert list(range(1, 7)) == sorted(await store.companies_with_email("zhaofeng@udesk.cn"))
                assert not any(write.done() for write in writes)
                other.execute("ROLLBACK")
            await asyncio.gather(*writes, return_exceptions=True)

    asyncio.run(run())


def test_a_request_may_wait_for_a_connection_before_it_has_a_task(processes):
    """A request begins without one: it becomes a task where it first waits."""

    async def run():
        async with processes(1) as ([(store, _)], _):
            loop, found = asyncio.get_running_loop(), []

            async def first():
                found.append(await store.companies_with_email("zhaofeng@udesk.cn"))

            async with long_jobs(store._engine, MAX_LONG):
                workers = [await store._engine._acquire((), SECONDS) for _ in range(POOL_SIZE - MAX_LONG)]
                begun = loop.create_future()
                loop.call_soon(lambda: begun.set_result(eager.begun(loop, first())))
                waiting = await begun
                for worker in workers:
                    store._engine.release_worker(worker)
                await waiting

            assert [[1]] == found

    asyncio.run(run())


def test_who_is_given_up_while_waiting_for_a_connection_leaves_all_of_them_to_others(processes):
    async def run():
        async with processes(1) as ([(store, ledger)], _):
            engine = store._engine
            async with long_jobs(engine, MAX_LONG):
                for _ in range(3 * POOL_SIZE):
                    with pytest.raises(NotBegun):
                        await engine._acquire((engine._slow, engine._long), 0.001)
            assert (MAX_LONG, postgresql.MAX_SLOW) == (engine._long._value, engine._slow._value)
            assert POOL_SIZE == engine._idle.qsize()
            assert b"1" == await ledger.submit(work(new_group("a")))

    asyncio.run(run())
