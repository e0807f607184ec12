"""The program with one thing broken on purpose, for the controls: `python -m tests.cli.altered FLAW serve …`."""

import os
import sys

from deskroster.cli import main
from deskroster.cli.workers import Workers
from deskroster.telemetry.lines import Lines


def log_writes_directly(log: Lines, line: bytes) -> None:
    log._write(line + b"\n")


def all_children_are_ours(workers: Workers) -> list[tuple[object, int]]:
    pid, status = os.waitpid(-1, os.WNOHANG)
    return [(workers._workers.pop(pid), status)] if pid else []


if __name__ == "__main__":
    flaw = sys.argv.pop(1)
    if flaw == "log_writes_directly":
        Lines.put = log_writes_directly  # type: ignore[method-assign]
    else:
        assert flaw == "all_children_are_ours"
        Workers._reap = all_children_are_ours  # type: ignore[assignment, method-assign]
    main()
