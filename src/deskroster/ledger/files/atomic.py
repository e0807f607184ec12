"""Atomic file writes: write a temporary file, fsync it, rename it, fsync the folder.

A file written here exists whole or not at all, also after `kill -9`, a full disk or a power failure.
"""

import os
from collections.abc import Callable
from errno import EEXIST, EMLINK, ENOSYS, ENOTSUP, EOPNOTSUPP, EPERM
from hashlib import sha256
from pathlib import Path

PARTIAL = ".partial"  # the suffix of temporary files, which may be removed
_NO_LINKS = {EPERM, ENOSYS, ENOTSUP, EOPNOTSUPP, EMLINK}  # errors of link(2) on a file system without hard links
_LONGEST = 200  # bytes of a name before that suffix; most file systems allow 255


def put(path: Path, content: bytes) -> None:
    """Write a file of mode 0600 atomically; replace the file of that name. Raises OSError.

    After an error the path holds the old content whole, or the new.
    """
    _put(path, content, os.replace)


def put_new(path: Path, content: bytes) -> None:
    """Write a file of mode 0600 atomically, which must not exist. Raises FileExistsError, or OSError as `put` does.

    The caller must hold the lock of the folder. On a file system without hard links (exFAT, SMB, some of FUSE) no call
    can rename a file only if the new name is free, so the name is checked before the rename.
    """
    _put(path, content, _rename_to_new)


def make_folder(path: Path) -> list[Path]:
    """Create a folder of mode 0700 and its missing parents, and fsync their entries.

    Return the folders that were created, the deepest first.
    """
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
    """Fsync a folder, so that files created, renamed or removed in it stay so after a power failure."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def aside(path: Path) -> Path:
    """Return the path of the temporary file for `path`: in the same folder, always the same one."""
    name = os.fsencode(path.name)
    if len(name) > _LONGEST:
        name = name[:_LONGEST] + b"-" + sha256(name).hexdigest()[:16].encode()
    return path.with_name(os.fsdecode(name) + PARTIAL)


def _rename_to_new(partial: Path, path: Path) -> None:
    try:
        os.link(partial, path)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if os.path.lexists(path):
            raise FileExistsError(EEXIST, os.strerror(EEXIST), str(path)) from None
        os.rename(partial, path)


def _put(path: Path, content: bytes, rename: Callable[[Path, Path], None]) -> None:
    partial = aside(path)
    partial.unlink(missing_ok=True)  # never overwrite it: it may be a hard link to the finished file
    try:
        with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        rename(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    sync_folder(path.parent)
