"""The real app over a real folder, in the test's own process and thread: a request runs the loop until answered."""

import asyncio
import io
import json
from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx2

from deskroster.app import App, opened
from deskroster.core.changes import Origin
from deskroster.core.records import AnyRecord, Company
from deskroster.core.roster import Roster
from deskroster.dialects import DIALECTS
from deskroster.ledger import Work
from deskroster.settings import Settings
from deskroster.telemetry import Telemetry
from deskroster.testing import Account, Clients, StillClock
from tests import databases
from tests.world import ADMIN

_DIALECTS = {dialect.name for dialect in DIALECTS}


class InProcess:
    """An open installation. `desk.udesk`, `desk.kf5` and so on, by the name of a dialect, sign as its administrator."""

    def __init__(self, folder: Path, clock: StillClock, *, log_requests: bool = True, **settings: Any) -> None:
        self.folder = folder
        self.clock = clock
        self._log = io.StringIO()
        self.address = "127.0.0.1"  # of the clients
        self.database_ahead = 0.0  # seconds by which the clock of a database differs from ours
        self._settings = Settings(data=folder, log_requests=log_requests, **settings)
        self._runner = asyncio.Runner()
        self._clients: dict[tuple[str, Account], Clients] = {}
        self.app: App
        self._open()

    def _open(self) -> None:
        telemetry = Telemetry(log_requests=self._settings.log_requests, stream=self._log)
        self._context = opened(self._settings, telemetry, self.clock)
        self.app = self.run(self._context.__aenter__())

    def run(self, what: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine on the installation's loop. A database shows the same time as our clock."""
        databases.set_clock(self.folder, self.clock() + self.database_ahead)
        return self._runner.get_loop().run_until_complete(what)  # `Runner.run` sets SIGINT anew each time

    def together(self, *requests: httpx2.Request) -> list[httpx2.Response]:
        """Send requests at the same time. Make them by `signed`."""

        async def all_at_once() -> list[httpx2.Response]:
            return await asyncio.gather(*(answer(self, request) for request in requests))

        return self.run(all_at_once())

    def restart(self) -> None:
        """Close the folder in good order and open it again."""
        self._shut()
        self._open()

    def close(self) -> None:
        self._shut()
        self._runner.close()

    def _shut(self) -> None:
        self.run(self._context.__aexit__(None, None, None))
        self.app.telemetry.close()

    @property
    def log(self) -> io.StringIO:
        """What was logged so far."""
        assert self.app.telemetry.flush(60)
        return self._log

    def add_company(self, company: Company, records: Iterable[AnyRecord]) -> None:
        origin = Origin(None, "cli", "", f"first of {company.label}")
        self.run(self.app.store.create_company(company, records, origin))

    def __getattr__(self, name: str) -> httpx2.Client:
        if name not in _DIALECTS:
            raise AttributeError(name)
        return getattr(self.of(ADMIN), name)

    def of(self, account: Account, host: str = "demo.example.com") -> Clients:
        """Return clients that sign as an account."""
        url = f"http://{host}"
        clients = self._clients.get((url, account))
        if clients is None:
            clients = self._clients[url, account] = Clients(url, account, self.clock, lambda: Transport(self))
        return clients

    def plain(self, host: str = "demo.example.com") -> httpx2.Client:
        """Return a client that signs nothing."""
        return httpx2.Client(base_url=f"http://{host}", transport=Transport(self), trust_env=False)

    def roster(self, label: str = "demo") -> Roster:
        """Return what is durable of a company."""
        company = next(one for one in self.app.store.listed.all() if one.label == label)
        return self.run(self.app.store.load(company.id)).roster

    def refresh(self) -> None:
        """Have what is durable, where another process may have written it."""
        for desk in list(self.app.desks._desks.values()):
            self.run(desk.fresh())

    def operate(self, verb: Any, label: str = "demo") -> None:
        """Run a verb of the core as the operator of the installation: `desk.operate(lambda r, c: keys.revoke(…))`."""
        company = next(one for one in self.app.store.listed.all() if one.label == label)
        self._operated = getattr(self, "_operated", 0) + 1
        work = Work(None, Origin(None, "cli", "", f"operator {self._operated}"), verb, lambda roster, done: b"")

        async def submitted() -> None:
            await (await self.app.store.load(company.id)).submit(work)

        self.run(submitted())

    @property
    def incidents(self) -> list[dict[str, Any]]:
        """What failed that should not."""
        return [told for line in self.log.getvalue().splitlines() if (told := json.loads(line))["event"] == "incident"]


def signed(client: httpx2.Client, method: str, url: str, **how: Any) -> httpx2.Request:
    """Return a request that the client has signed and not sent."""
    return next(client.auth.auth_flow(client.build_request(method, url, **how)))


def repeated(client: httpx2.Client, path: str, **how: Any) -> Callable[[], httpx2.Request]:
    """Return what signs a GET of a path anew each time: it is built once, which takes longer than to answer it."""
    built = client.build_request("GET", path, **how)
    auth = client.auth
    if not auth.parameters():
        whole = next(auth.auth_flow(built))
        return lambda: whole
    target = built.url.raw_path + (b"&" if built.url.query else b"?")

    def made() -> httpx2.Request:
        built.extensions["target"] = target + urlencode(auth.parameters()).encode()
        return built

    return made


class Transport(httpx2.BaseTransport):
    """Hands requests to the app."""

    def __init__(self, desk: InProcess) -> None:
        self._desk = desk

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        request.read()
        return self._desk.run(answer(self._desk, request))


def scope_of(desk: InProcess, request: httpx2.Request) -> dict[str, Any]:
    """Return what ASGI says of a request."""
    target: bytes = request.extensions.get("target", request.url.raw_path)
    raw_path, _, query = target.partition(b"?")
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "path": raw_path.decode("latin-1"),
        "raw_path": raw_path,
        "query_string": query,
        "scheme": request.url.scheme,
        "server": (request.url.host, request.url.port),
        "client": (desk.address, 40_000),
        "root_path": "",
    }


async def answer(desk: InProcess, request: httpx2.Request, scope: dict[str, Any] | None = None) -> httpx2.Response:
    """Answer a request by the app, and see to it that the answer is one that HTTP allows.

    With a scope it goes on where `App.at_once` has come to.
    """
    parts_of_body = iter([request.read()])
    never = asyncio.Event()
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        for part in parts_of_body:
            return {"type": "http.request", "body": part, "more_body": False}
        await never.wait()  # the client stays until it has its answer
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    await desk.app(scope or scope_of(desk, request), receive, send)
    start, *parts = sent
    content = b"".join(part.get("body", b"") for part in parts)
    headers = httpx2.Headers(start["headers"])
    if request.method != "HEAD" and "content-length" in headers:
        assert int(headers["content-length"]) == len(content)
    if request.method == "HEAD":
        assert content == b""
    return httpx2.Response(start["status"], headers=headers, content=content, request=request)
