"""What a command says, where it cannot be said: on a full disk, a closed output, one without a reader or of ASCII."""

import io
import json
import os
import subprocess
import sys

import pytest

from deskroster.cli import streams
from tests.cli.program import PATIENCE, environment

pytestmark = pytest.mark.once

COMPANY = ("--name", "Beta", "--email", "admin@beta.com")
PASSWORD = "correct horse battery"

WRITING = {
    "position add": (("position", "add", "组长"), "", ("position", "list"), "组长"),
    "position rename": (("position", "rename", "1", "组长"), "", ("position", "list"), "组长"),
    "role add": (("role", "add", "质检"), "", ("role", "list"), "质检"),
    "permission-set add": (("permission-set", "add", "报表"), "", ("permission-set", "list"), "报表"),
    "department add": (("department", "add", "华东"), "", ("department", "list"), "华东"),
    "field add": (("field", "add", "hired_on", "入职日期"), "", ("field", "list"), "hired_on"),
    "key create": (("key", "create", "1", "--name", "new"), "", ("key", "list"), "new"),
    "key revoke": (("key", "revoke", "1"), "", ("key", "list"), "revoked"),
    "agent sip": (("agent", "sip", "1", "--number", "6003"), "", ("agent", "show", "1"), "6003"),
    "agent level": (("agent", "level", "1", "admin"), "", ("agent", "show", "1"), "admin"),
    "password": (("password", "1"), PASSWORD + "\n", ("agent", "show", "1"), "admin@acme.com"),
    "company set": (("company", "set", "acme", "--name", "Other"), "", ("company", "list"), "Other"),
    "company add": (("company", "add", "beta", *COMPANY), "", ("company", "list"), "beta"),
}
READING = (("position", "list"), ("agent", "list"), ("agent", "show", "1"), ("key", "list"), ("doctor",), ("--help",))


class Reported:
    """A command's exit code, and what it said on standard error."""

    def __init__(self, ended):
        self.code = ended.code
        self.lines = ended.err.splitlines()


@pytest.fixture
def shown_nowhere(command):
    """Run a command with its standard output on a full disk."""

    def run(*arguments, stdin=""):
        with pytest.MonkeyPatch.context() as patch, open("/dev/full", "w", encoding="utf-8") as full:
            patch.setattr(sys, "stdout", full)
            return Reported(command(*arguments, stdin=stdin))

    return run


@pytest.mark.parametrize("json", [(), pytest.param(("--json",), marks=pytest.mark.proof)], ids=["text", "json"])
@pytest.mark.parametrize("name", WRITING)
def test_a_command_whose_result_cannot_be_shown_has_done_its_work_and_says_so(command, shown_nowhere, name, json):
    arguments, stdin, listing, made = WRITING[name]

    told = shown_nowhere(*arguments, *json, stdin=stdin)

    assert 6 == told.code
    assert ["Error: done, but the result could not be shown: No space left on device"] == told.lines
    assert made in command(*listing).out


@pytest.mark.parametrize("name", ["init", "backup", "restore", "rotate-installation-key"])
def test_a_command_on_the_installation_whose_result_cannot_be_shown_has_done_its_work(
    command, shown_nowhere, tmp_path, name
):
    backup, key, new = tmp_path / "backup", str(command.data / "key"), tmp_path / "new"
    command("backup", str(backup))
    before = (command.data / "key").read_bytes()

    told = shown_nowhere(
        *{
            "init": ("init", "--data", str(new), "--label", "beta", *COMPANY),
            "backup": ("backup", str(new)),
            "restore": ("restore", str(backup), "--data", str(new), "--key-file", key),
            "rotate-installation-key": ("rotate-installation-key",),
        }[name]
    )

    assert (6, 1) == (told.code, len(told.lines))
    assert new.is_dir() or before != (command.data / "key").read_bytes()


@pytest.mark.parametrize("json", [(), pytest.param(("--json",), marks=pytest.mark.proof)], ids=["text", "json"])
@pytest.mark.parametrize("arguments", READING, ids=" ".join)
def test_a_list_that_cannot_be_shown_ends_with_exit_code_6(shown_nowhere, arguments, json):
    told = shown_nowhere(*arguments, *(() if arguments == ("--help",) else json))

    assert (6, 1) == (told.code, len(told.lines))


@pytest.mark.parametrize("output", ["closed", "no reader"])
def test_it_does_not_matter_why_it_cannot_be_shown(command, output):
    reader, writer = os.pipe()
    os.close(reader)
    stream = os.fdopen(writer, "w")
    if output == "closed":
        stream.close()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", stream)
        told = Reported(command("position", "add", "组长"))
    stream.close()

    assert (6, 1) == (told.code, len(told.lines))
    assert "组长" in command("position", "list").out


def in_ascii(run):
    """Run a command whose standard output takes ASCII; return its exit code and what it printed."""
    kept = io.BytesIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", io.TextIOWrapper(kept, encoding="ascii", write_through=True))
        ended = run()
        return ended.code, kept.getvalue().decode("ascii")


@pytest.mark.parametrize("name", WRITING)
def test_text_that_cannot_be_encoded_is_escaped(command, name):
    arguments, stdin, listing, made = WRITING[name]

    code, _ = in_ascii(lambda: command(*arguments, stdin=stdin))
    listed = in_ascii(lambda: command(*listing))

    assert (0, 0) == (code, listed[0])
    assert made.encode("ascii", "backslashreplace").decode() in listed[1]


def test_json_that_cannot_be_encoded_is_escaped_as_json_has_it(command):
    name = "组é😀长"

    code, printed = in_ascii(lambda: command("position", "add", name, "--json"))

    assert (0, name) == (code, json.loads(printed)["name"])


def run(data, shell, *arguments, **more):
    """Run the real program by a shell; return the exit code and what was said on standard error."""
    process = subprocess.run(
        ["sh", "-c", shell, "sh", sys.executable, "-m", "deskroster", *arguments, "--data", str(data)],
        env=environment() | more, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=PATIENCE,
    )  # fmt: skip
    return process.returncode, process.stderr


@pytest.mark.parametrize("shell", ['"$@" >/dev/full', '"$@" >&-', '{ "$@"; echo $? >&3; } 3>&2 | head -0'])
def test_the_real_program_leaves_no_traceback_and_no_other_exit_code(command, shell):
    code, told = run(command.data, shell, "key", "create", "1", "--name", "new")

    assert 6 == (code or int(told.splitlines()[-1]))
    assert 1 == told.count("Error: done, but the result could not be shown")
    assert "Traceback" not in told
    assert "Exception" not in told
    assert "new" in command("key", "list").out


@pytest.mark.proof
def test_the_real_program_escapes_what_ascii_has_not(command):
    code, told = run(command.data, '"$@"', "position", "add", "组长", PYTHONIOENCODING="ascii")

    assert (0, "") == (code, told)


@pytest.mark.proof
@pytest.mark.parametrize("stderr", ["2>/dev/full", "2>&-"])
@pytest.mark.parametrize(("arguments", "code"), [(("position", "rename", "99", "x"), 3), (("position", "nonsense"), 2)])
def test_a_refusal_that_cannot_be_said_has_its_exit_code(command, stderr, arguments, code):
    assert code == run(command.data, f'"$@" {stderr}', *arguments)[0]


def test_a_standard_error_that_takes_nothing_is_waited_for_once(monkeypatch):
    def never(*text):
        waited.append(text)
        return False

    waited = []
    monkeypatch.setattr(streams, "write_within", never)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        monkeypatch.setattr(sys, "stderr", nowhere)
        with streams.safe_streams():
            for line in ("one", "two"):
                sys.stderr.write(line)
        sys.excepthook(ValueError, ValueError("three"), None)

    assert 1 == len(waited)


@pytest.mark.proof
def test_both_outputs_may_be_closed(command):
    assert 6 == run(command.data, '"$@" <&- >&- 2>&-', "position", "add", "组长")[0]
    assert "组长" in command("position", "list").out


@pytest.mark.proof
def test_a_closed_standard_input_holds_no_password(command):
    code, told = run(command.data, '"$@" <&-', "password", "1")

    assert 2 == code
    assert "standard input holds no password" in told


@pytest.mark.proof
def test_control_without_care_for_its_streams_the_program_fails_otherwise(command):
    careless = "import contextlib, deskroster.cli as cli; cli.safe_streams = contextlib.nullcontext; cli.main()"
    with open("/dev/full", "w", encoding="utf-8") as full:
        control = subprocess.run(
            [sys.executable, "-c", careless, "position", "add", "组长", "--data", str(command.data)],
            env=environment(), stdout=full, stderr=subprocess.PIPE, text=True, timeout=PATIENCE, check=False,
        )  # fmt: skip

    assert 6 != control.returncode
    assert "Traceback" in control.stderr
    assert "组长" in command("position", "list").out
