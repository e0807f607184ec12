"""The data folder: its key, its lock, and its backups."""

import asyncio
import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import deskroster
from deskroster.ledger import (
    BadBackup,
    Damaged,
    FolderInUse,
    NewerData,
    Store,
    Vault,
    WrongKey,
    backups,
    restore,
    rotate_key,
    verify,
)
from deskroster.ledger.disk.vault import new_key, parse_key, write_key
from deskroster.ledger.engines.copy_file import FILE
from deskroster.ledger.files import atomic
from deskroster.ledger.installation import NEXT_KEY
from deskroster.ledger.upkeep.rotate_key import change_key
from tests.ledger.support import TOKEN, names, new_group, opened, state, work
from tests.ledger.test_rows import edit

pytestmark = pytest.mark.once


def test_the_key_and_the_data_are_for_their_owner_only(tmp_path):
    async def run():
        async with opened(tmp_path / "data"):
            pass

    asyncio.run(run())
    assert 0o700 == (tmp_path / "data").stat().st_mode & 0o777
    for path in (tmp_path / "data").iterdir():
        assert 0o600 == path.stat().st_mode & 0o777, path


def test_a_key_that_others_may_read_is_refused(tmp_path):
    Store.open(tmp_path)._engine.close()
    (tmp_path / "key").chmod(0o644)
    with pytest.raises(WrongKey, match="0600"):
        Store.open(tmp_path)


def test_a_missing_key_and_another_key_are_refused(tmp_path):
    Store.open(tmp_path)._engine.close()
    (tmp_path / "key").unlink()
    with pytest.raises(WrongKey, match="missing"):
        Store.open(tmp_path)
    write_key(tmp_path, new_key())
    with pytest.raises(WrongKey, match="sealed with the key"):
        Store.open(tmp_path)


def test_the_key_may_come_from_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("DESKROSTER_KEY", "00" * 32)
    Store.open(tmp_path)._engine.close()
    assert not (tmp_path / "key").exists()
    monkeypatch.setenv("DESKROSTER_KEY", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
    Store.open(tmp_path)._engine.close()


@pytest.mark.parametrize("text", ["", "00", "zz" * 32, "00" * 33, "键"])
def test_an_ill_formed_key_is_refused(text):
    with pytest.raises(WrongKey):
        parse_key(text)


@given(st.binary(max_size=64), st.text(max_size=20))
def test_what_was_sealed_opens_only_in_its_own_place(value, place):
    vault = Vault(bytes(32))
    sealed = vault.seal(value, place)

    assert value == vault.open(sealed, place)
    for wrong, where in ((sealed, place + "x"), (sealed[:-1], place), (b"", place)):
        with pytest.raises(WrongKey):
            vault.open(wrong, where)


def test_parts_of_a_digest_do_not_run_together():
    vault = Vault(bytes(32))
    assert vault.digest("p", "ab", "c") != vault.digest("p", "a", "bc")
    assert vault.derive("demo", 16) == Vault(bytes(32)).derive("demo", 16) != vault.derive("else", 16)


@pytest.mark.parametrize("interrupted", ["", "before", "after"])
def test_a_new_installation_key_opens_everything_wherever_its_change_is_interrupted(tmp_path, interrupted, monkeypatch):
    async def run():
        async with opened(tmp_path) as (_, ledger):
            before = state(ledger.roster)
        store = Store.open(tmp_path)
        if interrupted == "before":
            monkeypatch.setattr(store._engine, "write_now", lambda job: 1 // 0)
        if interrupted == "after":
            monkeypatch.setattr("deskroster.ledger.installation.finish_key_change", lambda folder, known: 1 // 0)
        if interrupted:
            with pytest.raises(ZeroDivisionError):
                change_key(tmp_path, store._engine, store.vault)
        else:
            change_key(tmp_path, store._engine, store.vault)
        monkeypatch.undo()
        await store.close()
        async with opened(tmp_path) as (store, ledger):
            assert before == state(ledger.roster)
            assert TOKEN == ledger.roster.keys[1].secret.reveal()
            assert [] == await store.check()
            assert not (tmp_path / NEXT_KEY).exists()

    asyncio.run(run())


@pytest.mark.parametrize("code", ["EPERM", "EOPNOTSUPP", "ENOSYS"])
def test_where_there_are_no_hard_links_a_key_is_written_all_the_same_and_never_over_another(
    tmp_path, monkeypatch, code
):
    def link(*names):
        raise OSError(getattr(errno, code), "no hard links here")

    monkeypatch.setattr(atomic.os, "link", link)

    async def run():
        async with opened(tmp_path / "data") as (store, _):
            await store.backup(tmp_path / "backup")
        first = (tmp_path / "data" / "key").read_text()
        with pytest.raises(FileExistsError):
            write_key(tmp_path / "data", new_key())
        assert first == (tmp_path / "data" / "key").read_text()
        rotate_key(tmp_path / "data")
        assert first != (tmp_path / "data" / "key").read_text()
        restore(tmp_path / "backup", tmp_path / "restored", parse_key(first))
        for folder in (tmp_path / "data", tmp_path / "restored"):
            async with opened(folder) as (store, _):
                assert [] == await store.check()
            assert 0o600 == (folder / "key").stat().st_mode & 0o777
            assert [] == [path.name for path in folder.iterdir() if "key." in path.name]

    asyncio.run(run())


def test_a_disk_that_takes_no_new_name_is_no_disk_without_hard_links(tmp_path, monkeypatch):
    def link(*names):
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(atomic.os, "link", link)

    with pytest.raises(OSError, match="full"):
        write_key(tmp_path, new_key())
    assert [] == list(tmp_path.iterdir())


def test_a_second_process_gets_a_clear_error(tmp_path):
    store = Store.open(tmp_path)
    try:
        code = f"from pathlib import Path; from deskroster.ledger import Store; Store.open(Path({str(tmp_path)!r}))"
        ended = subprocess.run(_python(code), capture_output=True, text=True, env=_environment(), check=False)
        assert "FolderInUse: another process is using" in ended.stderr
        with pytest.raises(FolderInUse):
            Store.open(tmp_path)
    finally:
        store._engine.close()


def test_a_folder_that_a_later_version_wrote_is_left_alone(tmp_path):
    Store.open(tmp_path)._engine.close()
    edit(tmp_path, "UPDATE alembic_version SET version_num = '9999'")
    edit(tmp_path, "UPDATE installation SET value = '9998' WHERE name = 'serves'")
    with pytest.raises(NewerData):
        Store.open(tmp_path)


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


def _python(code):
    return [sys.executable, "-c", code]


def _environment():
    return os.environ | {"PYTHONPATH": str(Path(deskroster.__file__).parent.parent)}


def test_a_file_that_is_no_database_is_named_as_damaged(tmp_path):
    Store.open(tmp_path)._engine.close()
    (tmp_path / FILE).write_bytes(b"no database at all" * 999)
    with pytest.raises(Damaged, match=FILE):
        Store.open(tmp_path)
