"""The command line as a test runs it: the real program in a process of its own, or its `main` in this one."""

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

import pytest

from deskroster.cli import main
from deskroster.testing import Account

OURS = (sys.executable, "-m", "deskroster")
PATIENCE = 120  # seconds for what takes one on an idle machine


class Result(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class CommandLine:
    """Runs commands on a data folder, in this process."""

    def __init__(self, patch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], data: Path) -> None:
        self._patch = patch
        self._capsys = capsys
        self.data = data
        patch.setenv("DESKROSTER_DATA", str(data))

    def __call__(self, *arguments: str, stdin: str = "") -> Result:
        self._patch.setattr(sys, "argv", ["deskroster", *arguments])
        self._patch.setattr(sys.modules["__main__"], "__package__", "")  # `python -m pytest` is not the program's name
        self._patch.setattr(sys, "stdin", io.StringIO(stdin))
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = self._capsys.readouterr()
        return Result(int(ended.value.code or 0), out, err)


def initialized(command: CommandLine, *options: str) -> Account:
    """Make an installation with the company `acme`; return its first administrator."""
    made = command("init", "--label", "acme", "--name", "Acme", "--email", "admin@acme.com", "--json", *options)
    admin = made.json["admin"]
    return Account(id=admin["id"], email=admin["email"], password=admin["password"], token=admin["token"])


class Program:
    """The program in a process of its own; `ready` is the line that it prints when it answers."""

    def __init__(self, *arguments: str, **how: Any) -> None:
        self._arguments = arguments
        self._how = how
        self.ready: dict[str, Any] = {}

    def __enter__(self) -> Self:
        self._process = started(*self._arguments, **self._how)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            pytest.fail(f"it did not start: {self.stop().err}")
        self.ready = json.loads(line)
        return self

    def stop(self, number: int = signal.SIGTERM) -> Result:
        """Send a signal; return how it ended and what it printed after the ready line."""
        self._process.send_signal(number)
        out, err = self._process.communicate(timeout=PATIENCE)
        return Result(self._process.returncode, out, err)

    def __exit__(self, *error: object) -> None:
        if self._process.poll() is None:
            self.stop()


def started(*arguments: str, program: Sequence[str] = OURS, **how: Any) -> subprocess.Popen[str]:
    """Start the program, as from a terminal; it is not waited for. Another than that of this source may be named."""
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the program heeds that under nohup it is ignored
    try:
        return subprocess.Popen([*program, *arguments], **{"env": environment(), **pipes, **how})
    finally:
        signal.signal(signal.SIGHUP, before)


def finished(*arguments: str, **how: Any) -> Result:
    """Run the program to its end."""
    process = started(*arguments, **how)
    out, err = process.communicate(timeout=PATIENCE)
    return Result(process.returncode, out, err)


def environment() -> dict[str, str]:
    without = {"DESKROSTER_DATA", "DESKROSTER_KEY"}
    kept = {name: value for name, value in os.environ.items() if name not in without}
    return kept | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONWARNINGS": "error"}
