"""Serving a data folder, for `demo` and `serve`: the server, its admin socket, and how both end."""

import asyncio
import errno
import gc
import ipaddress
import os
import shutil
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

import uvloop
from msgspec.structs import replace

from deskroster import server
from deskroster.admin import AdminApp, sockets
from deskroster.admin.installation import Installation
from deskroster.app import opened
from deskroster.cli.console import Exit, Refused, encoded
from deskroster.cli.opening import installation_of, refusing
from deskroster.cli.wording import in_words
from deskroster.cli.workers import Tell, Workers, heed
from deskroster.core.problems import Refusal
from deskroster.ledger import FolderInUse, place
from deskroster.ledger.engines.embedded import lock
from deskroster.settings import Settings
from deskroster.telemetry import STDERR, SharedCounts, Telemetry
from deskroster.telemetry.lines import Lines, to_descriptor
from deskroster.telemetry.stderr import logged

STDOUT = 1  # the descriptor
METRICS = "metrics"  # a folder in the data folder, where workers of version 0.1 told one another what they counted
SAVE_SECONDS = 1.0
_COLLECTED_AFTER = 10_000
"""New objects after which the garbage collector looks for cycles. Requests leave nearly none, and after Python's 700 it
walks what those under way hold again and again: a tenth of the CPU time of writes."""
_ADVICE = (
    "whoever is on the way can read passwords and tokens: serve HTTPS (--tls-cert, --tls-key), "
    "or put a proxy in front of it and name it (--trusted-proxy)"
)
_ADVICE_FOR_METRICS = (
    "whoever can reach this address can read the metrics: have them on this machine (--metrics-host 127.0.0.1), "
    "or ask for a token (--metrics-token-file) in a network that nobody else can read"
)
_ADVICE_FOR_A_TOKEN = (
    "whoever is on the way can read the token of the metrics: have them on this machine (--metrics-host 127.0.0.1), "
    "or in a network that nobody else can read"
)

T = TypeVar("T")
Prepare = Callable[[Installation], Awaitable[T]]


class Addresses(NamedTuple):
    """The URLs at which a server answers."""

    url: str
    metrics: str | None  # where these have an address of their own


Ready = Callable[[Addresses, T, Telemetry], str]
"""Called with the addresses, with what was prepared and with the log, when the server answers; returns what to show."""

Show = Callable[[Addresses, list[str]], str]
"""Tells people or programs at which address which companies are served."""


def serve(settings: Settings, prepare: Prepare[T], ready: Ready[T]) -> None:
    """Serve a folder until SIGTERM, SIGINT or SIGHUP. Raises Refused."""
    with _folder(settings) as admin:
        _serve_here(settings, prepare, ready, admin)


def serve_companies(settings: Settings, prepare: Prepare[list[str]], show: Show) -> None:
    """Serve a folder by this process, or by `settings.workers` of its own, until a signal. Raises Refused."""
    if settings.workers == 1:
        serve(settings, prepare, _logged(show))
        return
    with _folder(settings) as admin, _reserved(settings) as reserved:
        shutil.rmtree(settings.data / METRICS, ignore_errors=True)  # of an earlier version
        shared = SharedCounts(settings.workers)

        def start(number: int, tell: Tell) -> None:
            def ready(at: Addresses, labels: list[str]) -> str:
                tell([at.url, at.metrics or "", *labels])
                return ""

            _serve_here(replace(reserved, worker=number), prepare, _logged(ready), admin, shared)

        def shown(told: list[str]) -> bytes:
            return encoded(show(Addresses(told[0], told[1] or None), told[2:]))

        code = Workers(settings.workers, start, shown).run()
    if code:
        raise SystemExit(code)


def _logged(show: Show) -> Ready[list[str]]:
    def ready(at: Addresses, labels: list[str], telemetry: Telemetry) -> str:
        telemetry.log.info("ready", url=at.url, **({"metrics": at.metrics} if at.metrics else {}), companies=labels)
        return show(at, labels)

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
def _reserved(settings: Settings) -> Iterator[Settings]:
    """Keep the addresses for all workers; give the settings with their ports."""
    with ExitStack() as stack:
        stack.enter_context(_worded(settings))
        port = stack.enter_context(server.reserved(settings.host, settings.port))
        metrics = settings.metrics_port
        if metrics is not None:
            metrics = stack.enter_context(server.reserved(settings.metrics_host, metrics))
        yield replace(settings, port=port, metrics_port=metrics)


def _serve_here(
    settings: Settings,
    prepare: Prepare[T],
    ready: Ready[T],
    admin: socket.socket | None,
    shared: SharedCounts | None = None,
) -> None:
    """Serve by this process. Its threads, its log and its loop are made here: it may have been forked just now."""
    gc.set_threshold(_COLLECTED_AFTER)
    signals = _Signals()
    telemetry = Telemetry(log_requests=settings.log_requests, stream=STDERR)
    if shared is not None and settings.worker is not None:
        telemetry.share(shared, settings.worker)
    shown = Lines(to_descriptor(STDOUT))

    def tell(at: Addresses, prepared: T) -> None:
        signals.give_way()
        _warn_of_plain_http(at, settings, telemetry)
        text = encoded(ready(at, prepared, telemetry))
        if text:
            shown.put(text.removesuffix(b"\n"))

    try:
        with (
            logged(telemetry),
            _orphans_reaped(),
            asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
            refusing(settings.data),
            _worded(settings),
        ):
            runner.run(signals.heeded(_serve(settings, prepare, tell, telemetry, admin)))
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    except Refusal as problem:
        raise in_words(problem) from None
    finally:
        shown.close()
        telemetry.close()


class _Signals:
    """What a signal does while no server catches it: before one is ready, and after it has ended.

    Before: while the loop runs, it cancels what the loop runs. An exception that is raised in the midst of the loop's
    own work, or of a callback that nobody watches, may be lost, or leave a loop that cannot be closed. A second signal
    is raised all the same: who sends it wants no more waiting.

    Afterwards requests are finished, and the data is being closed, which may hang. A signal then ends the process at
    once, as `kill -9` does, and with exit code 130. Only a call that never returns to Python keeps it from doing so.
    """

    def __init__(self) -> None:
        self._ready = self._came = self._looping = False
        self._task: asyncio.Task[None] | None = None
        heed(self._end)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))

    def heeded(self, serving: Coroutine[Any, Any, None]) -> Coroutine[Any, Any, None]:
        """Return what a loop is to run, at once: the server, which a signal cancels."""
        self._looping = True

        async def cancelled_by_signals() -> None:
            self._task = asyncio.current_task()
            if self._came:
                serving.close()
                raise asyncio.CancelledError
            await serving

        return cancelled_by_signals()

    def give_way(self) -> None:
        """Leave signals to the server from now on, with the one that came before if it is still here."""
        self._ready = True
        if self._came:
            signal.raise_signal(signal.SIGTERM)

    def _end(self, *_: object) -> None:
        if self._ready:
            os._exit(Exit.INTERRUPTED)
        first, self._came = not self._came, True
        if not (self._looping and first):
            raise KeyboardInterrupt
        if self._task is not None:
            self._task.cancel()


@contextmanager
def _orphans_reaped() -> Iterator[None]:
    """Have the system reap every child that ends: process 1 of a container is given all orphans.

    How a child of our own ended cannot be asked meanwhile: it says so in its output.
    """
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGCHLD, before)


async def _serve(
    settings: Settings,
    prepare: Prepare[T],
    tell: Callable[[Addresses, T], None],
    telemetry: Telemetry,
    admin: socket.socket | None,
) -> None:
    async with opened(settings, telemetry) as app, _saving(settings, telemetry):
        installation = installation_of(app)
        prepared = await prepare(installation)
        scraped = None
        if settings.metrics_port is not None:
            scraped = server.listen(settings.metrics_host, settings.metrics_port, settings.workers > 1)

        def ready(url: str) -> None:
            tell(Addresses(url, None if scraped is None else server.address_of(scraped)), prepared)

        listening = admin or sockets.bind(settings.data)
        try:
            await server.run(app, settings, AdminApp(installation), listening, ready, scraped)
        finally:
            if scraped is not None:
                scraped.close()
            if admin is None:
                sockets.unbind(listening, settings.data)


def _warn_of_plain_http(at: Addresses, settings: Settings, telemetry: Telemetry) -> None:
    """Say in the log what travels in the clear, unless a proxy or this machine is all there is. One worker says it."""
    if settings.worker:  # the first is 0
        return
    if _in_the_clear(at.url) and not settings.trusted_proxies:
        telemetry.log.warning("plain HTTP", url=at.url, advice=_ADVICE)
    if at.metrics is not None and _in_the_clear(at.metrics):  # where no proxy is believed
        advice = _ADVICE_FOR_METRICS if settings.metrics_token is None else _ADVICE_FOR_A_TOKEN
        telemetry.log.warning("plain HTTP", url=at.metrics, advice=advice)


def _in_the_clear(url: str) -> bool:
    at = urlsplit(url)
    return at.scheme == "http" and not ipaddress.ip_address(at.hostname or "").is_loopback


@asynccontextmanager
async def _saving(settings: Settings, telemetry: Telemetry) -> AsyncIterator[None]:
    """Let the other workers, if there are any, know from time to time what was counted here."""
    if settings.worker is None:
        yield
        return
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
            of_metrics = (error.host, error.port) == (settings.metrics_host, settings.metrics_port)
            hint = f"{'--metrics-port' if of_metrics else '--port'} 0 takes a free one."
            raise Refused(Exit.UNAVAILABLE, f"port {error.port} is in use", hint) from None
        why = f"cannot listen on {error.host}, port {error.port}: {error.strerror}"
        raise Refused(Exit.REFUSED, why) from None
    except server.BadCertificate as error:
        raise Refused(Exit.REFUSED, f"the certificate and its key cannot be used: {error}") from None
