"""A backup or a check of a served folder is made of a copy, in slices between which others write."""

import asyncio
import os
import shutil
import threading
from types import SimpleNamespace

import pytest

from deskroster.ledger.engines import Failed, NoRoom
from deskroster.ledger.engines.copy_file import FILE
from deskroster.ledger.engines.sqlite import copying, engine
from deskroster.ledger.store import CHECKED, Store
from deskroster.ledger.upkeep import check
from deskroster.ledger.upkeep import check_process as apart
from tests.ledger.support import NOW, new_group, opened, work

pytestmark = pytest.mark.once

PAGES = 2  # of a slice, so that a small company is copied in many


@pytest.fixture
def slices(monkeypatch):
    """Copy in small slices; give how many pages each of them had."""
    taken = []
    monkeypatch.setattr(copying, "PAGES", PAGES)
    between = copying.Copying._pause

    def counted(self, status, remaining, total):
        taken.append((total if self.left is None else self.left) - remaining)
        self.left = remaining
        between(self, status, remaining, total)

    monkeypatch.setattr(copying.Copying, "left", None, raising=False)
    monkeypatch.setattr(copying.Copying, "_pause", counted)
    return taken


def test_no_job_of_a_copy_is_longer_than_a_slice(tmp_path, slices):
    async def run():
        async with opened(tmp_path / "data") as (store, _):
            await store.backup(tmp_path / "backup")

            assert max(slices) <= PAGES
            assert len(slices) >= 10

    asyncio.run(run())


def test_control_a_copy_all_at_once_is_noticed(tmp_path, slices, monkeypatch):
    monkeypatch.setattr(copying, "PAGES", -1)

    async def run():
        async with opened(tmp_path / "data") as (store, _):
            await store.backup(tmp_path / "backup")

            assert max(slices) > 10 * PAGES

    asyncio.run(run())


def test_others_write_while_a_copy_is_made_and_it_is_of_one_moment(tmp_path, slices):
    async def run():
        async with opened(tmp_path / "data") as (store, ledger):
            before, during = ledger.roster.number, 0
            making = asyncio.ensure_future(store._engine.copy(tmp_path / FILE, lambda db: None))
            while not making.done():
                await ledger.submit(work(new_group(f"group {during}")))
                during += 1
            await making

            assert during >= len(slices) / 4
            assert [] == apart.check_copy(tmp_path / FILE, store.vault)
            assert before < copied_number(tmp_path / FILE) <= ledger.roster.number
            assert [] == await store.check()

    asyncio.run(run())


def test_a_copy_that_a_failed_write_interrupts_is_begun_again(tmp_path, slices):
    async def run():
        async with opened(tmp_path / "data") as (store, ledger):
            started = []
            begin = store._engine._begin_copying

            def begun(connection, target):
                started.append(target)
                return begin(connection, target)

            store._engine._begin_copying = begun
            making = asyncio.ensure_future(store._engine.copy(tmp_path / FILE, lambda db: None))
            while not slices:  # noqa: ASYNC110 - until it is under way
                await asyncio.sleep(0)
            store._engine.faults = ["after"]
            await ledger.submit(work(new_group("a")))
            await making

            assert 2 == len(started)
            assert [] == apart.check_copy(tmp_path / FILE, store.vault)
            assert ledger.roster.number == copied_number(tmp_path / FILE)

    asyncio.run(run())


def test_a_check_that_is_left_lets_go_of_the_database_and_leaves_no_copy(tmp_path, slices):
    async def run():
        async with opened(tmp_path) as (store, ledger):
            making = asyncio.ensure_future(store.check())
            while not slices:  # noqa: ASYNC110 - until it is under way
                await asyncio.sleep(0)
            making.cancel()
            await asyncio.gather(making, return_exceptions=True)

            assert store._engine._copying.done
            assert [] == left_over(tmp_path)
            assert b"1" == await ledger.submit(work(new_group("a")))
            assert [] == await store.check()

    asyncio.run(run())


def test_without_room_for_a_copy_nothing_is_begun_and_nothing_left(tmp_path, monkeypatch):
    monkeypatch.setattr(engine.shutil, "disk_usage", lambda path: SimpleNamespace(free=engine.COPY_RESERVE))

    async def run():
        async with opened(tmp_path / "data") as (store, ledger):
            with pytest.raises(NoRoom, match="no room"):
                await store.backup(tmp_path / "backup")
            with pytest.raises(NoRoom, match="MiB"):
                await store.check()
            assert [] == left_over(tmp_path) + left_over(tmp_path / "data")
            assert [] == await store.check_in_place()
            assert b"1" == await ledger.submit(work(new_group("a")))

    asyncio.run(run())


def test_a_disk_that_is_full_before_a_copy_is_done_says_so_and_keeps_what_there_is(tmp_path, monkeypatch):
    monkeypatch.setattr(copying, "_PRAGMAS", (*copying._PRAGMAS, "max_page_count = 8"))

    async def run():
        async with opened(tmp_path / "data") as (store, ledger):
            with pytest.raises(NoRoom, match="full"):
                await store.backup(tmp_path / "backup")
            with pytest.raises(NoRoom, match="full"):
                await store.check()
            assert [] == left_over(tmp_path) + left_over(tmp_path / "data")
            assert b"1" == await ledger.submit(work(new_group("a")))

    asyncio.run(run())


def test_a_check_of_a_served_folder_reads_nothing_in_the_thread_that_writes(tmp_path, monkeypatch):
    threads = []
    everything = check.everything

    def looked(db, vault):
        threads.append(threading.current_thread().name.partition("_")[0])
        return everything(db, vault)

    monkeypatch.setattr(check, "everything", looked)

    async def run():
        async with opened(tmp_path) as (store, _):
            await store.check()
            await store.backup(tmp_path / "backup")
            assert "ledger" not in threads

            await store.check_in_place()  # the control
            assert "ledger" == threads[-1]

    asyncio.run(run())


@pytest.mark.parametrize("harm", ["", "UPDATE agents SET level = 'agent' WHERE id = 1"])
def test_a_process_of_its_own_finds_what_this_one_finds(tmp_path, monkeypatch, harm):
    async def run():
        async with opened(tmp_path) as (store, ledger):
            if harm:
                await store._engine.write(lambda db: db.execute(harm))
            in_place = await store.check_in_place()
            monkeypatch.setattr(apart, "SMALL_COPY", -1)
            monkeypatch.setattr(apart, "check_copy", None)  # not in this one
            found = await store.check()

            assert in_place == found
            assert bool(harm) == bool(found) == bool(ledger.damage)

    asyncio.run(run())


def test_a_process_of_its_own_that_fails_is_no_damage_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(apart, "SMALL_COPY", -1)
    monkeypatch.setattr(apart, "_COMMAND", (*apart._COMMAND[:2], "raise SystemExit('out of memory')"))

    async def run():
        async with opened(tmp_path) as (store, ledger):
            with pytest.raises(Failed, match="out of memory"):
                await store.check()
            assert "" == ledger.damage
            assert [] == left_over(tmp_path)

    asyncio.run(run())


def test_what_a_killed_check_has_left_is_removed_at_the_next_start(tmp_path):
    async def run():
        async with opened(tmp_path):
            pass
        shutil.copytree(tmp_path, tmp_path / f"{CHECKED}.partial")
        store = Store.open(tmp_path, lambda: NOW)
        await store.close()

        assert [] == left_over(tmp_path)

    asyncio.run(run())


def left_over(folder):
    return [name for name in os.listdir(folder) if "partial" in name or name == "backup"]


def copied_number(file):
    with engine.sqlite3.connect(f"{file.as_uri()}?mode=ro&immutable=1", uri=True) as db:
        (number,) = db.execute("SELECT number FROM companies").fetchone()
    db.close()
    return number
