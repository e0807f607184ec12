"""The thin ASGI app of a dialect: reads a request in a fixed order, answers it, words what is refused.

Path, method, Host, size, media type, credentials, level, form of the body; then the route's own code. The first to
object has the word.
"""

from collections.abc import Awaitable, Coroutine
from time import perf_counter
from typing import Any, cast

import msgspec

from deskroster.core.access import Identity
from deskroster.core.problems import Busy, Doubt, Problem, Refusal, Unauthenticated
from deskroster.desk import Desk, Desks, Keyed
from deskroster.dialect import Dialect, Handler, Route
from deskroster.dialect.hosts import Hosts
from deskroster.dialect.problems import (
    AnyRejection,
    Incident,
    Malformed,
    MediaType,
    MethodNotAllowed,
    Rejection,
    TooLarge,
    TooMany,
    UnknownCompany,
)
from deskroster.dialect.request import WHOLE, Headers, PageReply, Receive, Reply, Request, Scope, Send
from deskroster.dialect.routing import Router
from deskroster.passwords import TooManyGuesses
from deskroster.settings import Settings
from deskroster.telemetry import Telemetry

MAX_IDEMPOTENCY_KEY = 255  # characters
_BEGUN = "deskroster.begun"  # in a scope: a request whose answer was begun and has to wait


class DialectApp:
    """One dialect as an ASGI app over all companies."""

    def __init__(self, dialect: Dialect, desks: Desks, settings: Settings, telemetry: Telemetry, hosts: Hosts) -> None:
        self._dialect = dialect
        self._desks = desks
        self._settings = settings
        self._telemetry = telemetry
        self._router = Router(dialect.routes, dialect.suffix)
        self._prefix = len(dialect.prefix)
        self._explains = settings.explain_signatures
        self._hosts = hosts
        self._paged: set[Handler] = set()  # those that have answered with a page: only their answers are looked up

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = perf_counter()
        request: Request = scope.pop(_BEGUN, None) or self._read(scope)
        try:
            reply = await (request.pending or self._answer(request, receive))
        except ClientGone:
            return
        except Exception as error:  # noqa: BLE001 - the edge: the caller gets its shape, whatever it was
            reply = self._worded(request, error)
        self._telemetry.answered(self._dialect.name, request.method, request.path, reply.status, perf_counter() - began)
        whole = scope.pop(WHOLE, None)
        if whole is not None and whole(reply):
            return
        headers = [
            (b"content-type", reply.media),
            (b"content-length", b"%d" % len(reply.body)),
        ]
        if reply.headers:
            headers += [(name.encode("latin-1"), value.encode("latin-1")) for name, value in reply.headers]
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if request.method == "HEAD" else reply.body})

    def at_once(self, scope: Scope) -> Reply | None:
        """Return the answer to a GET without a body, or its refusal, where nothing is to be waited for; else None.

        This app is called then, with the same scope, and goes on where this has come to.
        """
        began = perf_counter()
        request = self._read(scope)
        try:
            reply = self._at_once(request)
        except Exception as error:  # noqa: BLE001 - the edge, as above
            reply = self._worded(request, error)
        if reply is not None:
            self._telemetry.answered(self._dialect.name, "GET", request.path, reply.status, perf_counter() - began)
        return reply

    def _read(self, scope: Scope) -> Request:
        request = Request(scope, self._dialect.name)
        request.explains = self._explains
        return request

    def refusal(self, method: str, path: bytes, headers: Headers, problem: Rejection | Busy) -> Reply:
        """Word what was refused before this app was asked; which methods a path has instead, it says itself."""
        scope = {"raw_path": path, "method": method, "query_string": b"", "headers": headers}
        request = Request(scope, self._dialect.name)
        if isinstance(problem, MethodNotAllowed):
            try:
                self._router.match(method, request.path[self._prefix :])
                problem = Malformed("HTTP")  # it is not the method
            except Rejection as judged:
                problem = judged
        return self._render(request, cast("Problem | AnyRejection", problem))

    def _worded(self, request: Request, error: Exception) -> Reply:
        """Word a refusal. What is none has failed: it is logged."""
        if isinstance(error, TooManyGuesses):
            return self._render(request, TooMany(error.seconds))
        if isinstance(error, (Refusal, Rejection)):
            return self._render(request, cast("Problem | AnyRejection", error))
        self._telemetry.incident(request.id, error, self._dialect.name, request.method, request.path)
        return self._render(request, Incident(request.id))

    def _render(self, request: Request, problem: Problem | AnyRejection) -> Reply:
        """Word a refusal; one that came before the company was asked, in the language of whom the host names."""
        if request.desk is None:
            request.company_language = self._desks.language(request.header(b"host") or "") or request.company_language
        return self._dialect.render(request, problem)

    def _at_once(self, request: Request) -> Reply | None:
        request.route, request.parameters = self._router.match("GET", request.path[self._prefix :])
        desk = request.desk = self._at_hand(request)
        if desk is None or request.route.needs is None or self._desks.shared:
            return None
        found = self._ask(desk, request)
        if not isinstance(found, Identity):
            found.close()  # not begun: it is asked again
            return None
        self._admit(request, desk, found)
        seconds = desk.count_call() if self._dialect.counted else 0
        if seconds:
            raise TooMany(cast("int", seconds))
        reply = self._handle(request, desk)
        if isinstance(reply, Reply):
            return reply
        request.pending = reply
        request.scope[_BEGUN] = request
        return None

    async def _answer(self, request: Request, receive: Receive) -> Reply:
        request.route, request.parameters = self._router.match(request.method, request.path[self._prefix :])
        route = request.route
        desk = request.desk = self._at_hand(request) or await self._company(request)
        if route.body is not None:
            await self._receive_body(request, route, receive)
        elif request.method not in ("GET", "HEAD"):
            await _whole(receive)
        if route.needs is None:
            request.desk = desk = desk or await self._of_host(request.host)
            await desk.fresh()
        elif desk is not None:
            desk = await self._identify(desk, request)
        else:
            desk = await self._find(request)
        if route.body is not None:
            _ = request.json  # its form is judged before anything in it
        if route.creates:
            self._read_idempotency_key(request)
        reply = self._handle(request, desk)
        return reply if isinstance(reply, Reply) else await reply

    def _handle(self, request: Request, desk: Desk) -> Reply | Awaitable[Reply]:
        """Run the route's own code, or answer from the cache, where what was made from a page is put."""
        handler, answers = request.route.handler, desk.roster.answers
        if handler in self._paged:
            cached: Reply | None = answers.get(request.cache_key(self._dialect.signature))
            if cached is not None:
                return cached
        reply = handler(request, desk)
        if isinstance(reply, PageReply):
            self._paged.add(handler)
            answers.put(request.cache_key(self._dialect.signature), reply.plain, reply.size, reply.sources)
        return reply

    def _at_hand(self, request: Request) -> Desk | None:
        """Return the company of a host that was judged before."""
        hosts = [value for name, value in request.scope["headers"] if name == b"host"]
        desk = self._desks.at_hand(hosts[0]) if len(hosts) == 1 else None
        return desk if self._dialect.account is None or desk is self._desks.only else None

    async def _company(self, request: Request) -> Desk | None:
        """Return the company that the host names; None where it is the credentials that do.

        Raises BadHost, or UnknownCompany also for a host that is not allowed: before anything is looked for.
        """
        host = request.host
        if not self._hosts.allow(host):
            raise UnknownCompany
        by_account = self._dialect.account is not None and self._desks.only is None
        return None if by_account else await self._of_host(host)

    async def _of_host(self, host: str) -> Desk:
        desk = await self._desks.of_host(host)
        if desk is None:
            raise UnknownCompany
        return desk

    async def _identify(self, desk: Desk, request: Request) -> Desk:
        """Find out who asks, and return the company that the host names: another one may have that name by now."""
        counted = self._desks.counted
        found = self._ask(desk, request)
        identity = found if isinstance(found, Identity) else await found
        if self._desks.shared and counted != self._desks.counted:
            other = self._at_hand(request) or await self._company(request)
            if other is not desk:
                return await self._find(request) if other is None else await self._identify(other, request)
        self._admit(request, desk, identity)
        if self._dialect.counted:
            await self._count(desk)
        return desk

    async def _count(self, desk: Desk) -> None:
        """Count a call. Raises TooMany, or Busy."""
        found = desk.count_call()
        seconds = found if isinstance(found, int) else await found
        if seconds:
            raise TooMany(seconds)

    def _ask(self, desk: Desk, request: Request) -> Identity | Coroutine[Any, Any, Identity]:
        """Find out who asks."""
        return desk.authenticate(self._dialect.authenticate, request)

    def _admit(self, request: Request, desk: Desk, identity: Identity) -> None:
        """Let in who has proven who they are. Raises Unauthenticated or Forbidden."""
        request.desk, request.identity = desk, identity
        caller = request.caller = desk.caller(identity)
        if request.route.needs is not None:
            caller.must(request.route.needs)

    async def _find(self, request: Request) -> Desk:
        """Find out who asks, and the company: the one whose credentials verify."""
        refusal = Unauthenticated(Doubt.WRONG)
        for candidate in await self._desks.of_email(self._account(request)):
            try:
                found = self._ask(candidate, request)
                self._admit(request, candidate, found if isinstance(found, Identity) else await found)
                if self._dialect.counted:
                    await self._count(candidate)
            except Unauthenticated as problem:
                refusal = problem
                continue
            return candidate
        raise refusal

    def _account(self, request: Request) -> str:
        return self._dialect.account(request) if self._dialect.account else ""

    async def _receive_body(self, request: Request, route: Route, receive: Receive) -> None:
        """Read the body. Raises TooLarge as soon as that is known, MediaType."""
        limit = self._settings.limits.body_bytes
        if len(length := request.header(b"content-length") or "0") > 15 or int(length) > limit:
            raise TooLarge
        parts, size = [], 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            part = message.get("body", b"")
            size += len(part)
            if size > limit:
                raise TooLarge
            parts.append(part)
            if not message.get("more_body"):
                break
        request.body = b"".join(parts)
        if request.media not in route.media:
            raise MediaType

    def _read_idempotency_key(self, request: Request) -> None:
        key = request.header(b"idempotency-key")
        if key is None:
            return
        if not 1 <= len(key) <= MAX_IDEMPOTENCY_KEY:
            raise Malformed("Idempotency-Key")
        signed = self._dialect.signature if self._dialect.signs_in_body else ()
        asked = {name: value for name, value in request.json.items() if name not in signed}
        body = msgspec.json.encode(asked, order="deterministic")
        request.once = Keyed(str(request.caller.agent_id), key, request.path.encode() + b"\0" + body)


async def _whole(receive: Receive) -> None:
    """Wait for the end of a body that nobody wants: before it, a request may still turn out to be none."""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        if not message.get("more_body"):
            return


class ClientGone(Exception):
    """The client left, or was refused, before its request was whole."""
