"""What takes long to make is made once in a run, by whichever worker comes first."""

import fcntl
import os
from collections.abc import Callable
from pathlib import Path


def made_once(base: Path, name: str, make: Callable[[Path], object]) -> Path:
    """Make a folder, or wait until another worker of the same run has made it. `base` is pytest's temporary folder."""
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        folder, made = shared / name, shared / f"{name}.made"
        if not made.exists():
            make(folder)
            made.touch()
    return folder
