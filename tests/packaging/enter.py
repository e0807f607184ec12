"""Started in new namespaces: mount what a container has, enter its root folder, drop all rights, become its command.

The argument is JSON, as `containers.py` writes it.
"""

import ctypes
import fcntl
import json
import os
import signal
import socket
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

SIOCSIFFLAGS, IFF_UP = 0x8914, 1  # of netdevice(7)
PR_SET_PDEATHSIG = 1  # of prctl(2)


def enter(how: dict[str, Any]) -> None:
    """Become the command of a container."""
    root = how["root"]
    mount("--bind", root, root)
    for path in how["mounts_read_only"]:
        mount("--bind", path, root + path)
        mount("--options", "remount,bind,ro", root + path)
    for source, path in how["mounts"]:
        mount("--bind", source, root + path)
    mount("--types", "proc", "proc", root + "/proc")
    mount("--rbind", "/dev", root + "/dev")
    if how["read_only"]:
        for path in ("/tmp", "/run"):
            mount("--types", "tmpfs", "tmpfs", root + path)
        mount("--options", "remount,bind,ro", root)
    if how["own_network"]:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
            fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh", b"lo", IFF_UP))
    os.chroot(root)
    os.chdir("/")
    os.umask(0o022)
    os.setgroups([])
    os.setgid(how["group"])
    os.setuid(how["user"])
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # now, since a change of the user would undo it
    os.chdir(how["folder"])
    os.execvpe(how["command"][0], how["command"], how["environment"])


def mount(*arguments: str) -> None:
    """Mount something, in this namespace alone."""
    path = Path(arguments[-1])
    if not path.exists():
        path.mkdir(parents=True)
    subprocess.run(["mount", *arguments], check=True)


if __name__ == "__main__":
    enter(json.loads(sys.argv[1]))
