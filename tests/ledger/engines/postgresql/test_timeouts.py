"""On PostgreSQL nobody waits without end: for a server that is silent, for a process that stands still, for a job."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import psycopg
import pytest

from deskroster.core.problems import Busy
from deskroster.ledger.engines import Failed, Gone, NotBegun
from deskroster.ledger.engines.postgresql import advisory_lock
from deskroster.ledger.engines.postgresql.advisory_lock import LockHolder
from deskroster.ledger.engines.postgresql.connection import Connection, Primary
from deskroster.ledger.engines.postgresql.engine import POOL_SIZE
from deskroster.ledger.engines.postgresql.worker import ConnectionWorker
from deskroster.ledger.engines.waiting import within
from tests.ledger.support import NOW

pytestmark = pytest.mark.once

SECONDS = 60.0  # for what happens at once on an idle machine
SHORT = 0.05
FOR_EVER = "SELECT pg_sleep(600)"


def sleeping(raw):
    return raw.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'"
    ).fetchone()[0]


async def until(found):
    async with asyncio.timeout(SECONDS):
        while not found():  # noqa: ASYNC110 - it is the server that it happens in
            await asyncio.sleep(0.01)


def hold_the_calls(raw):
    """Hold the row of a company's calls, as a process does that stands still before its commit."""
    raw.execute("BEGIN; SELECT set_config('deskroster.company', '1', true)")
    raw.execute("SELECT 1 FROM call_counts WHERE company_id = 1 FOR UPDATE")


# ── calls of a minute ────────────────────────────────────────────────────────────────────────────────────────────────


def test_who_counts_calls_and_stands_still_is_ended_by_who_waits(processes, databases, database):
    async def run():
        async with processes(1) as ([(store, _)], _):
            databases.set_clock(database, NOW)
            assert 0 == await store.count_call(1, 3)
            stuck = databases.connect(database)
            hold_the_calls(stuck)

            assert [0, 0] == await asyncio.gather(*(store.count_call(1, 3) for _ in range(2)))
            with pytest.raises(psycopg.OperationalError):
                stuck.execute("COMMIT")
            stuck.close()

    asyncio.run(run())


def test_reads_and_writes_of_other_companies_go_on_while_calls_cannot_be_counted(processes, databases, database):
    async def run():
        async with processes(1) as ([(store, _)], _):
            await store.count_call(1, 3)
            with databases.connect(database) as at_work:  # it is not stuck, only slow: nobody ends it
                hold_the_calls(at_work)
                asleep = asyncio.ensure_future(asyncio.to_thread(at_work.execute, "SELECT pg_sleep(2)"))
                calls = [asyncio.ensure_future(store.count_call(1, 99)) for _ in range(3 * POOL_SIZE)]
                await until(lambda: not store._engine._slow._value)  # as many wait as may

                assert [1] == await store.companies_with_email("zhaofeng@udesk.cn")
                assert not any(call.done() for call in calls)
                await asleep
                at_work.execute("ROLLBACK")
            assert {0} == set(await asyncio.gather(*calls))

    asyncio.run(run())


def test_a_call_is_counted_in_one_message_so_no_lock_waits_for_this_process(processes, monkeypatch):
    waits, wait = [], Connection.wait

    def counted(connection, *what, **how):
        if threading.current_thread().name.startswith("ledger"):
            waits.append(connection)
        return wait(connection, *what, **how)

    async def run():
        async with processes(1) as ([(store, _)], _):
            worker = await store._engine._acquire((), SECONDS)
            store._engine.release_worker(worker)
            await store.count_call(1, 3)  # makes the connection
            monkeypatch.setattr(Connection, "wait", counted)
            await store.count_call(1, 3)

            assert 1 == len([one for one in waits if one is worker._session.connection])

    asyncio.run(run())


# ── jobs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_who_closes_does_not_wait_for_a_job_that_goes_on(processes, databases, database):
    async def run():
        async with processes(1) as ([(store, _)], _):
            worker = ConnectionWorker(store._engine._primary)
            reading = asyncio.ensure_future(worker.run(lambda session: session.connection.execute(FOR_EVER), 600))
            behind = asyncio.ensure_future(worker.run(lambda session: session.connection.execute(FOR_EVER), 600))
            with databases.connect(database) as raw:
                await until(lambda: sleeping(raw))
            await asyncio.wait_for(asyncio.to_thread(worker.close), SECONDS)

            with pytest.raises(NotBegun):
                await behind
            with pytest.raises(Gone):
                await reading

    asyncio.run(run())


def test_a_job_that_nobody_waits_for_any_more_is_broken_off(processes, databases, database):
    async def run():
        async with processes(1) as ([(store, _)], _):
            worker = ConnectionWorker(store._engine._primary)
            try:
                running = asyncio.ensure_future(worker.run(lambda session: session.connection.execute(FOR_EVER), 600))
                with databases.connect(database) as raw:
                    await until(lambda: sleeping(raw))
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
                next_one = worker.run(lambda session: session.script("SELECT 1"), 600)

                assert [(1,)] == await asyncio.wait_for(next_one, SECONDS)
            finally:
                worker.abort()
                worker.close()

    asyncio.run(run())


def test_a_long_job_has_no_more_cursors_open_than_it_reads_from(processes):
    def job(db):
        opened = []
        for _ in range(20):
            db.execute("SELECT company_id FROM companies").fetchone()
            for _ in db.execute("SELECT company_id FROM companies"):
                db.execute("SELECT company_id FROM companies").fetchall()
            opened.append(db.execute("SELECT count(*) FROM pg_cursors LIMIT 1").fetchone()[0])
        half_read = iter(db.execute("SELECT generate_series(1, 5000) AS n"))
        assert next(half_read) == (1,)
        db.execute("SELECT company_id FROM companies").fetchall()
        assert [(n,) for n in range(2, 5001)] == list(half_read)
        return max(opened)

    async def run():
        async with processes(1) as ([(store, _)], _):
            assert await store._engine.read_long(job) <= 4  # of the loop, of the last look, and of the question itself

    asyncio.run(run())


# ── the session that says that the installation is open ──────────────────────────────────────────────────────────────


@pytest.fixture
def impatient(monkeypatch):
    """Take a server for silent at once."""
    monkeypatch.setattr(advisory_lock, "READ_TIMEOUT", SHORT)
    monkeypatch.setattr(advisory_lock, "CHECK_SECONDS", SHORT)


@pytest.fixture
def kept(databases, database):
    """Give a holder of the advisory lock, and end what it runs."""
    made = LockHolder(Primary(databases.url(database)))
    yield made
    made.close()


def in_time(job):
    """Run something in a thread; return what it raises. Fails where it does not end."""
    raised = []

    def run():
        try:
            job()
            raised.append(None)
        except Exception as error:  # noqa: BLE001 - told to the test
            raised.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(SECONDS)
    assert raised, "it does not end"
    return raised[0]


def test_a_job_beside_on_a_silent_server_is_given_up(kept, impatient):
    kept.run_in_background(lambda session: session.connection.execute(FOR_EVER))

    in_time(kept._ping)
    assert in_time(kept._ping) is None


def test_a_server_that_falls_silent_while_the_lock_is_taken_is_given_up(databases, database, impatient, monkeypatch):
    monkeypatch.setattr(LockHolder, "_take_lock", lambda holder, session: session.connection.execute(FOR_EVER))

    assert isinstance(in_time(lambda: LockHolder(Primary(databases.url(database)))), Failed)


def test_a_long_job_is_not_given_up(kept, impatient):
    slow = "SELECT pg_sleep(0.5)"

    assert [("",)] == kept.run_now(lambda session: session.connection.execute(slow).fetchall())


def test_who_closes_does_not_wait_for_a_long_job(databases, database, impatient):
    made, begun = LockHolder(Primary(databases.url(database))), threading.Event()

    def job(session):
        begun.set()
        session.connection.execute(FOR_EVER)

    def run():
        with suppress(Failed):
            made.run_now(job)

    waiting = threading.Thread(target=run, daemon=True)
    waiting.start()
    assert begun.wait(SECONDS)

    assert in_time(made.close) is None
    waiting.join(SECONDS)
    assert not waiting.is_alive()


def test_who_waits_for_a_job_while_its_worker_closes_gets_its_result(databases, database, impatient, monkeypatch):
    made, begun, end, shut_down = LockHolder(Primary(databases.url(database))), threading.Event(), threading.Event(), []

    def job(session):
        begun.set()
        return end.wait(SECONDS)

    monkeypatch.setattr(made, "_shut_down", lambda: shut_down.append(threading.current_thread().name))
    with ThreadPoolExecutor(1, "waiting") as waiting, ThreadPoolExecutor(1, "closing") as closing:
        result = waiting.submit(made.run_now, job)
        assert begun.wait(SECONDS)
        closed = closing.submit(made.close)
        asyncio.run(until(lambda: result.done() or (not made._watcher.is_alive() and shut_down.count("waiting_0") > 9)))
        end.set()

        assert result.result(SECONDS)
        assert closed.result(SECONDS) is None


# ── locks ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_who_comes_when_a_lock_is_given_from_one_to_the_next_waits_no_longer_than_the_patience():
    async def run():
        lock, end = asyncio.Lock(), asyncio.Event()
        await lock.acquire()

        async def next_one():
            async with within(SECONDS, lock):
                await end.wait()

        waiting = asyncio.ensure_future(next_one())
        while not lock._waiters:  # noqa: ASYNC110 - until it waits
            await asyncio.sleep(0)
        lock.release()
        assert not lock.locked()  # and yet there is somebody before us

        async def last_one():
            async with within(SHORT, lock):
                pass

        with pytest.raises(Busy):
            async with asyncio.timeout(SECONDS):
                await last_one()  # at once: in a task of its own it would come later
        end.set()
        await waiting
        async with within(SHORT, lock):
            assert lock.locked()

    asyncio.run(run())
