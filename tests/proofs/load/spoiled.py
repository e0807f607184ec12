"""The command with two faults, which the proof of the load must notice: it is held up, and it leaks files."""

import itertools
import os
import time
from typing import Any

from deskroster.cli import main
from deskroster.dialect.app import DialectApp

HELD = 0.5  # seconds
EVERY = 50  # requests

if __name__ == "__main__":
    count, call = itertools.count(1), DialectApp.__call__

    async def spoiled(app: DialectApp, *arguments: Any) -> None:
        if next(count) % EVERY == 0:
            os.dup(0)
            time.sleep(HELD)  # noqa: ASYNC251 - that is the fault
        await call(app, *arguments)

    DialectApp.__call__ = spoiled  # type: ignore[method-assign]
    main()
