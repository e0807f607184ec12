"""Nonces in a database that several processes use: when they are deleted."""

import pytest

from deskroster.ledger.engines import EVERY_COMPANY
from deskroster.ledger.engines.postgresql import nonces
from deskroster.ledger.engines.postgresql.nonces import EvenClock
from tests.ledger.support import NOW, plan

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
