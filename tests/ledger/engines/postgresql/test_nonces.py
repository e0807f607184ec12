"""Nonces in a database that several processes use: when they are deleted, and which can be used again."""

import asyncio
import random
from types import SimpleNamespace

import psycopg
import pytest

from deskroster.core.problems import Busy
from deskroster.ledger.disk import log
from deskroster.ledger.engines import EVERY_COMPANY
from deskroster.ledger.engines.postgresql import freshness, nonces
from deskroster.ledger.engines.postgresql.nonces import EvenClock
from tests.ledger.support import NOW, new_group, plan, work

HOURS = 8 * 3_600


@pytest.mark.once
def test_nonces_of_a_database_are_removed_only_when_its_clock_has_run_evenly_for_their_lifetime():
    clock = EvenClock()
    minutes = [clock.may_delete(NOW + 60 * n, 60 * n) for n in range(17)]
    assert [False] * 15 + [True] * 2 == minutes

    set_ahead = [clock.may_delete(NOW + HOURS + 60 * n, 60 * n) for n in range(17, 33)]

    assert [False] * 15 + [True] == set_ahead
    assert not clock.may_delete(NOW + 60 * 33, 60 * 33)


def test_nonces_of_a_shared_database_are_found_by_an_index_and_removed_so_many_at_once(run, request):
    if request.config.getoption("--engine") != "postgresql":
        pytest.skip("elsewhere they are in a file")

    async def work(store, _):
        def spend(db):
            rows = [(1, b"%d" % at, NOW + (at % 2) * 900) for at in range(2_000)]
            db.executemany("INSERT INTO nonces (company_id, digest, until) VALUES (?, ?, ?)", rows)
            db.execute("ANALYZE nonces")
            return plan(db, nonces._DELETE, (NOW, NOW + 86_400, NOW, NOW + 86_400, 300))

        found = await store._engine.write(spend, EVERY_COMPANY)
        removed = [await store._engine.write(lambda db: nonces.delete(db, NOW, 300)) for _ in range(5)]

        assert "Tid Scan on nonces" in found
        assert [300, 300, 300, 100, 0] == removed
        left = await store._engine.read(lambda db: db.execute("SELECT DISTINCT until FROM nonces").fetchall())
        assert [(NOW + 900,)] == left

    run(work)


@pytest.fixture
def losing(monkeypatch):
    """Switch: whether the results of queries are lost that spend nonces, once they were carried out."""
    switch = SimpleNamespace(on=False, lost=0)
    real = freshness._QueryConnection._run_statement

    async def run_statement(connection, spending, *values):
        result = await real(connection, spending, *values)
        if switch.on and spending.digests:
            switch.lost += 1
            raise psycopg.OperationalError("the connection was lost")
        return result

    monkeypatch.setattr(freshness._QueryConnection, "_run_statement", run_statement)
    monkeypatch.setattr(freshness, "RELEASE_BACKOFF", (0.001, 0.01))
    return switch


async def released(*stores):
    for store in stores:
        await asyncio.gather(*store._engine._freshness._releasing.values())


@pytest.mark.once
def test_a_nonce_whose_query_was_carried_out_and_had_no_result_can_be_sent_again_to_any_process(processes, losing):
    async def run():
        async with processes() as ([(one, here), (other, there)], _):
            losing.on = True
            for nonce in ("n-1", "n-2"):
                with pytest.raises(Busy):
                    await one.fresh(here, nonce)
            losing.on = False
            assert 2 == losing.lost

            assert await one.fresh(here, "n-1")
            await released(one)
            assert await other.fresh(there, "n-2")
            for store, ledger, nonce in ((one, here, "n-1"), (other, there, "n-1"), (one, here, "n-2")):
                assert not await store.fresh(ledger, nonce)

    asyncio.run(run())


@pytest.mark.once
def test_a_process_that_failed_a_query_need_not_wait_until_its_nonces_are_released(processes, losing, monkeypatch):
    monkeypatch.setattr(freshness, "RELEASE_BACKOFF", (60.0, 60.0))

    async def run():
        async with processes(1) as ([(store, ledger)], _):
            losing.on = True
            for _ in range(3):
                with pytest.raises(Busy):
                    await store.fresh(ledger, "n-1")
            losing.on = False

            assert await store.fresh(ledger, "n-1")
            assert not await store.fresh(ledger, "n-1")

    asyncio.run(run())


@pytest.mark.once
def test_nonces_behave_as_a_set_would_whatever_results_are_lost(processes, losing):
    dice = random.Random(7)

    async def run():
        async with processes() as (opened, _):
            used = set()
            for _ in range(150):
                store, ledger = dice.choice(opened)
                nonces = dice.choices(range(12), k=dice.randint(1, 3))
                losing.on = dice.random() < 0.4
                results = await asyncio.gather(
                    *(store.fresh(ledger, str(nonce)) for nonce in nonces), return_exceptions=True
                )
                if losing.on:
                    assert all(isinstance(result, Busy) for result in results)
                    losing.on = False
                    await released(*(store for store, _ in opened))
                    continue
                assert [nonce not in used and nonce not in nonces[:at] for at, nonce in enumerate(nonces)] == results
                used.update(nonces)
                if len(used) > 8:
                    again = dice.choice(sorted(used))
                    await store.release(ledger.roster.company.id, str(again))
                    used.discard(again)

    asyncio.run(run())


@pytest.mark.once
def test_a_nonce_of_a_request_that_could_not_catch_up_can_be_sent_again(processes, monkeypatch):
    async def run():
        async with processes() as ([(_, one), (store, other)], _):
            await one.submit(work(new_group("a")))
            with monkeypatch.context() as lost:
                lost.setattr(log, "has", lambda *_: False)
                with pytest.raises(Busy):
                    await store.fresh(other, "n-1")

            assert await store.fresh(other, "n-1")
            assert not await store.fresh(other, "n-1")

    asyncio.run(run())
