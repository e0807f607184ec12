"""Whoever waits for a database that is busy is answered in time: with Busy, where nothing was begun."""

import asyncio
import threading
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from deskroster.core.problems import Busy, Unknown
from deskroster.core.records import Company
from deskroster.desk import Desks
from deskroster.ledger import store as stores
from deskroster.ledger.disk import reading
from deskroster.ledger.engines import Late, NotBegun
from deskroster.ledger.engines.postgresql import freshness
from deskroster.ledger.engines.sqlite import engine
from deskroster.passwords import Passwords
from tests.ledger.support import NOW, first_records, names, new_group, opened, origin, work

pytestmark = pytest.mark.once

SHORT = 0.05  # seconds of patience
LONG = 60.0  # seconds, for what happens at once on an idle machine


@asynccontextmanager
async def kept_busy(engine):
    """Keep the thread of SQLite busy with one job for the length of a block."""
    begun, end = threading.Event(), threading.Event()

    def job(connection):
        begun.set()
        end.wait(LONG)

    running = asyncio.ensure_future(engine.run(job, LONG))
    await asyncio.to_thread(begun.wait, LONG)
    try:
        yield
    finally:
        end.set()
        await running


def test_a_write_whose_turn_does_not_come_is_busy_and_is_never_done(tmp_path):
    async def run():
        async with opened(tmp_path) as (store, ledger):
            ledger._timeout = SHORT
            async with kept_busy(store._engine):
                several = [ledger.submit(work(new_group(name))) for name in "abc"]
                assert [Busy] * 3 == [type(answer) for answer in await asyncio.gather(*several, return_exceptions=True)]
            ledger._timeout = LONG

            assert b"1" == await ledger.submit(work(new_group("later")))
        async with opened(tmp_path) as (_, ledger):
            assert ["later"] == names(ledger)

    asyncio.run(run())


def test_control_a_write_that_cannot_be_taken_back_is_unknown_and_done(tmp_path, monkeypatch):
    monkeypatch.setattr(engine.WriteLock, "withdraw", lambda turn: False)

    async def run():
        async with opened(tmp_path) as (store, ledger):
            ledger._timeout = SHORT
            async with kept_busy(store._engine):
                with pytest.raises(Unknown):
                    await ledger.submit(work(new_group("a")))
        async with opened(tmp_path) as (_, ledger):
            assert ["a"] == names(ledger)

    asyncio.run(run())


def test_a_create_with_a_key_is_busy_in_time_and_is_never_done(tmp_path):
    async def run():
        async with opened(tmp_path) as (store, ledger):
            ledger._timeout = SHORT
            async with kept_busy(store._engine):
                with pytest.raises(Busy):
                    await asyncio.wait_for(ledger.submit(work(new_group("a"), once(ledger, "key"))), LONG / 2)
            ledger._timeout = LONG

            assert b"1" == await ledger.submit(work(new_group("later"), once(ledger, "key")))
            assert ["later"] == names(ledger)

    asyncio.run(run())


def test_control_a_lookup_without_a_deadline_keeps_its_caller_waiting(tmp_path, monkeypatch):
    real = engine.WriteLock.read
    monkeypatch.setattr(engine.WriteLock, "read", lambda turn, job, timeout: real(turn, job, LONG))

    async def run():
        async with opened(tmp_path) as (store, ledger):
            ledger._timeout = SHORT
            async with kept_busy(store._engine):
                kept_waiting = asyncio.ensure_future(ledger.submit(work(new_group("a"), once(ledger, "key"))))
                while ledger._queue or ledger._runner is None:  # noqa: ASYNC110 - until it is looked up
                    await asyncio.sleep(0)
                with pytest.raises(Busy):
                    await ledger.submit(work(new_group("b")))
                assert not kept_waiting.done()
            await asyncio.gather(kept_waiting, return_exceptions=True)

    asyncio.run(run())


def test_a_first_answer_that_is_given_again_is_busy_in_time(tmp_path, monkeypatch):
    """Between the lookup and the answer there is one more wait: for the commit that says it is as durable as said."""

    async def run():
        async with opened(tmp_path) as (store, ledger):
            assert b"1" == await ledger.submit(work(new_group("a"), once(ledger, "key")))
            ledger._timeout = SHORT
            real = ledger._find_replies

            async def then_busy(batch, held):
                found = await real(batch, held)
                await stack.enter_async_context(kept_busy(store._engine))
                return found

            monkeypatch.setattr(ledger, "_find_replies", then_busy)
            async with AsyncExitStack() as stack:
                with pytest.raises(Busy):
                    await asyncio.wait_for(ledger.submit(work(new_group("a"), once(ledger, "key"))), LONG / 2)

    asyncio.run(run())


def test_whoever_needs_a_company_that_is_not_loaded_is_busy_in_time_and_it_is_loaded_once(tmp_path, monkeypatch):
    monkeypatch.setattr(engine, "REQUEST_TIMEOUT", LONG)
    loaded = []
    real = stores.Store.load

    async def load(store, company_id):
        loaded.append(company_id)
        return await real(store, company_id)

    async def run():
        async with opened(tmp_path):
            pass
        monkeypatch.setattr(stores.Store, "load", load)
        store = stores.Store.open(tmp_path, lambda: NOW)
        desks = Desks(store, Passwords(), lambda: NOW)
        try:
            async with kept_busy(store._engine):
                for _ in range(2):
                    with pytest.raises(Busy):
                        await desks.of_company(store.listed.all()[0], SHORT)
            desk = await desks.of_company(store.listed.all()[0], LONG)
            assert desk is await desks.of_company(store.listed.all()[0])
            assert [1] == loaded
        finally:
            await store.close()

    asyncio.run(run())


def test_what_is_asked_of_the_installation_is_busy_in_time(tmp_path, monkeypatch):
    async def run():
        async with opened(tmp_path) as (store, _):
            monkeypatch.setattr(stores, "REQUEST_TIMEOUT", SHORT)
            monkeypatch.setattr(engine, "REQUEST_TIMEOUT", SHORT)
            made = Company(id=0, label="other", name="Other")
            async with kept_busy(store._engine):
                for asked in (
                    store.product(),
                    store.create_company(made, first_records(), origin()),
                    store.load(2),
                ):
                    with pytest.raises(Busy):
                        await asyncio.wait_for(asked, LONG / 2)

                creating = asyncio.ensure_future(store._write_first(made, [], origin()))
                with pytest.raises(Busy):
                    await creating
            assert [1] == [company.id for company in store.listed.all()]
            assert 1 == len(await store._engine.read(reading.companies))

    asyncio.run(run())


def test_who_founds_a_company_while_another_is_founded_waits_no_longer_than_the_patience(tmp_path, monkeypatch):
    async def run():
        async with opened(tmp_path) as (store, _):
            monkeypatch.setattr(stores, "REQUEST_TIMEOUT", SHORT)
            async with store._creating:
                with pytest.raises(Busy):
                    await store.create_company(Company(id=0, label="other", name="Other"), first_records(), origin())

    asyncio.run(run())


@pytest.fixture
def impatient_once_written(monkeypatch):
    """Have no patience with a store from when it has written the first commit of a company."""

    def impatient(store):
        real = store._write_first

        async def write_first(*what):
            await real(*what)
            monkeypatch.setattr(stores, "REQUEST_TIMEOUT", SHORT)

        monkeypatch.setattr(store, "_write_first", write_first)

    return impatient


def test_who_has_founded_a_company_does_not_wait_for_others_that_are_loaded(tmp_path, impatient_once_written):
    async def run():
        async with opened(tmp_path) as (store, _):
            impatient_once_written(store)
            made = Company(id=0, label="other", name="Other")
            async with store._loading:
                with pytest.raises(Unknown):
                    await asyncio.wait_for(store.create_company(made, first_records(), origin()), LONG / 2)
                assert [1, 2] == [company.id for company in store.listed.all()]
            await store.load(2)

            assert [1, 2] == sorted(store._ledgers)

    asyncio.run(run())


@pytest.mark.parametrize("longest", [LONG, SHORT])
def test_creating_a_large_company_has_a_timeout(tmp_path, monkeypatch, impatient_once_written, longest):
    async def run():
        async with opened(tmp_path) as (store, _):
            impatient_once_written(store)
            monkeypatch.setattr(stores, "CREATE_TIMEOUT", longest)
            load, large = store._load, asyncio.Event()

            async def slow(company_id):
                asyncio.get_running_loop().call_later(4 * SHORT, large.set)
                await large.wait()
                return await load(company_id)

            monkeypatch.setattr(store, "_load", slow)
            creating = store.create_company(Company(id=0, label="other", name="Other"), first_records(), origin())
            if longest == LONG:
                assert 2 == (await creating).roster.company.id
            else:
                with pytest.raises(Unknown):
                    await creating

    asyncio.run(run())


def test_a_job_that_never_began_is_told_apart_from_one_that_goes_on(tmp_path):
    async def run():
        async with opened(tmp_path) as (store, _):
            engine, goes_on, ran = store._engine, threading.Event(), []
            with pytest.raises(Late):
                await engine.run(lambda connection: goes_on.wait(LONG), SHORT)
            with pytest.raises(NotBegun):
                await engine.run(lambda connection: ran.append("never"), SHORT)
            left = asyncio.ensure_future(engine.run(lambda connection: ran.append("nor this"), LONG))
            await asyncio.sleep(0)
            left.cancel()
            await asyncio.gather(left, return_exceptions=True)
            goes_on.set()

            assert "now" == await engine.run(lambda connection: "now", LONG)
            assert [] == ran

    asyncio.run(run())


def test_a_question_whose_connection_cannot_be_made_is_busy_in_time(processes, monkeypatch):
    """Connections are made two at a time: behind hosts that do not answer it may take long."""
    monkeypatch.setattr(freshness, "CONNECT_QUEUE_TIMEOUT", SHORT)

    async def run():
        async with processes(1) as ([(store, ledger)], _):
            questions, end = store._engine._freshness, threading.Event()
            for _ in range(freshness.MAX_CONNECTING):
                questions._thread_pool.submit(end.wait, LONG)
            try:
                with pytest.raises(Busy):
                    await asyncio.wait_for(store.fresh(ledger), LONG / 2)
            finally:
                end.set()
            monkeypatch.setattr(freshness, "CONNECT_QUEUE_TIMEOUT", LONG)
            assert await store.fresh(ledger)

    asyncio.run(run())


def test_a_request_that_waited_too_long_for_an_earlier_query_is_left_out_of_the_next(processes, monkeypatch):
    async def run():
        async with processes(1) as ([(store, ledger)], _):
            await store.fresh(ledger)
            questions, gate, asked = store._engine._freshness, asyncio.Event(), []
            real = questions._query

            async def slow(*question):
                asked.append(question)
                await gate.wait()
                return await real(*question)

            monkeypatch.setattr(questions, "_query", slow)
            first = asyncio.ensure_future(store.fresh(ledger))
            while not asked:  # noqa: ASYNC110 - until it is put
                await asyncio.sleep(0)
            behind = asyncio.ensure_future(store.fresh(ledger))
            await asyncio.sleep(0)
            monkeypatch.setattr(freshness, "MAX_WAIT_SECONDS", -LONG)  # as if that had passed
            gate.set()

            assert await first
            with pytest.raises(Busy):
                await behind
            assert 1 == len(asked)

    asyncio.run(run())


def once(ledger, key):
    return ledger.once("agent 1", key, b"/user_groups {}")
