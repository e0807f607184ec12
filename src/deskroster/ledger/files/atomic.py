"""Durable: a file that is there whole or not at all, also after `kill -9`, a full disk or a power failure."""

import os
from collections.abc import Callable
from errno import EEXIST, EMLINK, ENOSYS, ENOTSUP, EOPNOTSUPP, EPERM
from hashlib import sha256
from pathlib import Path

PARTIAL = ".partial"  # the suffix of files that are not finished; they may be removed
_NO_LINKS = {EPERM, ENOSYS, ENOTSUP, EOPNOTSUPP, EMLINK}  # what link(2) fails with where there are no hard links
_LONGEST = 200  # bytes of a name before that suffix; most file systems allow 255


def put(path: Path, content: bytes) -> None:
    """Write a file of mode 0600, in the place of any other. Raises OSError; the old one is whole then, or the new one.

    Written beside it, synced and renamed.
    """
    _put(path, content, os.replace)


def put_new(path: Path, content: bytes) -> None:
    """Write a file of mode 0600 that must not exist. Raises FileExistsError, or OSError as `put` does.

    Whoever calls it has the lock of the folder: a file system without hard links (exFAT, SMB, some of FUSE) can only
    be asked whether the file exists before it is renamed.
    """
    _put(path, content, _name_new)


def make_folder(path: Path) -> list[Path]:
    """Make a folder of mode 0700, and those above it, durably. Return what was not there, the deepest first."""
    missing = [path]
    while not missing[-1].parent.exists():
        missing.append(missing[-1].parent)
    if path.is_dir():
        return []
    for folder in reversed(missing):
        folder.mkdir(mode=0o700 if folder == path else 0o777, exist_ok=True)
        sync_folder(folder.parent)
    return missing


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def aside(path: Path) -> Path:
    """Return the path that a file is written to before it is renamed: in the same folder, always the same one."""
    name = os.fsencode(path.name)
    if len(name) > _LONGEST:
        name = name[:_LONGEST] + b"-" + sha256(name).hexdigest()[:16].encode()
    return path.with_name(os.fsdecode(name) + PARTIAL)


def _name_new(partial: Path, path: Path) -> None:
    try:
        os.link(partial, path)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if os.path.lexists(path):
            raise FileExistsError(EEXIST, os.strerror(EEXIST), str(path)) from None
        os.rename(partial, path)


def _put(path: Path, content: bytes, give_name: Callable[[Path, Path], None]) -> None:
    partial = aside(path)
    partial.unlink(missing_ok=True)  # never written to: it may be another name of the finished file
    try:
        with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        give_name(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    sync_folder(path.parent)
