"""A file of 0 bytes in a data folder has lost what was in it: that is said, and nothing is made anew."""

import os
import sqlite3
from contextlib import closing

import pytest

from deskroster.core.problems import Damaged
from deskroster.ledger import Store, WrongKey, location
from deskroster.ledger.engines.sqlite import engine
from deskroster.ledger.engines.sqlite.nonce_file import NoncesLost

pytestmark = pytest.mark.once


@pytest.fixture
def folder(tmp_path):
    """Give an installation that nobody serves."""
    Store.open(tmp_path)._engine.close()
    return tmp_path


def empty(file) -> None:
    os.truncate(file, 0)


@pytest.mark.parametrize("beside", [(), ("key",), ("nonces",), ("key", "nonces", "lock")], ids=str)
def test_an_empty_database_is_damage_whatever_is_left_beside_it(folder, beside):
    empty(folder / "deskroster.db")
    for name in beside:
        (folder / name).unlink()

    with pytest.raises(Damaged, match="0 bytes"):
        Store.open(folder)

    assert 0 == (folder / "deskroster.db").stat().st_size


def test_the_log_beside_an_empty_database_is_not_deleted(folder):
    log = folder / "deskroster.db-wal"
    log.write_bytes(b"what could be looked at by somebody who knows how")
    empty(folder / "deskroster.db")

    with pytest.raises(Damaged):
        Store.open(folder)

    assert log.read_bytes().startswith(b"what could")


def test_a_database_that_is_emptied_under_a_running_server_stops_its_writing(folder):
    store = Store.open(folder)
    alarms = []
    store._engine.alarm = alarms.append
    try:
        empty(folder / "deskroster.db")
        store._engine._thread.submit(store._engine._disconnect).result()
        with pytest.raises(Damaged):
            store._engine.read_now(lambda db: db.execute("SELECT 1"))
        assert not store.writable
        assert 1 == len(alarms)
    finally:
        store._engine.close()


def test_a_new_database_is_never_a_file_of_0_bytes(tmp_path, monkeypatch):
    sizes = []

    class Watched(sqlite3.Connection):
        def execute(self, *given):
            sizes.extend(path.stat().st_size for path in tmp_path.glob("deskroster.db"))
            return super().execute(*given)

    real = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *a, **k: real(*a, **{**k, "factory": Watched}))

    engine.connect(tmp_path / "deskroster.db").close()

    assert sizes
    assert 0 not in sizes
    assert 0o600 == (tmp_path / "deskroster.db").stat().st_mode & 0o777
    assert ["deskroster.db"] == [path.name for path in tmp_path.iterdir()]


def test_an_unfinished_database_file_of_a_crash_does_not_prevent_opening(tmp_path):
    (tmp_path / "deskroster.db.new").write_bytes(b"half")

    Store.open(tmp_path)._engine.close()
    Store.open(tmp_path)._engine.close()


def test_control_sqlite_itself_takes_an_empty_file_for_a_new_database(folder):
    empty(folder / "deskroster.db")

    with closing(sqlite3.connect(folder / "deskroster.db")) as db:
        assert [] == db.execute("SELECT * FROM sqlite_master").fetchall()


def test_an_empty_key_says_that_a_copy_must_be_put_there(folder):
    empty(folder / "key")

    with pytest.raises(WrongKey, match=r"key is empty: put a copy"):
        Store.open(folder)


def test_an_empty_note_of_the_place_says_what_belongs_into_it(folder):
    (folder / "database").touch()

    with pytest.raises(location.NoDatabase, match=r"database is empty: write the address"):
        location.url_of(folder, "")


def test_spent_nonces_that_are_lost_keep_a_server_from_starting_until_they_are_too_old(folder):
    empty(folder / "nonces")

    with pytest.raises(NoncesLost, match="15 minutes"):
        Store.open(folder)
    (folder / "nonces").unlink()
    Store.open(folder)._engine.close()
