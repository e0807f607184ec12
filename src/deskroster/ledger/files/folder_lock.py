"""The lock of a data folder, by flock(2): one process at a time holds it."""

import fcntl
import os
from pathlib import Path

from deskroster.ledger.files.paths import shown
from deskroster.texts import said

LOCK = "lock"


class FolderInUse(Exception):
    """Another process has the data open."""


def lock(folder: Path) -> int:
    """Lock the folder for this process, until the returned descriptor is closed or the process ends.

    Raises FolderInUse.
    """
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise FolderInUse(said("another process is using {folder}", folder=shown(folder))) from None
    return descriptor
