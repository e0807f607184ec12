"""The Unix socket of a served folder: of mode 0600, and reachable even if the path of the folder is long."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from deskroster.texts import said

FILE = "admin.sock"
MAX_PATH = 100  # bytes that fit an AF_UNIX address on every system (sun_path has 104 or 108)

_DESCRIPTORS = Path("/proc/self/fd")  # on Linux, an open folder has a short path here


class PathTooLong(Exception):
    """The folder's path does not fit a socket address, and this system has no /proc/self/fd."""


def bind(folder: Path) -> socket.socket:
    """Listen on the folder's socket.

    The caller must hold the folder's lock: a socket file that a killed server has left behind is replaced.
    Raises PathTooLong or OSError.
    """
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with reachable(folder) as path:
            with suppress(FileNotFoundError):
                os.unlink(path)
            mask = os.umask(0o177)
            try:
                listening.bind(path)
            finally:
                os.umask(mask)
        listening.listen(64)
        listening.setblocking(False)
    except BaseException:
        listening.close()
        raise
    return listening


def unbind(listening: socket.socket, folder: Path) -> None:
    """Stop listening, and delete the socket file."""
    listening.close()
    with suppress(FileNotFoundError):
        os.unlink(folder / FILE)


def answers(folder: Path) -> bool:
    """Return whether a server listens on the folder's socket; the file may exist without one. Raises PathTooLong."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe, reachable(folder) as path:
        try:
            probe.connect(path)
        except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError):
            return False
        return True


@contextmanager
def reachable(folder: Path) -> Iterator[str]:
    """Yield a path to the folder's socket that is short enough to bind or connect to. Raises PathTooLong."""
    path = str(folder / FILE)
    if len(os.fsencode(path)) <= MAX_PATH:
        yield path
        return
    if not _DESCRIPTORS.is_dir():
        raise PathTooLong(
            said(
                "the path of {folder} is too long for a socket: {most} bytes at most",
                folder=repr(os.fsencode(folder)),
                most=MAX_PATH - len(FILE) - 1,
            )
        )
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield str(_DESCRIPTORS / str(descriptor) / FILE)
    finally:
        os.close(descriptor)
