"""Serving a data folder, for `demo` and `serve`: the server, its admin socket, and how both are stopped."""

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
from deskroster.admin.open_installation import OpenInstallation
from deskroster.app import opened
from deskroster.cli.console import Exit, Refused, encode_output
from deskroster.cli.opening import installation_of, refusing
from deskroster.cli.wording import in_words
from deskroster.cli.workers import OnReady, Workers, handle_stop_signals
from deskroster.core.problems import Refusal
from deskroster.ledger import FolderInUse, location
from deskroster.ledger.files.folder_lock import lock
from deskroster.settings import Settings
from deskroster.telemetry import STDERR, SharedCounts, Telemetry
from deskroster.telemetry.lines import Lines, to_descriptor
from deskroster.telemetry.stderr import logged
from deskroster.texts import foreign, said, verbatim

STDOUT = 1  # the descriptor
METRICS = "metrics"  # a folder in the data folder, through which workers of version 0.1 shared their counters
SAVE_SECONDS = 1.0  # between two copies of a worker's counters to shared memory
_GC_THRESHOLD = 10_000
"""New objects after which the garbage collector looks for cycles. Requests leave almost no cycles. Python's default of
700 traverses the objects of requests in flight again and again: a tenth of the CPU time of writes."""
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
Prepare = Callable[[OpenInstallation], Awaitable[T]]
"""Called before the server listens."""


class PortInUse(Refused):
    """Another program listens on the port."""


class Addresses(NamedTuple):
    """The URLs at which a server answers."""

    url: str
    metrics: str | None  # if these have an address of their own


Ready = Callable[[Addresses, T, Telemetry], str]
"""Called when the server answers, with the addresses, the result of Prepare and the log; returns what to print."""

Show = Callable[[Addresses, list[str]], str]
"""Returns what to print about the addresses and the labels of the companies."""


def serve(settings: Settings, prepare: Prepare[T], ready: Ready[T]) -> None:
    """Serve a folder until SIGTERM, SIGINT or SIGHUP. Raises Refused."""
    with _locked_folder(settings) as admin:
        _serve_in_process(settings, prepare, ready, admin)


def serve_companies(settings: Settings, prepare: Prepare[list[str]], show: Show) -> None:
    """Serve a folder in this process, or in `settings.workers` child processes, until a signal. Raises Refused."""
    if settings.workers == 1:
        serve(settings, prepare, _logging_ready(show))
        return
    with _locked_folder(settings) as admin, _reserved_ports(settings) as reserved:
        shutil.rmtree(settings.data / METRICS, ignore_errors=True)  # of an earlier version
        shared = SharedCounts(settings.workers)

        def start(number: int, on_ready: OnReady) -> None:
            def ready(at: Addresses, labels: list[str]) -> str:
                on_ready([at.url, at.metrics or "", *labels])
                return ""

            _serve_in_process(replace(reserved, worker=number), prepare, _logging_ready(ready), admin, shared)

        def text(reported: list[str]) -> bytes:
            return encode_output(show(Addresses(reported[0], reported[1] or None), reported[2:]))

        code = Workers(settings.workers, start, text).run()
    if code:
        raise SystemExit(code)


def _logging_ready(show: Show) -> Ready[list[str]]:
    def ready(at: Addresses, labels: list[str], telemetry: Telemetry) -> str:
        telemetry.log.info("ready", url=at.url, **({"metrics": at.metrics} if at.metrics else {}), companies=labels)
        return show(at, labels)

    return ready


@contextmanager
def _locked_folder(settings: Settings) -> Iterator[socket.socket | None]:
    """Lock a folder whose data is in another database, and yield its socket; SQLite locks its own folder."""
    with ExitStack() as stack:
        listening = None
        with refusing(settings.data), _refusing_listen_errors(settings):
            if location.url_of(settings.data, settings.database) is not None:
                settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
                stack.callback(os.close, lock(settings.data))
                listening = sockets.bind(settings.data)
                stack.callback(sockets.unbind, listening, settings.data)
        yield listening


@contextmanager
def _reserved_ports(settings: Settings) -> Iterator[Settings]:
    """Reserve the addresses for all workers; yield the settings with the port numbers."""
    with ExitStack() as stack:
        stack.enter_context(_refusing_listen_errors(settings))
        port = stack.enter_context(server.reserved(settings.host, settings.port))
        metrics = settings.metrics_port
        if metrics is not None:
            metrics = stack.enter_context(server.reserved(settings.metrics_host, metrics))
        yield replace(settings, port=port, metrics_port=metrics)


def _serve_in_process(
    settings: Settings,
    prepare: Prepare[T],
    ready: Ready[T],
    admin: socket.socket | None,
    shared: SharedCounts | None = None,
) -> None:
    """Serve in this process. It may just have been forked, so its threads, log and event loop are created here."""
    gc.set_threshold(_GC_THRESHOLD)
    signals = _Signals()
    telemetry = Telemetry(log_requests=settings.log_requests, stream=STDERR)
    if shared is not None and settings.worker is not None:
        telemetry.share(shared, settings.worker)
    stdout = Lines(to_descriptor(STDOUT))

    def on_ready(at: Addresses, prepared: T) -> None:
        signals.leave_to_server()
        _warn_of_plain_http(at, settings, telemetry)
        text = encode_output(ready(at, prepared, telemetry))
        if text:
            stdout.put(text.removesuffix(b"\n"))

    try:
        with (
            logged(telemetry),
            _children_reaped(),
            asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
            refusing(settings.data),
            _refusing_listen_errors(settings),
        ):
            runner.run(signals.cancelling(_serve(settings, prepare, on_ready, telemetry, admin)))
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    except Refusal as problem:
        raise in_words(problem) from None
    finally:
        stdout.close()
        telemetry.close()


class _Signals:
    """Handles signals while the server does not: before it is ready, and after it has ended.

    Before it is ready, the first signal cancels the task that the event loop runs. An exception that is raised inside
    the event loop or a callback may be lost, or leave an event loop that cannot be closed. A second signal raises
    KeyboardInterrupt nevertheless, because the sender does not want to wait.

    After the server has ended, the data is being closed, which may hang. A signal then ends the process at
    once, as `kill -9` does, with exit code 130. It works unless a call never returns to Python.
    """

    def __init__(self) -> None:
        self._ready = self._signalled = self._loop_running = False
        self._task: asyncio.Task[None] | None = None
        handle_stop_signals(self._handle)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))

    def cancelling(self, serving: Coroutine[Any, Any, None]) -> Coroutine[Any, Any, None]:
        """Return a coroutine that runs the server, and that a signal cancels. It must be run at once."""
        self._loop_running = True

        async def cancelled_by_signals() -> None:
            self._task = asyncio.current_task()
            if self._signalled:
                serving.close()
                raise asyncio.CancelledError
            await serving

        return cancelled_by_signals()

    def leave_to_server(self) -> None:
        """Let the server handle signals from now on, including one that came before and is still pending."""
        self._ready = True
        if self._signalled:
            signal.raise_signal(signal.SIGTERM)

    def _handle(self, *_: object) -> None:
        if self._ready:
            os._exit(Exit.INTERRUPTED)
        first, self._signalled = not self._signalled, True
        if not (self._loop_running and first):
            raise KeyboardInterrupt
        if self._task is not None:
            self._task.cancel()


@contextmanager
def _children_reaped() -> Iterator[None]:
    """Let the system reap every child that ends: process 1 of a container gets all orphans.

    The exit code of our own children is not available meanwhile; they report their result in their output.
    """
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGCHLD, before)


async def _serve(
    settings: Settings,
    prepare: Prepare[T],
    on_ready: Callable[[Addresses, T], None],
    telemetry: Telemetry,
    admin: socket.socket | None,
) -> None:
    async with opened(settings, telemetry) as app, _sharing_counters(settings, telemetry):
        installation = installation_of(app)
        prepared = await prepare(installation)
        metrics = None
        if settings.metrics_port is not None:
            metrics = server.listen(settings.metrics_host, settings.metrics_port, settings.workers > 1)

        def ready(url: str) -> None:
            on_ready(Addresses(url, None if metrics is None else server.address_of(metrics)), prepared)

        listening = admin or sockets.bind(settings.data)
        try:
            await server.run(app, settings, AdminApp(installation), listening, ready, metrics)
        finally:
            if metrics is not None:
                metrics.close()
            if admin is None:
                sockets.unbind(listening, settings.data)


def _warn_of_plain_http(at: Addresses, settings: Settings, telemetry: Telemetry) -> None:
    """Log a warning for each address with plain HTTP that is not loopback; of several workers only the first logs it.

    No warning for the API behind a trusted proxy.
    """
    if settings.worker:  # the first is 0
        return
    if _is_plain_http(at.url) and not settings.trusted_proxies:
        telemetry.log.warning("plain HTTP", url=at.url, advice=_ADVICE)
    if at.metrics is not None and _is_plain_http(at.metrics):  # trusted proxies do not apply to this address
        advice = _ADVICE_FOR_METRICS if settings.metrics_token is None else _ADVICE_FOR_A_TOKEN
        telemetry.log.warning("plain HTTP", url=at.metrics, advice=advice)


def _is_plain_http(url: str) -> bool:
    """Return whether this is an address without TLS that is not loopback."""
    at = urlsplit(url)
    return at.scheme == "http" and not ipaddress.ip_address(at.hostname or "").is_loopback


@asynccontextmanager
async def _sharing_counters(settings: Settings, telemetry: Telemetry) -> AsyncIterator[None]:
    """Copy this worker's counters to shared memory every SAVE_SECONDS, and at the end."""
    if settings.worker is None:
        yield
        return
    sharing = asyncio.create_task(_keep_sharing(telemetry))
    try:
        yield
    finally:
        sharing.cancel()
        telemetry.save()


async def _keep_sharing(telemetry: Telemetry) -> None:
    while True:
        telemetry.save()
        await asyncio.sleep(SAVE_SECONDS)


@contextmanager
def _refusing_listen_errors(settings: Settings) -> Iterator[None]:
    """Turn errors of listening on an address, and of locking the folder, into Refused."""
    try:
        yield
    except FolderInUse as error:
        raise Refused(Exit.UNAVAILABLE, foreign(error), said("A folder is served by one server.")) from None
    except server.CannotListen as error:
        if error.errno == errno.EADDRINUSE:
            of_metrics = (error.host, error.port) == (settings.metrics_host, settings.metrics_port)
            hint = said("{option} 0 takes a free one.", option="--metrics-port" if of_metrics else "--port")
            raise PortInUse(Exit.UNAVAILABLE, said("port {port} is in use", port=error.port), hint) from None
        why = said(
            "cannot listen on {host}, port {port}: {why}",
            host=error.host,
            port=error.port,
            why=verbatim(error.strerror or str(error)),
        )
        raise Refused(Exit.REFUSED, why) from None
    except server.BadCertificate as error:
        raise Refused(
            Exit.REFUSED, said("the certificate and its key cannot be used: {error}", error=foreign(error))
        ) from None
