"""Timeouts that also work where there is no current asyncio task."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from deskroster.core.problems import Busy
from deskroster.ledger.engines import NotBegun

T = TypeVar("T")


async def in_time(coroutine: Coroutine[Any, Any, T], timeout: float, undo: Callable[[T], None]) -> T:
    """Return the result of a coroutine. Raises NotBegun after `timeout` seconds.

    If the caller is cancelled and the coroutine completes nevertheless, `undo` is called with its result.

    `asyncio.timeout` needs a current task. A request runs without one until it first waits.
    """
    task = asyncio.get_running_loop().create_task(coroutine)

    def undo_late(done: asyncio.Task[T]) -> None:
        if not done.cancelled() and done.exception() is None:
            undo(done.result())

    try:
        await asyncio.wait([task], timeout=timeout)
        if not task.done():
            task.cancel()
            await asyncio.wait([task])
    except BaseException:
        task.cancel()
        task.add_done_callback(undo_late)
        raise
    if task.cancelled():
        raise NotBegun
    return task.result()


@asynccontextmanager
async def within(timeout: float, lock: asyncio.Lock) -> AsyncIterator[None]:
    """Hold a lock. Raises Busy after `timeout` seconds of waiting for it.

    A lock that is not locked may still have waiters: between its release and their wake-up. So it is always awaited.
    """
    try:
        await in_time(lock.acquire(), timeout, lambda _: lock.release())
    except NotBegun as error:
        raise Busy from error
    try:
        yield
    finally:
        lock.release()
