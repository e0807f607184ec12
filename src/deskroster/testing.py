"""For the tests of programs that call Deskroster: the real server for the duration of a test, and signing clients.

    with Emulator() as deskroster:
        assert 1000 == deskroster.udesk.get("/user_groups").json()["code"]

In pytest, `pytest_plugins = ["deskroster.testing"]` gives the fixture `deskroster`: an emulator with an empty company.

The server runs in a thread of the test process. Time that a test freezes or moves is also its time. Mocks of httpx2 do
not affect its clients. It cleans up after itself, also when its start fails.
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
from deskroster.admin.installation import Installation
from deskroster.app import App, opened
from deskroster.clocks import Clock, PlainClock, Wall, clock_of
from deskroster.settings import Settings
from deskroster.telemetry import Telemetry

START_SECONDS = 60
STOP_SECONDS = 60
_LOGGERS = ("uvicorn", "asyncio")  # loggers of the process that a server reconfigures
_FRAMES = 6  # more stack frames than freezegun examines

Form = Literal["A", "B", "C"]


def time_of_test(frames: int = _FRAMES) -> float:
    """Return Unix time as the running test sees it: frozen by freezegun, moved by time-machine, or real.

    freezegun returns real time where one of the last five stack frames is in `threading`, and in the thread of a server
    one may be. So this function adds frames by recursion.
    """
    return time.time() if frames == 0 else time_of_test(frames - 1)


class DirectTransport(httpx2.HTTPTransport):
    """Sends requests over the network, also while a test mocks `httpx2.HTTPTransport`."""

    handle_request = httpx2.HTTPTransport.handle_request  # the method at import, before any mock


class ShiftedClock(PlainClock):
    """A clock that is `ahead` of the test's time, in seconds: `emulator.clock.ahead += 901`.

    A step forward, by `ahead` or by the test's own time, counts as elapsed time, also for limits. A step back counts as
    Unix time that was set back.
    """

    def __init__(self, ahead: float = 0) -> None:
        self.ahead = ahead
        super().__init__(lambda: time_of_test() + self.ahead)


class StillClock:
    """A clock that moves only when `now`, in Unix seconds, is set: `clock.now += 301`.

    A higher `now` counts as elapsed time, a lower one as Unix time that was set back. With `set_by` no time elapses: it
    changes Unix time alone, as an administrator or NTP does. `reboot` starts another boot.
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
        """Set Unix time forward, or back if negative. No time elapses."""
        self._now += seconds

    def reboot(self) -> None:
        """Start another boot of the machine: its monotonic clock starts at zero."""
        self._boots += 1
        self._steady = 0.0


class Account(Struct, frozen=True, kw_only=True):
    """An agent's id and credentials. The token signs for Udesk and ServiceGo, and is a KF5 token."""

    id: int
    email: str
    password: str
    token: str


class UdeskSignature(httpx2.Auth):
    """Signs in one of the three forms of the Udesk Open API, with a new nonce per request where the form has one."""

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
        """Add the signature to the query."""
        add_to_query(request, self.parameters())
        yield request


class ServiceGoSignature(httpx2.Auth):
    """Signs as ServiceGo requires. `old`: with SHA-1, for tenants from before June 2021."""

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
        """Add the signature to the query."""
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
    """The server that runs in the thread."""

    url: str
    accounts: demo.Accounts
    app: App


class Emulator:
    """A context manager that runs the real server on 127.0.0.1, with the company of `deskroster demo`.

    `empty`: a company with one administrator, one position and one role (id 1 each). `data`: the path of a data folder,
    which is not removed at the end; without it a temporary one is. `clock`: for the server and the clients.
    """

    def __init__(
        self, *, empty: bool = False, data: str | os.PathLike[str] | None = None, clock: Clock | Wall | None = None
    ) -> None:
        self.clock = ShiftedClock() if clock is None else clock_of(clock)
        self.url = "http://127.0.0.1:0"
        self.admin: Account
        self.agent: Account | None = None
        self._empty = empty
        self._own_folder = None if data is None else Path(data).absolute()
        self._clients: dict[Account, Clients] = {}
        self._thread: threading.Thread
        self._running: _Running
        self._request_stop: Callable[[], object] = lambda: None

    def __enter__(self) -> "Emulator":
        existed = self._own_folder is not None and self._own_folder.exists()
        self._data = self._own_folder or Path(tempfile.mkdtemp(prefix="deskroster-"))
        try:
            self._start()
        except BaseException:
            self._clean_up(keep=existed)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._clean_up(keep=self._own_folder is not None)

    def _clean_up(self, keep: bool) -> None:
        """Close the clients, stop the server and remove its folder. Raises RuntimeError if it does not stop in time."""
        for clients in self._clients.values():
            clients.close()
        self._clients.clear()
        try:
            self._stop()
        finally:
            gc.unfreeze()  # a server freezes what it has loaded, and with it all objects of the process
        if not keep:
            shutil.rmtree(self._data, ignore_errors=True)

    @property
    def udesk(self) -> httpx2.Client:
        """A client of the Udesk Open API, signing as the administrator."""
        return self.of(self.admin).udesk

    @property
    def kf5(self) -> httpx2.Client:
        """A client of KF5, with the administrator's token."""
        return self.of(self.admin).kf5

    @property
    def servicego(self) -> httpx2.Client:
        """A client of ServiceGo, signing as the administrator."""
        return self.of(self.admin).servicego

    @property
    def own(self) -> httpx2.Client:
        """A client of Deskroster's own API, with the administrator's key."""
        return self.of(self.admin).own

    def of(self, account: Account) -> "Clients":
        """Return clients that sign as an account."""
        clients = self._clients.get(account)
        if clients is None:
            clients = Clients(self.url, account, self.clock, lambda: DirectTransport(verify=False))
            self._clients[account] = clients
        return clients

    def restart(self) -> None:
        """Stop the server gracefully and start it again, on the same data and port."""
        self._stop()
        self._start()

    def _settings(self, port: int) -> Settings:
        return Settings(data=self._data, database="", port=port)  # "": never the database in `DESKROSTER_DATABASE`

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
        with suppress(RuntimeError):  # its event loop is closed: it has stopped already
            self._request_stop()
        if self._thread.ident is not None:
            self._thread.join(STOP_SECONDS)
            if self._thread.is_alive():
                raise RuntimeError(f"the server has not ended within {STOP_SECONDS} s")

    def _run(self, started: Future[_Running]) -> None:
        try:
            with (
                _restored_loggers(),
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
        self._request_stop = lambda: loop.call_soon_threadsafe(task.cancel)
        with closing(Telemetry()) as telemetry:
            await self._serve_logged(started, settings, telemetry)

    async def _serve_logged(self, started: Future[_Running], settings: Settings, telemetry: Telemetry) -> None:
        async with opened(settings, telemetry, self.clock) as app:
            installation = Installation(settings, app.store, app.desks, app.passwords, app.telemetry, app.clock)
            accounts = await self._prepare(installation)

            def ready(url: str) -> None:
                started.set_result(_Running(url, accounts, app))

            listening = sockets.bind(self._data)
            try:
                await server.run(app, settings, AdminApp(installation), listening, ready)
            finally:
                sockets.unbind(listening, self._data)


class Clients:
    """Clients of one account, one for each dialect, that sign their requests: `clients.kf5.get("/groups.json")`."""

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
    """Append parameters to the query of a request, without encoding the existing ones again."""
    added = "&".join(f"{name}={quote(value, safe='')}" for name, value in parameters.items()).encode()
    query = request.url.query
    request.url = request.url.copy_with(query=query + b"&" + added if query else added)
    target = request.extensions.get("target")
    if target is not None:
        request.extensions["target"] = target + (b"&" if b"?" in target else b"?") + added


@contextmanager
def _restored_loggers() -> Iterator[None]:
    """Restore the loggers of the process at the end."""
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    before = [(logger.handlers, logger.propagate, logger.level, logger.disabled) for logger in loggers]
    try:
        yield
    finally:
        for logger, (handlers, propagate, level, disabled) in zip(loggers, before, strict=True):
            logger.handlers, logger.propagate, logger.disabled = handlers, propagate, disabled
            logger.setLevel(level)


def _account(known: demo.Account) -> Account:
    """Return an account of the demo. Password and token are empty where they were changed in a folder that existed."""
    return Account(id=known.id, email=known.email, password=known.password or "", token=known.token or "")


try:
    import pytest
except ModuleNotFoundError:  # the emulator needs no pytest
    pass
else:

    @pytest.fixture
    def deskroster() -> Iterator[Emulator]:
        """Yield an emulator with an empty company."""
        with Emulator(empty=True) as emulator:
            yield emulator
