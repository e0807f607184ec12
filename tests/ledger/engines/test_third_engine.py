"""A further engine is one folder beside the others, and no edit elsewhere."""

from pathlib import Path

import pytest

from deskroster.ledger import engines
from deskroster.ledger.engines import known
from tests.cli.program import CommandLine, initialized

pytestmark = pytest.mark.once


@pytest.fixture
def address(monkeypatch, tmp_path):
    """Put the folder of a third engine beside the others; return an address for it."""
    monkeypatch.setattr(engines, "__path__", [*engines.__path__, str(Path(__file__).parent / "third_engine")])
    _forget_engines()
    (tmp_path / "there").mkdir()
    yield f"elsewhere://{tmp_path / 'there'}"
    monkeypatch.undo()
    _forget_engines()


def _forget_engines():
    known.packages.cache_clear()
    known.in_folder.cache_clear()


@pytest.fixture
def command(monkeypatch, capsys, tmp_path):
    return CommandLine(monkeypatch, capsys, tmp_path / "data")


def add_position(command, name):
    """Write to the company, and return the names of all positions as they are read again."""
    assert 0 == command("position", "add", name).code
    return [one["name"] for one in command("position", "list", "--json").json]


def test_an_installation_lives_in_an_engine_that_is_one_folder(command, address, tmp_path):
    initialized(command, "--database", address)

    assert address == (command.data / "database").read_text().strip()
    assert (tmp_path / "there" / "deskroster.db").exists()
    assert not (command.data / "deskroster.db").exists()
    assert "质检" in add_position(command, "质检")
    assert 0 == command("doctor").code
    assert 0 == command("backup", str(tmp_path / "backup")).code
    assert 0 == command("rotate-installation-key").code
    assert {"质检", "班长"} <= set(add_position(command, "班长"))


def test_an_installation_is_moved_to_it_and_back(command, address, tmp_path):
    initialized(command)
    add_position(command, "a")

    there = command("move", "--to", address)
    served_there = add_position(command, "b")
    back = command("move", "--to", "sqlite")

    assert (0, 0) == (there.code, back.code), there.err + back.err
    assert {"a", "b"} <= set(served_there)
    assert {"a", "b", "c"} <= set(add_position(command, "c"))
    assert 0 == command("doctor").code


def test_what_is_wrong_with_its_address_is_told_as_it_says(command, address):
    refused = command(
        "init", "--label", "acme", "--name", "Acme", "--email", "admin@acme.com", "--database", f"{address}/no"
    )

    assert 1 == refused.code
    assert "no is no folder" in refused.err


def test_control_without_its_folder_the_address_is_none(command, tmp_path):
    refused = command(
        "init", "--label", "acme", "--name", "Acme", "--email", "admin@acme.com", "--database", "elsewhere:///there"
    )

    assert 1 == refused.code
    assert "no address of a PostgreSQL database" in refused.err
