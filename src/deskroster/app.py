"""The application: everything built and joined. It knows all below it."""

import asyncio
import hmac
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from urllib.parse import unquote

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deskroster.clocks import SYSTEM, Clock, Wall, clock_of
from deskroster.core.problems import Busy
from deskroster.desk import Desks
from deskroster.dialect import api_docs
from deskroster.dialect.app import DialectApp
from deskroster.dialect.hosts import Hosts, is_address
from deskroster.dialect.identification import Credentials
from deskroster.dialect.paths import below, canonical
from deskroster.dialect.problems import Rejection, TooLarge, TooSlow
from deskroster.dialect.request import Headers, Receive, Reply, Scope, Send
from deskroster.dialects import DIALECTS
from deskroster.ledger import Store, advice, location
from deskroster.passwords import Passwords
from deskroster.settings import Settings
from deskroster.telemetry import METRICS_MEDIA, Telemetry

LOOPBACK = ("127.0.0.1", "::1")
_OF_PROXIES = (
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-prefix",
    "x-forwarded-proto",
    "x-real-ip",
    "via",
)  # headers

Application = Callable[[Scope, Receive, Send], Awaitable[None]]

_NOT_HERE = Response(status_code=404)
_BAD_HOST = JSONResponse({"error": "the Host header is missing or repeated"}, status_code=400)  # RFC 9112, section 3.2
_OTHER_HOST = JSONResponse({"error": "this host is not served here"}, status_code=400)
_FOR_EVERY_HOST = (b"/live", b"/ready")  # who watches a machine may know its address only; they tell nothing of anyone


class App:
    """The ASGI application: a dialect by the first part of the path, and Starlette for all that is not hot."""

    def __init__(self, settings: Settings, store: Store, telemetry: Telemetry, clock: Clock) -> None:
        self.settings = settings
        self.store = store
        self.telemetry = telemetry
        self.passwords = Passwords()
        self.desks = Desks(store, self.passwords, clock)
        self.clock = clock
        self._hosts = Hosts(settings.allowed_hosts)
        self._dialects = {
            dialect.prefix[1:].encode(): DialectApp(
                dialect, self.desks, settings, telemetry, Credentials(dialect, self.desks, self._hosts)
            )
            for dialect in DIALECTS
        }
        self._others = Starlette(
            routes=[
                Route("/live", self._live),
                Route("/ready", self._ready),
                Route("/metrics", self._metrics),
                *api_docs.routes(DIALECTS),
            ],
            exception_handlers={404: _not_found, 405: _not_allowed},
        )

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] == "http":
            path = _path(scope)
            dialect = self._dialects.get(path[1:].partition(b"/")[0])
            if dialect is not None:
                return dialect(scope, receive, send)
            hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
            if scope["http_version"] == "1.1" and len(hosts) != 1:
                return _BAD_HOST(scope, receive, send)
            if path not in _FOR_EVERY_HOST and not self._hosts.allow(hosts[0] if len(hosts) == 1 else None):
                return _OTHER_HOST(scope, receive, send)
        return self._in_a_task(scope, receive, send)

    async def _in_a_task(self, scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(0)  # what has begun eagerly has no current task, and anyio, which Starlette uses, needs one
        whole = scope.get("root_path", "") + scope["path"]  # as ASGI has it, and as Starlette needs it to find a route
        await self._others({**scope, "path": whole}, receive, send)

    def at_once(self, scope: Scope) -> Reply | None:
        """Return the answer to a GET without a body, where nothing is to be waited for; else None."""
        dialect = self._dialects.get(_path(scope)[1:].partition(b"/")[0])
        return None if dialect is None else dialect.at_once(scope)

    def refusal(self, method: str, path: bytes, headers: Headers, problem: Rejection | Busy, root: str = "") -> Reply:
        """Word what was refused before a request reached this app, as the dialect does whose path it is.

        `root`: the path below which a proxy shows this server.
        """
        path = below(canonical(path), root)
        dialect = self._dialects.get(path[1:].partition(b"/")[0])
        if dialect is not None:
            return dialect.refusal(method, path, headers, problem)
        status = problem.status if isinstance(problem, TooLarge) else 408 if isinstance(problem, TooSlow) else 400
        return Reply(503 if isinstance(problem, Busy) else status, b'{"error":"bad request"}')

    async def _live(self, request: Request) -> Response:
        return JSONResponse({"live": True})

    async def _ready(self, request: Request) -> Response:
        """Whether writes can be taken, and reads be fresh; if not, and somebody has to see to it, why."""
        ready = await self.store.ready()
        why = {"why": self.store.outdated} if self.store.outdated else {}
        return JSONResponse({"ready": ready, **why}, status_code=200 if ready else 503)

    async def _metrics(self, request: Request) -> Response:
        """Metrics, unless they have an address of their own: to who has the token, without one to this machine only."""
        if self.settings.metrics_port is not None:
            return _NOT_HERE
        if self.settings.metrics_token is None:  # they tell how much a company does
            local = request.client is None or request.client.host in LOOPBACK
            if not local or any(header in request.headers for header in _OF_PROXIES):
                return _NOT_HERE
        return await self._scraped(request)

    async def _scraped(self, request: Request) -> Response:
        token = self.settings.metrics_token
        if token is not None:
            right = f"Bearer {token.reveal()}".encode()
            if not hmac.compare_digest(right, request.headers.get("authorization", "").encode("latin-1")):
                return Response(status_code=401, headers={"WWW-Authenticate": "Bearer"})
        return Response(self.telemetry.metrics(), media_type=METRICS_MEDIA)

    async def _scraped_alone(self, request: Request) -> Response:
        host = request.headers.get("host")
        if self.settings.metrics_token is None and not (self._hosts.allow(host) or is_address(host)):
            return _OTHER_HOST
        return await self._scraped(request)

    def metrics_alone(self) -> Application:
        """Return the app for an address of the metrics' own."""
        handlers = {404: _not_found, 405: _not_allowed}
        alone = Starlette(routes=[Route("/metrics", self._scraped_alone)], exception_handlers=handlers)

        async def in_a_task(scope: Scope, receive: Receive, send: Send) -> None:
            await asyncio.sleep(0)  # as above
            await alone(scope, receive, send)

        return in_a_task


def _path(scope: Scope) -> bytes:
    """Return the path of a request in its canonical form, without the prefix of a proxy; put it into the scope."""
    sent: bytes = scope.get("raw_path") or scope["path"].encode()
    path, root = sent, scope.get("root_path")
    if b"//" in path or path.endswith(b"/") or not path.isascii():
        path = canonical(path)
    if root:
        path = below(path, root)
    if path is not sent:
        scope["raw_path"], scope["path"] = path, unquote(path.decode())
    return path


@asynccontextmanager
async def opened(settings: Settings, telemetry: Telemetry, clock: Clock | Wall = SYSTEM) -> AsyncIterator[App]:
    """Open the data folder, give the app over it, and close both. Raises what `Store.open` raises."""

    def alarm(damage: str) -> None:
        telemetry.log.critical("damaged", what=damage, writing="stopped", to_do=str(advice(settings.data)))

    def outdated(why: str) -> None:
        telemetry.log.critical("outdated", why=why, answering="stopped")

    url = location.url_of(settings.data, settings.database)
    clock = clock_of(clock)
    store = Store.open(settings.data, clock, location.engine_at(url), alarm, outdated)
    app = App(settings, store, telemetry, clock)
    try:
        yield app
    finally:
        app.passwords.close()
        await store.close()


async def _not_found(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": "no such path"}, status_code=404)


async def _not_allowed(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": "method not allowed"}, status_code=405, headers=error.headers)
