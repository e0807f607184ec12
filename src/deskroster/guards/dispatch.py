"""Dispatch: runs the app for one request at a time, eagerly, and knows the task that goes on with it."""

import asyncio
from collections import deque
from collections.abc import Callable

from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from deskroster.eager import begun

Call = tuple[RequestResponseCycle, ASGI3Application]


class Dispatch:
    """The request that the app was called with last, or is to be called with after this packet."""

    __slots__ = ("_loop", "_queue", "_task", "_tasks", "cycle", "deferred", "parsing")

    def __init__(self, loop: asyncio.AbstractEventLoop, tasks: "set[asyncio.Task[None]]", queue: deque[Call]) -> None:
        """Share with uvicorn the `tasks` that it waits for at its end, and its `queue` of requests, the last first."""
        self.cycle: RequestResponseCycle | None = None  # None before the first request
        self.parsing = False  # while a packet is parsed, the app is not called: a fault may follow in the packet
        self.deferred: Call | None = None  # a request that the app is called with when the packet is parsed
        self._task: asyncio.Task[None] | None = None  # None before the app is called, and if it returned eagerly
        self._loop = loop
        self._tasks = tasks
        self._queue = queue

    def call_deferred(self) -> None:
        """Call the app with the request that was deferred, until it first waits."""
        if self.deferred is None:
            return
        cycle, app = self.deferred
        self.deferred = None
        task = None if cycle.disconnected else begun(self._loop, cycle.run_asgi(app))
        if task is not None:  # else it is answered, and the next request may have a task already
            self._follow(task)

    def call(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        """Call the app with a request: after the packet, or in a task now."""
        self.cycle, self._task = cycle, None
        if self.parsing:
            self.deferred = cycle, app
        else:
            self._follow(self._loop.create_task(cycle.run_asgi(app)))

    def unanswered(self) -> list[RequestResponseCycle]:
        """Return the requests that are yet to be answered, the first one first."""
        cycle = self.cycle
        under_way = cycle is not None and not cycle.response_complete and not cycle.disconnected
        return ([cycle] if cycle is not None and under_way else []) + [queued for queued, _ in reversed(self._queue)]

    def abandon(self, cycle: RequestResponseCycle, release: Callable[[RequestResponseCycle], None]) -> None:
        """Tell the app that a request's client is gone; call `release` when the app no longer uses the request."""
        cycle.disconnected = True
        cycle.message_event.set()
        if self.cycle is cycle and self._task is not None:
            self._task.add_done_callback(lambda _: release(cycle))
        else:
            release(cycle)

    def withdraw(self, cycle: RequestResponseCycle, release: Callable[[RequestResponseCycle], None]) -> bool:
        """Abandon the request that came last. Return False where its answer has begun: it is then the last one."""
        if cycle.response_started:
            cycle.keep_alive = False
            return False
        self.abandon(cycle, release)
        if self._queue:
            self._queue.popleft()  # where the last one is
        return True

    def _follow(self, task: "asyncio.Task[None]") -> None:
        self._task = task
        task.add_done_callback(self._tasks.discard)
        self._tasks.add(task)
