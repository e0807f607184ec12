"""How long a request holds the loop: the CPU time of the longest step between two chances for others."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import httpx2

from tests.in_process import InProcess

LIMIT = 0.100  # seconds
NOMINAL = 0.002  # seconds that the control takes on the core that the limit is meant for
_TEXTS = [f"agent{i}@example.com" for i in range(10_000)]


class Hold:
    """The longest step that was taken, in seconds of CPU time."""

    longest = 0.0


@contextmanager
def watched() -> Iterator[Hold]:
    """Watch every step of the loops of this thread."""
    hold, run = Hold(), asyncio.Handle._run

    def timed(handle: asyncio.Handle) -> None:
        began = time.thread_time()
        run(handle)
        hold.longest = max(hold.longest, time.thread_time() - began)

    asyncio.Handle._run = timed  # type: ignore[method-assign]
    try:
        yield hold
    finally:
        asyncio.Handle._run = run  # type: ignore[method-assign]


def control() -> float:
    """Return the CPU time of work that is always the same, of the kind that a request is made of."""
    began = time.thread_time()
    assert len({text.casefold(): len(text) for text in _TEXTS}) == len(_TEXTS)
    sum(len(text.encode()) for text in _TEXTS)
    return time.thread_time() - began


def at_speed(seconds: float, before: float) -> float:
    """Return what a measured time would be on the core that the limit is meant for, if this one is slower.

    `before` is what the control took just before it. What is within the limit here is told as it is.
    """
    return seconds if seconds <= LIMIT else seconds * min(1.0, NOMINAL / min(before, control()))


class Answered(NamedTuple):
    """An answer, and how long the loop was held for it, on the core that the limit is meant for."""

    status: int
    size: int
    held: float


def asked(desk: InProcess, request: httpx2.Request) -> Answered:
    """Send a signed request to the app, and watch."""
    body = request.read()
    target: bytes = request.extensions.get("target", request.url.raw_path)
    path, _, query = target.partition(b"?")
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": request.method, "scheme": "http",
        "headers": [(name.lower(), value) for name, value in request.headers.raw], "path": path.decode("latin-1"),
        "raw_path": path, "query_string": query, "server": ("127.0.0.1", 80), "client": ("127.0.0.1", 40_000),
        "root_path": "",
    }  # fmt: skip
    messages: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        messages.append(message)

    async def call() -> None:
        await desk.app(scope, receive, send)

    before = control()
    with watched() as hold:
        desk.run(call())
    content = messages[1]["body"]
    return Answered(messages[0]["status"], len(content), at_speed(hold.longest, before))
