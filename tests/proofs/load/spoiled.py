"""The command with two faults, which the proof of the load must notice: it is held up, and it leaks files."""

import itertools
import os
import time
from typing import Any

from deskroster.cli import main
from deskroster.dialect.app import DialectApp

HELD = 0.5  # seconds
HELD_EVERY, LEAKS_EVERY = 200, 20  # requests

if __name__ == "__main__":
    count, read = itertools.count(1), DialectApp._read

    def spoiled(app: DialectApp, *arguments: Any) -> Any:
        number = next(count)
        if number % LEAKS_EVERY == 0:
            os.dup(0)
        if number % HELD_EVERY == 0:
            time.sleep(HELD)
        return read(app, *arguments)

    DialectApp._read = spoiled  # type: ignore[method-assign]
    main()
