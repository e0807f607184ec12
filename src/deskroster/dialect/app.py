"""The thin ASGI app of a dialect: reads a request in a fixed order, answers it, words what is refused.

Path, method, Host, query, whose page it is, size, media type, credentials, limit of calls, level, form of the body;
then the route's own code. The first to object has the word.
"""

from collections.abc import Awaitable
from contextlib import suppress
from time import perf_counter
from typing import cast

import msgspec

from deskroster.core.problems import Busy, Forbidden, Problem, Refusal
from deskroster.desk import Desk, Desks, Keyed
from deskroster.dialect import FORM, Dialect, Handler, query
from deskroster.dialect.browsers import is_write_of_page, may_write, preflight, readable
from deskroster.dialect.identification import Identification
from deskroster.dialect.problems import (
    AnyRejection,
    Incident,
    Malformed,
    MediaType,
    MethodNotAllowed,
    Rejection,
    TooLarge,
    TooMany,
)
from deskroster.dialect.request import WHOLE, Headers, Message, PageReply, Receive, Reply, Request, Scope, Send
from deskroster.dialect.routing import Router
from deskroster.eager import Begun, begin
from deskroster.passwords import TooManyGuesses
from deskroster.settings import Settings
from deskroster.telemetry import Telemetry

MAX_IDEMPOTENCY_KEY = 255  # characters
MAX_SHOWN = 64  # characters of the name of an encoding
_BEGUN = "deskroster.begun"  # in a scope: the coroutine that answers it, where it was begun and has to wait


class DialectApp:
    """One dialect as an ASGI app over all companies."""

    def __init__(
        self,
        dialect: Dialect,
        desks: Desks,
        settings: Settings,
        telemetry: Telemetry,
        identification: Identification,
    ) -> None:
        self._dialect = dialect
        self._desks = desks
        self._settings = settings
        self._telemetry = telemetry
        self._identification = identification
        self._router = Router(dialect.routes, dialect.suffix)
        self._prefix = len(dialect.prefix)
        self._explains = settings.explain_signatures
        self._paged: set[Handler] = set()  # those that have answered with a page: only their answers are looked up

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun: tuple[Request, Begun[None]] | None = scope.pop(_BEGUN, None)
        if begun is None:
            request = self._read(scope)
            await self._answer(request, receive)
        else:
            request, rest = begun
            await rest
        reply = request.reply
        if reply is None:
            return
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
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else reply.body})

    def at_once(self, scope: Scope) -> Reply | None:
        """Return the answer to a GET without a body; None where it has to wait for something.

        Then this app is to be called with the same scope: it goes on from there. If it is not, the coroutine that was
        begun is closed when the scope has no reference left. It has no current task before it first waits.
        """
        request = self._read(scope)
        rest = begin(self._answer(request, _no_body))
        if rest is not None:
            request.scope = dict(scope)  # the scope refers to the coroutine, so nothing in this may refer to the scope
            scope[_BEGUN] = request, rest
        return request.reply

    async def _answer(self, request: Request, receive: Receive) -> None:
        """Fill in the reply to a request; none if its client has gone."""
        began = perf_counter()
        try:
            reply = await self._judge(request, receive)
        except ClientGone:
            return
        except Exception as error:  # noqa: BLE001 - the edge: the caller gets its shape, whatever it was
            if request.nonce is not None and isinstance(error, (TooMany, Busy)):
                await self._release(request, request.nonce)
            reply = self._worded(request, error)
        if origins := self._identification.origins(request):
            reply = readable(request, reply, origins)
        self._telemetry.answered(self._dialect.name, request.method, request.path, reply.status, perf_counter() - began)
        request.reply = reply

    async def _judge(self, request: Request, receive: Receive) -> Reply:
        """Judge a request in the one order that there is, and return what its route answers. Raises what it refuses."""
        identification = self._identification
        if request.method == "OPTIONS" and (allowed := await self._preflight(request)) is not None:
            return allowed
        route, request.parameters = self._router.match(request.method, request.path[self._prefix :])
        request.route = route
        desk = request.desk = await identification.company(request)
        request.query = query.parse(request.scope["query_string"])
        write_of_page = is_write_of_page(request)
        if write_of_page:
            await self._check_page(request, desk)
        if route.body is not None:
            await self._receive_body(request, receive)
        elif request.method not in ("GET", "HEAD"):
            await _whole(receive)
        if route.needs is None:
            assert desk is not None
            await desk.fresh()
        else:
            desk = await identification.identify(request, desk)
            if write_of_page and not may_write(request, identification.origins(request)):
                raise Forbidden(foreign_page=True)  # of an origin of another company
            limit = desk.roster.company.calls_per_minute if self._dialect.counted else 0
            if limit and (seconds := await desk.count_call(limit)):
                raise TooMany(seconds)
            request.caller.must(route.needs)
        if route.body is not None:
            _ = request.json  # its form is judged before anything in it
            if route.creates:
                self._read_idempotency_key(request)
        reply = self._handle(request, desk)
        return reply if isinstance(reply, Reply) else await reply

    async def _check_page(self, request: Request, desk: Desk | None) -> None:
        """Raise Forbidden for a write that a page of a stranger has caused, before credentials are looked at."""
        if may_write(request, self._identification.origins(request)):
            return
        if desk is not None:
            await desk.fresh()  # another process may have named the origin just now
        if not may_write(request, self._identification.origins(request)):
            raise Forbidden(foreign_page=True)

    async def _preflight(self, request: Request) -> Reply | None:
        """Return the answer to a preflight of a named origin; None for any other OPTIONS.

        It is so for every path and method: the call itself is refused, and then the page can read why.
        """
        origin, asked = request.header(b"origin"), request.header(b"access-control-request-method")
        if origin is None or asked is None:
            return None
        path = request.path[self._prefix :]
        with suppress(Rejection, Busy):
            request.route, _ = self._router.match(asked, path)
            desk = await self._identification.company(request)
            if desk is not None:
                await desk.fresh()
        if origin in self._identification.origins(request):
            return preflight(self._router.methods(path) or asked)
        return None

    async def _release(self, request: Request, nonce: str) -> None:
        """Let a request that was surely not carried out be sent again as it is."""
        assert request.desk is not None
        try:
            await request.desk.release(nonce)
        except Exception as error:  # noqa: BLE001 - the refusal stands
            self._telemetry.incident(request.id, error, self._dialect.name, request.method, request.path)

    def _read(self, scope: Scope) -> Request:
        request = Request(scope, self._dialect.name)
        request.explains = self._explains
        request.lenient = self._dialect.lenient
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
        reply = self._render(request, cast("Problem | AnyRejection", problem))
        origins = self._identification.origins(request)
        return readable(request, reply, origins) if origins else reply

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

    async def _receive_body(self, request: Request, receive: Receive) -> None:
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
        self._check_media(request)

    def _check_media(self, request: Request) -> None:
        """Raise MediaType for a body that is encoded, or of a type that this dialect does not read."""
        readable = self._dialect.media
        for encoding in request.header_values(b"content-encoding"):
            if encoding.strip().lower() not in ("", "identity"):
                raise MediaType(readable, encoding=encoding.strip().lower()[:MAX_SHOWN])
        if request.media not in readable:
            raise MediaType(readable)
        if request.media == FORM and request.body.lstrip()[:1] in (b"{", b"["):
            raise MediaType(readable, is_json=True)

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


async def _no_body() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


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
