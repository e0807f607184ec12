"""Done, refused, busy and unknown: each answer is the truth, and nothing visible is ever taken back."""

import asyncio
import sqlite3
import threading

import pytest

from deskroster.core import groups
from deskroster.core.access import Identity
from deskroster.core.changes import changed
from deskroster.core.problems import Busy, Conflict, Damaged, NotFound, Reason, Unauthenticated, Unknown
from tests.databases import set_clock
from tests.ledger.support import NOW, expect_many, names, new_group, opened, state, work


def test_a_group_is_there_after_a_restart(tmp_path):
    async def run():
        async with opened(tmp_path) as (_, ledger):
            assert b"1" == await ledger.submit(work(new_group("售前", (1,))))
            before = state(ledger.roster)
        async with opened(tmp_path) as (_, ledger):
            assert before == state(ledger.roster)
            assert (1,) == ledger.roster.groups[1].member_ids

    asyncio.run(run())


def test_an_error_before_the_commit_is_busy_and_changes_nothing(tmp_path):
    async def run():
        async with opened(tmp_path) as (store, ledger):
            before = state(ledger.roster)
            store._engine.faults = ["before"]

            with pytest.raises(Busy):
                await ledger.submit(work(new_group("售前")))

            assert before == state(ledger.roster)
            assert b"1" == await ledger.submit(work(new_group("售后")))
        async with opened(tmp_path) as (_, ledger):
            assert ["售后"] == names(ledger)

    asyncio.run(run())


def test_an_error_after_the_commit_is_a_success(tmp_path):
    async def run():
        async with opened(tmp_path) as (store, ledger):
            store._engine.faults = ["after"]

            assert b"1" == await ledger.submit(work(new_group("售前")))
            assert b"2" == await ledger.submit(work(new_group("售后")))
        async with opened(tmp_path) as (store, ledger):
            assert ["售前", "售后"] == names(ledger)
            assert [] == await store.check()

    asyncio.run(run())


def test_when_a_batch_fails_each_of_its_verbs_is_tried_alone(tmp_path):
    def pointing_nowhere(roster, caller):
        change = new_group("nowhere")(roster, caller)[0]
        return [change._replace(after=change.after.__class__(id=change.id, name=None))]  # NOT NULL refuses it

    async def run():
        async with opened(tmp_path) as (_, ledger):
            works = [work(new_group("a")), work(pointing_nowhere), work(new_group("b")), work(new_group("c"))]
            answers = await asyncio.gather(*map(expect_many(ledger).submit, works), return_exceptions=True)

            assert [bytes, Busy, bytes, bytes] == [type(answer) for answer in answers]
            assert ["a", "b", "c"] == names(ledger)
            before = state(ledger.roster)
        async with opened(tmp_path) as (_, ledger):
            assert before == state(ledger.roster)

    asyncio.run(run())


@pytest.mark.parametrize("fault", ["before", "after"])
def test_a_batch_whose_transaction_breaks_is_whole_in_the_end(tmp_path, fault):
    async def run():
        async with opened(tmp_path) as (store, ledger):
            store._engine.faults = [fault]
            await asyncio.gather(*(expect_many(ledger).submit(work(new_group(name))) for name in "abcde"))
        async with opened(tmp_path) as (_, ledger):
            assert list("abcde") == names(ledger)

    asyncio.run(run())


@pytest.mark.once
def test_a_verb_is_removed_from_the_queue_at_its_deadline(tmp_path):
    async def run():
        async with opened(tmp_path) as (store, ledger):
            ledger._timeout = 0.05
            release, begun = threading.Event(), threading.Event()
            commit = store._engine._commit

            def slow(connection):
                begun.set()
                release.wait(60)
                commit(connection)

            store._engine._commit = slow
            open_outcome = asyncio.ensure_future(ledger.submit(work(new_group("open"))))
            await asyncio.to_thread(begun.wait, 60)
            queued = asyncio.ensure_future(ledger.submit(work(new_group("queued"))))

            with pytest.raises(Busy):
                await queued
            with pytest.raises(Unknown):
                await open_outcome
            assert [] == names(ledger)
            release.set()
        async with opened(tmp_path) as (_, ledger):
            assert ["open"] == names(ledger)

    asyncio.run(run())


@pytest.mark.once
def test_while_the_log_cannot_be_asked_writes_are_busy_and_the_outcome_is_unknown(tmp_path, monkeypatch):
    async def run():
        async with opened(tmp_path) as (store, ledger):
            ledger._timeout = 0.05
            engine, broken = store._engine, True
            real = engine._run_job

            def unreachable(job):
                if broken and engine.faults == []:
                    raise sqlite3.OperationalError("unable to open database file")
                return real(job)

            engine.faults = ["after"]
            monkeypatch.setattr(engine, "_run_job", unreachable)
            with pytest.raises(Unknown):
                await ledger.submit(work(new_group("售前")))
            assert not ledger.writable
            with pytest.raises(Busy):
                await ledger.submit(work(new_group("售后")))
            assert [] == names(ledger)

            broken = False
            await ledger._runner
            assert ledger.writable
            assert ["售前"] == names(ledger)

    asyncio.run(run())


@pytest.mark.once
def test_found_damage_stops_writing_and_says_so(tmp_path, monkeypatch):
    async def run():
        async with opened(tmp_path) as (store, ledger):

            def damaged(job):
                raise Damaged("deskroster.db: database disk image is malformed")

            monkeypatch.setattr(store._engine, "_run_job", damaged)
            with pytest.raises(Unknown):
                await ledger.submit(work(new_group("售前")))
            with pytest.raises(Busy):
                await ledger.submit(work(new_group("售前")))
            assert "malformed" in ledger.damage
            assert [] == names(ledger)
            monkeypatch.undo()

    asyncio.run(run())


def test_a_refusal_leaves_with_its_batch_and_changes_nothing(tmp_path):
    async def run():
        async with opened(tmp_path) as (_, ledger):
            works = [
                work(new_group("a")),
                work(lambda roster, caller: groups.delete(roster, caller, 99)),
                work(lambda roster, caller: groups.delete(roster, caller, 1)),
                work(lambda roster, caller: 1 // 0),
                work(new_group("b")),
            ]
            answers = await asyncio.gather(*map(expect_many(ledger).submit, works), return_exceptions=True)

            assert [bytes, NotFound, bytes, ZeroDivisionError, bytes] == [type(answer) for answer in answers]
            assert ["b"] == names(ledger)
            assert 4 == ledger.roster.number

    asyncio.run(run())


def test_a_reply_that_cannot_be_shaped_takes_its_verb_back(tmp_path):
    async def run():
        async with opened(tmp_path) as (_, ledger):
            before = state(ledger.roster)
            with pytest.raises(ZeroDivisionError):
                await ledger.submit(work(new_group("a"))._replace(shape=lambda roster, result: 1 // 0))

            assert before == state(ledger.roster)
            assert b"1" == await ledger.submit(work(new_group("b")))

    asyncio.run(run())


def test_a_preview_answers_and_writes_nothing(tmp_path):
    async def run():
        async with opened(tmp_path) as (_, ledger):
            before = state(ledger.roster)

            assert b"1" == await ledger.preview(work(new_group("a")))
            assert before == state(ledger.roster)

    asyncio.run(run())


def test_a_caller_is_resolved_on_the_roster_that_its_verb_runs_on(tmp_path):
    async def run():
        async with opened(tmp_path) as (_, ledger):
            key = Identity(agent_id=1, key_id=1)

            def revoke(roster, caller):
                return changed(roster.keys[1], revoked_at=NOW)

            answers = await asyncio.gather(
                ledger.submit(work(new_group("a"), identity=key)),
                ledger.submit(work(revoke)),
                ledger.submit(work(new_group("b"), identity=key)),
                return_exceptions=True,
            )

            assert [bytes, bytes, Unauthenticated] == [type(answer) for answer in answers]

    asyncio.run(run())


def test_the_same_key_gets_the_first_answer_even_at_once_and_after_a_restart(tmp_path):
    async def run():
        async with opened(tmp_path) as (_, ledger):
            once = ledger.once("agent 1", "order-7", b"/user_groups {}")
            answers = await asyncio.gather(*(expect_many(ledger).submit(work(new_group("a"), once)) for _ in range(3)))
            assert [b"1"] * 3 == answers
            with pytest.raises(Conflict) as refused:
                await ledger.submit(work(new_group("a"), ledger.once("agent 1", "order-7", b"another body")))
            assert Reason.IDEMPOTENCY_KEY == refused.value.reason
            other = ledger.once("agent 2", "order-7", b"/user_groups {}")
            assert b"2" == await ledger.submit(work(new_group("a"), other))
        async with opened(tmp_path) as (_, ledger):
            assert b"1" == await ledger.submit(work(new_group("a"), once))
            assert 2 == len(ledger.roster.groups)

    asyncio.run(run())


def test_a_key_is_free_again_after_a_day_and_after_a_refusal(tmp_path):
    time = [NOW]

    async def run():
        async with opened(tmp_path, clock=lambda: time[0]) as (_, ledger):
            once = ledger.once("agent 1", "order-7", b"")
            with pytest.raises(NotFound):
                await ledger.submit(work(lambda roster, caller: groups.delete(roster, caller, 9), once))
            assert b"1" == await ledger.submit(work(new_group("a"), once))
            time[0] += 86_400
            set_clock(tmp_path, time[0])
            assert b"2" == await ledger.submit(work(new_group("a"), once))
            assert b"2" == await ledger.submit(work(new_group("a"), once))

    asyncio.run(run())


def test_the_first_answer_is_found_after_a_doubt(tmp_path):
    async def run():
        async with opened(tmp_path) as (store, ledger):
            once = ledger.once("agent 1", "order-7", b"")
            store._engine.faults = ["after"]
            first = await ledger.submit(work(new_group("a"), once))

            assert first == await ledger.submit(work(new_group("a"), once))
            assert ["a"] == names(ledger)

    asyncio.run(run())


def test_a_client_that_leaves_before_its_turn_writes_nothing(tmp_path):
    async def run():
        async with opened(tmp_path) as (_, ledger):
            gone = asyncio.ensure_future(expect_many(ledger).submit(work(new_group("gone"))))
            await asyncio.sleep(0)
            gone.cancel()
            await asyncio.gather(gone, return_exceptions=True)
            await ledger.submit(work(new_group("here")))

            assert ["here"] == names(ledger)

    asyncio.run(run())


def test_no_batch_holds_more_than_ten_thousand_changes(tmp_path):
    def many(count):
        def verb(roster, caller):
            first = roster.next_id("group")
            made = new_group("g")(roster, caller)[0]
            return [
                made._replace(id=i, after=made.after.__class__(id=i, name="g")) for i in range(first, first + count)
            ]

        return verb

    async def run():
        async with opened(tmp_path) as (_, ledger):
            ledger._timeout = 60
            await asyncio.gather(*(expect_many(ledger).submit(work(many(3_400))) for _ in range(3)))
            assert 10_200 == len(ledger.roster.groups)
            before = state(ledger.roster)
        async with opened(tmp_path) as (_, ledger):
            assert before == state(ledger.roster)

    asyncio.run(run())


def test_the_reply_is_shaped_on_the_roster_that_its_own_verb_left(tmp_path):
    def shape(roster, result):
        return str(len(roster.groups)).encode()

    async def run():
        async with opened(tmp_path) as (_, ledger):
            works = [work(new_group(name))._replace(shape=shape) for name in "abc"]

            assert [b"1", b"2", b"3"] == await asyncio.gather(*map(expect_many(ledger).submit, works))

    asyncio.run(run())
