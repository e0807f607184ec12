"""Wait for the database, with a timeout, where nothing may need a current task."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from deskroster.core.problems import Busy
from deskroster.ledger.engines import NotBegun

T = TypeVar("T")


async def in_time(waiting: Coroutine[Any, Any, T], patience: float, undo: Callable[[T], None]) -> T:
    """Return what is waited for. Raises NotBegun after `patience` seconds.

    `undo` is called with the result if the caller was cancelled before it could have that.

    `asyncio.timeout` needs a task around it, which a request has only from where it first waits.
    """
    task = asyncio.get_running_loop().create_task(waiting)

    def undone(done: asyncio.Task[T]) -> None:
        if not done.cancelled() and done.exception() is None:
            undo(done.result())

    try:
        await asyncio.wait([task], timeout=patience)
        if not task.done():
            task.cancel()
            await asyncio.wait([task])
    except BaseException:
        task.cancel()
        task.add_done_callback(undone)
        raise
    if task.cancelled():
        raise NotBegun
    return task.result()


@asynccontextmanager
async def within(patience: float, lock: asyncio.Lock) -> AsyncIterator[None]:
    """Have a lock, waited for so many seconds at most. Raises Busy.

    A lock that is not locked may still have waiters, behind whom a new one waits: between its release and their waking.
    """
    try:
        await in_time(lock.acquire(), patience, lambda _: lock.release())
    except NotBegun as error:
        raise Busy from error
    try:
        yield
    finally:
        lock.release()
