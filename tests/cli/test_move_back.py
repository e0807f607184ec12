"""`move`: to PostgreSQL and back; the database that was left is no longer in charge."""

import pytest

from deskroster.ledger import place

pytestmark = pytest.mark.once

COMPANY = ("--label", "acme", "--name", "Acme", "--email", "admin@acme.com")


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
    place.note(there, url)

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
