"""For the tests of programs that talk to Deskroster: the real server for as long as a test lasts, and signing clients.

    with Emulator() as deskroster:
        assert 1000 == deskroster.udesk.get("/user_groups").json()["code"]

In pytest, `pytest_plugins = ["deskroster.testing"]` gives the fixture `deskroster`: an emulator with an empty company.

It runs in the process of somebody's tests: their frozen or moved time is its time as well, their mocks of httpx2 do not
reach its clients, and it leaves nothing behind, neither when a start fails nor when it ends.
"""

import asyncio
import gc
import logging
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future
from contextlib import closing, contextmanager, suppress
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
from deskroster.admin.open_installation import OpenInstallation
from deskroster.app import App, opened
from deskroster.clocks import Clock, PlainClock, Wall, clock_of
from deskroster.settings import Settings
from deskroster.telemetry import Telemetry

START_SECONDS = 60  # that a start may take
STOP_SECONDS = 60
_LOGGERS = ("uvicorn", "asyncio")  # of the process, which a server takes over
_FRAMES = 6  # more than freezegun looks at

Form = Literal["A", "B", "C"]


def time_of_test(frames: int = _FRAMES) -> float:
    """Return Unix time as the test that runs has it: frozen by freezegun, moved by time-machine, or real.

    freezegun gives real time to what `threading` has called at most five frames before, as all in a thread of a server
    may be. So there are more of them here.
    """
    return time.time() if frames == 0 else time_of_test(frames - 1)


class DirectTransport(httpx2.HTTPTransport):
    """Sends requests over the network, also where a test mocks `httpx2.HTTPTransport`."""

    handle_request = httpx2.HTTPTransport.handle_request  # as it is now


class ShiftedClock(PlainClock):
    """A clock that runs `ahead` of the test's: `emulator.clock.ahead += 901`. Seconds.

    When it moves forward, by this or by the test's own time, that is time that has gone by, also for limits; when it
    moves back, the time of day was set back.
    """

    def __init__(self, ahead: float = 0) -> None:
        self.ahead = ahead
        super().__init__(lambda: time_of_test() + self.ahead)


class StillClock:
    """A clock that moves only when it is told to: `clock.now += 301`. Unix seconds.

    A higher `now` is time that has gone by, a lower one the time of day set back. `set_by` sets the time of day alone,
    as an administrator does, or what a machine without a battery gets from the network; `reboot` begins another boot.
    """

    def __init__(self, now: float | None = None) -> None:
        self._now = time_of_test() if now is None else now
        self._steady = self._now
        self._boots = 0

    @property
    def now(self) -> float:
        return self._now

    @now.setter
    def now(self, now: float) -> None:
        self._steady += max(0.0, now - self._now)
        self._now = now

    @property
    def boot(self) -> str:
        return f"{id(self)} {self._boots}"

    def __call__(self) -> float:
        return self._now

    def steady(self) -> float:
        return self._steady

    def set_by(self, seconds: float) -> None:
        """Set the time of day forward, or back where negative; no time goes by."""
        self._now += seconds

    def reboot(self) -> None:
        """Begin another boot of the machine, whose steady clock begins again."""
        self._boots += 1
        self._steady = 0.0


class Account(Struct, frozen=True, kw_only=True):
    """An agent's id and credentials. The token signs for Udesk and ServiceGo, and is a KF5 token."""

    id: int
    email: str
    password: str
    token: str


class UdeskSignature(httpx2.Auth):
    """Signs in one of the three forms of the Udesk Open API, with a fresh nonce where the form has one."""

    requires_request_body = False

    def __init__(self, account: Account, clock: Wall = time_of_test, form: Form = "A") -> None:
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

    def __init__(self, account: Account, clock: Wall = time_of_test, *, old: bool = False) -> None:
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


class Emulator:
    """The real server on 127.0.0.1 with the company of `deskroster demo`, from `with` to the end of its block.

    `empty` is a company with one administrator, one position and one role (id 1 each). `data` is a folder that is kept,
    as text or as a path; without it a temporary one is removed at the end. `clock` is the server's and the clients'.
    """

    def __init__(
        self, *, empty: bool = False, data: str | os.PathLike[str] | None = None, clock: Clock | Wall | None = None
    ) -> None:
        self.clock = ShiftedClock() if clock is None else clock_of(clock)
        self.url = "http://127.0.0.1:0"
        self.admin: Account
        self.agent: Account | None = None
        self._empty = empty
        self._kept = None if data is None else Path(data).absolute()
        self._clients: dict[Account, Clients] = {}
        self._thread: threading.Thread
        self._running: _Running
        self._end: Callable[[], object] = lambda: None  # tells the server to stop

    def __enter__(self) -> "Emulator":
        known = self._kept is not None and self._kept.exists()
        self._data = self._kept or Path(tempfile.mkdtemp(prefix="deskroster-"))
        try:
            self._start()
        except BaseException:
            self._leave(keep=known)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave(keep=self._kept is not None)

    def _leave(self, keep: bool) -> None:
        """End all that was begun. Raises RuntimeError if the server does not end; its data is then left."""
        for clients in self._clients.values():
            clients.close()
        self._clients.clear()
        try:
            self._stop()
        finally:
            gc.unfreeze()  # a server keeps what it has loaded, and all else there was, from the collector
        if not keep:
            shutil.rmtree(self._data, ignore_errors=True)

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
            clients = Clients(self.url, account, self.clock, lambda: DirectTransport(verify=False))
            self._clients[account] = clients
        return clients

    def restart(self) -> None:
        """Stop the server in good order and start it again, on the same data and port."""
        self._stop()
        self._start()

    def _settings(self, port: int) -> Settings:
        return Settings(data=self._data, database="", port=port)  # never the database that the environment names

    async def _prepare(self, installation: OpenInstallation) -> demo.Accounts:
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
        with suppress(RuntimeError):  # its loop is closed: it has ended by itself
            self._end()
        if self._thread.ident is not None:
            self._thread.join(STOP_SECONDS)
            if self._thread.is_alive():
                raise RuntimeError(f"the server has not ended within {STOP_SECONDS} s")

    def _run(self, started: Future[_Running]) -> None:
        try:
            with (
                _loggers_kept(),
                asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
                suppress(asyncio.CancelledError),
            ):
                runner.run(self._serve(started))
        except BaseException as error:
            if started.done():
                raise
            started.set_exception(error)

    async def _serve(self, started: Future[_Running]) -> None:
        settings = self._settings(urlsplit(self.url).port or 0)
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None
        self._end = lambda: loop.call_soon_threadsafe(task.cancel)
        with closing(Telemetry()) as telemetry:
            await self._serve_logged(started, settings, telemetry)

    async def _serve_logged(self, started: Future[_Running], settings: Settings, telemetry: Telemetry) -> None:
        async with opened(settings, telemetry, self.clock) as app:
            installation = OpenInstallation(settings, app.store, app.desks, app.passwords, app.telemetry, app.clock)
            accounts = await self._prepare(installation)

            def ready(url: str) -> None:
                started.set_result(_Running(url, accounts, app))

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
        clock: Wall = time_of_test,
        transport: Callable[[], httpx2.BaseTransport] = DirectTransport,
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


@contextmanager
def _loggers_kept() -> Iterator[None]:
    """Have the loggers of the process afterwards as they were before."""
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    before = [(logger.handlers, logger.propagate, logger.level, logger.disabled) for logger in loggers]
    try:
        yield
    finally:
        for logger, (handlers, propagate, level, disabled) in zip(loggers, before, strict=True):
            logger.handlers, logger.propagate, logger.disabled = handlers, propagate, disabled
            logger.setLevel(level)


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
