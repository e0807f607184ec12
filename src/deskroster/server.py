"""The server: uvicorn runs the app on TCP, and the admin app on its Unix socket, until a signal stops it."""

import asyncio
import ipaddress
import re
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
from deskroster.dialect.request import Headers, Reply
from deskroster.guards import Guard
from deskroster.guards.refusal import Fault, Refuse
from deskroster.settings import Limits, Settings
from deskroster.texts import verbatim

_METRICS_CONNECTIONS = 32  # at an address for metrics only
_OTHER_DESCRIPTORS = 128  # file descriptors for everything but connections
_PREFIX = re.compile(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+")  # below which a proxy shows this server
_BACKLOG = 2_048  # connections that wait to be accepted

Ready = Callable[[str], None]
"""Called with the URL of the server when it accepts connections."""


async def run(
    app: App,
    settings: Settings,
    admin: AdminApp,
    admin_socket: socket.socket,
    ready: Ready,
    metrics_socket: socket.socket | None = None,
) -> None:
    """Serve until SIGTERM, SIGINT or cancellation. Open requests are finished, within `settings.graceful_seconds`.

    The caller binds the admin socket, and the socket for metrics if they have an address of their own.
    Raises CannotListen or BadCertificate.
    """
    for library in ("uvicorn", "asyncio"):
        app.telemetry.capture(library)
    tls = _tls(settings)
    others = [(_Server(_config(cast("ASGI3Application", admin), settings)), admin_socket)]
    if metrics_socket is not None:
        others.append((_metrics_server(app, settings), metrics_socket))
    proxies = _Proxies(settings.trusted_proxies)
    at_once = None if settings.trusted_proxies else app.at_once  # only the app reads the forwarded headers of proxies
    guard = Guard(_within_descriptors(settings.limits), proxies.refusing(app), proxies.trust, tls, at_once)
    asgi = cast("ASGI3Application", app)
    public = _Public(
        _config(_BehindProxy(asgi, proxies) if settings.trusted_proxies else asgi, settings, http=guard.protocol),
        started=lambda: ready(address_of(public_socket, tls is not None)),
        stopping=lambda: _stop(others),
    )
    public_socket = listen(settings.host, settings.port, settings.workers > 1)  # last: `public` closes it
    other_tasks = [asyncio.create_task(server.serve(sockets=[listening])) for server, listening in others]
    public_task = asyncio.create_task(public.serve(sockets=[public_socket]))
    try:
        await asyncio.shield(public_task)
    except asyncio.CancelledError:
        public.should_exit = True
        await public_task
        raise
    finally:
        _stop(others)
        await asyncio.gather(*other_tasks)


def _stop(servers: "list[tuple[_Server, socket.socket]]") -> None:
    for server, _ in servers:
        server.should_exit = True


def _metrics_server(app: App, settings: Settings) -> "_Server":
    limits = replace(settings.limits, connections=_METRICS_CONNECTIONS, connections_per_address=_METRICS_CONNECTIONS)
    guard = Guard(limits, _Proxies(()).refusing(app), lambda address: False)
    return _Server(_config(cast("ASGI3Application", app.metrics_alone()), settings, http=guard.protocol))


class CannotListen(OSError):
    """The address is in use, is not of this machine, or must not be used by this process."""

    def __init__(self, number: int | None, why: str, host: str, port: int) -> None:
        super().__init__(number, why)
        self.host = host
        self.port = port


class BadCertificate(Exception):
    """The certificate or its key cannot be read, or is not valid PEM."""


class _Server(uvicorn.Server):
    """A server that handles no signals: the public one does."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Public(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, started: Callable[[], None], stopping: Callable[[], None]) -> None:
        """Call `started` when it accepts connections, and `stopping` when it begins to stop."""
        super().__init__(config)
        self._started = started
        self._stopping = stopping

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Keep SIGINT ignored where it is: a shell does that for what it runs in the background.

        At its end uvicorn raises again the signals that stopped it. They are handled by then, so they are cleared.
        """
        ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        with super().capture_signals():
            if ignored and threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGINT, signal.SIG_IGN)
            yield
            self._captured_signals.clear()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._stopping()  # the others stop at the same time: each may take `graceful_seconds`
        await super().shutdown(sockets)


class _Proxies:
    """The proxies whose forwarded headers are used."""

    def __init__(self, trusted: tuple[str, ...]) -> None:
        self.networks = [ipaddress.ip_network(one, strict=False) for one in trusted]

    def trust(self, address: str) -> bool:
        try:
            return any(ipaddress.ip_address(address) in network for network in self.networks)
        except ValueError:
            return False

    def read(self, headers: Headers, client: str) -> tuple[Headers, str]:
        """Return the headers of a request with the host that a trusted proxy names, and the path it shows us below."""
        if not self.trust(client):
            return headers, ""
        prefixes = [value.decode("latin-1") for name, value in headers if name == b"x-forwarded-prefix"]
        root = prefixes[0] if len(prefixes) == 1 and _PREFIX.fullmatch(prefixes[0]) else ""
        hosts = [value for name, value in headers if name == b"x-forwarded-host"]
        if hosts:
            others = [(name, value) for name, value in headers if name != b"host"]
            headers = [(b"host", hosts[-1].rpartition(b",")[2].strip()), *others]
        return headers, root

    def refusing(self, app: App) -> Refuse:
        """Return what words a refusal for a guard, as the app does for the request that a proxy has passed on."""

        def refuse(method: str, path: bytes, headers: Headers, fault: Fault, client: str) -> Reply:
            headers, root = self.read(headers, client)
            return app.refusal(method, path, headers, fault, root)

        return refuse


class _BehindProxy:
    """Applies the forwarded headers of trusted proxies, and ignores those of other clients."""

    def __init__(self, app: ASGI3Application, proxies: _Proxies) -> None:
        self._app = ProxyHeadersMiddleware(app, trusted_hosts=[str(network) for network in proxies.networks])
        self._proxies = proxies

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if scope["type"] == "http" and scope["client"] is not None:
            scope["headers"], root = self._proxies.read(scope["headers"], scope["client"][0])
            if root:
                scope["root_path"] = root
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
    """Return the context for TLS; None without a certificate. Raises BadCertificate."""
    if settings.tls_certificate is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(settings.tls_certificate, settings.tls_key)
    except OSError as error:  # SSLError is a subclass
        raise BadCertificate(verbatim(error.strerror or str(error))) from None
    return context


def _within_descriptors(limits: Limits) -> Limits:
    """Raise RLIMIT_NOFILE to what all connections need; where it cannot be that high, lower the limits instead."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = limits.connections + _OTHER_DESCRIPTORS
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    possible = limits.connections if soft == resource.RLIM_INFINITY else max(1, soft - _OTHER_DESCRIPTORS)
    if possible >= limits.connections:
        return limits
    share = limits.connections_per_address / limits.connections
    return replace(limits, connections=possible, connections_per_address=max(1, int(possible * share)))


@contextmanager
def reserved(host: str, port: int) -> Iterator[int]:
    """Bind an address for servers that will share it, and yield its port; do not listen. Raises CannotListen."""
    with _refused(host, port), _listening(host, port, reuse_port=False) as free:
        port = free.getsockname()[1]  # no other process listens there
    with socket.socket(_family(host)) as bound:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if bound.family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, not _is_dual_stack(host))
        with _refused(host, port):
            bound.bind((host, port))
        yield port


def listen(host: str, port: int, with_others: bool) -> socket.socket:
    """Listen on an address, which other processes may share (SO_REUSEPORT). Raises CannotListen."""
    with _refused(host, port):
        listening = _listening(host, port, reuse_port=with_others)
    listening.setblocking(False)
    return listening


def _listening(host: str, port: int, reuse_port: bool) -> socket.socket:
    return socket.create_server(
        (host, port), family=_family(host), backlog=_BACKLOG, reuse_port=reuse_port, dualstack_ipv6=_is_dual_stack(host)
    )


def _is_dual_stack(host: str) -> bool:
    """Return whether one socket serves IPv6 and IPv4: it does for `::`, where the system can."""
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
    """Return the URL of a listening socket."""
    host, port = listening.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    return f"{'https' if secure else 'http'}://{shown}:{port}"
