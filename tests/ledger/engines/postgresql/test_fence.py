"""A key that was changed, or data that was moved, beside a process that has lost the session that is to prevent it."""

import asyncio
import os
import signal
import time
from contextlib import suppress

import pytest

from deskroster.core.problems import Busy, Unknown
from deskroster.ledger import FolderInUse, Store, installation, location, rotate_key
from deskroster.ledger.engines import fence
from deskroster.ledger.engines.postgresql import advisory_lock, transactions
from deskroster.ledger.engines.sqlite.engine import SQLite
from deskroster.ledger.location import engine_at
from deskroster.ledger.upkeep import move as moving
from tests.ledger.support import NOW, before_the_mark, hook_commits, names, new_group, opened, work

pytestmark = pytest.mark.once

PATIENCE = 60.0
QUIET = moving.Progress(lambda total: None, lambda done: None)
LOCKS = """SELECT pid, mode FROM pg_locks WHERE locktype = 'advisory' AND granted AND objid = 0 AND classid = %s
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"""


@pytest.fixture
def unfenced(monkeypatch):
    """Let everything pass, as before there was a fence."""
    monkeypatch.setattr(fence.Fence, "check", lambda self, notes: None)


def there(folder, url):
    """Note in a folder that its data is at this address."""
    location.note(folder, url)
    return folder


def rotated(url, folder):
    rotate_key(there(folder, url))


def moved(url, folder):
    moving.move(there(folder, url), None, QUIET)


def copied(folder, to):
    """Return a folder with the key that another has now."""
    to.mkdir()
    (to / "key").write_bytes((folder / "key").read_bytes())
    (to / "key").chmod(0o600)
    return to


async def durable(url, folder, tmp_path):
    """Return the groups, and what the doctor finds, wherever the data of a folder is now."""
    store = Store.open(folder, lambda: NOW, engine_at(location.noted_in(folder)))
    try:
        return names(await store.load(1)), await store.check()
    finally:
        await store.close()


CHANGES = pytest.mark.parametrize("change", [rotated, moved])


@CHANGES
def test_an_outdated_process_neither_reads_nor_writes_and_gives_the_reason(
    processes, databases, database, alone, change, tmp_path
):
    url, told = databases.url(database), []

    async def run():
        async with processes() as ([(_, one), (store, other)], all_of_them):
            await one.submit(work(new_group("before")))
            await store.fresh(other)
            other._engine.fence.alarm = told.append
            await asyncio.to_thread(change, url, all_of_them.folder(0))

            for _ in range(3):
                with pytest.raises(Busy):
                    await other.submit(work(new_group("after")))
                with pytest.raises(Busy):
                    await store.fresh(other)
                with pytest.raises(Busy):
                    await store.companies_with_email("a@b.cn")
                with pytest.raises(Busy):
                    await store.count_call(1, 9)
            assert not await store.ready()
            assert [store.outdated] == told
            assert ("key" if change is rotated else "moved") in store.outdated
            assert "" == store._engine.damage
            assert (["before"], []) == await durable(url, all_of_them.folder(0), tmp_path)

    asyncio.run(run())


@CHANGES
def test_control_without_the_fence_an_outdated_process_still_writes(
    processes, databases, database, alone, unfenced, change, tmp_path
):
    url = databases.url(database)

    async def run():
        async with processes(1) as ([(_, ledger)], all_of_them):
            await asyncio.to_thread(change, url, all_of_them.folder(0))

            assert b"1" == await ledger.submit(work(new_group("after")))
            found, wrong = await durable(url, all_of_them.folder(0), tmp_path)
            assert found != ["after"] or wrong

    with suppress(installation.Damaged):  # a row with the seal of the old key does not even load
        asyncio.run(run())


@CHANGES
def test_of_what_is_written_while_the_key_or_the_place_changes_nothing_that_was_acknowledged_is_lost(
    processes, databases, database, alone, change, tmp_path
):
    """Two processes write as fast as they can; the change takes place among their commits."""
    url, done = databases.url(database), []

    async def write(ledger, name):
        number = 0
        with suppress(Busy, Unknown):
            while True:
                await ledger.submit(work(new_group(f"{name}{number}")))
                done.append(f"{name}{number}")
                number += 1

    async def run():
        async with processes() as ([(_, one), (_, other)], all_of_them):
            writing = [asyncio.ensure_future(write(one, "a")), asyncio.ensure_future(write(other, "b"))]
            await until(lambda: len(done) >= 20)
            refused = True
            while refused:  # a move may find that it was written to meanwhile
                try:
                    await asyncio.to_thread(change, url, all_of_them.folder(0))
                    refused = False
                except (moving.CannotMove, FolderInUse):
                    assert change is moved
                    for task in writing:
                        task.cancel()
            await asyncio.wait(writing)
            found, wrong = await durable(url, all_of_them.folder(0), tmp_path)

            assert [] == wrong
            assert set(done) <= set(found)

    asyncio.run(run())


def between_copy_and_mark(monkeypatch, ledger, loop, name):
    """Let a process write when its data has been copied, and before it is told that it was moved."""
    written = work(new_group(name))
    before_the_mark(
        monkeypatch, lambda: asyncio.run_coroutine_threadsafe(ledger.submit(written), loop).result(PATIENCE)
    )


def test_a_move_beside_a_write_after_its_copy_is_refused_and_can_be_given_again(
    processes, databases, database, alone, monkeypatch, tmp_path
):
    url = databases.url(database)

    async def run():
        async with processes(1) as ([(store, ledger)], all_of_them):
            folder = all_of_them.folder(0)
            between_copy_and_mark(monkeypatch, ledger, asyncio.get_running_loop(), "a")
            with pytest.raises(moving.CannotMove):
                await asyncio.to_thread(moved, url, folder)

            assert url == location.noted_in(folder)
            await store.fresh(ledger)
            assert b"2" == await ledger.submit(work(new_group("b")))
            await asyncio.to_thread(moved, url, folder)
            with pytest.raises(Busy):
                await store.fresh(ledger)
            assert (["a", "b"], []) == await durable(url, folder, tmp_path)

    asyncio.run(run())


def test_control_a_move_that_does_not_compare_its_copy_at_the_mark_loses_a_write(
    processes, databases, database, alone, monkeypatch, tmp_path
):
    url = databases.url(database)
    monkeypatch.setattr(moving, "_state", lambda db: None)

    async def run():
        async with processes(1) as ([(_, ledger)], all_of_them):
            between_copy_and_mark(monkeypatch, ledger, asyncio.get_running_loop(), "a")
            await asyncio.to_thread(moved, url, all_of_them.folder(0))

            assert (["a"], []) == (names(ledger), (await durable(url, all_of_them.folder(0), tmp_path))[0])

    asyncio.run(run())


def test_a_write_whose_outcome_is_in_doubt_when_the_key_is_changed_is_unknown(
    processes, databases, database, alone, tmp_path
):
    url = databases.url(database)

    async def run():
        async with processes(1) as ([(_, ledger)], all_of_them):

            def broken(session, job):
                session.connection.pgconn.finish()
                rotated(url, all_of_them.folder(0))
                return transactions.commit(session, job)

            hook_commits(ledger._engine, broken)
            with pytest.raises((Unknown, Busy)):
                await ledger.submit(work(new_group("a")))
            assert ([], []) == await durable(url, all_of_them.folder(0), tmp_path)

    asyncio.run(run())


def test_a_company_that_was_not_loaded_before_the_key_was_changed_is_no_damage(
    processes, databases, database, alone, tmp_path
):
    async def run():
        async with processes(1) as ([(store, _)], all_of_them):
            store._ledgers.clear()
            store.upkeep.verified.clear()
            await asyncio.to_thread(rotated, databases.url(database), all_of_them.folder(0))
            with pytest.raises(Busy):
                await store.load(1)
            assert "" == store._engine.damage

    asyncio.run(run())


def test_a_writer_compares_the_epoch_after_it_has_waited_for_its_lock(processes, databases, database, alone):
    """A statement that waits for a lock still sees what was there before it waited: so the epoch has one of its own."""

    async def run():
        async with processes(1) as ([(_, ledger)], _):
            with databases.connect(database) as raw:
                raw.execute("BEGIN; SELECT set_config('deskroster.company', '1', true)")
                raw.execute("SELECT 1 FROM companies WHERE company_id = 1 FOR UPDATE")
                writing = asyncio.ensure_future(ledger.submit(work(new_group("a"))))
                await until(lambda: raw.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchall())
                raw.execute("UPDATE installation SET value = 'another' WHERE name = 'key'")
                raw.execute("COMMIT")
                with pytest.raises(Busy):
                    await writing
                assert ledger._engine.fence.outdated

    asyncio.run(run())


async def until(true):
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


def test_a_session_that_was_ended_is_made_again_though_nobody_asks_anything(processes, databases, database):
    async def run():
        async with processes(1) as (_, all_of_them):
            with databases.connect(database) as raw:
                for _ in range(3):
                    pid = held(raw)[0][0]
                    raw.execute("SELECT pg_terminate_backend(%s, 10000)", (pid,))
                    await until(lambda: [one for one in held(raw) if one[0] != pid])  # noqa: B023 - used up at once

                    assert ["ShareLock"] == [mode for _, mode in held(raw)]
            with pytest.raises(FolderInUse):
                rotate_key(there(all_of_them.folder(0), databases.url(database)))

    asyncio.run(run())


def held(raw):
    """Return which sessions say that they have the installation open."""
    return raw.execute(LOCKS, (advisory_lock.ADVISORY_LOCK,)).fetchall()


def test_control_a_session_that_nobody_watches_is_not_made_again(processes, databases, database, monkeypatch):
    monkeypatch.setattr(advisory_lock.LockHolder, "_watch", lambda self: None)

    async def run():
        async with processes(1) as (_, all_of_them):
            with databases.connect(database) as raw:
                raw.execute("SELECT pg_terminate_backend(%s, 10000)", (held(raw)[0][0],))
                await until(lambda: not held(raw))
                rotate_key(there(all_of_them.folder(0), databases.url(database)))

                assert "ShareLock" not in [mode for _, mode in held(raw)]

    asyncio.run(run())


def test_a_session_whose_server_has_fallen_silent_is_made_again(processes, databases, database, monkeypatch):
    monkeypatch.setattr(advisory_lock, "KEEPALIVE_SECONDS", 0.1)
    monkeypatch.setattr(advisory_lock, "CHECK_SECONDS", 0.05)
    monkeypatch.setattr(advisory_lock, "READ_TIMEOUT", 0.3)

    async def run():
        async with processes(1):
            with databases.connect(database) as raw:
                frozen = held(raw)[0][0]
                os.kill(frozen, signal.SIGSTOP)
                try:
                    await until(lambda: [one for one in held(raw) if one[0] != frozen])
                finally:
                    os.kill(frozen, signal.SIGCONT)

    asyncio.run(run())


def test_a_session_that_is_idle_for_longer_than_the_server_allows_stays(processes, databases, database):
    async def run():
        with databases.connect(database) as raw:
            raw.execute(f"ALTER DATABASE {database} SET idle_session_timeout = '50ms'")
            async with processes(1):
                before = held_by(databases, database)
                other = databases.connect(database)  # one that is not set otherwise
                await until(lambda: ended(other))

                assert before == held_by(databases, database)

    asyncio.run(run())


def held_by(databases, database):
    with databases.connect(database) as raw:
        return held(raw)


def ended(connection):
    with suppress(Exception):
        time.sleep(0.2)  # longer than it may be idle
        connection.execute("SELECT 1")
        return False
    return True


def test_neither_key_nor_place_is_changed_while_a_folder_with_sqlite_is_served(tmp_path, databases, database):
    async def run():
        async with opened(tmp_path / "data") as (store, ledger):
            assert isinstance(store._engine, SQLite)
            with pytest.raises(FolderInUse):
                rotate_key(tmp_path / "data")
            with pytest.raises(FolderInUse):
                moving.move(tmp_path / "data", databases.url(database), QUIET)
            assert b"1" == await ledger.submit(work(new_group("a")))

    asyncio.run(run())
