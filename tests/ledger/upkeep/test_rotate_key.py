"""The installation key is changed while another command opens the folder, or moves the data."""

import asyncio
from contextlib import nullcontext, suppress

import pytest

from deskroster.ledger import FolderInUse, WrongKey, installation, location, rotate_key
from deskroster.ledger.location import engine_at
from deskroster.ledger.upkeep import move as moving
from tests.ledger.engines.postgresql.test_fence import copied, durable, moved, rotated, there
from tests.ledger.support import before_the_mark, new_group, work

pytestmark = pytest.mark.once


def opened_meanwhile(monkeypatch, url, folder, moment):
    """Let another command open and close a folder at a moment of the change of its key."""
    done = []

    def command():
        if not done:
            done.append(True)
            engine = engine_at(url)(folder)
            try:
                with suppress(FolderInUse):
                    installation.open_vault(folder, engine)
            finally:
                engine.close()

    def then(real):
        def hooked(*arguments):
            result = real(*arguments)
            if arguments[-1] == installation.NEXT_KEY:
                command()
            return result

        return hooked

    monkeypatch.setattr(installation, "_LOCK_TIMEOUT", 0.1)
    monkeypatch.setattr(installation.vault, moment, then(getattr(installation.vault, moment)))


MOMENTS = pytest.mark.parametrize("moment", ["write_key", "read_key"])
"""The next key is written; it was looked at for the last time before the commit."""


@MOMENTS
@pytest.mark.parametrize("killed", [False, True])
def test_a_key_that_is_being_changed_is_not_lost_to_a_command_that_opens_the_folder_meanwhile(
    processes, databases, database, alone, monkeypatch, moment, killed, tmp_path
):
    async def run():
        url = databases.url(database)
        async with processes(1) as ([(_, ledger)], all_of_them):
            folder = all_of_them.folder(0)
            await ledger.submit(work(new_group("a")))
            old = (folder / "key").read_text()
            with monkeypatch.context() as patch:
                opened_meanwhile(patch, url, folder, moment)
                if killed:
                    patch.setattr(
                        installation, "finish_key_change", ended_once_committed(installation.finish_key_change)
                    )
                with suppress(ZeroDivisionError):
                    await asyncio.to_thread(rotated, url, folder)

            assert (["a"], []) == await durable(url, folder, tmp_path)
            assert old != (folder / "key").read_text()
            assert not (folder / installation.NEXT_KEY).exists()

    asyncio.run(run())


def ended_once_committed(real):
    """Return what ends a change of the key when it is committed, and lets others clean up."""

    def finish(folder, known):
        key = (folder / installation.NEXT_KEY).read_text() if (folder / installation.NEXT_KEY).exists() else ""
        if not key or known == installation.Vault(bytes.fromhex(key)).fingerprint:
            raise ZeroDivisionError
        real(folder, known)

    return finish


def test_control_a_change_of_the_key_without_the_lock_of_the_folder_loses_it(
    processes, databases, database, alone, monkeypatch, tmp_path
):
    async def run():
        url = databases.url(database)
        async with processes(1) as (_, all_of_them):
            folder = all_of_them.folder(0)
            with monkeypatch.context() as patch:
                patch.setattr(installation, "locked", lambda folder, engine: nullcontext())
                opened_meanwhile(patch, url, folder, "read_key")
                patch.setattr(installation, "finish_key_change", ended_once_committed(installation.finish_key_change))
                with suppress(ZeroDivisionError):
                    await asyncio.to_thread(rotated, url, folder)
            with pytest.raises(WrongKey):
                await durable(url, folder, tmp_path)

    asyncio.run(run())


def rotated_between_copy_and_mark(monkeypatch, url, other):
    """Let the key be changed in another folder when the data has been copied, and before it is marked as moved."""
    before_the_mark(monkeypatch, lambda: rotate_key(there(other, url)))


def test_a_move_beside_a_change_of_the_key_is_refused_and_can_be_given_again(
    processes, databases, database, alone, monkeypatch, tmp_path
):
    url = databases.url(database)

    async def run():
        async with processes(1) as ([(_, ledger)], all_of_them):
            folder = all_of_them.folder(0)
            await ledger.submit(work(new_group("a")))
            other = copied(folder, tmp_path / "other")
            rotated_between_copy_and_mark(monkeypatch, url, other)
            with pytest.raises(moving.CannotMove, match="key was changed"):
                await asyncio.to_thread(moved, url, folder)

            (folder / "key").write_bytes((other / "key").read_bytes())
            assert (["a"], []) == await durable(url, folder, tmp_path)
            await asyncio.to_thread(moved, url, folder)
            assert None is location.noted_in(folder)
            assert (["a"], []) == await durable(url, folder, tmp_path)

    asyncio.run(run())


def test_control_a_move_that_does_not_compare_the_key_leaves_a_copy_that_no_key_opens(
    processes, databases, database, alone, monkeypatch, tmp_path
):
    url = databases.url(database)
    monkeypatch.setattr(moving, "_state", lambda db: None)
    monkeypatch.setattr(installation, "locked", lambda folder, engine: nullcontext())

    async def run():
        async with processes(1) as (_, all_of_them):
            folder = all_of_them.folder(0)
            rotated_between_copy_and_mark(monkeypatch, url, folder)
            await asyncio.to_thread(moved, url, folder)
            with pytest.raises(WrongKey):
                await durable(url, folder, tmp_path)

    asyncio.run(run())
