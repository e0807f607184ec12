"""For the tests of programs that talk to Deskroster: the real server for as long as a test lasts, and signing clients.

    with Emulator() as deskroster:
        assert 1000 == deskroster.udesk.get("/user_groups").json()["code"]

In pytest, `pytest_plugins = ["deskroster.testing"]` gives the fixture `deskroster`: an emulator with an empty company.
"""

import asyncio
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future
from contextlib import suppress
from hashlib import sha1, sha256
from pathlib import Path
from types import TracebackType
from typing import Literal, NamedTuple
from urllib.parse import quote, urlsplit
from uuid import uuid4

import httpx2
import uvloop
from msgspec import Struct

from deskroster import demo, server
from deskroster.admin import AdminApp, sockets
from deskroster.admin.installation import Installation
from deskroster.app import App, opened
from deskroster.desk import Clock
from deskroster.settings import Settings
from deskroster.telemetry import Telemetry

START_SECONDS = 60  # that a start may take

Form = Literal["A", "B", "C"]


class ShiftedClock:
    """A clock that runs `ahead` of the real one: `emulator.clock.ahead += 901`. Seconds."""

    def __init__(self, ahead: float = 0) -> None:
        self.ahead = ahead

    def __call__(self) -> float:
        return time.time() + self.ahead


class StillClock:
    """A clock that moves only when it is told to: `clock.now += 301`. Unix seconds."""

    def __init__(self, now: float | None = None) -> None:
        self.now = time.time() if now is None else now

    def __call__(self) -> float:
        return self.now


class Account(Struct, frozen=True, kw_only=True):
    """An agent's id and credentials. The token signs for Udesk and ServiceGo, and is a KF5 token."""

    id: int
    email: str
    password: str
    token: str


class UdeskSignature(httpx2.Auth):
    """Signs in one of the three forms of the Udesk Open API, with a fresh nonce where the form has one."""

    requires_request_body = False

    def __init__(self, account: Account, clock: Clock = time.time, form: Form = "A") -> None:
        self._account = account
        self._clock = clock
        self._form = form

    def parameters(self) -> dict[str, str]:
        """Return the parameters that sign one request."""
        email, token, at = self._account.email, self._account.token, str(int(self._clock()))
        if self._form == "C":
            return {"email": email, "timestamp": at, "sign": sha1(f"{email}&{token}&{at}".encode()).hexdigest()}
        nonce = uuid4().hex
        digest = sha256 if self._form == "A" else sha1
        sign = digest(f"{email}&{token}&{at}&{nonce}&v2".encode()).hexdigest()
        return {"email": email, "timestamp": at, "nonce": nonce, "sign_version": "v2", "sign": sign}

    def auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:
        """Put the signature into the query."""
        add_to_query(request, self.parameters())
        yield request


class ServiceGoSignature(httpx2.Auth):
    """Signs as ServiceGo wants it; tenants older than June 2021 with SHA-1."""

    def __init__(self, account: Account, clock: Clock = time.time, *, old: bool = False) -> None:
        self._account = account
        self._clock = clock
        self._digest = sha1 if old else sha256

    def parameters(self) -> dict[str, str]:
        """Return the parameters that sign one request."""
        email, at = self._account.email, str(int(self._clock()))
        sign = self._digest(f"{email}&{self._account.token}&{at}".encode()).hexdigest()
        return {"email": email, "timestamp": at, "sign": sign}

    def auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:
        """Put the signature into the query."""
        add_to_query(request, self.parameters())
        yield request


class KF5Token(httpx2.BasicAuth):
    """HTTP Basic with `email/token` and the API token."""

    def __init__(self, account: Account) -> None:
        super().__init__(f"{account.email}/token", account.token)


class KF5Password(httpx2.BasicAuth):
    """HTTP Basic with the e-mail and the login password."""

    def __init__(self, account: Account) -> None:
        super().__init__(account.email, account.password)


class _Running(NamedTuple):
    """A server in its thread."""

    url: str
    accounts: demo.Accounts
    app: App
    stop: Callable[[], object]


class Emulator:
    """The real server on 127.0.0.1 with the company of `deskroster demo`, from `with` to the end of its block.

    `empty` is a company with one administrator, one position and one role (id 1 each). `data` is a folder that is kept;
    without it a temporary one is removed at the end. `clock` is the server's and the clients'.
    """

    def __init__(self, *, empty: bool = False, data: Path | None = None, clock: Clock | None = None) -> None:
        self.clock = clock or ShiftedClock()
        self.url = "http://127.0.0.1:0"
        self.admin: Account
        self.agent: Account | None = None
        self._empty = empty
        self._kept = data
        self._clients: dict[Account, Clients] = {}
        self._thread: threading.Thread
        self._running: _Running

    def __enter__(self) -> "Emulator":
        self._data = self._kept or Path(tempfile.mkdtemp(prefix="deskroster-"))
        self._start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for clients in self._clients.values():
            clients.close()
        self._stop()
        if self._kept is None:
            shutil.rmtree(self._data)

    @property
    def udesk(self) -> httpx2.Client:
        """The Udesk Open API, signed by the administrator."""
        return self.of(self.admin).udesk

    @property
    def kf5(self) -> httpx2.Client:
        """KF5, with the administrator's token."""
        return self.of(self.admin).kf5

    @property
    def servicego(self) -> httpx2.Client:
        """ServiceGo, signed by the administrator."""
        return self.of(self.admin).servicego

    @property
    def own(self) -> httpx2.Client:
        """Our own API, with the administrator's key."""
        return self.of(self.admin).own

    def of(self, account: Account) -> "Clients":
        """Return clients that sign as an account."""
        clients = self._clients.get(account)
        if clients is None:
            clients = Clients(self.url, account, self.clock, lambda: httpx2.HTTPTransport(verify=False))
            self._clients[account] = clients
        return clients

    def restart(self) -> None:
        """Stop the server in good order and start it again, on the same data and port."""
        self._stop()
        self._start()

    def _settings(self, port: int) -> Settings:
        return Settings(data=self._data, port=port)

    async def _prepare(self, installation: Installation) -> demo.Accounts:
        return await demo.prepared(installation, self._empty, uuid4().hex)

    def _start(self) -> None:
        started: Future[_Running] = Future()
        self._thread = threading.Thread(target=self._run, args=(started,), name="deskroster", daemon=True)
        self._thread.start()
        self._running = started.result(START_SECONDS)
        accounts, self.url = self._running.accounts, self._running.url
        assert accounts.admin is not None
        self.admin = _account(accounts.admin)
        self.agent = _account(accounts.agent) if accounts.agent else None

    def _stop(self) -> None:
        self._running.stop()
        self._thread.join()

    def _run(self, started: Future[_Running]) -> None:
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner, suppress(asyncio.CancelledError):
                runner.run(self._serve(started))
        except BaseException as error:
            if started.done():
                raise
            started.set_exception(error)

    async def _serve(self, started: Future[_Running]) -> None:
        settings = self._settings(urlsplit(self.url).port or 0)
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None
        async with opened(settings, Telemetry(), self.clock) as app:
            installation = Installation(settings, app.store, app.desks, app.passwords, app.telemetry, app.clock)
            accounts = await self._prepare(installation)

            def ready(url: str) -> None:
                started.set_result(_Running(url, accounts, app, lambda: loop.call_soon_threadsafe(task.cancel)))

            listening = sockets.bind(self._data)
            try:
                await server.run(app, settings, AdminApp(installation), listening, ready)
            finally:
                sockets.unbind(listening, self._data)


class Clients:
    """One account's clients, one for each dialect: `clients.kf5.get("/groups.json")`. Each signs what it sends."""

    def __init__(
        self,
        url: str,
        account: Account,
        clock: Clock = time.time,
        transport: Callable[[], httpx2.BaseTransport] = httpx2.HTTPTransport,
    ) -> None:
        def client(prefix: str, auth: httpx2.Auth) -> httpx2.Client:
            return httpx2.Client(base_url=url + prefix, auth=auth, transport=transport(), trust_env=False)

        self.udesk = client("/open_api_v1", UdeskSignature(account, clock))
        self.kf5 = client("/apiv2", KF5Token(account))
        self.servicego = client("/api", ServiceGoSignature(account, clock))
        self.own = client("/deskroster", httpx2.BasicAuth(account.email, account.token))

    def close(self) -> None:
        """Close the connections."""
        for client in (self.udesk, self.kf5, self.servicego, self.own):
            client.close()


def add_to_query(request: httpx2.Request, parameters: dict[str, str]) -> None:
    """Add parameters after those that a request has, and leave the bytes of these as they are."""
    added = "&".join(f"{name}={quote(value, safe='')}" for name, value in parameters.items()).encode()
    query = request.url.query
    request.url = request.url.copy_with(query=query + b"&" + added if query else added)
    target = request.extensions.get("target")
    if target is not None:
        request.extensions["target"] = target + (b"&" if b"?" in target else b"?") + added


def _account(known: demo.Account) -> Account:
    """Return an account of the demo; what was changed since in a folder that is kept is empty."""
    return Account(id=known.id, email=known.email, password=known.password or "", token=known.token or "")


try:
    import pytest
except ModuleNotFoundError:  # the emulator needs no pytest
    pass
else:

    @pytest.fixture
    def deskroster() -> Iterator[Emulator]:
        """Give the server with a company of one administrator."""
        with Emulator(empty=True) as emulator:
            yield emulator
