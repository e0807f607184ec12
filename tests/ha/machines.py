"""Machines on one machine: each is a folder, and its processes are those that work in that folder or below."""

import os
import pwd
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path

USERS = ("postgres", "nobody")  # PostgreSQL does not run as root
PATH = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
SHORT = 0.05  # seconds between two looks
_ROOT = Path(__file__).parents[2]
_FORKS = 5  # looks for what a process started while it was being signalled


class Machine:
    """A folder in which processes run, as a user without privileges. Each of them writes to a log of its own there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.folder.mkdir()
        self._started: list[subprocess.Popen[bytes]] = []
        if os.geteuid() == 0:
            os.chown(folder, _user().pw_uid, _user().pw_gid)

    def start(self, name: str, argv: Sequence[str | Path]) -> None:
        """Start a program in the folder."""
        environment = {"PATH": PATH, "LC_ALL": "C.UTF-8", "TZ": "UTC", "HOME": str(self.folder)}
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [*_as_user(), *argv], cwd=self.folder, env=environment, start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        self._started.append(process)

    def kill(self, below: str = "") -> None:
        """End at once all that runs on it: its power is gone. `below`: only what works in this folder of it."""
        tell(self.folder / below, signal.SIGKILL)

    def end(self) -> None:
        """End at once all that runs on it, for good."""
        end_all(self.folder)
        for process in self._started:
            process.wait()

    def kill_top(self) -> None:
        """End at once what works in the folder itself, and leave what works in the folders below."""
        tell(self.folder, signal.SIGKILL, lambda cwd: cwd == self.folder)

    def freeze(self) -> None:
        """Let nothing of it run until it is thawed."""
        tell(self.folder, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let all go on as if no time had passed."""
        tell(self.folder, signal.SIGCONT)

    def running(self, name: str) -> list[int]:
        """Return the processes in whose command line a word is."""
        return [pid for pid, _ in _below(self.folder) if name in _command(pid)]


def tell(folder: Path, what: signal.Signals, where: Callable[[Path], bool] = lambda _: True) -> None:
    """Send a signal to all that works in a folder or below, and to what these start meanwhile."""
    told: set[int] = set()
    for _ in range(_FORKS):
        now = {pid for pid, cwd in _below(folder) if where(cwd)}
        for pid in now - told:
            send(pid, what)
        if now <= told:
            return
        told |= now


def send(pid: int, what: signal.Signals) -> None:
    """Send a signal to a process, which may be gone."""
    try:
        os.kill(pid, what)
    except ProcessLookupError:
        return


def end_all(folder: Path) -> None:
    """End at once all that works in a folder or below, until nothing does."""
    while pids := [pid for pid, _ in _below(folder)]:
        for pid in pids:
            send(pid, signal.SIGKILL)
        time.sleep(SHORT)


def wait(seen: Callable[[], object], seconds: float, what: str) -> float:
    """Wait until something is seen; return after how many seconds."""
    began = time.monotonic()
    while not seen():
        assert time.monotonic() - began < seconds, f"not within {seconds} s: {what}"
        time.sleep(SHORT)
    return time.monotonic() - began


def free_ports() -> Iterator[int]:
    """Yield ports of 127.0.0.1 that are free, and that no outgoing connection takes while nobody listens there."""
    taken_by_connections = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
    for port in random.sample(range(10_000, int(taken_by_connections[0])), 1_000):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        yield port


def guarded(folder: Path) -> "subprocess.Popen[bytes]":
    """Start the guard of a folder: when its standard input ends, however we end, it ends all there and removes it."""
    environment = os.environ | {"PYTHONPATH": str(_ROOT)}
    return subprocess.Popen(
        [sys.executable, "-m", "tests.ha.guard", folder], stdin=subprocess.PIPE, env=environment, start_new_session=True
    )


def _below(folder: Path) -> Iterator[tuple[int, Path]]:
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            cwd = Path(os.readlink(entry / "cwd").removesuffix(" (deleted)"))
        except OSError:  # gone, or a zombie
            continue
        if cwd.is_relative_to(folder):
            yield int(entry.name), cwd


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return ""


def _user() -> pwd.struct_passwd:
    known = {one.pw_name: one for one in pwd.getpwall()}
    return next(known[name] for name in USERS if name in known)


@cache
def _as_user() -> list[str]:
    """Return what makes a command run without privileges, and yet able to read the Python that runs these tests."""
    if os.geteuid() != 0:
        return []
    user = _user()
    plain = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    for name in ("dac_read_search", "dac_override"):
        reading = [*plain, f"--inh-caps=+{name}", f"--ambient-caps=+{name}"]
        if _reads(reading):
            return reading
    return plain


def _reads(prefix: list[str]) -> bool:
    return subprocess.run([*prefix, sys.executable, "-c", ""], capture_output=True, check=False).returncode == 0
