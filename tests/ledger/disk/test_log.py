"""Reading the log again costs what is read of it, and not what there is of it."""

import asyncio

import pytest

from deskroster.ledger.disk import log
from deskroster.ledger.disk.log import PAGE
from deskroster.ledger.upkeep import periodic as upkeep
from deskroster.ledger.upkeep.periodic import VERIFY_BATCH
from tests.ledger.support import new_group, opened, work

COMMITS, CHANGES = 8, 500  # so many changes in each
ALL = COMMITS * CHANGES
MOST = 600  # changes that are to be read


class Counted:
    """A database that counts the rows that it sends."""

    def __init__(self, db):
        self._db = db
        self.rows = 0

    def execute(self, statement, values=()):
        cursor = self._db.execute(statement, values)
        result = getattr(cursor, "pgresult", None)
        if result is not None:  # psycopg has all rows at once
            self.rows += result.ntuples
            return cursor
        return _CountedCursor(cursor, self)


class _CountedCursor:
    def __init__(self, cursor, counted):
        self._cursor = cursor
        self._counted = counted

    def fetchone(self):
        self._counted.rows += 1
        return self._cursor.fetchone()

    def fetchall(self):
        rows = self._cursor.fetchall()
        self._counted.rows += len(rows)
        return rows


def test_verifying_part_of_the_log_reads_only_the_rows_of_that_part(tmp_path):
    async def run():
        async with opened(tmp_path) as (store, ledger):
            await write_much(ledger)
            rows, reached = await store._engine.read(lambda db: _read_on(db, 0, MOST), 1)

            assert 3 == reached  # the creation, and two large ones
            assert rows <= MOST + 2 * PAGE < ALL

    asyncio.run(run())


def test_control_a_query_without_a_limit_is_noticed(tmp_path, monkeypatch):
    for name in ("_COMMITS", "_CHANGES"):
        monkeypatch.setattr(log, name, getattr(log, name).partition(" LIMIT ")[0])

    async def run():
        async with opened(tmp_path) as (store, ledger):
            await write_much(ledger)
            rows, _ = await store._engine.read(lambda db: _read_on(db, 0, MOST), 1)

            assert rows >= ALL

    asyncio.run(run())


@pytest.mark.parametrize("page", [1, 2, 3, 5, 8])
def test_in_pages_the_log_reads_as_it_was_written(tmp_path, monkeypatch, page):
    """Pages end within a commit, at its end, and at the end of the log."""
    monkeypatch.setattr(log, "PAGE", page)
    for name in ("_COMMITS", "_CHANGES"):
        monkeypatch.setattr(log, name, f"{getattr(log, name).partition(' LIMIT ')[0]} LIMIT {page}")

    async def run():
        async with opened(tmp_path) as (store, ledger):
            for size in (1, 2, 5, 4, 1, 1):
                await ledger.submit(work(many(size)))
            told = await store._engine.read(lambda db: list(log.commits(db, 1)), 1)

            assert list(range(1, 8)) == [commit.number for commit in told]
            assert [1, 2, 5, 4, 1, 1] == [len(commit.changes) for commit in told[1:]]
            assert [4, 5, 6, 7] == [
                one.number for one in await store._engine.read(lambda db: list(log.commits(db, 1, 3)), 1)
            ]

    asyncio.run(run())


def test_a_minute_reads_on_in_short_jobs_and_no_further_than_it_may(tmp_path, monkeypatch):
    jobs = []
    real = log.verify

    def read_on(db, company_id, since, most=None):
        counted = Counted(db)
        reached = real(counted, company_id, since, most)
        jobs.append(counted.rows)
        return reached

    monkeypatch.setattr(upkeep, "MAX_VERIFIED", 3 * VERIFY_BATCH)

    async def run():
        async with opened(tmp_path) as (store, ledger):
            await write_much(ledger)
            monkeypatch.setattr(log, "verify", read_on)
            await store.upkeep.run_once()

            reach = store.upkeep.verified[1]
            assert 1 < reach.stored == reach.current < ledger.roster.number
            assert 3 == len(jobs)
            assert max(jobs) <= VERIFY_BATCH + CHANGES + 2 * PAGE < ALL
            assert reach.current == await store._engine.read(lambda db: log.verified(db, store.vault, 1), 1)

            while store.upkeep.verified[1].current < ledger.roster.number:
                await store.upkeep.run_once()
            jobs.clear()
            await store.upkeep.run_once()
            assert [] == jobs

    asyncio.run(run())


def test_a_start_reads_no_more_of_a_long_log_than_one_job_and_the_minutes_read_the_rest(tmp_path, monkeypatch):
    """On SQLite every write waits for the job that loads a company."""

    async def run():
        async with opened(tmp_path) as (store, ledger):
            await write_much(ledger)
            number, reached = ledger.roster.number, store.upkeep.verified[1].stored
            monkeypatch.setattr(store.upkeep, "close", _nothing)  # which would read all of it
        async with opened(tmp_path) as (store, _):
            loaded = store.upkeep.verified[1]
            assert reached < loaded.current < number
            assert store.upkeep._timer is not None
            await store.upkeep.run_once()

            assert number == store.upkeep.verified[1].stored

    asyncio.run(run())


def test_damage_that_is_met_in_reading_on_stops_writing(tmp_path):
    async def run():
        async with opened(tmp_path) as (store, ledger):
            await ledger.submit(work(new_group("a")))
            await store._engine.write(lambda db: db.execute("UPDATE commits SET at = at + 1 WHERE number = 2"))
            assert not ledger.damage
            await store.upkeep.run_once()

            assert "commit 2" in ledger.damage

    asyncio.run(run())


async def write_much(ledger):
    ledger._timeout = 60
    for _ in range(COMMITS):
        await ledger.submit(work(many(CHANGES)))


def many(count):
    def verb(roster, caller):
        first = roster.next_id("group")
        made = new_group("g")(roster, caller)[0]
        return [made._replace(id=i, after=made.after.__class__(id=i, name="g")) for i in range(first, first + count)]

    return verb


async def _nothing():
    pass


def _read_on(db, since, most):
    counted = Counted(db)
    reached = log.verify(counted, 1, since, most)
    return counted.rows, reached
