"""Looking a copy over in a process of its own, whatever becomes of that process."""

import asyncio
import os
import signal
import sqlite3
import sys
from contextlib import closing

import pytest

from deskroster.ledger import BadBackup, DiskFailed, Failed, Vault, examine, verify
from deskroster.ledger.disk.vault import new_key
from deskroster.ledger.upkeep import check
from deskroster.ledger.upkeep import check_process as apart
from tests.ledger.support import new_group, opened, work

pytestmark = pytest.mark.once


@pytest.fixture(params=["default", "ignored"])
def children(request):
    """Have ended children kept for their parent, or reaped at once, as where a server is process 1."""
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN if request.param == "ignored" else signal.SIG_DFL)
    yield
    signal.signal(signal.SIGCHLD, before)


def test_a_whole_copy_is_found_whole(tmp_path, children, monkeypatch):
    monkeypatch.setattr(apart, "SMALL_COPY", 0)

    async def run():
        async with opened(tmp_path / "data") as (store, _):
            vault = store.vault
        return await apart.findings(tmp_path / "data" / "deskroster.db", vault)

    (tmp_path / "data").mkdir()
    assert [] == asyncio.run(run())


@pytest.mark.parametrize(
    "code", ["raise SystemExit('it broke')", "import os; os._exit(0)", "import os; os.kill(os.getpid(), 9)"]
)
def test_a_check_that_ends_without_a_result_has_failed(tmp_path, children, monkeypatch, code):
    monkeypatch.setattr(apart, "SMALL_COPY", 0)
    monkeypatch.setattr(apart, "_COMMAND", (sys.executable, "-c", code))
    (tmp_path / "copy").write_bytes(os.urandom(64))

    with pytest.raises(Failed, match="without a result"):
        asyncio.run(apart.findings(tmp_path / "copy", Vault(new_key())))


FULL, BROKEN = sqlite3.SQLITE_FULL, sqlite3.SQLITE_CORRUPT
OF_THE_DISK = (FULL, sqlite3.SQLITE_IOERR_READ, sqlite3.SQLITE_CANTOPEN)


def failing(code):
    """Return a look that ends with an error of SQLite: a real one where the disk is full."""

    def look(*args):
        if code == FULL:
            with closing(sqlite3.connect(":memory:")) as small:
                small.execute("PRAGMA max_page_count = 1")
                small.execute("CREATE TABLE t (x)")
        error = sqlite3.DatabaseError("it failed")
        error.sqlite_errorcode = code
        raise error

    return look


@pytest.mark.parametrize("code", OF_THE_DISK)
def test_an_error_of_the_disk_in_a_check_is_no_damage_and_writes_go_on(tmp_path, monkeypatch, code):
    monkeypatch.setattr(check, "everything", failing(code))

    async def run():
        async with opened(tmp_path / "data") as (store, ledger):
            with pytest.raises(Failed, match="could not be finished"):
                await store.check()
            with pytest.raises(Failed, match="could not be finished"):
                await store.backup(tmp_path / "backup")
            assert "" == ledger.damage
            assert b"1" == await ledger.submit(work(new_group("a")))

    asyncio.run(run())


def test_control_a_broken_file_stops_writing(tmp_path, monkeypatch):
    monkeypatch.setattr(check, "everything", failing(BROKEN))

    async def run():
        async with opened(tmp_path) as (store, ledger):
            assert ["integrity"] == [finding.what for finding in await store.check()]
            assert ledger.damage

    asyncio.run(run())


def test_an_error_of_the_disk_in_a_process_of_its_own_is_told_in_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(apart, "SMALL_COPY", -1)
    imports = "from deskroster.ledger.upkeep import check_process as apart, check"
    harm = f"{imports}; from tests.ledger.upkeep.test_check_process import FULL, failing"
    code = f"{harm}; check.everything = failing(FULL); apart.main()"
    monkeypatch.setattr(apart, "_COMMAND", (sys.executable, "-c", code))

    async def run():
        async with opened(tmp_path) as (store, ledger):
            with pytest.raises(Failed, match="could not be finished: database or disk is full"):
                await store.check()
            assert "" == ledger.damage

    asyncio.run(run())


@pytest.mark.parametrize("code", OF_THE_DISK)
def test_an_error_of_the_disk_is_no_fault_of_a_backup_or_a_folder(tmp_path, monkeypatch, code):
    async def run():
        async with opened(tmp_path / "data") as (store, _):
            await store.backup(tmp_path / "backup")

    asyncio.run(run())
    monkeypatch.setattr(check, "damage", failing(code))
    with pytest.raises(DiskFailed):
        verify(tmp_path / "backup")
    with pytest.raises(DiskFailed):
        examine(tmp_path / "data")

    monkeypatch.setattr(check, "damage", failing(BROKEN))  # the control
    with pytest.raises(BadBackup):
        verify(tmp_path / "backup")
    assert ["integrity"] == [finding.what for finding in examine(tmp_path / "data")]


def test_a_check_needs_no_room_for_temporary_files(tmp_path, monkeypatch):
    kept_in = []

    def look(db, *_):
        kept_in.append(db.execute("PRAGMA temp_store").fetchone())
        return []

    monkeypatch.setattr(check, "everything", look)
    monkeypatch.setattr(check, "damage", look)

    async def run():
        async with opened(tmp_path / "data") as (store, _):
            await store.check()
            await store.backup(tmp_path / "backup")
        verify(tmp_path / "backup")
        assert [(2,)] * 3 == kept_in  # in memory

    asyncio.run(run())
