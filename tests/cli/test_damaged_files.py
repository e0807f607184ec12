"""What the command line says of files of 0 bytes in a data folder, and how git leaves a folder alone."""

import os
import shutil
import subprocess

import pytest

from deskroster.testing import Emulator

pytestmark = pytest.mark.once

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")


@pytest.mark.parametrize(
    "arguments",
    [("serve",), ("position", "list"), ("backup",), ("init", "--label", "b", "--name", "B", "--email", "b@b.cn")],
    ids=lambda arguments: arguments[0],
)
def test_an_empty_database_is_damage_and_init_is_not_advised(command, arguments):
    os.truncate(command.data / "deskroster.db", 0)

    refused = command(*arguments)

    assert 7 == refused.code
    assert "0 bytes" in refused.err
    assert "restore" in refused.err
    assert "deskroster init" not in refused.err


@pytest.mark.parametrize("arguments", [("serve",), ("position", "list"), ("backup",)], ids=" ".join)
def test_a_database_that_is_gone_is_damage_and_init_is_not_advised(command, arguments):
    (command.data / "deskroster.db").unlink()

    refused = command(*arguments)

    assert 7 == refused.code
    assert "is gone" in refused.err
    assert "restore" in refused.err
    assert "deskroster init" not in refused.err


def test_the_doctor_finds_an_empty_database(command):
    os.truncate(command.data / "deskroster.db", 0)

    found = command("doctor")

    assert found.code in (1, 7)
    assert "restore" in found.err
    assert "deskroster init" not in found.err


@pytest.mark.parametrize(
    ("name", "says"), [("key", "put a copy"), ("nonces", "15 minutes"), ("database", "postgresql://")]
)
def test_another_file_that_is_empty_is_refused_with_what_to_do(command, name, says):
    (command.data / name).touch()
    os.truncate(command.data / name, 0)

    refused = command("position", "list")

    assert 1 == refused.code
    assert says in refused.err
    assert "Traceback" not in refused.err


@needs_git
def test_git_takes_nothing_of_a_data_folder(command, tmp_path):
    key_copy = tmp_path / "copy-of-key"
    shutil.copy(command.data / "key", key_copy)
    command("backup", str(tmp_path.parent / f"{tmp_path.name}-backup"))
    command("restore", str(tmp_path.parent / f"{tmp_path.name}-backup"), "--data", str(tmp_path / "restored"),
            "--key-file", str(key_copy))  # fmt: skip
    with Emulator(empty=True, data=tmp_path / "emulated"):
        assert ["copy-of-key"] == added(tmp_path)
    (command.data / ".gitignore").unlink()

    assert "data/key" in added(tmp_path)  # the control


@needs_git
def test_a_folder_of_an_earlier_version_is_hidden_from_git_when_it_is_opened(command, tmp_path):
    (command.data / ".gitignore").unlink()

    command("position", "list")

    assert [] == added(tmp_path)


def test_a_gitignore_of_ones_own_is_kept(command):
    (command.data / ".gitignore").write_text("# ours\n*\n")

    command("position", "list")

    assert "# ours\n*\n" == (command.data / ".gitignore").read_text()
    assert 0o600 == (command.data / "key").stat().st_mode & 0o777


def test_a_gitignore_that_is_empty_is_written(command):
    (command.data / ".gitignore").write_text("")

    command("position", "list")

    assert "*\n" == (command.data / ".gitignore").read_text()


def test_a_folder_that_takes_no_more_files_can_still_be_opened(command, monkeypatch):
    (command.data / ".gitignore").unlink()
    real = os.open

    def full(path, *how, **more):
        if str(path).endswith(".gitignore"):
            raise OSError(28, "No space left on device")
        return real(path, *how, **more)

    monkeypatch.setattr(os, "open", full)

    assert 0 == command("position", "list").code


def added(folder) -> list[str]:
    """Return what `git add .` takes of a folder."""
    subprocess.run(["git", "init", "--quiet", "."], cwd=folder, check=True)
    left = ["git", "ls-files", "--others", "--exclude-standard"]
    return sorted(subprocess.run(left, cwd=folder, check=True, capture_output=True, text=True).stdout.split())
