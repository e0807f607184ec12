"""A real server process over a data folder: started, killed, started again."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

import httpx2

import deskroster
from deskroster.testing import Account, Clients
from tests.contracts import BY_NAME
from tests.faults.disk import Disk
from tests.world import ADMIN

SERVER = ("-m", "deskroster")
_ROOT = Path(__file__).parents[3]
_SOURCE = Path(deskroster.__file__).parents[1]


def environment() -> dict[str, str]:
    """Return the environment of a process that runs this code."""
    return os.environ | {"PYTHONPATH": os.pathsep.join(map(str, (_SOURCE, _ROOT)))}


def plain_client() -> httpx2.Client:
    """Return a client that signs nothing, and costs little to make."""
    return httpx2.Client(timeout=30, trust_env=False, verify=False)


class Served:
    """`deskroster serve` on a free port; with `program`, something else that takes the same arguments."""

    def __init__(
        self, folder: Path, disk: Disk | None = None, program: Sequence[str] = SERVER, options: Sequence[str] = ()
    ) -> None:
        self.folder = folder
        self._errors: IO[bytes] = folder.with_name("server.log").open("ab+")
        self.process = subprocess.Popen(
            [sys.executable, *program, "serve", "--data", folder, "--port", "0", "--json", *options],
            cwd=folder.parent,
            env=environment() | (disk.environment if disk else {}),
            stdout=subprocess.PIPE,
            stderr=self._errors,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            self.kill()
        assert line, self.log
        self.url: str = json.loads(line)["url"]

    @property
    def log(self) -> str:
        """What the servers of this folder have said."""
        return self.folder.with_name("server.log").read_text()

    def clients(self, account: Account = ADMIN) -> Clients:
        """Return clients that sign as an account and are answered in English."""
        made = Clients(self.url, account, time.time, lambda: httpx2.HTTPTransport(verify=False))
        for client in (getattr(made, name) for name in BY_NAME):
            client.headers["Accept-Language"] = "en"
            client.timeout = httpx2.Timeout(30)
        return made

    def ready(self) -> bool:
        """Whether it says that it takes writes."""
        return httpx2.get(f"{self.url}/ready", trust_env=False, verify=False).status_code == 200

    def kill(self) -> None:
        """End it and its workers as a power switch would, and wait until they are gone."""
        workers: list[int] = []
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGSTOP)  # so that it starts no other worker
            workers = _children(self.process.pid)
        self._end(signal.SIGKILL)
        for worker in workers:
            with suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)
        while any(map(_runs, workers)):
            time.sleep(0.01)

    def stop(self) -> None:
        """End it in good order."""
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        if self.process.poll() is None:
            self.process.send_signal(how)
        self.process.wait(60)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self._errors.close()

    def __enter__(self) -> "Served":
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


def _children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _runs(pid: int) -> bool:
    """Tell whether a process has anything open yet: a zombie has not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
