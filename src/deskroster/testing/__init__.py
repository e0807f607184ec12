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
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit
from uuid import uuid4

import httpx2
import uvloop

from deskroster import demo, server
from deskroster.admin import AdminApp, sockets
from deskroster.admin.open_installation import OpenInstallation
from deskroster.app import App, opened
from deskroster.clocks import Clock, Wall, clock_of
from deskroster.dialects import DIALECTS
from deskroster.settings import Settings
from deskroster.telemetry import Telemetry
from deskroster.testing.clients import (
    Account,
    Clients,
    DirectTransport,
    Form,
    KF5Password,
    KF5Token,
    ServiceGoSignature,
    Signature,
    UdeskSignature,
    add_to_query,
)
from deskroster.testing.clocks import ShiftedClock, StillClock, time_of_test

__all__ = [
    "Account",
    "Clients",
    "DirectTransport",
    "Emulator",
    "Form",
    "KF5Password",
    "KF5Token",
    "ServiceGoSignature",
    "ShiftedClock",
    "Signature",
    "StillClock",
    "UdeskSignature",
    "add_to_query",
    "time_of_test",
]

START_SECONDS = 60
STOP_SECONDS = 60
_LOGGERS = ("uvicorn", "asyncio")  # loggers of the process that a server reconfigures


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

    if not TYPE_CHECKING:  # which would take a misspelt name for a dialect

        def __getattr__(self, name: str) -> Any:
            """Return the administrator's client for any other dialect."""
            if name not in {dialect.name for dialect in DIALECTS}:
                raise AttributeError(name)
            return getattr(self.of(self.admin), name)

    def of(self, account: Account) -> Clients:
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
            installation = OpenInstallation(settings, app.store, app.desks, app.passwords, app.telemetry, app.clock)
            accounts = await self._prepare(installation)

            def ready(url: str) -> None:
                started.set_result(_Running(url, accounts, app))

            listening = sockets.bind(self._data)
            try:
                await server.run(app, settings, AdminApp(installation), listening, ready)
            finally:
                sockets.unbind(listening, self._data)


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
