"""Folders of any name that the file system allows: served, looked over, backed up, restored, and shown."""

import json
import os
import shlex
import shutil
import sqlite3
import subprocess
import sys

import pytest

from deskroster.ledger import BadBackup, advice
from deskroster.ledger.engines import DiskFailed, copy_file
from deskroster.ledger.engines.copy_file import FILE
from deskroster.ledger.engines.sqlite.connection import Connection
from deskroster.ledger.files import paths
from deskroster.ledger.upkeep import backup
from deskroster.testing import StillClock
from tests.cli.program import PATIENCE, Program, finished
from tests.served import Served

NAMES = [
    b"#1", b"a?mode=memory", b"50%", b"%41%00", b" two  spaces ", b"'single' \"double\"", b"line\nbreak",
    b"\xff\xfe.\xe4", b"-rf", b"--data", "数据 客服".encode(), b"[bold]red[/bold]", b"back\\slash", b"tab\tand\x1b[31m",
    b"$HOME `id` ;&|", b"file:x", b":memory:", b"~", b"a" * 255, "ü".encode() * 127, b"..x", b"&cache=shared", b"*",
]  # fmt: skip


ALL_AT_ONCE = b"--#1?mode=ro&x %41%00 'a' \"b\"\n\xff[bold]\\ $HOME `id` \xe5\xae\xa2\x1b[31m"
AT_ONCE = [ALL_AT_ONCE, b"a" * 255]
"""What is tried in a moment; the others at length."""


@pytest.fixture(
    params=[*AT_ONCE, *(pytest.param(name, marks=pytest.mark.proof) for name in NAMES)],
    ids=[repr(name[:20]) for name in (*AT_ONCE, *NAMES)],
)
def folder(request, tmp_path):
    """Give a folder of that name, in which there is nothing yet."""
    return tmp_path / os.fsdecode(request.param)


@pytest.mark.once
def test_a_folder_of_any_name_is_used_backed_up_and_restored(command, folder):
    data = ("--data", str(folder))
    command("init", *data, "--label", "acme", "--name", "Acme", "--email", "a@acme.com")
    command("position", "add", "质检", *data)
    copy, restored = folder.with_name("copies") / folder.name, folder.with_name("restored") / folder.name
    restored.parent.mkdir()

    made = command("backup", "--json", *data, "--", str(copy))
    again = command("backup", *data, "--", str(copy))
    checked = command("restore", "--check", *data, "--", str(copy))
    back = command("restore", "--data", str(restored), "--key-file", str(folder / "key"), "--", str(copy))
    looked = [command("doctor", "--data", str(one)) for one in (folder, restored)]

    assert (0, copy) == (made.code, paths.from_text(made.json["folder"])), made.err
    assert 4 == again.code
    assert [0, 0, 0, 0] == [one.code for one in (checked, back, *looked)], (checked.err, back.err)
    assert "质检" in command("position", "list", "--data", str(restored)).out
    assert {"backup.json", FILE} == {path.name for path in copy.iterdir()}
    assert [copy] == list(copy.parent.iterdir())


@pytest.mark.once
def test_what_is_advised_names_a_folder_as_a_shell_takes_it(folder, tmp_path):
    (tmp_path / "data").mkdir()
    backup.remember(tmp_path / "data", folder, backup.Manifest(0, "", "", "", 0, ()))

    line = os.fsencode(str(advice(tmp_path / "data")).partition("): ")[2]).replace(
        b"deskroster restore", b"printf %s\\\\n", 1
    )
    shown = subprocess.run(["bash", "-c", line], capture_output=True, check=True).stdout

    assert os.fsencode(folder) == shown.removesuffix(b"\n--data\nNEW_DIR\n")


@pytest.mark.once
def test_a_folder_of_any_name_is_served_and_its_server_reached(prepared, command, folder):
    shutil.copytree(prepared, folder)
    copy = folder.with_name(folder.name[:100] + "-copy")  # of at most 255 bytes

    with Served(folder, StillClock()):
        looked = command("doctor", "--data", str(folder))
        made = command("backup", "--data", str(folder), "--json", "--", str(copy))

    assert (0, 0) == (looked.code, made.code), (looked, made)
    assert copy == paths.from_text(made.json["folder"])


@pytest.mark.proof
@pytest.mark.once
@pytest.mark.parametrize("name", AT_ONCE, ids=["all at once", "long"])
def test_the_program_serves_a_folder_of_any_name(command, tmp_path, name):
    folder, copy = tmp_path / os.fsdecode(name), tmp_path / os.fsdecode(name[:100] + b"-copy")
    shutil.copytree(command.data, folder)

    with Program("serve", "--data", str(folder), "--port", "0", "--json"):
        looked = finished("doctor", "--data", str(folder))
        made = finished("backup", "--data", str(folder), "--json", "--", str(copy))
        told = finished("backup", "--data", str(folder), "--", str(copy) + "2")

    assert (0, 0, 0) == (looked.code, made.code, told.code), (looked, made, told)
    assert copy == paths.from_text(json.loads(made.out)["folder"])


def test_a_path_is_the_same_after_json_and_a_shell(folder):
    assert folder == paths.from_text(json.loads(json.dumps(paths.as_text(folder)).encode()))
    assert paths.shown(folder).isprintable()
    if os.fsencode(folder).isascii() and str(folder).isprintable():
        assert [str(folder)] == shlex.split(paths.in_shell(folder))


def test_control_a_path_that_is_put_into_an_address_as_it_is_is_noticed(command, tmp_path, monkeypatch):
    monkeypatch.setattr(
        copy_file, "read_only", lambda file: sqlite3.connect(f"file:{file}?mode=ro", uri=True, factory=Connection)
    )

    assert 0 != command("backup", str(tmp_path / "a#b")).code
    assert 0 == command("backup", str(tmp_path / "plain")).code


@pytest.mark.once
def test_a_path_that_is_too_long_for_sqlite_is_refused_in_a_sentence(nowhere, tmp_path):
    deep = tmp_path / ("x" * 250) / ("y" * 250)
    refused = nowhere("init", "--data", str(deep), "--label", "a", "--name", "A", "--email", "a@a.com")

    assert 1 == refused.code
    assert "504 bytes" in refused.err


def failing(error):
    def fail(*_):
        raise error

    return fail


@pytest.mark.once
@pytest.mark.parametrize(
    "step",
    [
        "engines.sqlite.engine.SQLite.copy",
        "upkeep.check_process.check_copy",
        "upkeep.backup.seal",
        "upkeep.backup._sha256",
    ],
)
@pytest.mark.parametrize(
    "error", [OSError(28, "No space left on device"), DiskFailed("disk I/O error"), BadBackup("log")]
)
def test_a_backup_that_fails_leaves_nothing_behind(command, tmp_path, monkeypatch, step, error):
    before = {path: path.read_bytes() for path in command.data.iterdir() if path.is_file()}
    monkeypatch.setattr(f"deskroster.ledger.{step}", failing(error))
    failed = command("backup", str(tmp_path / "new" / "deeper" / "copy"))

    assert failed.code == (4 if isinstance(error, BadBackup) else 5)
    assert "Traceback" not in failed.err
    assert not (tmp_path / "new").exists()
    assert before.keys() == {path for path in command.data.iterdir() if path.is_file()}
    monkeypatch.undo()
    assert 0 == command("backup", "--data", str(command.data), str(tmp_path / "new" / "deeper" / "copy")).code


def test_a_backup_leaves_alone_what_has_the_name_of_an_unfinished_one_and_is_none(command, tmp_path):
    (tmp_path / "copy.partial").mkdir()
    (tmp_path / "copy.partial" / "letter.txt").write_text("mine")

    refused = command("backup", str(tmp_path / "copy"))

    assert 4 == refused.code
    assert "in the way" in refused.err
    assert "mine" == (tmp_path / "copy.partial" / "letter.txt").read_text()


def test_of_two_backups_to_one_place_at_once_the_second_is_refused(command, tmp_path):
    with backup.begun(tmp_path / "copy"):
        refused = command("backup", str(tmp_path / "copy"))

    assert 4 == refused.code
    assert "another process is writing" in refused.err
    assert 0 == command("backup", str(tmp_path / "copy")).code


def test_a_backup_counts_even_if_the_folder_has_no_room_to_note_it(command, tmp_path, monkeypatch):
    monkeypatch.setattr(backup, "remember", failing(OSError(28, "No space left on device")))

    assert 0 == command("backup", str(tmp_path / "copy")).code
    assert 0 == command("restore", str(tmp_path / "copy"), "--check").code


@pytest.mark.once
@pytest.mark.parametrize(
    ("name", "code"),
    [("key.partial", 0), (f"{FILE}.partial", 0), ("letter.txt", 1)],
    ids=["key", "database", "foreign"],
)
def test_a_restore_goes_on_where_a_killed_one_has_left_something_and_leaves_alone_what_is_foreign(
    command, tmp_path, name, code
):
    command("backup", str(tmp_path / "copy"))
    new = tmp_path / "new"
    new.mkdir()
    (new / name).write_bytes(b"half")

    restored = command("restore", str(tmp_path / "copy"), "--data", str(new), "--key-file", str(command.data / "key"))

    assert code == restored.code, restored.err
    assert (name == "letter.txt") == (new / name).exists()


@pytest.mark.once
def test_a_restore_with_another_key_than_that_of_the_folder_is_refused(command, tmp_path):
    command("backup", str(tmp_path / "copy"))
    new = tmp_path / "new"
    new.mkdir()
    (new / "key").write_text("00" * 32)
    (new / "key").chmod(0o600)

    refused = command("restore", str(tmp_path / "copy"), "--data", str(new), "--key-file", str(command.data / "key"))

    assert 1 == refused.code
    assert not (new / FILE).exists()


@pytest.mark.once
@pytest.mark.parametrize(("name", "code"), [(FILE, 7), ("database", 1), ("key", 1)])
def test_a_file_of_no_bytes_is_named(command, name, code):
    (command.data / name).write_bytes(b"")
    refused = command("position", "list")

    assert code == refused.code
    assert name in refused.err
    assert "Traceback" not in refused.err


@pytest.mark.once
@pytest.mark.parametrize("content", [b"", b"00", b"garbage" * 10])
def test_a_next_key_that_cannot_be_read_is_no_hindrance(command, content):
    (command.data / "key.next").write_bytes(content)
    (command.data / "key.next").chmod(0o600)

    assert 0 == command("position", "list").code
    assert not (command.data / "key.next").exists()
    assert 0 == command("rotate-installation-key").code


@pytest.mark.proof
@pytest.mark.once
def test_the_program_runs_from_a_folder_of_any_name(tmp_path):
    import deskroster

    strange = tmp_path / "50%(x)s #1 ?'\"\n,;"
    shutil.copytree(os.path.dirname(deskroster.__file__), strange / "deskroster")
    code = "import deskroster, sys; from deskroster.cli import main; sys.stderr.write(deskroster.__file__); main()"
    arguments = ("init", "--data", str(tmp_path / "data"), "--label", "a", "--name", "A", "--email", "a@a.com")
    ended = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=os.environ | {"PYTHONPATH": str(strange)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )

    assert 0 == ended.returncode, ended.stderr
    assert str(strange) in ended.stderr
