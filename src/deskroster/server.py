"""The server: uvicorn around the app on TCP, and around the admin app on its socket, until it is told to stop."""

import asyncio
import ipaddress
import resource
import signal
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import uvicorn
from msgspec.structs import replace
from uvicorn._types import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, Scope
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from deskroster.admin import AdminApp
from deskroster.app import App
from deskroster.guards import Guard
from deskroster.settings import Limits, Settings

_SCRAPERS = 32  # connections to the metrics' own address
_OTHER_FILES = 128  # kept free for everything but connections

Ready = Callable[[str], None]
"""Called with the address of the server when it answers."""


async def run(
    app: App,
    settings: Settings,
    admin: AdminApp,
    admin_socket: socket.socket,
    ready: Ready,
    metrics_socket: socket.socket | None = None,
) -> None:
    """Serve until SIGTERM, SIGINT or cancellation; what is in flight is finished, within `settings.graceful_seconds`.

    The admin socket is bound by the caller, and so is that of the metrics, if they have an address of their own.
    Raises CannotListen or BadCertificate.
    """
    for library in ("uvicorn", "asyncio"):
        app.telemetry.adopt(library)
    tls = _tls(settings)
    beside = [(_Server(_config(cast("ASGI3Application", admin), settings)), admin_socket)]
    if metrics_socket is not None:
        beside.append((_metrics_server(app, settings), metrics_socket))
    proxies = _Proxies(settings.trusted_proxies)
    at_once = None if settings.trusted_proxies else app.at_once  # what a proxy forwards is read on the app's way
    guard = Guard(_within_files(settings.limits), app.refusal, proxies.trust, tls, at_once)
    asgi = cast("ASGI3Application", app)
    public = _Public(
        _config(_BehindProxy(asgi, proxies) if settings.trusted_proxies else asgi, settings, http=guard.protocol),
        started=lambda: ready(address_of(public_socket, tls is not None)),
        ending=lambda: _end(beside),
    )
    public_socket = listen(settings.host, settings.port, settings.workers > 1)  # last: from here on it is closed
    serving = [asyncio.create_task(server.serve(sockets=[listening])) for server, listening in beside]
    answering = asyncio.create_task(public.serve(sockets=[public_socket]))
    try:
        await asyncio.shield(answering)
    except asyncio.CancelledError:
        public.should_exit = True
        await answering
        raise
    finally:
        _end(beside)
        await asyncio.gather(*serving)


def _end(servers: "list[tuple[_Server, socket.socket]]") -> None:
    for server, _ in servers:
        server.should_exit = True


def _metrics_server(app: App, settings: Settings) -> "_Server":
    few = replace(settings.limits, connections=_SCRAPERS, connections_per_address=_SCRAPERS)
    guard = Guard(few, app.refusal, lambda address: False)
    return _Server(_config(cast("ASGI3Application", app.metrics_alone()), settings, http=guard.protocol))


class CannotListen(OSError):
    """The address is in use, or none that this process may listen on."""

    def __init__(self, number: int | None, why: str, host: str, port: int) -> None:
        super().__init__(number, why)
        self.host = host
        self.port = port


class BadCertificate(Exception):
    """The certificate or its key cannot be read, or is none."""


class _Server(uvicorn.Server):
    """A server that leaves the signals to the one beside it."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Public(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, started: Callable[[], None], ending: Callable[[], None]) -> None:
        """Call `started` when it answers, and `ending` when it takes no further request."""
        super().__init__(config)
        self._tell = started
        self._ending = ending

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave SIGINT ignored where it was: a shell keeps Ctrl-C from what it runs in the background.

        uvicorn would raise the signals that have stopped it once more when it has ended; they are answered by then.
        """
        ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        with super().capture_signals():
            if ignored and threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGINT, signal.SIG_IGN)
            yield
            self._captured_signals.clear()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._tell()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._ending()  # of those beside, at the same time: each may take as long
        await super().shutdown(sockets)


class _Proxies:
    """The proxies whose forwarded headers are believed."""

    def __init__(self, trusted: tuple[str, ...]) -> None:
        self.networks = [ipaddress.ip_network(one, strict=False) for one in trusted]

    def trust(self, address: str) -> bool:
        try:
            return any(ipaddress.ip_address(address) in network for network in self.networks)
        except ValueError:
            return False


class _BehindProxy:
    """Believes the forwarded headers of the trusted proxies, and of nobody else."""

    def __init__(self, app: ASGI3Application, proxies: _Proxies) -> None:
        self._app = ProxyHeadersMiddleware(app, trusted_hosts=[str(network) for network in proxies.networks])
        self._proxies = proxies

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if scope["type"] == "http" and scope["client"] is not None and self._proxies.trust(scope["client"][0]):
            hosts = [value for name, value in scope["headers"] if name == b"x-forwarded-host"]
            if hosts:
                others = [(name, value) for name, value in scope["headers"] if name != b"host"]
                scope["headers"] = [(b"host", hosts[-1].rpartition(b",")[2].strip()), *others]
        await self._app(scope, receive, send)


def _config(app: ASGI3Application, settings: Settings, http: Any = "httptools", **more: Any) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=http,
        loop="uvloop",
        ws="none",
        lifespan="off",
        interface="asgi3",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=settings.limits.idle_seconds,
        timeout_graceful_shutdown=settings.graceful_seconds,
        **more,
    )


def _tls(settings: Settings) -> ssl.SSLContext | None:
    """Return how TLS is spoken. Raises BadCertificate."""
    if settings.tls_certificate is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(settings.tls_certificate, settings.tls_key)
    except OSError as error:  # SSLError is one
        raise BadCertificate(error.strerror or str(error)) from None
    return context


def _within_files(limits: Limits) -> Limits:
    """Allow this process as many files as there may be connections, or no more connections than it may have files."""
    soft, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = limits.connections + _OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if most == resource.RLIM_INFINITY else min(wanted, most)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, most))
    room = limits.connections if soft == resource.RLIM_INFINITY else max(1, soft - _OTHER_FILES)
    if room >= limits.connections:
        return limits
    share = limits.connections_per_address / limits.connections
    return replace(limits, connections=room, connections_per_address=max(1, int(room * share)))


@contextmanager
def reserved(host: str, port: int) -> Iterator[int]:
    """Keep an address for servers that share it; give its port. Nothing listens on it here. Raises CannotListen."""
    with _refused(host, port), _bound(host, port, reuse_port=False) as free:
        port = free.getsockname()[1]  # it is nobody's
    with socket.socket(_family(host)) as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if taken.family == socket.AF_INET6:
            taken.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, not _takes_both(host))
        with _refused(host, port):
            taken.bind((host, port))
        yield port


def listen(host: str, port: int, with_others: bool) -> socket.socket:
    """Listen on an address, which other processes may share. Raises CannotListen."""
    with _refused(host, port):
        listening = _bound(host, port, reuse_port=with_others)
    listening.setblocking(False)
    return listening


def _bound(host: str, port: int, reuse_port: bool) -> socket.socket:
    return socket.create_server(
        (host, port), family=_family(host), backlog=2_048, reuse_port=reuse_port, dualstack_ipv6=_takes_both(host)
    )


def _takes_both(host: str) -> bool:
    """Tell whether IPv4 is to be served by the same socket: it is where every address of IPv6 is."""
    if ":" not in host or not socket.has_dualstack_ipv6():
        return False
    try:
        return ipaddress.IPv6Address(host).is_unspecified
    except ValueError:
        return False


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


@contextmanager
def _refused(host: str, port: int) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        why = (error.strerror or str(error)).partition(" (while ")[0]  # without the address, which it repeats
        raise CannotListen(error.errno, why, host, port) from None


def address_of(listening: socket.socket, secure: bool = False) -> str:
    """Return the URL that a socket listens at."""
    host, port = listening.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    return f"{'https' if secure else 'http'}://{shown}:{port}"
