"""HTTP/1.1 as uvicorn speaks it, within limits. What breaks one is answered in its dialect, then hung up on.

Framing is judged by llhttp (RFC 9112): both length headers, odd white space, bad chunks and control characters never
get through. What it lets through is refused here: a head over its limit, another transfer coding than `chunked`, one in
HTTP/1.0, a version that is neither 1.0 nor 1.1, a target that names another host than `Host` does or has a fragment;
trailers are dropped, and no other protocol is changed to.
"""

import asyncio
from collections.abc import Callable
from time import perf_counter
from typing import Any, Literal, NoReturn, cast

import httptools
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from deskroster.core.problems import Busy
from deskroster.dialect import Reply
from deskroster.dialect.problems import Malformed, MethodNotAllowed, Rejection, TooLarge, TooSlow
from deskroster.dialect.request import WHOLE, Headers
from deskroster.eager import begun
from deskroster.guards import heads
from deskroster.guards.encoding import CLOSE, encoded, head
from deskroster.guards.room import Room, plain

Stage = Literal["idle", "head", "body"]
Fault = Rejection | Busy
Refuse = Callable[[str, bytes, Headers, Fault], Reply]
"""Words a fault for a method, a path and headers, all as far as they were read."""

AtOnce = Callable[[Any], Reply | None]
"""Answers a scope of ASGI without waiting, if it can."""

_AT_ONCE = 0.005  # seconds for the requests of one packet that are answered so: others wait meanwhile
_NO_BODY = {b"content-length", b"transfer-encoding", b"expect"}  # headers of which none may be there for it
_LINGER = 1.0  # seconds between the last answer and the end of the connection: for the client to read it
_SLASH = ord("/")
_HELD = "deskroster.held"  # bytes of a request's body that are counted, in the state of its scope


class Guarded(HttpToolsProtocol):
    """One connection. A deadline runs only while a part of a request is awaited that has not come with the last."""

    def __init__(self, room: Room, refuse: Refuse, at_once: AtOnce | None, **given: Any) -> None:
        super().__init__(**given)
        self.counted_as: str | None = None  # the address for which there was room
        self._room = room
        self._limits = room.limits
        self._most = room.limits.head_bytes
        self._small = min(room.limits.head_bytes, room.limits.query_bytes)  # less is neither too large a head nor query
        self._refusal = refuse
        self._at_once = at_once
        self._read_at = 0.0  # when what was read last came
        self._stage: Stage = "head"  # what is being received
        self._timed: Stage | None = None  # the stage that the running deadline is for
        self._deadline: asyncio.TimerHandle | None = None
        self._idle_since = 0.0  # by the loop's clock: when the last answer was given
        self._unread: asyncio.TimerHandle | None = None  # deadline for the client to read
        self._size = 0  # bytes of what was read last
        self._began = 0  # bytes of what was read when the request began
        self._since = 0  # bytes since the parser last handed over a head or a part of a body
        self._asked: RequestResponseCycle | None = None  # what the app was asked last, and in which task it is
        self._task: asyncio.Task[None] | None = None
        self._reading = False  # whether a packet is being read
        self._unbegun: tuple[RequestResponseCycle, ASGI3Application] | None = None  # to be asked when it is read
        self._chunked: RequestResponseCycle | None = None  # whose coding has been judged
        self._holds = False  # whether bodies have been counted
        self._fault: Fault | None = None
        self._deaf = False  # what still comes is not looked at
        self._last_words = b""  # a refusal that waits for the answers before it

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.client = plain(self.client)
        if self.counted_as is None:
            address = self.client[0] if self.client else ""
            if not self._room.enter(address):
                self._deaf = True
                transport.write(encoded(self._refusal("GET", b"/", (), Busy())))
                transport.close()
                return
            self.counted_as = address
        self._await("head")

    def connection_lost(self, exc: Exception | None) -> None:
        if self.counted_as is not None:
            self._room.leave(self.counted_as)
        self._deaf = True
        _stop(self._deadline)
        _stop(self._unread)
        self._unset_keepalive_if_required()
        for cycle in self._unanswered():
            self._drop(cycle)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if not self._deaf:
            self._reading = True
            self._read(data)
            self._reading = False
            if self._unbegun is not None:
                cycle, app = self._unbegun
                self._unbegun = None
                task = None if cycle.disconnected else begun(self.loop, cycle.run_asgi(app))
                if task is not None:  # else it is answered, and the next one may be asked already
                    self._keep_task(task)

    def _read(self, data: bytes) -> None:
        self._size = size = len(data)
        self._since += size
        self._read_at = perf_counter()
        try:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as wish:
                self._parse_without(wish, data)
        except httptools.HttpParserInvalidMethodError:
            self._fault = MethodNotAllowed("")  # what is allowed, the path says
        except httptools.HttpParserError:
            self._fault = self._fault or Malformed("HTTP")
        if self._since > self._most and self._fault is None:
            self._fault = TooLarge("head")  # or trailers, or what stands between chunks
        if self._fault is not None:
            self._hang_up(self._fault, data)
        elif self._stage == "idle":
            if self._deadline is not None:
                self._stop_deadline()
        elif self._stage != self._timed:
            self._await(self._stage)

    def _parse_without(self, wish: httptools.HttpParserUpgrade, data: bytes) -> None:
        """Parse a request for another protocol as if it were none (RFC 9110, section 7.8), and what came after it."""
        rest = memoryview(data)
        while True:
            rest = rest[wish.args[0] :]
            asked = self.parser.get_method(), self.url, self.parser.get_http_version().encode()
            head = [b"%b: %b\r\n" % header for header in self.headers if header[0] != b"upgrade"]
            self.parser.feed_data(b"%b %b HTTP/%b\r\n%b\r\n" % (*asked, b"".join(head)))
            try:
                self.parser.feed_data(rest)
                return
            except httptools.HttpParserUpgrade as next_wish:
                wish = next_wish

    # ── what the parser calls ───────────────────────────────────────────────────────────────────────────────────

    def on_message_begin(self) -> None:
        self._stage, self._timed, self._began = "head", None, self._size
        HttpToolsProtocol.on_message_begin(self)  # `super()` takes longer, and this is every request's

    def on_headers_complete(self) -> None:
        url = self.url
        if self._began + self._since > self._small:
            self._refuse_if(heads.too_large(self.parser.get_method(), url, self.headers, self._limits))
        if url[0] != _SLASH or b"#" in url:
            self._refuse_if(heads.bad_target(url, self.headers))
        if self.parser.should_upgrade():
            if self.parser.get_method() == b"CONNECT":
                self._refuse(MethodNotAllowed(""))
            return  # it is parsed again
        if not self._answers_at_once(url):
            HttpToolsProtocol.on_headers_complete(self)
        self._stage, self._since = "body", 0
        self.headers = []  # what comes after these are trailers
        if (version := self.scope["http_version"]) != "1.1" and version != "1.0":
            self._refuse(Malformed("HTTP"))

    def _answers_at_once(self, url: bytes) -> bool:
        """Answer without a task, as most reads can be that find no other request before them."""
        parser, cycle = self.parser, self._cycle()
        if (
            self._at_once is None
            or perf_counter() - self._read_at > _AT_ONCE
            or not (cycle is None or cycle.response_complete)
            or self.flow.write_paused
            or parser.get_method() != b"GET"
            or parser.get_http_version() != "1.1"
            or not parser.should_keep_alive()
            or not _NO_BODY.isdisjoint([name for name, _ in self.headers])
        ):
            return False
        scope = self.scope
        scope["method"] = "GET"
        scope["raw_path"], _, scope["query_string"] = url.partition(b"?")
        reply = self._at_once(scope)
        if reply is None:
            return False
        self.cycle = None  # type: ignore[assignment]  # as before the first request
        self.transport.writelines((head(reply, self.server_state.default_headers), reply.body))
        if self.timeout_keep_alive_task is None or self.transport.is_closing():
            self.on_response_complete()
        else:
            self._idle_since = self.loop.time()
        return True

    def _cycle(self) -> RequestResponseCycle | None:
        """Return the last request that the app was to answer; None if it was answered at once, or there was none."""
        return self.cycle

    def on_chunk_header(self) -> None:
        """Allow no coding but `chunked` itself, and that in HTTP/1.1; llhttp has seen that it is the last."""
        if self._chunked is not self.cycle:
            self._chunked = self.cycle
            codings = [value for name, value in self._chunked.scope["headers"] if name == b"transfer-encoding"]
            if self.scope["http_version"] == "1.0" or [coding.strip().lower() for coding in codings] != [b"chunked"]:
                self._refuse(Malformed("HTTP"))

    def on_body(self, body: bytes) -> None:
        self._since = 0
        cycle = self.cycle
        if not cycle.response_complete:
            self._holds = True
            state = cycle.scope["state"]
            state[_HELD] = state.get(_HELD, 0) + len(body)
            if not self._room.hold(self.counted_as or "", len(body)):
                self._refuse(Busy())
            super().on_body(body)

    def on_message_complete(self) -> None:
        if self._stage == "body":
            self._stage, self._since = "idle", 0
            cycle = self._cycle()
            if cycle is not None and not cycle.response_complete:  # as uvicorn has it, but for other protocols
                cycle.more_body = False
                cycle.message_event.set()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._asked, self._task = cycle, None
        cast("Any", cycle.scope)[WHOLE] = self._send_whole
        if self._reading:
            self._unbegun = cycle, app
        else:
            self._keep_task(self.loop.create_task(cycle.run_asgi(app)))

    def _send_whole(self, reply: Reply) -> bool:
        """Answer what was asked last, in one write; False where its client has left or has to read first."""
        cycle = self._asked
        if cycle is None or cycle.disconnected or cycle.response_started or self.flow.write_paused:
            return False
        cycle.response_started = cycle.response_complete = True
        more = [*self.server_state.default_headers, *([] if cycle.keep_alive else [CLOSE])]
        self.transport.writelines((head(reply, more), b"" if cycle.scope["method"] == "HEAD" else reply.body))
        cycle.message_event.set()
        if not cycle.keep_alive:
            self.transport.close()
        self.on_response_complete()
        return True

    def _keep_task(self, task: asyncio.Task[None]) -> None:
        self._task = task
        task.add_done_callback(self.tasks.discard)
        self.tasks.add(task)

    def _refuse_if(self, fault: Fault | None) -> None:
        if fault is not None:
            self._refuse(fault)

    def _refuse(self, fault: Fault) -> NoReturn:
        """Stop the parser."""
        self._fault = fault
        raise _Stopped

    # ── deadlines ───────────────────────────────────────────────────────────────────────────────────────────────

    def pause_writing(self) -> None:
        super().pause_writing()
        self._expect_reading()

    def resume_writing(self) -> None:
        super().resume_writing()
        if not self.transport.is_closing():
            _stop(self._unread)
            self._unread = None

    def timeout_keep_alive_handler(self) -> None:
        """End what has been idle for long enough. Requests do not stop this clock, nor need answers wind it up."""
        busy = self._stage != "idle" or self._unanswered()
        left = self.timeout_keep_alive - (0 if busy else self.loop.time() - self._idle_since)
        if left > 0:
            self.timeout_keep_alive_task = self.loop.call_later(left, self.timeout_keep_alive_handler)
        else:
            self._close()

    def _await(self, stage: Stage) -> None:
        self._stop_deadline()
        limits = self._limits
        seconds = limits.head_seconds if stage == "head" else limits.body_seconds
        self._timed, self._deadline = stage, self.loop.call_later(seconds, self._hang_up, TooSlow())

    def _stop_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._timed = self._deadline = None

    def _expect_reading(self) -> None:
        """Give up what the client leaves unread."""
        if self._unread is None:
            self._unread = self.loop.call_later(self._limits.write_seconds, self.transport.abort)

    # ── hanging up ──────────────────────────────────────────────────────────────────────────────────────────────

    def on_response_complete(self) -> None:
        if self._holds and self._asked is not None:
            self._give_back(self._asked)
        self._idle_since = self.loop.time()
        HttpToolsProtocol.on_response_complete(self)
        if self._deaf or self.timeout_keep_alive_task is None:
            if self.transport.is_closing():
                self._expect_reading()
            elif self._deaf and not self._unanswered():
                self._end()

    def shutdown(self) -> None:
        if self._stage == "body" and not self._deaf:
            self._hang_up(Busy())  # surely not done: it has not come whole
            return
        super().shutdown()
        if self.transport.is_closing() and not self.transport.get_write_buffer_size():
            self.loop.call_later(_LINGER, self.transport.abort)  # a silent client does not answer the end of TLS

    def _hang_up(self, fault: Fault, data: bytes = b"") -> None:
        """Answer the request that is being received with a refusal, after those before it; then end the connection."""
        self._deaf = True
        self._stop_deadline()
        if self.transport.is_closing():
            return
        if self._stage != "body" or self._takes_back():
            self._last_words = self._worded(fault, data)
        if not self._unanswered():
            self._end()

    def _unanswered(self) -> list[RequestResponseCycle]:
        """Return the requests that are yet to be answered, the first one first."""
        asked = self._asked
        under_way = asked is not None and not asked.response_complete and not asked.disconnected
        return ([asked] if asked is not None and under_way else []) + [cycle for cycle, _ in reversed(self.pipeline)]

    def _takes_back(self) -> bool:
        """Give up the request whose body is being received; False if its answer has begun."""
        cycle = self._cycle()
        if cycle is None:
            return False
        if cycle.response_started:
            cycle.keep_alive = False
            return False
        self._drop(cycle)
        if self.pipeline:  # it is the last one
            self.pipeline.popleft()
        return True

    def _drop(self, cycle: RequestResponseCycle) -> None:
        cycle.disconnected = True
        cycle.message_event.set()
        if self._asked is cycle and self._task is not None:
            self._task.add_done_callback(lambda _: self._give_back(cycle))  # until then it has the body
        else:
            self._give_back(cycle)

    def _give_back(self, cycle: RequestResponseCycle) -> None:
        held = cycle.scope["state"].pop(_HELD, 0)
        if held:
            cycle.body.clear()  # what the app has not asked for
            self._room.give_back(self.counted_as or "", held)

    def _worded(self, fault: Fault, data: bytes) -> bytes:
        method, path = self._what_is_asked(data)
        scope: Any = self.scope  # None before the first byte
        headers = scope["headers"] if scope else ()
        return encoded(self._refusal(method, path, headers, fault), method == "HEAD")

    def _what_is_asked(self, data: bytes) -> tuple[str, bytes]:
        """Return the method and the path of the request that is being received, as far as they can be told."""
        url = getattr(self, "url", b"")
        if url:
            path = url[url.find(b"/", url.find(b"://") + 3) :] if url[0] != _SLASH else url
            return self.parser.get_method().decode("ascii"), path.partition(b"?")[0]
        return heads.request_line(data)

    def _end(self) -> None:
        """Say what is left to say, and close when the client has had time to read it."""
        self.transport.write(self._last_words)
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._unset_keepalive_if_required()
        self._deadline = self.loop.call_later(_LINGER, self._close)

    def _close(self) -> None:
        self.transport.close()
        self._expect_reading()


class _Stopped(Exception):
    """Raised in a parser's call, to stop it."""


def _stop(deadline: asyncio.TimerHandle | None) -> None:
    if deadline is not None:
        deadline.cancel()
