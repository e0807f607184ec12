"""Backups: taken while writing, verified, restored."""

import asyncio
import sqlite3

import pytest

from deskroster.ledger import (
    BadBackup,
    Store,
    WrongKey,
    backups,
    restore,
    verify,
)
from deskroster.ledger.disk.vault import new_key, parse_key
from deskroster.ledger.engines import DiskFailed, NoRoom, copy_file
from deskroster.ledger.engines.copy_file import FILE
from deskroster.ledger.migrations import migrate
from tests.ledger.disk.test_tables import edit
from tests.ledger.support import names, new_group, opened, work

pytestmark = pytest.mark.once


def test_a_backup_taken_while_writing_restores_to_a_moment_of_it(tmp_path):
    async def run():
        async with opened(tmp_path / "data") as (store, ledger):

            async def write():
                for n in range(100):
                    await ledger.submit(work(new_group(f"g{n}", (1,))))

            writing = [asyncio.ensure_future(write()) for _ in range(4)]
            manifests = [await store.backup(tmp_path / "backups" / f"{n}") for n in range(3)]
            await asyncio.gather(*writing)
        assert [tmp_path / "backups" / f"{n}" for n in range(3)] == [path for path, _ in backups(tmp_path / "backups")]
        for n, manifest in enumerate(manifests):
            backup = tmp_path / "backups" / f"{n}"
            assert manifest == verify(backup)
            assert not (backup / "key").exists()
            restored = tmp_path / f"restored{n}"
            restore(backup, restored, parse_key((tmp_path / "data" / "key").read_text()))
            async with opened(restored) as (store, again):
                assert manifest.companies[0].number == again.roster.number == len(again.roster.groups) + 1
                assert names(again) == names(ledger)[: len(names(again))]
                assert [] == await store.check()

    asyncio.run(run())


def test_a_backup_that_is_not_as_it_was_written_does_not_count(tmp_path):
    async def run():
        async with opened(tmp_path / "data") as (store, _):
            await store.backup(tmp_path / "backup")
            with pytest.raises(BadBackup, match="exists"):
                await store.backup(tmp_path / "backup")

    asyncio.run(run())
    with (tmp_path / "backup" / FILE).open("rb+") as file:
        file.seek(5_000)
        file.write(b"x")
    with pytest.raises(BadBackup, match="not as it was written"):
        restore(tmp_path / "backup", tmp_path / "restored")
    with pytest.raises(BadBackup, match="holds no backup"):
        verify(tmp_path / "data")


def test_a_copy_that_fails_its_check_never_becomes_a_backup(tmp_path):
    async def run():
        async with opened(tmp_path / "data"):
            pass
        edit(tmp_path / "data", "UPDATE commits SET note = '{}'")
        store = Store.open(tmp_path / "data")
        with pytest.raises(BadBackup, match="log"):
            await store.backup(tmp_path / "backups" / "one")
        await store.close()

    asyncio.run(run())
    assert [] == backups(tmp_path / "backups")


@pytest.mark.parametrize(
    ("code", "raised"),
    [
        (sqlite3.SQLITE_FULL, NoRoom),
        (sqlite3.SQLITE_CANTOPEN, DiskFailed),
        (sqlite3.SQLITE_IOERR, DiskFailed),
        (sqlite3.SQLITE_CORRUPT, DiskFailed),  # of the copy: no damage to the data
    ],
)
def test_an_error_of_the_file_that_a_copy_is_written_to_is_one_of_its_disk(tmp_path, code, raised):
    error = sqlite3.OperationalError("it cannot be written")
    error.sqlite_errorcode = code

    with pytest.raises(raised, match=tmp_path.name), copy_file.filled(tmp_path / FILE, lambda connection: None):
        raise error


def test_a_copy_whose_journal_cannot_be_made_fails_as_its_disk_does(tmp_path):
    (tmp_path / f"{FILE}-journal").mkdir()

    with pytest.raises(DiskFailed, match="unable to open"), copy_file.filled(tmp_path / FILE, migrate):
        pass


def test_restoring_needs_an_empty_folder_and_the_right_key(tmp_path):
    async def run():
        async with opened(tmp_path / "data") as (store, _):
            await store.backup(tmp_path / "backup")

    asyncio.run(run())
    with pytest.raises(BadBackup, match="not empty"):
        restore(tmp_path / "backup", tmp_path / "data")
    with pytest.raises(WrongKey):
        restore(tmp_path / "backup", tmp_path / "one")
    with pytest.raises(WrongKey):
        restore(tmp_path / "backup", tmp_path / "two", new_key())
