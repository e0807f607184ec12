"""A data folder: who may open it, and what is said of one that cannot be opened."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

import deskroster
from deskroster.ledger import (
    Damaged,
    FolderInUse,
    NewerData,
    Store,
    WrongKey,
)
from deskroster.ledger.disk.vault import new_key, write_key
from deskroster.ledger.engines.copy_file import FILE
from tests.ledger.disk.test_tables import edit
from tests.ledger.support import opened

pytestmark = pytest.mark.once


def test_the_key_and_the_data_are_for_their_owner_only(tmp_path):
    async def run():
        async with opened(tmp_path / "data"):
            pass

    asyncio.run(run())
    assert 0o700 == (tmp_path / "data").stat().st_mode & 0o777
    for path in (tmp_path / "data").iterdir():
        assert 0o600 == path.stat().st_mode & 0o777, path


def test_a_missing_key_and_another_key_are_refused(tmp_path):
    Store.open(tmp_path)._engine.close()
    (tmp_path / "key").unlink()
    with pytest.raises(WrongKey, match="missing"):
        Store.open(tmp_path)
    write_key(tmp_path, new_key())
    with pytest.raises(WrongKey, match="sealed with the key"):
        Store.open(tmp_path)


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


def _python(code):
    return [sys.executable, "-c", code]


def _environment():
    return os.environ | {"PYTHONPATH": str(Path(deskroster.__file__).parent.parent)}


def test_a_file_that_is_no_database_is_named_as_damaged(tmp_path):
    Store.open(tmp_path)._engine.close()
    (tmp_path / FILE).write_bytes(b"no database at all" * 999)
    with pytest.raises(Damaged, match=FILE):
        Store.open(tmp_path)
