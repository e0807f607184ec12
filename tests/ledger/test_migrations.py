"""Upgrading: data of an earlier version, and old and new processes side by side on one database."""

import asyncio
import itertools
import random
import time
from contextlib import closing, suppress

import pytest
import sqlalchemy as sa
from alembic import op
from alembic.script import Script, ScriptDirectory

from deskroster.core.problems import Busy, Refusal
from deskroster.ledger import Failed, NewerData, Store, installation, location, migrations
from deskroster.ledger.disk import log, schema, tables
from deskroster.ledger.engines.postgresql import engine as postgresql
from tests import random_verbs, world
from tests.ledger.support import NOW, first_records, names, new_group, origin, work
from tests.releases import make, unpacked

pytestmark = pytest.mark.once

LATER = "9000"
_numbers = itertools.count()


@pytest.fixture
def url(databases):
    """Give the address of an empty database."""
    name = f"upgrading_{next(_numbers)}"
    yield databases.create(name)
    databases.drop(name)


def open_at(folder, url, first=None):
    """Open a store on the database; with the key of the one that was the first to."""
    folder.mkdir(exist_ok=True)
    if first is not None:
        (folder / "key").write_bytes((first / "key").read_bytes())
        (folder / "key").chmod(0o600)
    return Store.open(folder, lambda: NOW, location.engine_at(url))


def create(store):
    return store.create_company(world.COMPANY, first_records(), origin())


@pytest.fixture
def later(monkeypatch):
    """Give a function that makes this the program of a later version: what it opens is brought to that."""
    steps = {"upgrade": expand}

    def upgrade():
        steps["upgrade"]()

    class Revision:
        revision, down_revision, dependencies, branch_labels = LATER, migrations.HEAD, None, set()
        __doc__ = "A later version."

    Revision.upgrade = staticmethod(upgrade)
    real = ScriptDirectory._load_revisions

    def with_later(self):
        yield from real(self)
        yield Script(Revision, LATER, "later.py")

    def become(steps_of_it=expand, serves=migrations.HEAD):
        steps["upgrade"] = steps_of_it
        monkeypatch.setattr(ScriptDirectory, "_load_revisions", with_later)
        for module in (migrations, installation, schema):
            monkeypatch.setattr(module, "HEAD", LATER)
        for module in (migrations, schema):
            monkeypatch.setattr(module, "SERVES", serves)

    become.undo = monkeypatch.undo
    return become


def expand():
    op.add_column("agents", sa.Column("pronouns", sa.Text(), nullable=True))
    op.create_table("shifts", sa.Column("company_id", sa.BigInteger(), primary_key=True))


def test_old_and_new_processes_write_side_by_side_and_nothing_is_lost(tmp_path, url, later):
    async def run():
        old = open_at(tmp_path / "old", url)
        before = await create(old)
        await before.submit(work(new_group("before", (1,))))
        later()
        new = await asyncio.to_thread(open_at, tmp_path / "new", url, tmp_path / "old")
        later.undo()
        after, chance = await new.load(1), random.Random(1)
        for _ in range(60):
            store, ledger = chance.choice([(old, before), (new, after)])
            verb = chance.choice(random_verbs.VERBS)(chance, ledger.roster)
            with suppress(Refusal):
                await ledger.submit(work(verb)._replace(shape=lambda roster, done: b""))
            if chance.random() < 0.3:
                await store.refresh(ledger)
        for store, ledger in ((old, before), (new, after)):
            await store.refresh(ledger)
            assert [] == await store.check()
        again = await asyncio.to_thread(open_at, tmp_path / "again", url, tmp_path / "old")

        assert LATER == again._engine.read_now(schema.version)
        assert 10 < before.roster.number
        loaded = (await again.load(1)).roster
        assert random_verbs.state(before.roster) == random_verbs.state(after.roster) == random_verbs.state(loaded)
        for store in (old, new, again):
            await store.close()

    asyncio.run(run())


def test_an_older_program_that_the_data_serves_no_more_is_refused(tmp_path, url, later):
    async def run():
        store = open_at(tmp_path / "old", url)
        await create(store)
        await store.close()
        later(serves=LATER)
        await open_at(tmp_path / "old", url).close()
        later.undo()

        with pytest.raises(NewerData):
            open_at(tmp_path / "old", url)

    asyncio.run(run())


@pytest.mark.parametrize("serves", [migrations.HEAD, LATER])
def test_a_process_that_is_open_while_a_later_version_contracts_can_neither_read_nor_write(
    tmp_path, url, later, serves
):
    """The control: where the later version only expands, the old process goes on."""

    async def run():
        old = open_at(tmp_path / "old", url)
        ledger = await create(old)
        later(serves=serves)
        await (await asyncio.to_thread(open_at, tmp_path / "new", url, tmp_path / "old")).close()
        later.undo()
        if serves == LATER:
            for asked in (old.refresh(ledger), ledger.submit(work(new_group("too late")))):
                with pytest.raises(Busy):
                    await asked
            assert "a later version has changed the tables" in old.outdated
        else:
            await old.refresh(ledger)
            await ledger.submit(work(new_group("side by side")))
            assert "" == old.outdated
        assert ([] if serves == LATER else ["side by side"]) == names(ledger)
        await old.close()

    asyncio.run(run())


def test_many_that_are_upgraded_at_once_all_find_the_tables_whole(tmp_path, url, later):
    async def run():
        store = open_at(tmp_path / "old", url)
        await create(store)
        later()
        new = await asyncio.gather(
            *(asyncio.to_thread(open_at, tmp_path / f"{at}", url, tmp_path / "old") for at in range(6))
        )

        assert [] == await new[0].check()
        for one in (store, *new):
            await one.close()

    asyncio.run(run())


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_an_upgrade_that_fails_has_changed_nothing(tmp_path, databases, url, later, engine, monkeypatch):
    async def run():
        where = url if engine == "postgresql" else None
        store = open_at(tmp_path / "old", where)
        await create(store)
        await store.close()
        declared = tables_of(tmp_path / "old", where)
        later()
        with monkeypatch.context() as patch:
            patch.setattr(schema, "sign", lambda db, vault: 1 // 0)
            with pytest.raises(ZeroDivisionError):
                open_at(tmp_path / "old", where)
        assert declared == tables_of(tmp_path / "old", where)
        later.undo()
        store = open_at(tmp_path / "old", where)
        assert [] == await store.check()
        await store.close()

    asyncio.run(run())


def tables_of(folder, url):
    with closing(location.engine_at(url)(folder)) as engine:
        return engine.read_now(lambda db: db.declared())


def test_an_upgrade_that_waits_for_a_lock_gives_up_and_writers_go_on(tmp_path, url, later, databases, monkeypatch):
    monkeypatch.setattr(postgresql, "TABLE_LOCK_TIMEOUT", "300ms")

    async def run():
        old = open_at(tmp_path / "old", url)
        ledger = await create(old)
        with databases.connect(url.rpartition("/")[2].partition("?")[0]) as reader:
            reader.execute("BEGIN; SELECT set_config('deskroster.company', '1', true); SELECT 1 FROM agents")
            later()
            upgrading = asyncio.create_task(asyncio.to_thread(open_at, tmp_path / "new", url, tmp_path / "old"))
            answers = [await ledger.submit(work(new_group(f"{at}"))) for at in range(5)]
            began = time.monotonic()
            with pytest.raises(Failed, match="lock timeout"):
                await upgrading
            assert time.monotonic() - began < 10
            answers += [await ledger.submit(work(new_group(f"{at}"))) for at in range(5, 10)]
            reader.execute("COMMIT")
        new = await asyncio.to_thread(open_at, tmp_path / "new", url, tmp_path / "old")

        assert 10 == len(set(answers))
        assert [f"{at}" for at in range(10)] == names(await new.load(1))
        for store in (old, new):
            await store.close()

    asyncio.run(run())


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_data_of_the_first_version_is_brought_to_ours(tmp_path, databases, url, engine):
    """What 0.1.0 has left, with the step from `0001` to its tables taken back."""

    async def run():
        folder, name = tmp_path / "data", url.rpartition("/")[2].partition("?")[0]
        if engine == "postgresql":
            unpacked.database("0.1.0", databases, name)
            make.key_in(folder)
        else:
            unpacked.data_folder("0.1.0", folder)
        where = url if engine == "postgresql" else None
        with closing(location.engine_at(where)(folder)) as held:
            held.write_now(lambda db: to_the_first_version(db, shared=engine == "postgresql"))
            assert migrations.OLDEST == held.read_now(schema.version)
        (before, *_) = unpacked.expected("0.1.0", engine)

        store = open_at(folder, where)
        ledger = await store.load(1)
        assert migrations.HEAD == store._engine.read_now(schema.version)
        assert before == make.told(ledger.roster)
        assert [] == await store.check()
        unused = store.fresh(ledger, "nonce")
        assert unused if isinstance(unused, bool) else await unused
        await ledger.submit(work(new_group("投诉")))
        numbers = [told.number for told in store._engine.read_now(lambda db: list(log.commits(db, 1)))]
        assert list(range(1, before["number"] + 2)) == numbers
        await store.close()

    asyncio.run(run())


def to_the_first_version(db, shared):
    """Take back what the step to `0002` did."""
    for table in ("nonces", "calls") if shared else ():
        db.execute(f"DROP TABLE {table}")
    of_companies = [name for name in tables.metadata.tables if name != "installation"]
    for table in of_companies if shared else ():
        db.execute(f"DROP POLICY company ON {table}")
        db.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
        db.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
    db.execute("UPDATE alembic_version SET version_num = '0001'")
