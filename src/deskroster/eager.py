"""Eager: a coroutine begins at once, and only what is left of it when it first waits becomes a task."""

import asyncio
from collections.abc import Coroutine, Generator
from typing import Any, TypeVar

T = TypeVar("T")

_NOTHING: Any = object()


def begin(whole: Coroutine[Any, Any, T]) -> "Begun[T] | None":
    """Run a coroutine until it first waits and return the rest of it; None if it has ended: its result is lost.

    What runs here has no current task, so nothing in it may need one, as `asyncio.timeout` and anyio do. What it raises
    is raised by the rest: whoever calls this may catch what is to end the process.
    """
    try:
        # `send` would raise StopIteration, which takes longer than all else.
        awaited = next(whole.__await__(), _NOTHING)
    except BaseException as error:  # noqa: BLE001 - raised again
        return Begun(_raise(error), _NOTHING)
    return None if awaited is _NOTHING else Begun(whole, awaited)


def begun(loop: asyncio.AbstractEventLoop, whole: Coroutine[Any, Any, None]) -> asyncio.Task[None] | None:
    """Run a coroutine until it first waits; return the task that goes on with it, None if it has ended.

    From Python 3.12 on, `asyncio.eager_task_factory` does the same, and gives the first step a task too.
    """
    rest = begin(whole)
    return None if rest is None else loop.create_task(rest)


class Begun(Coroutine[Any, Any, T], Generator[Any, Any, T]):
    """The rest of a coroutine that has run until it first waited. `begin` makes it.

    To await it, or a task made of it, waits for the same future and then goes on. If neither is done, the coroutine is
    closed when this has no reference left, and the future that it waits for is cancelled.
    """

    def __init__(self, whole: Coroutine[Any, Any, T], awaited: Any) -> None:
        self._whole = whole
        # What the first step has yielded: a future, or None for the next iteration of the event loop.
        self._awaited = awaited

    def send(self, value: Any, /) -> Any:
        awaited, self._awaited = self._awaited, _NOTHING
        return self._whole.send(value) if awaited is _NOTHING else awaited

    def throw(self, *error: Any) -> Any:
        self._cancel_awaited()  # as a task does when it is cancelled while it waits
        return self._whole.throw(*error)

    def close(self) -> None:
        self._cancel_awaited()
        self._whole.close()

    def __await__(self) -> Generator[Any, Any, T]:
        return self

    def __del__(self) -> None:
        self.close()

    def _cancel_awaited(self) -> None:
        """Cancel the future of the first step, unless somebody waits for it already."""
        awaited, self._awaited = self._awaited, _NOTHING
        if asyncio.isfuture(awaited) and not awaited.get_loop().is_closed():
            awaited.cancel()


async def _raise(error: BaseException) -> Any:
    raise error
