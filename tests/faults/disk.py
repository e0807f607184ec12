"""A disk that fails when it is told to: `shim.c`, compiled, and the file through which it is told."""

import mmap
import os
import shutil
import struct
import subprocess
import sys
from enum import IntEnum, IntFlag
from pathlib import Path
from typing import NamedTuple

SOURCE = Path(__file__).with_name("shim.c")
FOREVER = -1
_HEAD = struct.Struct("<IIqqQQ")
_FILE = struct.Struct("<48sQQq")
_FILES = 16


class Fault(IntEnum):
    """What happens to a call."""

    EIO = 1
    ENOSPC = 2
    SHORT_WRITE = 3  # half of it is written, then there is no space
    FULL = 4  # no file can become longer, and none can be made
    KILL = 5  # the process is killed before the call


class Calls(IntFlag):
    """Which calls."""

    WRITE = 1
    SYNC = 2
    TRUNCATE = 4
    ALL = 7
    CREATE = 8  # of a file or folder, or opening one so that it is emptied
    NAME = 16  # renaming, linking, removing
    COMMIT = 32  # sent to a database; only to be killed at
    STEPS = 63  # all that changes what is there after the process


class Seen(NamedTuple):
    """What was done to a file. `unsynced` is the lowest offset written to since it was last synced, -1 for none."""

    writes: int
    syncs: int
    unsynced: int


def compiled(folder: Path) -> Path:
    """Return the shim as a library in `folder`, compiled by the machine's compiler, else by the one make installs."""
    compiler = ["cc"] if shutil.which("cc") else [sys.executable, "-m", "ziglang", "cc"]
    library = folder / "shim.so"
    subprocess.run(
        [*compiler, "-shared", "-fPIC", "-O1", "-Wall", "-o", library, SOURCE, "-ldl", "-lpthread"], check=True
    )
    return library


class Disk:
    """The disk under one folder, as a program sees it that was started with `environment`."""

    def __init__(self, library: Path, control: Path, folder: Path) -> None:
        control.write_bytes(bytes(_HEAD.size + _FILES * _FILE.size))
        with control.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), 0)
        self.environment = {"LD_PRELOAD": str(library), "FAULTS_CONTROL": str(control), "FAULTS_FOLDER": str(folder)}

    def fail(self, fault: Fault, skip: int = 0, times: int = 1, calls: Calls = Calls.ALL) -> None:
        """Let `times` calls fail after `skip` more."""
        self.mend()
        _HEAD.pack_into(self._map, 0, 0, calls, skip, times, 0, 0)
        self._map[0:4] = struct.pack("<I", fault)

    def mend(self) -> None:
        """Let nothing fail any more."""
        self._map[0:4] = bytes(4)

    @property
    def counted(self) -> int:
        """How many calls there were since `fail`, of those that were to be looked at."""
        return int(_HEAD.unpack_from(self._map)[4])

    @property
    def failed(self) -> int:
        """How many calls have failed since `fail`."""
        return int(_HEAD.unpack_from(self._map)[5])

    def seen(self, name: str) -> Seen:
        """Return what was done to a file of the folder."""
        return _seen(self._map, name)

    def lose_power(self, file: Path) -> None:
        """Take from a file what was written and not synced. Only for one that is written at its end."""
        unsynced = self.seen(file.name).unsynced
        if unsynced >= 0 and file.exists():
            os.truncate(file, unsynced)


def read(control: Path, name: str) -> Seen:
    """Return what was done to a file, as the program itself may ask."""
    return _seen(control.read_bytes(), name)


def _seen(told: bytes | mmap.mmap, name: str) -> Seen:
    for at in range(_HEAD.size, len(told), _FILE.size):
        found, *numbers = _FILE.unpack_from(told, at)
        if found.rstrip(b"\0").decode() == name:
            return Seen(*numbers)
    return Seen(0, 0, -1)
