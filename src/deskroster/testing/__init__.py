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

START_SECONDS = 60  # that a start may take
STOP_SECONDS = 60
_LOGGERS = ("uvicorn", "asyncio")  # of the process, which a server takes over


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
