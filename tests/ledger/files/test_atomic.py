"""Files that are written whole or not at all, also where there are no hard links."""

import asyncio
import errno

import pytest

from deskroster.ledger import (
    restore,
    rotate_key,
)
from deskroster.ledger.disk.vault import new_key, parse_key, write_key
from deskroster.ledger.files import atomic
from tests.ledger.support import opened

pytestmark = pytest.mark.once


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
