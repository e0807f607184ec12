"""Commands, each in a fork of one process that has all of the program loaded: so a thousand of them can be killed.

The process is started with the shim, and every fork has it too. It is told what to run by lines of JSON.
"""

import faulthandler
import gc
import importlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import redirect_stdout, suppress
from pathlib import Path
from typing import Any, NamedTuple, Self

from tests import world
from tests.faults.disk import Disk

PATIENCE = 300  # seconds for what takes one on an idle machine
_LOADED = ("deskroster.cli", "deskroster.passwords", "deskroster.ledger.engines.postgresql.engine", "alembic.command")
"""What would be loaded by every fork else."""
_SOURCES = os.pathsep.join(filter(None, sys.path))


class Ended(NamedTuple):
    """How a command ended."""

    code: int  # negative: the signal that ended it
    out: str
    err: str

    @property
    def killed(self) -> bool:
        return self.code == -signal.SIGKILL

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Forks:
    """Runs the program's commands on a disk that fails or kills as it is told. `folder` is for what they print."""

    def __init__(self, disk: Disk, folder: Path) -> None:
        self.disk = disk
        self._folder = folder
        kept = {name: value for name, value in os.environ.items() if not name.startswith("DESKROSTER_")}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.forks", folder],
            env=kept | disk.environment | {"PYTHONPATH": _SOURCES, "PYTHONWARNINGS": "error"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str | Path, altered: str = "", **environment: str) -> Ended:
        """Run a command to its end. `altered` names a way in which the program is made worse, see `altered.py`."""
        told = {"arguments": list(map(str, arguments)), "altered": altered, "environment": environment}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(told) + "\n")
        self._process.stdin.flush()
        code = int(self._process.stdout.readline())
        out, err = ((self._folder / name).read_text("utf-8", "replace") for name in ("out", "err"))
        return Ended(code, out, err)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(PATIENCE)
        self._process.stdout.close()


def main() -> None:
    """Fork for every line, and tell how the fork ended."""
    for module in _LOADED:
        importlib.import_module(module)
    sys.modules["deskroster.passwords"].Argon2Hasher = world.cheap_hasher
    folder = Path(sys.argv[1])
    _warm_up(folder)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _run(json.loads(line), folder)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def _warm_up(folder: Path) -> None:
    """Run some commands here, none of which leaves a thread: what is loaded and made for the first time takes long."""
    from deskroster.cli import main as command

    data = str(folder / "warm")
    with (folder / "out").open("w") as out, redirect_stdout(out):
        for arguments in (
            ("init", "--data", data, "--label", "warm", "--name", "Warm", "--email", "warm@example.com"),
            ("position", "list", "--data", data),
            ("doctor", "--data", data),
        ):
            sys.argv = ["deskroster", *arguments]
            with suppress(SystemExit):
                command()
    gc.freeze()


def _run(told: Mapping[str, Any], folder: Path) -> None:
    """Be the program, and end."""
    from deskroster.cli import main
    from tests.faults import altered

    code = 70
    try:
        for number, name in ((1, "out"), (2, "err")):
            os.dup2(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), number)
        faulthandler.dump_traceback_later(PATIENCE, exit=True)
        os.environ.update(told["environment"])
        if told["altered"]:
            getattr(altered, told["altered"])()
        sys.argv = ["deskroster", *told["arguments"]]
        main()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 0
    except BaseException:  # noqa: BLE001 - as the interpreter does
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main()
