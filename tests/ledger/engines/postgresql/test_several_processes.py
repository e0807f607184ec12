"""Several processes on one PostgreSQL: one truth, whoever wrote it, and answers that are true when it fails."""

import asyncio
import random
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from types import SimpleNamespace

import psycopg
import pytest

from deskroster.core import company
from deskroster.core.problems import Busy, Refusal, Unknown
from deskroster.ledger import Store, WrongKey
from deskroster.ledger.disk import log
from deskroster.ledger.engines import Gone
from deskroster.ledger.engines.postgresql import engine as postgresql
from deskroster.ledger.engines.postgresql import freshness, transactions
from deskroster.ledger.engines.postgresql.advisory_lock import ADVISORY_LOCK
from deskroster.ledger.engines.postgresql.connection import Primary
from deskroster.ledger.engines.sqlite.nonce_file import LIFETIME
from deskroster.ledger.location import engine_at
from tests import random_verbs, world
from tests.ledger.support import NOW, expect_many, first_records, hook_commits, names, new_group, origin, state, work

pytestmark = pytest.mark.once


def test_what_one_process_has_written_another_has_when_it_is_asked_next(processes):
    async def run():
        async with processes() as ([(_, one), (store, other)], _):
            await one.submit(work(new_group("售前", (1,))))
            await store.fresh(other)

            assert state(one.roster) == state(other.roster)
            assert b"2" == await other.submit(work(new_group("售后")))
            assert ["售前", "售后"] == names(other)

    asyncio.run(run())


def test_however_much_others_have_written_it_is_there_for_the_next_question(processes):
    async def run():
        async with processes() as ([(_, one), (store, other)], _):
            for count in (1, 8, 9, 40):
                for at in range(count):
                    await one.submit(work(new_group(f"{at}")))
                await store.fresh(other)

                assert state(one.roster) == state(other.roster)

    asyncio.run(run())


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.proof) for seed in range(1, 6))])
def test_whatever_is_written_in_turns_every_roster_is_what_a_new_process_loads(processes, seed):
    async def run():
        chance = random.Random(seed)
        async with processes() as (opened, all_of_them):
            for _ in range(120):
                store, ledger = chance.choice(opened)
                verb = chance.choice(random_verbs.VERBS)(chance, ledger.roster)
                with suppress(Refusal):
                    await ledger.submit(work(verb)._replace(shape=lambda roster, done: b""))
                if chance.random() < 0.2:
                    await store.fresh(ledger)
            for store, ledger in opened:
                await store.fresh(ledger)
            _, loaded = await all_of_them.another()

            assert 20 < loaded.roster.number
            for _, ledger in opened:
                assert random_verbs.state(loaded.roster) == random_verbs.state(ledger.roster)
            assert [] == await opened[0][0].check()

    asyncio.run(run())


def test_who_writes_at_once_takes_turns_and_numbers_have_no_gap(processes):
    async def run():
        async with processes(3) as (opened, _):
            answers = await asyncio.gather(
                *(ledger.submit(work(new_group(f"{at}"))) for at in range(30) for _, ledger in opened)
            )
            store, ledger = opened[0]
            await store.fresh(ledger)
            numbers = await store._engine.read(lambda db: [told.number for told in log.commits(db, 1)], 1)

            assert 90 == len(set(answers))
            assert list(range(1, ledger.roster.number + 1)) == numbers
            assert 90 == len(names(ledger))

    asyncio.run(run())


def test_a_nonce_is_used_once_by_all_processes_together_until_it_has_expired(processes, databases, database):
    async def run():
        async with processes() as (opened, all_of_them):
            databases.set_clock(database, NOW)
            asked = [store.fresh(ledger, "n-1") for store, ledger in opened * 4]

            assert [True] == [unused for unused in await asyncio.gather(*asked) if unused]
            all_of_them.now += LIFETIME - 1
            databases.set_clock(database, all_of_them.now)
            assert not await opened[1][0].fresh(opened[1][1], "n-1")
            all_of_them.now += 1
            databases.set_clock(database, all_of_them.now)
            assert await opened[1][0].fresh(opened[1][1], "n-1")

    asyncio.run(run())


def test_who_asks_about_many_companies_at_once_does_so_by_few_connections(processes, databases, database, monkeypatch):
    monkeypatch.setattr(freshness, "MAX_CONNECTIONS", 2)

    async def run():
        async with processes(1) as ([(store, ledger)], _):
            made = [world.COMPANY.__class__(id=0, label=f"c{at}", name="Other") for at in range(6)]
            ledgers = [ledger, *[await store.create_company(one, first_records(), origin()) for one in made]]
            answers = await asyncio.gather(*(store.fresh(one, "n-1") for one in ledgers))
            with databases.connect(database) as raw:
                asked = raw.execute(
                    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                    " AND query LIKE 'WITH spent%%'"
                ).fetchone()

            assert [True] * 7 == answers
            assert (2,) == asked

    asyncio.run(run())


def test_a_query_without_its_company_shows_nothing_and_with_it_no_other(processes, databases, database):
    async def run():
        async with processes(1) as ([(store, ledger)], _):
            await ledger.submit(work(new_group("售前", (1,))))
            await store.create_company(world.COMPANY.__class__(id=0, label="other", name="Other"), [], origin())
            with databases.connect(database) as raw:
                tables = [name for (name,) in raw.execute(
                    "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename NOT IN"
                    " ('alembic_version', 'installation')"
                )]  # fmt: skip

                def seen():
                    return {name for name in tables for _ in raw.execute(f'SELECT 1 FROM "{name}" LIMIT 1')}

                assert set() == seen()
                raw.execute("SELECT set_config('deskroster.company', '2', false)")
                assert {"companies", "commits", "changes"} == seen()
                assert [(2,)] == raw.execute("SELECT company_id FROM companies").fetchall()
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    raw.execute("INSERT INTO groups VALUES (1, 9, 'x', 0, 0, '')")
                assert 0 == raw.execute("UPDATE groups SET name = 'x'").rowcount
            assert [] == await store.check()

    asyncio.run(run())


def test_every_key_begins_with_the_company(processes, databases, database):
    """So the tables can be spread over machines by company (as Citus does)."""

    async def run():
        async with processes(1):
            with databases.connect(database) as raw:
                keys = raw.execute("""
                    SELECT conrelid::regclass::text, conname, contype::text, attname FROM pg_constraint
                    JOIN pg_attribute ON attrelid = conrelid AND attnum = conkey[1]
                    WHERE contype IN ('p', 'u', 'f') AND connamespace = 'public'::regnamespace
                    UNION ALL SELECT indrelid::regclass::text, indexrelid::regclass::text, 'i', attname FROM pg_index
                    JOIN pg_attribute ON attrelid = indrelid AND attnum = indkey[0]
                    WHERE indisunique AND indrelid::regclass::text IN ('agents')
                """).fetchall()
            strangers = {name for table, name, _, first in keys if first != "company_id"}

            assert {"alembic_version_pkc", "pk_installation", "uq_companies_label"} == strangers

    asyncio.run(run())


def test_who_holds_the_right_to_write_and_does_nothing_is_ended_by_who_waits(processes, databases, database):
    async def run():
        async with processes(1) as ([(_, ledger)], _):
            stuck = databases.connect(database)
            stuck.execute("BEGIN; SELECT set_config('deskroster.company', '1', true)")
            stuck.execute("SELECT number FROM companies WHERE company_id = 1 FOR UPDATE")

            assert b"1" == await ledger.submit(work(new_group("售前")))
            with pytest.raises(psycopg.OperationalError):
                stuck.execute("COMMIT")
            stuck.close()

    asyncio.run(run())


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_connection_that_breaks_at_the_commit_costs_nothing(processes, when):
    async def run():
        async with processes() as ([(_, one), (store, other)], _):
            faults = [when]

            def breaking(session, job):
                fault = faults.pop() if faults else ""
                if fault == "before":
                    session.connection.pgconn.finish()
                done = transactions.commit(session, job)
                if fault == "after":
                    raise psycopg.OperationalError("server closed the connection unexpectedly")
                return done

            hook_commits(one._engine, breaking)
            answers = await asyncio.gather(*(expect_many(one).submit(work(new_group(name))) for name in "abc"))
            await store.fresh(other)

            assert [b"1", b"2", b"3"] == answers
            assert list("abc") == names(one) == names(other)

    asyncio.run(run())


def test_connections_that_were_ended_are_made_again_and_no_write_is_lost(processes, databases):
    async def run():
        async with processes() as ([(_, one), (store, other)], _):
            await one.submit(work(new_group("a")))
            await store.fresh(other)
            databases.end_all()

            assert b"2" == await one.submit(work(new_group("b")))
            await store.fresh(other)
            assert ["a", "b"] == names(other)

    asyncio.run(run())


def test_who_has_it_open_says_so_again_after_the_server_was_started_again(processes, databases, database):
    async def run():
        async with processes(1) as ([(store, ledger)], _):
            databases.end_all()
            await store.fresh(ledger)
            with databases.connect(database) as raw:
                for _ in range(500):
                    held = raw.execute(
                        "SELECT mode FROM pg_locks WHERE locktype = 'advisory'"
                        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
                    ).fetchall()
                    if held:
                        break
                    await asyncio.sleep(0.01)

            assert [("ShareLock",)] == held

    asyncio.run(run())


def test_a_commit_that_gave_up_waiting_for_its_replica_is_unknown(processes, databases):
    async def run():
        async with processes() as ([(_, one), (store, other)], _):
            with databases.without_its_replica():
                writing = asyncio.ensure_future(one.submit(work(new_group("a"))))
                await databases.cancel_the_wait()
                with pytest.raises(Unknown):
                    await writing
            await store.fresh(other)
            await one.submit(work(new_group("b")))

            assert ["a", "b"] == names(one)

    asyncio.run(run())


@pytest.mark.proof
def test_a_commit_whose_replica_does_not_come_is_unknown_in_time_and_reads_are_busy(processes, databases):
    async def run():
        async with processes() as ([(_, one), (store, other)], _):
            one._timeout = 0.3
            with databases.without_its_replica():
                with pytest.raises(Unknown):
                    await one.submit(work(new_group("a")))
                with pytest.raises(Busy):
                    await store.fresh(other)
                with pytest.raises(Busy):
                    await one.submit(work(new_group("b")))
                assert [] == names(one)
            await one._runner
            await store.fresh(other)

            assert ["a"] == names(one) == names(other)

    asyncio.run(run())


def test_a_database_that_lost_what_was_durable_is_not_believed(processes, databases, database):
    async def run():
        async with processes() as ([(_, one), (store, other)], _):
            await one.submit(work(new_group("a")))
            await store.fresh(other)
            with databases.connect(database) as raw:
                raw.execute("SELECT set_config('deskroster.company', '1', false)")
                raw.execute("UPDATE companies SET number = number - 1")
            with pytest.raises(Busy):
                await store.fresh(other)

    asyncio.run(run())


@pytest.mark.parametrize("change", [{"head": b"of another"}, {"number": 9}], ids=["other", "behind"])
def test_the_log_of_another_server_than_was_asked_is_not_followed(processes, change):
    """One that was replaced, and does not know it, still takes connections."""

    async def run():
        async with processes() as ([(_, one), (store, other)], _):
            await one.submit(work(new_group("a")))
            asking, asked = other._engine._freshness, other._engine._freshness.query

            async def elsewhere(*question):
                return (await asked(*question))._replace(**change)

            asking.query = elsewhere
            with pytest.raises(Busy):
                await store.fresh(other)
            assert ([], "") == (names(other), other.damage)
            asking.query = asked
            await store.fresh(other)
            assert ["a"] == names(other)

    asyncio.run(run())


def test_a_server_that_says_nothing_is_given_up(processes):
    """One on a machine that stands still keeps its connections, and never answers."""

    async def run():
        async with processes(1) as ([(store, _)], _):
            with pytest.raises(Gone):
                await store._engine.read(lambda db: db.execute("SELECT pg_sleep(600)").fetchall(), timeout=0.1)

            assert [(1,)] == await store._engine.read(lambda db: db.execute("SELECT 1").fetchall())

    asyncio.run(run())


def test_a_host_that_did_not_answer_is_left_and_tried_last():
    primary = Primary("postgresql://deskroster@one:1,two:2,three:3/deskroster")
    one, two = (SimpleNamespace(host=host, port=port) for host, port in ((b"one", b"1"), (b"two", b"2")))
    assert primary.is_current(one)

    primary.prefer_others(one)
    primary.prefer_others(one)

    assert (False, True) == (primary.is_current(one), primary.is_current(two))


def test_a_history_that_is_another_ends_the_process_though_the_server_catches_everything(processes):
    async def run():
        async with processes() as ([(_, one), (store, other)], _):
            await one.submit(work(new_group("a")))
            other._head = b"of another"

            async def request():
                with suppress(BaseException):
                    await store.fresh(other)

            serving = asyncio.create_task(request())
            await asyncio.sleep(60)
            await serving

    with pytest.raises(SystemExit, match="another commit 1 than it had"):
        asyncio.run(run())


def test_a_company_that_one_process_founds_or_renames_is_known_to_the_others(processes):
    async def run():
        async with processes() as ([(first, _), (second, other)], _):
            made = world.COMPANY.__class__(id=0, label="other", name="Other")
            await first.create_company(made, first_records(), origin())
            await second.fresh(other)
            assert ["demo", "other"] == [one.label for one in second.listed.all()]

            renamed = company.CompanyFields(label="renamed")
            await (await first.load(2)).submit(work(lambda roster, caller: company.update(roster, caller, renamed)))
            await second.fresh(other)
            assert ["demo", "renamed"] == [one.label for one in second.listed.all()]

    asyncio.run(run())


def test_two_that_open_an_empty_database_at_once_agree_on_its_key(databases, database, tmp_path):
    def opened(name):
        try:
            return Store.open(tmp_path / name, lambda: NOW, engine_at(databases.url(database)))
        except WrongKey:
            return None

    with ThreadPoolExecutor(2) as threads:
        stores = [store for store in threads.map(opened, "ab") if store is not None]

    assert 1 <= len(stores)
    assert 1 == len({store.vault.fingerprint for store in stores})
    for store in stores:
        asyncio.run(store.close())


def test_who_opens_an_empty_database_waits_for_whoever_makes_its_tables(databases, database, tmp_path, monkeypatch):
    """However long that takes: the limit of a migration is for what verbs wait behind, and nobody waits behind this."""
    monkeypatch.setattr(postgresql, "TABLE_LOCK_TIMEOUT", "50ms")
    with databases.connect(database) as other:
        other.execute(f"BEGIN; SELECT pg_advisory_xact_lock({ADVISORY_LOCK}, 1)")
        with ThreadPoolExecutor(1) as thread:
            opening = thread.submit(Store.open, tmp_path / "a", lambda: NOW, engine_at(databases.url(database)))
            while not (opening.done() or waiting_for_advisory_locks(other)):
                pass
            other.execute("SELECT pg_sleep(0.2)")
            waited = not opening.done()
            other.execute("COMMIT")
            store = opening.result()
    asyncio.run(store.close())

    assert waited


def waiting_for_advisory_locks(db):
    waiting = "SELECT 1 FROM pg_locks JOIN pg_database ON oid = database WHERE locktype = 'advisory' AND NOT granted"
    return db.execute(f"{waiting} AND datname = current_database()").fetchone()


def test_calls_are_limited_for_all_processes_together(processes, databases, database):
    async def run():
        async with processes() as ([(one, _), (other, _)], _):
            databases.set_clock(database, NOW)
            counted = [await store.count_call(1, 3) for store in (one, other, one, other)]

            assert [0, 0, 0, 60] == counted
            databases.set_clock(database, NOW + 60)
            assert 0 == await other.count_call(1, 3)

    asyncio.run(run())


def test_what_one_process_observed_the_others_learn_and_nothing_older(processes):
    async def run():
        async with processes() as ([(first, one), (second, other)], _):
            one.key_used(1, "A", NOW + 2)
            other.key_used(1, "C", NOW + 1)
            await first.upkeep.run_once()
            await second.upkeep.run_once()

            assert (NOW + 2, "A") == one.observed.last("key", 1) == other.observed.last("key", 1)

    asyncio.run(run())


@pytest.mark.proof
def test_a_company_whose_writers_wait_holds_up_no_other(processes, databases, database):
    async def run():
        async with processes(1) as ([(store, ledger)], _):
            made = world.COMPANY.__class__(id=0, label="other", name="Other")
            other = await store.create_company(made, first_records(), origin())
            with databases.connect(database) as at_work:  # it is not stuck, only slow: nobody ends it
                at_work.execute("BEGIN; SELECT set_config('deskroster.company', '1', true)")
                at_work.execute("SELECT number FROM companies WHERE company_id = 1 FOR UPDATE")
                waiting = asyncio.ensure_future(ledger.submit(work(new_group("a"))))
                asleep = asyncio.to_thread(at_work.execute, "SELECT pg_sleep(2)")
                sleeping = asyncio.ensure_future(asleep)

                assert b"1" == await other.submit(work(new_group("b")))
                assert not waiting.done()
                await sleeping
                at_work.execute("ROLLBACK")
                assert b"1" == await waiting

    asyncio.run(run())
