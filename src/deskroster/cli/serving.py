"""Serving a data folder, for `demo` and `serve`: the server, its admin socket, and how both end."""

import asyncio
import errno
import ipaddress
import os
import shutil
import signal
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from typing import TypeVar
from urllib.parse import urlsplit

import uvloop
from msgspec.structs import replace

from deskroster import server
from deskroster.admin import AdminApp, sockets
from deskroster.admin.installation import Installation
from deskroster.app import opened
from deskroster.cli.console import Exit, Refused
from deskroster.cli.opening import installation_of, refusing
from deskroster.cli.wording import in_words
from deskroster.cli.workers import Tell, Workers
from deskroster.core.problems import Refusal
from deskroster.ledger import FolderInUse, place
from deskroster.ledger.engines.embedded import lock
from deskroster.settings import Settings
from deskroster.telemetry import Telemetry

METRICS = "metrics"  # the folder in the data folder where workers tell each other what they counted
SAVE_SECONDS = 1.0
_ADVICE = (
    "whoever is on the way can read passwords and tokens: serve HTTPS (--tls-cert, --tls-key), "
    "or put a proxy in front of it and name it (--trusted-proxy)"
)

T = TypeVar("T")
Prepare = Callable[[Installation], Awaitable[T]]
Ready = Callable[[str, T, Telemetry], None]
"""Called with the address, with what was prepared and with the log, when the server answers."""

Show = Callable[[str, list[str]], None]
"""Shows to people or programs at which address which companies are served."""


def serve(settings: Settings, prepare: Prepare[T], ready: Ready[T]) -> None:
    """Serve a folder until SIGTERM, SIGINT or SIGHUP. Raises Refused."""
    with _folder(settings) as admin:
        _serve_here(settings, prepare, ready, admin)


def serve_companies(settings: Settings, prepare: Prepare[list[str]], show: Show) -> None:
    """Serve a folder by this process, or by `settings.workers` of its own, until a signal. Raises Refused."""
    if settings.workers == 1:
        serve(settings, prepare, _logged(show))
        return
    with _folder(settings) as admin, _reserved(settings) as port:
        shutil.rmtree(settings.data / METRICS, ignore_errors=True)  # those of an earlier server

        def start(number: int, tell: Tell) -> None:
            one = replace(settings, port=port, worker=number)
            _serve_here(one, prepare, _logged(lambda url, labels: tell([url, *labels])), admin)

        code = Workers(settings.workers, start, lambda told: show(told[0], told[1:])).run()
    if code:
        raise SystemExit(code)


def _logged(show: Show) -> Ready[list[str]]:
    def ready(url: str, labels: list[str], telemetry: Telemetry) -> None:
        telemetry.log.info("ready", url=url, companies=labels)
        show(url, labels)

    return ready


@contextmanager
def _folder(settings: Settings) -> Iterator[socket.socket | None]:
    """Have a folder whose data is elsewhere for this server alone; give its socket. SQLite sees to that itself."""
    with ExitStack() as stack:
        listening = None
        with refusing(settings.data), _worded(settings):
            if place.url_of(settings.data, settings.database) is not None:
                settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
                stack.callback(os.close, lock(settings.data))
                listening = sockets.bind(settings.data)
                stack.callback(sockets.unbind, listening, settings.data)
        yield listening


@contextmanager
def _reserved(settings: Settings) -> Iterator[int]:
    with _worded(settings), server.reserved(settings.host, settings.port) as port:
        yield port


def _serve_here(settings: Settings, prepare: Prepare[T], ready: Ready[T], admin: socket.socket | None) -> None:
    stopping = _Signals()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner, refusing(settings.data), _worded(settings):
            runner.run(_serve(settings, prepare, ready, stopping, admin))
    except Refusal as problem:
        raise in_words(problem) from None


class _Signals:
    """What a signal does while no server catches it: before one is ready it ends the process, afterwards nothing.

    The server raises again, when it has stopped, the signal that stopped it; by then all that is left is to leave.
    """

    def __init__(self) -> None:
        self.ready = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._end)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as nohup has it
            signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))

    def _end(self, *_: object) -> None:
        if not self.ready:
            raise KeyboardInterrupt


async def _serve(
    settings: Settings, prepare: Prepare[T], ready: Ready[T], signals: _Signals, admin: socket.socket | None
) -> None:
    telemetry = Telemetry(log_requests=settings.log_requests)
    async with opened(settings, telemetry) as app, _sharing(telemetry, settings):
        installation = installation_of(app)
        prepared = await prepare(installation)

        def tell(url: str) -> None:
            signals.ready = True
            _warn_of_plain_http(url, settings, telemetry)
            ready(url, prepared, telemetry)

        listening = admin or sockets.bind(settings.data)
        try:
            await server.run(app, settings, AdminApp(installation), listening, tell)
        finally:
            if admin is None:
                sockets.unbind(listening, settings.data)


def _warn_of_plain_http(url: str, settings: Settings, telemetry: Telemetry) -> None:
    """Say in the log that passwords and tokens travel in the clear, unless a proxy or this machine is all there is."""
    at = urlsplit(url)
    local = ipaddress.ip_address(at.hostname or "").is_loopback
    if at.scheme == "http" and not (local or settings.trusted_proxies or settings.worker):  # the first worker is 0
        telemetry.log.warning("plain HTTP", url=url, advice=_ADVICE)


@asynccontextmanager
async def _sharing(telemetry: Telemetry, settings: Settings) -> AsyncIterator[None]:
    """Let the other workers, if there are any, know from time to time what was counted here."""
    if settings.worker is None:
        yield
        return
    telemetry.share(settings.data / METRICS, settings.worker)
    saving = asyncio.create_task(_keep_saving(telemetry))
    try:
        yield
    finally:
        saving.cancel()
        telemetry.save()


async def _keep_saving(telemetry: Telemetry) -> None:
    while True:
        telemetry.save()
        await asyncio.sleep(SAVE_SECONDS)


@contextmanager
def _worded(settings: Settings) -> Iterator[None]:
    """Turn what keeps a server from listening into Refused."""
    try:
        yield
    except FolderInUse as error:
        raise Refused(Exit.UNAVAILABLE, str(error), "A folder is served by one server.") from None
    except server.CannotListen as error:
        if error.errno == errno.EADDRINUSE:
            hint = "--port 0 takes a free one."
            raise Refused(Exit.UNAVAILABLE, f"port {settings.port} is in use", hint) from None
        why = f"cannot listen on {settings.host}, port {settings.port}: {error.strerror}"
        raise Refused(Exit.REFUSED, why) from None
    except ssl.SSLError as error:
        raise Refused(Exit.REFUSED, f"the certificate and its key cannot be used: {error}") from None
