"""Access of commands to a data folder: through the socket of its server, or in this process if no server runs."""

import asyncio
import time
from contextlib import AsyncExitStack, closing
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx2
from msgspec.structs import replace

from deskroster.admin import PREFIX as INSTALLATION
from deskroster.admin import AdminApp, sockets
from deskroster.app import opened
from deskroster.cli import console
from deskroster.cli.console import Exit, Refused
from deskroster.cli.opening import installation_of, must_be_installation, refusing
from deskroster.core.records import Language
from deskroster.ledger import FolderInUse, advice
from deskroster.settings import Settings
from deskroster.telemetry import Telemetry
from deskroster.texts import foreign, said, verbatim

OUR_OWN = "/deskroster/v1"
OPEN_TIMEOUT = 5.0  # seconds to wait while a server starts or stops, or another command uses the folder
RETRY_DELAY = 0.05  # seconds between two attempts
CALL_TIMEOUT = 3_600.0  # seconds: a backup or a check of a large installation takes long
PER_PAGE = 1_000

_CODES = {404: Exit.NOT_FOUND, 409: Exit.CONFLICT, 429: Exit.UNAVAILABLE, 503: Exit.UNAVAILABLE}


class Folder:
    """The operator's calls on a data folder; `with` opens and closes it. Raises Refused if a call fails."""

    def __init__(self, data: Path, company: str | None = None, language: Language | None = None) -> None:
        """`language`: of messages; by default that of the command."""
        self._data = data
        self._language = language or console.language()
        self._company_option = company
        self._runner = asyncio.Runner()
        self._stack = AsyncExitStack()
        self._client: httpx2.AsyncClient

    def __enter__(self) -> Self:
        self._runner.__enter__()
        try:
            self._runner.run(self._open())
        except BaseException:
            self._runner.close()
            raise
        return self

    def __exit__(self, *error: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._runner.run(self._stack.aclose())
        self._runner.close()

    def installation(self, method: str, path: str, body: Any = None) -> Any:
        """Make a call on the installation, and return its answer."""
        return self._call(method, f"http://installation{INSTALLATION}{path}", body)

    def call(self, method: str, path: str, body: Any = None, **query: str | int) -> Any:
        """Make a call of our own API on `company`, and return its answer."""
        return self._call(method, f"http://{self.company}{OUR_OWN}{path}", body, query)

    def all(self, path: str) -> list[dict[str, Any]]:
        """Return all pages of a list of our own API."""
        items: list[dict[str, Any]] = []
        while True:
            page = self.call("GET", path, page=len(items) // PER_PAGE + 1, per_page=PER_PAGE)
            items += page["items"]
            if len(items) >= page["total"] or not page["items"]:
                return items

    @property
    def company(self) -> str:
        """The label of the company: --company, or the only one. Raises Refused if there is none, or several."""
        labels: list[str] = [one["label"] for one in self.installation("GET", "/companies")["items"]]
        if self._company_option in labels:
            return str(self._company_option)
        known = said("There are: {labels}.", labels=", ".join(labels))
        if self._company_option is not None:
            raise Refused(Exit.NOT_FOUND, said("there is no company {label}", label=self._company_option), known)
        if len(labels) != 1:
            raise Refused(Exit.USAGE, said("there are several companies; say which with --company"), known)
        return labels[0]

    async def _open(self) -> None:
        with refusing(self._data):
            served = sockets.answers(self._data)
        if not served:  # the option --database of a server is not noted in the folder
            must_be_installation(self._data)
        deadline = time.monotonic() + OPEN_TIMEOUT
        while True:
            try:
                transport = await self._transport()
                break
            except FolderInUse as error:
                # A server that is starting or stopping holds the lock, but does not answer.
                if time.monotonic() > deadline:
                    raise Refused(Exit.UNAVAILABLE, foreign(error), said("Try again when it has finished.")) from None
            await asyncio.sleep(RETRY_DELAY)
        self._client = await self._stack.enter_async_context(
            httpx2.AsyncClient(
                transport=transport,
                headers={"Accept-Language": self._language},
                timeout=httpx2.Timeout(OPEN_TIMEOUT, read=CALL_TIMEOUT),
            )
        )

    async def _transport(self) -> httpx2.AsyncBaseTransport:
        with refusing(self._data):
            if sockets.answers(self._data):
                return httpx2.AsyncHTTPTransport(uds=self._stack.enter_context(sockets.reachable(self._data)))
            telemetry = self._stack.enter_context(closing(Telemetry()))
            app = await self._stack.enter_async_context(opened(Settings(data=self._data), telemetry))
            return httpx2.ASGITransport(AdminApp(replace(installation_of(app), alone=True)))

    def _call(self, method: str, url: str, body: Any, query: dict[str, str | int] | None = None) -> Any:
        try:
            request = self._client.request(method, url, json=body, params=query)
            response = self._runner.run(request)
        except httpx2.TransportError as error:
            if method != "GET":
                why = said("the server went away: {error}; it may have been done", error=foreign(error))
                raise Refused(Exit.UNKNOWN, why) from None
            raise Refused(Exit.UNAVAILABLE, said("the server went away: {error}", error=foreign(error))) from None
        answer = response.json()
        if response.is_success:
            return answer
        if answer["type"].endswith(":damaged"):
            raise Refused(Exit.DAMAGED, verbatim(answer["detail"]), advice(self._data))
        code = _CODES.get(response.status_code, Exit.REFUSED)
        if answer["type"].endswith(":outcome-unknown"):
            code = Exit.UNKNOWN
        raise Refused(code, verbatim(answer["detail"]))
