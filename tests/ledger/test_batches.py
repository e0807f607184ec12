"""A verb that comes alone is decided at once; those that come together share a commit."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from deskroster.ledger.engines.sqlite import engine
from tests.ledger.support import names, new_group, opened, work

pytestmark = pytest.mark.once


@asynccontextmanager
async def counted(folder, monkeypatch):
    """A ledger, and how many verbs each transaction had. The disk is waited for as long as it takes."""
    monkeypatch.setattr(engine, "_BLOCK_SECONDS", 60.0)
    async with opened(folder) as (_, ledger):
        batches, take = [], ledger._queue.take

        def taken():
            batch = take()
            batches.append(len(batch))
            return batch

        monkeypatch.setattr(ledger._queue, "take", taken)
        yield ledger, batches


def at_once(ledger, name):
    """Submit a verb and return its answer. It may not wait for the loop."""
    with pytest.raises(StopIteration) as answered:
        ledger.submit(work(new_group(name))).send(None)
    return answered.value.value


async def together(ledger, *wanted):
    return await asyncio.gather(*(ledger.submit(work(new_group(name))) for name in wanted))


def test_a_verb_that_comes_alone_is_durable_before_the_loop_does_anything_else(tmp_path, monkeypatch):
    async def scenario():
        async with counted(tmp_path, monkeypatch) as (ledger, batches):
            assert b"1" == at_once(ledger, "first")
            await asyncio.sleep(0)
            assert b"2" == at_once(ledger, "second")
            assert ["first", "second"] == names(ledger)
            assert [1, 1] == batches
        async with opened(tmp_path) as (_, ledger):
            assert ["first", "second"] == names(ledger)

    asyncio.run(scenario())


def test_what_comes_in_the_same_turn_as_a_verb_that_was_decided_at_once_shares_a_commit(tmp_path, monkeypatch):
    async def scenario():
        async with counted(tmp_path, monkeypatch) as (ledger, batches):
            assert [b"1", b"2", b"3", b"4", b"5"] == await together(ledger, *"abcde")
            assert [1, 4] == batches

    asyncio.run(scenario())


def test_where_many_come_together_the_first_waits_for_the_others(tmp_path, monkeypatch):
    async def scenario():
        async with counted(tmp_path, monkeypatch) as (ledger, batches):
            await together(ledger, *"abcde")
            batches.clear()
            for round_ in range(3):
                await together(ledger, *(f"{round_}{n}" for n in range(5)))
            assert [5, 5, 5] == batches

    asyncio.run(scenario())


def test_after_a_crowd_a_verb_that_comes_alone_is_soon_decided_at_once_again(tmp_path, monkeypatch):
    async def scenario():
        async with counted(tmp_path, monkeypatch) as (ledger, batches):
            await together(ledger, *(f"{n}" for n in range(100)))
            for n in range(8):
                await together(ledger, f"alone {n}")
                await asyncio.sleep(0)
            at_once(ledger, "last")
            assert [1, 99, *[1] * 9] == batches

    asyncio.run(scenario())


def test_a_disk_that_takes_longer_lets_others_go_on(tmp_path, monkeypatch):
    async def scenario():
        async with opened(tmp_path) as (_, ledger):
            monkeypatch.setattr(engine, "_BLOCK_SECONDS", 0.0)
            begun = asyncio.ensure_future(ledger.submit(work(new_group("slow"))))
            await asyncio.sleep(0)
            assert [] == names(ledger)
            await begun
            assert ["slow"] == names(ledger)

    asyncio.run(scenario())


def test_a_roster_that_cannot_follow_its_log_ends_the_process_whoever_catches_what_a_request_raises(
    tmp_path, monkeypatch
):
    caught = []

    async def served(ledger):
        try:
            await ledger.submit(work(new_group("lost")))
        except BaseException as error:
            caught.append(type(error))
            raise

    def broken(commit):
        raise KeyError(commit.number)

    async def scenario():
        async with counted(tmp_path, monkeypatch) as (ledger, _):
            monkeypatch.setattr(ledger.roster, "advance", broken)
            await served(ledger)

    with pytest.raises(SystemExit, match="could not follow its log"):
        asyncio.run(scenario())
    assert [asyncio.CancelledError] == caught


def test_a_fault_while_a_verb_is_decided_does_not_keep_later_ones_from_being_decided(tmp_path, monkeypatch):
    async def scenario():
        async with counted(tmp_path, monkeypatch) as (ledger, _):
            settle = ledger._process

            async def broken(batch, held):
                monkeypatch.setattr(ledger, "_process", settle)
                raise RuntimeError("broken")

            monkeypatch.setattr(ledger, "_process", broken)
            lost = asyncio.ensure_future(ledger.submit(work(new_group("lost"))))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert b"1" == await asyncio.wait_for(ledger.submit(work(new_group("next"))), 60)
            lost.cancel()

    asyncio.run(scenario())
