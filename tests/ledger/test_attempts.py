"""An outcome is told by what only this attempt can have written, even if two requests have the same id."""

import asyncio

import pytest

from deskroster.core.changes import Origin
from deskroster.ledger.disk import log
from deskroster.ledger.engines.postgresql import transactions
from tests import world
from tests.ledger.support import hook_commits, names, new_group, work

pytestmark = pytest.mark.once

SAME = Origin(None, "own", "127.0.0.1", "the-same-id")


def same(name):
    """Return the work that makes a group, by a request whose id others have too."""
    return work(new_group(name))._replace(origin=SAME)


def breaks_while(ledger, other, name):
    """Let the next commit of a process break before it is done, while another process writes its own."""
    broken = []
    loop = asyncio.get_running_loop()

    def committed(session, job):
        if not broken:
            broken.append(session)
            session.connection.pgconn.finish()
            asyncio.run_coroutine_threadsafe(other.submit(same(name)), loop).result(30)
        return transactions.commit(session, job)

    hook_commits(ledger._engine, committed)


async def both_write(processes):
    """Return what two processes show, and what the database has, after the commit of the first has broken."""
    async with processes() as ([(first, one), (second, other)], all_of_them):
        breaks_while(one, other, "b")
        answer = await one.submit(same("a"))
        shown = (names(one), names(other))
        for store, ledger in ((first, one), (second, other)):
            await store.fresh(ledger)
        _, loaded = await all_of_them.another()
        return answer, shown, (names(one), names(other), names(loaded))


def test_of_two_processes_with_the_same_request_id_none_takes_the_commit_of_the_other_for_its_own(processes):
    answer, shown, durable = asyncio.run(both_write(processes))

    assert b"2" == answer
    assert (["b", "a"], ["b"]) == shown
    assert (["b", "a"],) * 3 == durable


def test_control_finding_an_outcome_by_the_request_id_alone_is_noticed(processes, monkeypatch):
    def by_request_id(connection, company_id, number, attempt):
        row = connection.execute(log._REQUEST, (company_id, number)).fetchone()
        return row[1] if row is not None and row[0].startswith(SAME.request_id) else None

    monkeypatch.setattr(log, "find", by_request_id)
    answer, shown, durable = asyncio.run(both_write(processes))

    assert (b"1", ["a"]) == (answer, shown[0])
    assert "a" not in durable[2]


def test_of_two_processes_that_found_a_company_at_once_none_takes_the_other_one_for_its_own(processes):
    async def run():
        async with processes() as ([(first, _), (second, _)], all_of_them):
            broken = []
            loop = asyncio.get_running_loop()
            mine, theirs = (world.COMPANY.__class__(id=0, label=name, name=name) for name in ("mine", "theirs"))

            def committed(session, job):
                if not broken:
                    broken.append(session)
                    session.connection.pgconn.finish()
                    asyncio.run_coroutine_threadsafe(second.create_company(theirs, [], SAME), loop).result(30)
                return transactions.commit(session, job)

            hook_commits(first._engine, committed)
            answers = await asyncio.gather(first.create_company(mine, [], SAME), return_exceptions=True)
            store, _ = await all_of_them.another()

            assert not [one for one in answers if not isinstance(one, Exception)]
            assert ["demo", "theirs"] == [one.label for one in store.listed.all()]

    asyncio.run(run())


def test_the_log_tells_the_request_of_a_commit_by_the_id_that_it_came_with(processes):
    async def run():
        async with processes(1) as ([(store, ledger)], _):
            await ledger.submit(same("a"))
            told = await store._engine.read(lambda db: [one.origin.request_id for one in log.commits(db, 1)], 1)

            assert SAME.request_id == told[-1]

    asyncio.run(run())
