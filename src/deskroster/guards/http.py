"""HTTP/1.1 as uvicorn speaks it, within limits. A fault is answered in its dialect's words; then the connection ends.

llhttp judges framing (RFC 9112): both length headers, odd white space, bad chunks and control characters never get
through. What llhttp lets through is refused here: a head over its limit, a transfer coding other than `chunked`, one in
HTTP/1.0, a version that is neither 1.0 nor 1.1, a target that names another host than `Host` or has a fragment.
Trailers are dropped, and requests to upgrade to another protocol are ignored.
"""

import asyncio
from typing import Any, cast

import httptools
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle as Cycle

from deskroster.core.problems import Busy
from deskroster.dialect import Reply
from deskroster.dialect.problems import Malformed, MethodNotAllowed, TooLarge, TooSlow
from deskroster.dialect.request import WHOLE
from deskroster.guards import heads
from deskroster.guards.bodies import Bodies
from deskroster.guards.closing import Closing
from deskroster.guards.deadlines import IdleTimeout, InputDeadline, OutputDeadline
from deskroster.guards.dispatch import Dispatch
from deskroster.guards.encoding import CLOSE, response_head
from deskroster.guards.immediate import AtOnce, Immediate
from deskroster.guards.progress import Progress
from deskroster.guards.quotas import Quotas, unmapped
from deskroster.guards.raw_targets import RawTargets
from deskroster.guards.refusal import Fault, Refusal, Refuse

_SLASH = ord("/")


class Guarded(HttpToolsProtocol):
    """One connection: joins uvicorn's protocol with the parts that guard it."""

    __slots__ = (
        "_bodies", "_closing", "_coding_checked", "_dispatch", "_idle_timeout", "_immediate", "_input_deadline",
        "_output_deadline", "_progress", "_quotas", "_raw_targets", "_refusal", "counted_as",
    )  # fmt: skip  # beside uvicorn's attributes in `__dict__`: CPython looks up at most 30 of those quickly

    def __init__(self, quotas: Quotas, refuse: Refuse, at_once: AtOnce | None, **given: Any) -> None:
        super().__init__(**given)
        self.counted_as: str | None = None  # the address that the quotas count it for; None before, and if refused
        self._quotas = quotas
        self._progress = Progress(quotas.limits)
        self._raw_targets = RawTargets(self._progress)
        self._refusal = Refusal(refuse)
        self._immediate = None if at_once is None else Immediate(at_once)
        self._dispatch = Dispatch(self.loop, self.tasks, self.pipeline)
        self._input_deadline = InputDeadline(self.loop, quotas.limits)
        self._idle_timeout = IdleTimeout(self.loop, self.timeout_keep_alive)
        self._output_deadline: OutputDeadline
        self._closing: Closing
        self._bodies: Bodies
        self._coding_checked: Cycle | None = None  # the last request in chunks

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.client = unmapped(self.client)
        self._output_deadline = OutputDeadline(self.loop, transport, self._quotas.limits.write_seconds)
        self._closing = Closing(self.loop, transport, self._output_deadline)
        if self.counted_as is None:
            address = self.client[0] if self.client else ""
            if not self._quotas.connect(address):
                self._closing.ignores_input = True
                transport.write(self._refusal.of_connection())
                transport.close()
                return
            self.counted_as = address
        self._bodies = Bodies(self._quotas, self.counted_as)
        self._input_deadline.start("head", self._time_out)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.counted_as is not None:
            self._quotas.disconnect(self.counted_as)
        self._closing.ignores_input = True
        self._input_deadline.stop()
        self._output_deadline.stop()
        self._closing.stop()
        self._unset_keepalive_if_required()
        for cycle in self._dispatch.unanswered():
            self._dispatch.abandon(cycle, self._bodies.release)
        super().connection_lost(exc)

    # ── what is received ────────────────────────────────────────────────────────────────────────────────────────

    def data_received(self, data: bytes) -> None:
        if not self._closing.ignores_input:
            dispatch = self._dispatch
            dispatch.parsing = True
            self._parse(data)
            dispatch.parsing = False
            if dispatch.deferred is not None:
                dispatch.call_deferred()

    def _parse(self, data: bytes) -> None:
        progress, refusal = self._progress, self._refusal
        progress.packet(len(data))
        if self._immediate is not None:
            self._immediate.packet()
        try:
            if data.isascii():
                self._feed(data)
                if progress.stage == "head":
                    self._raw_targets.head_unfinished(data, bool(self.headers))
            else:
                for piece in self._raw_targets.pieces(data, self._body_length):
                    self._feed(piece)
        except httptools.HttpParserInvalidMethodError:
            refusal.fault = MethodNotAllowed("")  # the dialect knows which methods the path has
        except httptools.HttpParserError:
            refusal.fault = refusal.fault or Malformed("HTTP")
        if progress.too_large() and refusal.fault is None:
            refusal.fault = TooLarge("head")
        if refusal.fault is not None:
            self._refuse(refusal.fault, data)
        else:
            self._input_deadline.follow(progress.stage, self._time_out)

    def _feed(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._parse_without(upgrade, data)

    def _body_length(self) -> int | None:
        """Return the Content-Length of the request whose body is being received; None if it is chunked."""
        lengths = [int(value) for name, value in self.scope["headers"] if name == b"content-length"]
        return lengths[0] if lengths else None

    def _parse_without(self, upgrade: httptools.HttpParserUpgrade, data: bytes) -> None:
        """Parse a request to upgrade as one that is none (RFC 9110, section 7.8), and what came after it."""
        parser, rest = self.parser, memoryview(data)
        while True:
            rest = rest[upgrade.args[0] :]
            method, version = parser.get_method(), parser.get_http_version()
            parser.feed_data(heads.without_upgrade(method, self.url, version, self.headers))
            try:
                parser.feed_data(rest)
                return
            except httptools.HttpParserUpgrade as next_upgrade:
                upgrade = next_upgrade

    # ── callbacks of the parser ─────────────────────────────────────────────────────────────────────────────────

    def on_message_begin(self) -> None:
        self._progress.begin()
        self._input_deadline.new_request()
        HttpToolsProtocol.on_message_begin(self)  # `super()` takes longer, and every request comes here

    def on_headers_complete(self) -> None:
        url, parser, refusal = self.url, self.parser, self._refusal
        if not self._progress.small_head():
            refusal.stop_if(heads.too_large(parser.get_method(), url, self.headers, self._quotas.limits))
        if url[0] != _SLASH or b"#" in url:
            refusal.stop_if(heads.bad_target(url, self.headers))
        if parser.should_upgrade():
            if parser.get_method() == b"CONNECT":
                refusal.stop(MethodNotAllowed(""))
            return  # it is parsed again
        if not self._answer_immediately():
            HttpToolsProtocol.on_headers_complete(self)
        self._progress.head_done()
        self.headers = []  # what comes after these are trailers
        if (version := self.scope["http_version"]) != "1.1" and version != "1.0":
            refusal.stop(Malformed("HTTP"))

    def on_chunk_header(self) -> None:
        cycle = self.cycle
        if self._coding_checked is not cycle:
            self._coding_checked = cycle
            self._refusal.stop_if(heads.bad_coding(self.scope["http_version"], cycle.scope["headers"]))

    def on_body(self, body: bytes) -> None:
        self._progress.body_part(len(body))
        if not self.cycle.response_complete:
            if not self._bodies.add(self.cycle, len(body)):
                self._refusal.stop(Busy())
            super().on_body(body)

    def on_message_complete(self) -> None:
        if self._progress.request_done():
            cycle: Cycle | None = self.cycle
            if cycle is not None and not cycle.response_complete:  # uvicorn's, without what it does for upgrades
                cycle.more_body = False
                cycle.message_event.set()

    # ── answers ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _answer_immediately(self) -> bool:
        """Answer without a task, as most reads can be that find no other request before them."""
        cycle: Cycle | None = self.cycle
        if self._immediate is None or not (cycle is None or cycle.response_complete) or self.flow.write_paused:
            return False
        reply = self._immediate.answer(self.parser, self.scope, self.url, self.headers)
        if reply is None:
            return False
        self.cycle = None  # type: ignore[assignment]  # as before the first request
        self.transport.writelines((response_head(reply, self.server_state.default_headers), reply.body))
        if self.timeout_keep_alive_task is None or self.transport.is_closing():
            self.on_response_complete()
        else:
            self._idle_timeout.restart()
        return True

    def _start_asgi_task(self, cycle: Cycle, app: ASGI3Application) -> None:
        cast("Any", cycle.scope)[WHOLE] = self._answer_whole
        self._dispatch.call(cycle, app)

    def _answer_whole(self, reply: Reply) -> bool:
        """Answer the app's request in one write. Return False where its client is gone, or has to read first."""
        cycle = self._dispatch.cycle
        if cycle is None or cycle.disconnected or cycle.response_started or self.flow.write_paused:
            return False
        cycle.response_started = cycle.response_complete = True
        more = [*self.server_state.default_headers, *([] if cycle.keep_alive else [CLOSE])]
        self.transport.writelines((response_head(reply, more), b"" if cycle.scope["method"] == "HEAD" else reply.body))
        cycle.message_event.set()
        if not cycle.keep_alive:
            self.transport.close()
        self.on_response_complete()
        return True

    def on_response_complete(self) -> None:
        if self._dispatch.cycle is not None:
            self._bodies.release(self._dispatch.cycle)
        self._idle_timeout.restart()
        HttpToolsProtocol.on_response_complete(self)
        if self._closing.ignores_input or self.timeout_keep_alive_task is None:
            if self.transport.is_closing():
                self._output_deadline.start()
            elif self._closing.ignores_input and not self._dispatch.unanswered():
                self._finish()

    # ── timeouts ────────────────────────────────────────────────────────────────────────────────────────────────

    def pause_writing(self) -> None:
        super().pause_writing()
        self._output_deadline.start()

    def resume_writing(self) -> None:
        super().resume_writing()
        if not self.transport.is_closing():
            self._output_deadline.stop()

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection that has been idle for too long. The timer is moved here only, not by each request."""
        left = self._idle_timeout.seconds_left(busy=self._progress.stage != "idle" or bool(self._dispatch.unanswered()))
        if left > 0:
            self.timeout_keep_alive_task = self.loop.call_later(left, self.timeout_keep_alive_handler)
        else:
            self._closing.close()

    def _time_out(self) -> None:
        self._refuse(TooSlow())

    # ── the end ─────────────────────────────────────────────────────────────────────────────────────────────────

    def shutdown(self) -> None:
        if self._progress.stage == "body" and not self._closing.ignores_input:
            self._refuse(Busy())  # surely not done: it has not come whole
            return
        super().shutdown()
        if self.transport.is_closing() and not self.transport.get_write_buffer_size():
            self._closing.abort_soon()

    def _refuse(self, fault: Fault, data: bytes = b"") -> None:
        """Refuse the request that is being received, after the answers to those before it; then end the connection."""
        self._closing.ignores_input = True
        self._input_deadline.stop()
        if self.transport.is_closing():
            return
        if self._progress.stage != "body" or self._withdraw():
            scope: Any = self.scope  # None before the first byte, when there is no `url` either
            headers, url = scope["headers"] if scope else (), getattr(self, "url", b"")
            client = self.client[0] if self.client else ""
            self._closing.final_response = self._refusal.of_request(fault, self.parser, url, headers, data, client)
        if not self._dispatch.unanswered():
            self._finish()

    def _withdraw(self) -> bool:
        """Abandon the request whose body is being received. Return False if its answer has begun."""
        cycle: Cycle | None = self.cycle
        return cycle is not None and self._dispatch.withdraw(cycle, self._bodies.release)

    def _finish(self) -> None:
        self._closing.finish()
        self._unset_keepalive_if_required()
