"""What a stranger can tell from how long answers take: interleaved samples, and by how much they differ."""

import random
from collections.abc import Callable, Mapping
from statistics import median
from time import perf_counter_ns
from typing import Any

from tests.in_process import InProcess

Scope = Mapping[str, Any]
TRIES = 3


def get(path: str, query: str = "", *headers: tuple[bytes, bytes], host: str = "demo.example.com") -> Scope:
    """Return a GET as the server hands it to the app."""
    return {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET",
        "headers": [(b"host", host.encode()), *headers], "path": path, "raw_path": path.encode(),
        "query_string": query.encode(), "scheme": "http", "server": ("demo", 80), "client": ("10.0.0.1", 40_000),
        "root_path": "",
    }  # fmt: skip


def post(path: str, body: bytes) -> Scope:
    """Return a POST of JSON, its body with it."""
    return {**get(path), "method": "POST", "body": body}


async def take(desk: InProcess, scope: Scope) -> tuple[int, int, list[Any], bytes]:
    """Answer a request; return the nanoseconds it took, and status, headers and body of the answer."""
    sent: list[Any] = []
    body = scope.get("body", b"")
    scope = {name: value for name, value in scope.items() if name != "body"}

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    began = perf_counter_ns()
    await desk.app(scope, receive, send)
    took = perf_counter_ns() - began
    return took, sent[0]["status"], sent[0]["headers"], sent[1]["body"]


def shares(
    desk: InProcess, calls: Mapping[str, Scope], count: int, between: Callable[[], None] = lambda: None
) -> dict[str, float]:
    """Return by what share of it each call takes longer than the first one.

    Each is made `count` times, in rounds of one each in random order, so that whatever else slows the machine slows all
    alike; of the differences within a round it is the median that counts.
    """
    names, order = list(calls), random.Random(6)

    async def rounds() -> list[dict[str, int]]:
        taken = []
        for _ in range(count):
            turn = dict.fromkeys(order.sample(names, len(names)), 0)
            for name in turn:
                between()
                turn[name] = (await take(desk, calls[name]))[0]
            taken.append(turn)
        return taken

    taken = desk.run(rounds())
    first = names[0]
    usual = median(turn[first] for turn in taken)
    return {name: median(turn[name] - turn[first] for turn in taken) / usual for name in names[1:]}


def told_apart(measure: Callable[[], Mapping[str, float]], tolerance: float) -> dict[str, list[float]]:
    """Return the calls that differ from the first by more than the tolerance in each of three measurements."""
    seen: dict[str, list[float]] = {}
    for attempt in range(TRIES):
        measured = measure()
        found = {name: share for name, share in measured.items() if abs(share) > tolerance}
        seen = {name: [*seen.get(name, []), share] for name, share in found.items() if attempt == 0 or name in seen}
        if not seen:
            break
    return seen
