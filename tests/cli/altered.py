"""The program with something broken on purpose: `python -m tests.cli.altered FLAW[,FLAW] serve …`."""

import asyncio
import os
import sys
import time

from deskroster.cli import main, serving
from deskroster.cli.workers import Workers
from deskroster.ledger import Store
from deskroster.telemetry.lines import Lines


def log_writes_directly(log: Lines, line: bytes) -> None:
    log._write(line + b"\n")


def all_children_are_ours(workers: Workers) -> list[tuple[object, int]]:
    pid, status = os.waitpid(-1, os.WNOHANG)
    return [(workers._workers.pop(pid), status)] if pid else []


async def closing_waits_for_ever(store: Store) -> None:
    os.write(2, b"closing\n")
    await asyncio.Event().wait()


async def closing_blocks_for_ever(store: Store) -> None:
    os.write(2, b"closing\n")
    while True:
        time.sleep(1)  # noqa: ASYNC251 - on purpose


def deaf_at_the_end(signals: serving._Signals, *_: object) -> None:
    """Do nothing."""


if __name__ == "__main__":
    flaws = sys.argv.pop(1).split(",")
    for flaw, (where, name) in {
        log_writes_directly: (Lines, "put"),
        all_children_are_ours: (Workers, "_reap"),
        closing_waits_for_ever: (Store, "close"),
        closing_blocks_for_ever: (Store, "close"),
        deaf_at_the_end: (serving._Signals, "_handle"),
    }.items():
        if flaw.__name__ in flaws:
            setattr(where, name, flaw)
            flaws.remove(flaw.__name__)
    assert not flaws
    main()
