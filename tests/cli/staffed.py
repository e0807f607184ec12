"""Runs two workers that do nothing but what a test wants: `python -m tests.cli.staffed CASE`. It ends as `serve` does.

On standard output a worker that starts writes a line: its number and its process id.
"""

import errno
import itertools
import os
import signal
import sys
from types import SimpleNamespace

from deskroster.cli import console, streams, workers

FORK = os.fork


def load() -> None:
    """Go on until told to stop."""

    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stopped)
    while True:
        signal.pause()


def work(number: int, on_ready: workers.OnReady) -> None:
    os.write(1, f"{number} {os.getpid()}\n".encode())
    if number == 1 and case == "one is damaged while the other loads":
        raise console.Refused(console.Exit.DAMAGED, "the data is damaged")
    if not case.endswith("while the other loads"):
        on_ready([str(number)])
    load()


def fork_but_not(failing: set[int]) -> None:
    """Have some calls of `fork` fail."""
    counted = itertools.count(1)

    def fork() -> int:
        if next(counted) in failing:
            raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        return FORK()

    os.fork = fork


if __name__ == "__main__":
    case = sys.argv[1]
    workers._RESTART_DELAY = 0.01
    fork_but_not({"fork fails later": {3, 4}, "fork fails at the start": {2}}.get(case, set()))
    if case == "an hour goes by whenever the clock is looked at":
        hours = itertools.count()
        workers.time = SimpleNamespace(monotonic=lambda: next(hours) * 3_600.0)  # type: ignore[assignment]
    with streams.safe_streams():
        try:
            sys.exit(workers.Workers(2, work, lambda reported: b"ready\n").run())
        except console.Refused as refusal:
            console.print_error(refusal)
            sys.exit(refusal.code)
