"""Two Deskroster servers, each with a folder of its own, on one database. One of them is several processes."""

import json
import shutil
import subprocess
import sys
from contextlib import ExitStack, closing
from pathlib import Path

import httpx2

from deskroster.testing import Account, Clients
from tests.proofs.durability.served import SERVER, Served, environment


class Desk:
    """A Deskroster server that can be killed and started again. `up`: whether it is meant to run."""

    def __init__(self, folder: Path, database: str | None = None, workers: int = 1) -> None:
        self._folder = folder
        self._options = ("--database", database, "--workers", str(workers)) if database else ()
        self.start()

    def start(self) -> None:
        self._server = Served(self._folder, options=self._options)
        self.url = self._server.url
        self.up = True

    def clients(self, account: Account) -> Clients:
        """Return clients that sign as an account."""
        return self._server.clients(account)

    def kill(self) -> None:
        """End it, with all its processes, as a power switch would."""
        self.up = False
        self._server.kill()

    def ready(self) -> bool:
        """Whether it says that it takes writes."""
        try:
            return self.up and self._server.ready()
        except httpx2.TransportError:
            return False

    def __enter__(self) -> "Desk":
        return self

    def __exit__(self, *_: object) -> None:
        if self.up:
            self.kill()


def installed(folder: Path, database: str | None = None) -> Account:
    """Make an installation with one company; return its administrator."""
    folder.parent.mkdir(exist_ok=True)
    where = ["--data", folder, *(["--database", database] if database else [])]
    company = ["--label", "demo", "--name", "Demo", "--email", "admin@test.cn", "--json"]
    ran = subprocess.run(
        [sys.executable, *SERVER, "init", *where, *company],
        capture_output=True, text=True, env=environment(), check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    admin = json.loads(ran.stdout)["admin"]
    return Account(**{name: admin[name] for name in ("id", "email", "password", "token")})


def pair(folder: Path, database: str, stack: ExitStack) -> tuple[tuple[Desk, Desk], Account]:
    """Serve a new installation by two servers, until the stack ends; return them and the administrator.

    The first has two worker processes, which share a parent; the second is one process of its own.
    """
    first, second = folder / "desk0" / "data", folder / "desk1" / "data"
    account = installed(first, database)
    second.mkdir(parents=True, mode=0o700)
    shutil.copy(first / "key", second / "key")
    desks = stack.enter_context(Desk(first, database, workers=2)), stack.enter_context(Desk(second, database))
    first_group(desks[0], account)
    return desks, account


def first_group(desk: Desk, account: Account) -> None:
    """Make group 1. To it, and to the administrator, Udesk's writers leave what belonged to agents they delete."""
    with closing(desk.clients(account)) as clients:
        made = clients.kf5.post("/groups.json", json={"group": {"name": "heirs"}})
    assert made.json()["group"]["id"] == 1, made.text
