"""`move`: to PostgreSQL and back; the database that was left is not in charge; a killed move, and the opposite."""

import shutil
import sqlite3
from contextlib import closing

import pytest

from deskroster.ledger import location
from deskroster.ledger.disk import notes
from deskroster.ledger.upkeep import move as moving

pytestmark = pytest.mark.once

COMPANY = ("--label", "acme", "--name", "Acme", "--email", "admin@acme.com")
KNOWN = "质检"  # a position that must not be lost


@pytest.fixture
def url(databases):
    """Give the address of an empty database."""
    yield databases.create("moved")
    databases.drop("moved")


def test_what_was_moved_back_into_the_folder_is_not_served_from_the_database_that_was_left(nowhere, url, tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    nowhere("init", "--data", str(here), "--database", url, *COMPANY)
    there.mkdir(mode=0o700)
    (there / "key").write_bytes((here / "key").read_bytes())
    (there / "key").chmod(0o600)
    location.note(there, url)

    before = nowhere("position", "list", "--data", str(there))
    moved = nowhere("move", "--data", str(here), "--to", "sqlite")
    after = nowhere("position", "list", "--data", str(there))
    here_too = nowhere("position", "list", "--data", str(here))

    assert [0, 0, 1, 0] == [one.code for one in (before, moved, after, here_too)], after.err
    assert "no longer in charge" in after.err


def test_the_database_that_was_left_can_be_moved_to_again(nowhere, url, tmp_path):
    data = ("--data", str(tmp_path / "data"))
    nowhere("init", *data, *COMPANY)

    codes = [nowhere("move", *data, "--to", to).code for to in (url, "sqlite", url)]
    listed = nowhere("position", "list", *data)

    assert [0, 0, 0, 0] == [*codes, listed.code], listed.err


MARKS = ("moved", "arrived", "place", "done")


class Killed(BaseException):
    """Ends a move as `kill -9` does."""


@pytest.fixture
def killed(monkeypatch):
    """Give what has a move killed before it marks the old place, the copy or the folder, or once it is done."""

    def give(command, to, mark):
        real_note, real_place = notes.put, location.note

        def note(db, name, value):
            if name == mark:
                raise Killed
            real_note(db, name, value)

        def note_place(folder, where):
            if mark == "place":
                raise Killed
            real_place(folder, where)
            if mark == "done":
                raise Killed

        with monkeypatch.context() as patch:
            patch.setattr(moving, "_undo", lambda *_: None)
            patch.setattr(notes, "put", note)
            patch.setattr(location, "note", note_place)
            with pytest.raises(Killed):
                command("move", "--to", to)

    return give


@pytest.fixture(params=["to PostgreSQL", "to SQLite"])
def move(request, command, url):
    """Give the command line on an installation, where it is to be moved, and where it is."""
    command("position", "add", KNOWN)
    if request.param == "to PostgreSQL":
        return command, url, "sqlite"
    command("move", "--to", url)
    return command, "sqlite", url


def in_charge(command, url, tmp_path):
    """Return how many of the two places can be used."""
    found = 0
    for name, noted in (("here", None), ("there", url)):
        folder = tmp_path / name
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(command.data, folder, ignore=shutil.ignore_patterns("admin.sock"))
        location.note(folder, noted)
        if noted is not None or (folder / "deskroster.db").exists():
            found += KNOWN in command("position", "list", "--data", str(folder)).out
    return found


@pytest.mark.parametrize(
    "mark", [pytest.param(mark, marks=() if mark in ("arrived", "place") else pytest.mark.proof) for mark in MARKS]
)
def test_after_a_killed_move_and_the_opposite_command_all_is_in_one_place_or_a_command_puts_it_there(
    move, killed, mark, url, tmp_path
):
    command, to, back = move
    killed(command, to, mark)

    opposite = command("move", "--to", back)
    assert in_charge(command, url, tmp_path) == 1, opposite.err
    if mark == "place":
        assert 4 == opposite.code
        assert "has arrived at its new place: give that move again, " in opposite.err
        assert 0 == command("move", "--to", to).code
    else:
        assert opposite.code == 0 or "there already" in opposite.err

    assert 1 == in_charge(command, url, tmp_path)
    assert KNOWN in command("position", "list").out
    assert 0 == command("doctor").code
    assert not (command.data / location.MOVE).exists()
    assert 0 == command("move", "--to", to).code or to == (location.noted_in(command.data) or "sqlite")
    assert KNOWN in command("position", "list").out


def test_a_move_whose_copy_is_lost_can_be_taken_back(move, killed, databases, url):
    command, to, back = move
    killed(command, to, "arrived")
    if to == "sqlite":
        (command.data / "deskroster.db").unlink()
    else:
        databases.create("moved")

    lost = command("move", "--to", to)
    taken_back = command("move", "--to", back, "--json")

    assert 4 == lost.code
    assert "take it back" in lost.err
    assert (0, True) == (taken_back.code, taken_back.json["taken_back"])
    assert KNOWN in command("position", "list").out
    assert 0 == command("doctor").code
    assert 0 == command("move", "--to", to).code
    assert KNOWN in command("position", "list").out


def test_a_move_is_not_taken_back_where_it_is_not_known_whether_it_has_arrived(move, killed, url):
    command, to, back = move
    killed(command, to, "place")
    (command.data / location.MOVE).unlink()

    refused = command("move", "--to", back)

    assert 4 == refused.code
    assert "give that one again" in refused.err
    assert 0 == command("move", "--to", to).code
    assert KNOWN in command("position", "list").out


def test_another_installation_does_not_overwrite_data_that_was_moved_and_has_not_arrived(
    command, killed, url, tmp_path
):
    command("position", "add", KNOWN)
    command("move", "--to", url)
    other = ("--data", str(tmp_path / "other"))
    command("init", *other, *COMPANY)
    killed(command, "sqlite", "arrived")

    refused = command("move", *other, "--to", url)

    assert 4 == refused.code
    assert "empty database" in refused.err
    assert 0 == command("move", "--to", url).code
    assert KNOWN in command("position", "list").out


def test_what_was_put_away_is_never_overwritten(command, url):
    for position in ("one", "two", "three"):
        command("position", "add", position)
        assert 0 == command("move", "--to", url).code
        assert 0 == command("move", "--to", "sqlite").code

    kept = sorted(path.name for path in command.data.glob("deskroster.db.moved*"))
    held = []
    for name in kept:
        with closing(sqlite3.connect(command.data / name)) as db:
            held.append([name for (name,) in db.execute("SELECT name FROM positions WHERE name < 'z' ORDER BY id")])
    assert ["deskroster.db.moved", "deskroster.db.moved-2", "deskroster.db.moved-3"] == kept
    assert [["one"], ["one", "two"], ["one", "two", "three"]] == held
