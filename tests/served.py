"""The company of `world` behind the real server, on a socket: what `InProcess` gives, as far as a socket can."""

import socket
from pathlib import Path

import httpx2
from msgspec.structs import replace

from deskroster import demo
from deskroster.admin.open_installation import OpenInstallation
from deskroster.core.roster import Roster
from deskroster.settings import Settings
from deskroster.testing import Emulator, StillClock
from tests.world import ADMIN, AGENT

MAX_ANSWER = 1 << 20


class Served(Emulator):
    """A folder with the company of `world`, served."""

    def __init__(self, folder: Path, clock: StillClock, trusted_proxies: tuple[str, ...] = ()) -> None:
        super().__init__(data=folder, clock=clock)
        self._trusted_proxies = trusted_proxies

    def _settings(self, port: int) -> Settings:
        return replace(super()._settings(port), trusted_proxies=self._trusted_proxies)

    async def _prepare(self, installation: OpenInstallation) -> demo.Accounts:
        admin, agent = (demo.Account(one.id, one.email, one.password, one.token) for one in (ADMIN, AGENT))
        self._desk = await installation.desk("demo")
        return demo.Accounts("demo", admin, agent)

    def plain(self) -> httpx2.Client:
        """Return a client that signs nothing."""
        return httpx2.Client(base_url=self.url, transport=httpx2.HTTPTransport(verify=False), trust_env=False)

    def roster(self) -> Roster:
        """Return what is durable of the company."""
        return self._desk.roster

    def raw(self, sent: bytes) -> bytes:
        """Send bytes, and return all that is answered until the server closes or nothing more is to come."""
        host, port = self.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=60) as connection:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            received = b""
            while len(received) < MAX_ANSWER and (part := connection.recv(65_536)):
                received += part
        return received
