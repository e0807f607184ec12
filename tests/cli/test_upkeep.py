"""`backup`, `restore` and `doctor`, and what stands in the way of opening a folder."""

from types import SimpleNamespace

import pytest

from deskroster.ledger.engines.sqlite import engine
from tests.cli.program import Program


def test_a_backup_is_restored_with_the_key_and_not_without(command, tmp_path):
    command("position", "add", "质检")
    backup, restored = tmp_path / "backup", tmp_path / "restored"
    key = command.data / "key"

    made = command("backup", str(backup), "--json").json
    without = command("restore", str(backup), "--data", str(restored))
    with_ = command("restore", str(backup), "--data", str(restored), "--key-file", str(key), "--json")

    assert str(backup) == made["folder"]
    assert [("acme", 2)] == [(head["label"], head["number"]) for head in made["manifest"]["companies"]]
    assert 1 == without.code
    assert "--key-file" in without.err
    assert made["manifest"] == with_.json
    assert "质检" == command("position", "list", "--data", str(restored), "--json").json[-1]["name"]


def test_a_backup_leaves_what_is_there_alone(command, tmp_path):
    command("backup", str(tmp_path / "backup"))

    assert 4 == command("backup", str(tmp_path / "backup")).code
    assert 1 == command("restore", str(tmp_path / "backup"), "--data", str(command.data)).code


@pytest.mark.once
def test_a_backup_without_room_on_the_disk_is_surely_not_done_and_leaves_nothing(command, tmp_path, monkeypatch):
    monkeypatch.setattr(engine.shutil, "disk_usage", lambda path: SimpleNamespace(free=engine.COPY_RESERVE))

    refused = command("backup", str(tmp_path / "backup"))

    assert 5 == refused.code
    assert "no room" in refused.err
    assert not list(tmp_path.glob("backup*"))


def test_a_backup_that_was_tampered_with_is_not_restored(command, tmp_path):
    backup = tmp_path / "backup"
    command("backup", str(backup))
    file = backup / "deskroster.db"
    file.write_bytes(file.read_bytes()[:-1] + b"x")

    checked = command("restore", str(backup), "--check")
    restored = command("restore", str(backup), "--data", str(tmp_path / "restored"))

    assert (1, 1) == (checked.code, restored.code)
    assert not (tmp_path / "restored").exists()


def test_a_backup_is_checked_without_restoring_it(command, tmp_path):
    command("backup", str(tmp_path / "backup"))

    checked = command("restore", str(tmp_path / "backup"), "--check")

    assert 0 == checked.code
    assert "acme up to commit 1" in checked.out


def test_the_doctor_finds_a_new_installation_well(command):
    report = command("doctor", "--json")

    assert 0 == report.code
    assert report.json["ok"]
    looked_at = {check["what"] for check in report.json["checks"]}
    assert {"version", "key", "clock", "integrity", "foreign_key", "log", "roster", "secret", "orphan"} <= looked_at
    assert len(looked_at) == command("doctor").out.count("well")


def _open_key(data):
    (data / "key").chmod(0o644)


def _another_key(data):
    (data / "key").write_text("00" * 32)


def _no_key(data):
    (data / "key").unlink()


def _garbage(data):
    (data / "deskroster.db").write_bytes(b"garbage" * 1_000)


@pytest.mark.parametrize(
    ("harm", "what"),
    [
        (_open_key, "key"),
        (_another_key, "key"),
        (_no_key, "key"),
        pytest.param(_garbage, "integrity", marks=pytest.mark.once),
    ],
)
def test_the_doctor_says_what_keeps_a_folder_from_being_opened(command, harm, what):
    harm(command.data)

    report = command("doctor", "--json")

    assert 1 == report.code
    assert what in [check["what"] for check in report.json["checks"] if not check["ok"]]
    assert "Hint:" in report.err


@pytest.mark.once
def test_the_doctor_of_a_served_folder_says_what_stands_where_its_copy_is_to_be(command):
    check, partial = command.data / "check", command.data / "check.partial"
    with Program("serve", "--data", str(command.data), "--port", "0", "--json"):
        found = []
        for path in (check, check / "file", partial, partial / "file"):
            path.parent.mkdir(exist_ok=True)
            path.write_text("mine")
            found.append(command("doctor"))
            assert "mine" == path.read_text()
            path.unlink()
            if path.parent != command.data:
                path.parent.rmdir()
        well = command("doctor")

    assert [5, 5, 5, 5, 0] == [one.code for one in (*found, well)], found
    for one, where in zip(found, (check, check, partial, partial), strict=True):
        assert str(where) in one.err.replace("\n", "")
        assert "backup" not in one.err


def test_a_folder_that_is_no_installation_is_not_found_and_not_made(nowhere):
    for arguments in (("serve",), ("position", "list"), ("doctor",), ("backup",)):
        refused = nowhere(*arguments)

        assert (3, "") == (refused.code, refused.out)
        assert "deskroster init" in refused.err
    assert not nowhere.data.exists()
