"""Eager: a coroutine begins at once, and only what is left of it when it first waits becomes a task."""

import asyncio
from collections.abc import Coroutine, Generator
from typing import Any

_NOTHING = object()


def begun(loop: asyncio.AbstractEventLoop, whole: Coroutine[Any, Any, None]) -> asyncio.Task[None] | None:
    """Run a coroutine until it waits; return the task that goes on with it, None if it has ended.

    What runs before that has no task of its own. (From Python 3.12 on, `asyncio.eager_task_factory` gives it one.) What
    it raises is a task's all the same: nothing is raised here, where somebody may catch what is to end the process.
    """
    try:
        awaited = whole.send(None)
    except StopIteration:
        return None
    except BaseException as error:  # noqa: BLE001 - raised again
        return loop.create_task(_raise(error))
    return loop.create_task(_Rest(whole, awaited))


async def _raise(error: BaseException) -> None:
    raise error


class _Rest(Coroutine[Any, Any, None]):
    """A coroutine that waits already: the future that it awaits is yielded once more, to its new task."""

    def __init__(self, whole: Coroutine[Any, Any, None], awaited: Any) -> None:
        self._whole = whole
        self._awaited = awaited

    def send(self, value: Any, /) -> Any:
        awaited, self._awaited = self._awaited, _NOTHING
        return self._whole.send(value) if awaited is _NOTHING else awaited

    def throw(self, *error: Any) -> Any:
        awaited, self._awaited = self._awaited, _NOTHING
        if asyncio.isfuture(awaited):
            awaited.cancel()  # as a task does when it is itself what waits
        return self._whole.throw(*error)

    def close(self) -> None:
        self._whole.close()

    def __await__(self) -> Generator[Any, Any, None]:
        return (yield from self._whole.__await__())
