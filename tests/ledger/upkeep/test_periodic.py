"""What a process does once a minute: no part of it is lost when another cannot be done, and none is long."""

import asyncio

import pytest

from deskroster.core.records import Company
from deskroster.ledger import NewerData, Vault
from deskroster.ledger.beside import idempotency, last_seen
from deskroster.ledger.beside.idempotency import StoredReply
from deskroster.ledger.disk.vault import new_key
from deskroster.ledger.engines import Failed, InDoubt
from deskroster.ledger.upkeep import periodic as upkeep
from tests.ledger.support import NOW, first_records, new_group, opened, origin, work

SECONDS = 60.0  # for what happens at once on an idle machine
OLD = NOW - idempotency.LIFETIME


def kept(vault, at, reply=b"reply"):
    """Return a job that keeps a first answer of a moment."""
    return lambda db: idempotency.store(db, vault, 1, {b"key": StoredReply(b"request", reply)}, at)


def counted(db):
    return db.execute("SELECT count(*) FROM replies").fetchone()[0]


async def saved(store):
    """Return what is saved of the first company."""
    return await store._engine.read(lambda db: last_seen.load(db, store.vault, 1))


def failing(error):
    def fail(*_):
        raise error

    return fail


@pytest.mark.parametrize("error", [Failed("away"), InDoubt("no replica"), NewerData("form 9"), OSError("disk")])
def test_what_could_not_be_saved_is_saved_the_next_time_and_what_is_old_is_removed_all_the_same(
    tmp_path, monkeypatch, error
):
    async def run():
        async with opened(tmp_path) as (store, ledger):
            await store._engine.write(kept(store.vault, OLD))
            ledger.key_used(1, "A", NOW)
            with monkeypatch.context() as patch:
                patch.setattr(last_seen, "save", failing(error))
                await store.upkeep.run_once()

                assert 0 == await store._engine.read(counted)
                assert {} == await saved(store)
            await store.upkeep.run_once()

            assert {("key", 1): (NOW, "A")} == await saved(store)
            assert not ledger.damage

    asyncio.run(run())


def test_what_is_noted_while_it_is_saved_in_vain_is_saved_the_next_time(tmp_path, monkeypatch):
    async def run():
        async with opened(tmp_path) as (store, ledger):
            ledger.key_used(1, "A", NOW)

            def save(*_):
                ledger.key_used(1, "C", NOW + 1)
                raise Failed("away")

            with monkeypatch.context() as patch:
                patch.setattr(last_seen, "save", save)
                await store.upkeep.run_once()
            await store.upkeep.run_once()

            assert {("key", 1): (NOW + 1, "C")} == await saved(store)

    asyncio.run(run())


def test_an_answer_that_cannot_be_opened_stops_writing_and_nothing_else_is_left_undone(tmp_path):
    async def run():
        async with opened(tmp_path) as (store, ledger):
            await store._engine.write(kept(Vault(new_key()), NOW + 86_400))  # dated anew, it would be opened
            ledger.key_used(1, "A", NOW)
            await store.upkeep.run_once()

            assert "cannot be opened" in ledger.damage

    asyncio.run(run())


@pytest.mark.once
def test_an_altered_observation_stops_writing(processes):
    async def run():
        async with processes(1) as ([(store, ledger)], _):
            ledger.key_used(1, "A", NOW)
            await store.upkeep.run_once()
            assert not ledger.damage
            await store._engine.write(lambda db: db.execute("UPDATE observations SET at = at + 1"))
            await store.upkeep.run_once()

            assert "not as it was written" in ledger.damage

    asyncio.run(run())


@pytest.mark.once
def test_a_company_that_is_loaded_during_the_upkeep_does_not_end_it(processes, monkeypatch):
    async def run():
        async with processes(2) as ([(first, one), (second, other)], _):
            await first.create_company(Company(id=0, label="b", name="b"), first_records(), origin())
            await second.listed.refresh()
            one.key_used(1, "A", NOW)
            await first.upkeep.run_once()
            loop, real = asyncio.get_running_loop(), last_seen.load

            def load(db, vault, company_id):
                if company_id == 1:
                    asyncio.run_coroutine_threadsafe(second.load(2), loop).result(SECONDS)
                return real(db, vault, company_id)

            monkeypatch.setattr(last_seen, "load", load)
            await second.upkeep.run_once()

            assert {1, 2} == set(second._ledgers)
            assert (NOW, "A") == other.observed.last("key", 1)

    asyncio.run(run())


@pytest.mark.once
def test_observations_are_saved_and_read_in_short_jobs(processes, monkeypatch):
    monkeypatch.setattr(upkeep, "SAVE_BATCH", 2)
    monkeypatch.setattr(upkeep, "LOAD_BATCH", 2)
    rows, companies = [], []
    save, load = last_seen.save, last_seen.load
    monkeypatch.setattr(last_seen, "save", lambda db, v, some, now: (rows.append(len(some)), save(db, v, some, now)))
    monkeypatch.setattr(
        last_seen, "load", lambda db, v, id: (companies.append(db.connection.info.backend_pid), load(db, v, id))[1]
    )

    async def run():
        async with processes(1) as ([(store, ledger)], _):
            for label in "bcde":
                await store.create_company(Company(id=0, label=label, name=label), first_records(), origin())
            for ledger in store._ledgers.values():
                ledger.key_used(1, "A", NOW)
            companies.clear()
            jobs, read = [], store._engine.read

            async def reading(job, *args, **how):
                before = len(companies)
                found = await read(job, *args, **how)
                jobs.append(len(companies) - before)
                return found

            store._engine.read = reading
            await store.upkeep.run_once()

            assert [2, 2, 1] == rows
            assert [2, 2, 1] == [count for count in jobs if count]

    asyncio.run(run())


@pytest.mark.once
def test_one_key_is_derived_for_all_rows_of_a_company(tmp_path, monkeypatch):
    derived = []
    real = Vault.checksums
    monkeypatch.setattr(Vault, "checksums", lambda vault, *of: (derived.append(of), real(vault, *of))[1])

    async def run():
        async with opened(tmp_path) as (store, _):
            rows = [(1, "agent", id, NOW, "") for id in range(100)]
            derived.clear()
            await store._engine.write(lambda db: last_seen.save(db, store.vault, rows, NOW))
            assert 100 == len(await saved(store))

            assert [(1, "observation")] * 2 == derived

    asyncio.run(run())


def test_who_closes_waits_for_what_is_being_saved(tmp_path, monkeypatch):
    async def run():
        async with opened(tmp_path) as (store, ledger):
            ledger.key_used(1, "A", NOW)
            begun, end, real = asyncio.Event(), asyncio.Event(), store._engine.write

            async def write(job, *args, **how):
                begun.set()
                await end.wait()
                return await real(job, *args, **how)

            store._engine.write = write
            store.upkeep._start()
            await begun.wait()
            asyncio.get_running_loop().call_later(0.05, end.set)
        async with opened(tmp_path) as (store, _):
            assert {("key", 1): (NOW, "A")} == await saved(store)

    asyncio.run(run())


def test_an_upkeep_that_fails_keeps_nobody_from_letting_go_of_the_data(tmp_path, monkeypatch):
    async def run():
        with pytest.raises(RuntimeError, match="unforeseen"):
            async with opened(tmp_path) as (store, _):
                monkeypatch.setattr(store.upkeep, "close", failing(RuntimeError("unforeseen")))
        async with opened(tmp_path) as (_, ledger):
            assert b"1" == await ledger.submit(work(new_group("a")))

    asyncio.run(run())
