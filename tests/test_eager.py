"""A request is begun as soon as it is read, and what is left of it when it waits goes on as a task does."""

import asyncio
import gc
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deskroster.eager import begin, begun

pytestmark = pytest.mark.once

Begin = Callable[[Coroutine[Any, Any, None]], "asyncio.Task[None] | None"]
STEPS = st.lists(st.sampled_from(["result", "error", "pause", "cancelled", "stubborn", "let go"]), max_size=6)


async def told(begin: Begin, steps: list[str]) -> list[object]:
    """Return what a coroutine sees that waits for one thing after the other, and how it ends."""
    seen: list[object] = []
    awaited: list[asyncio.Future[str]] = []

    async def script() -> None:
        for step in steps:
            seen.append(step)
            if step == "pause":
                await asyncio.sleep(0)
                continue
            awaited.append(asyncio.get_running_loop().create_future())
            try:
                seen.append(await awaited[-1])
            except ValueError as error:
                seen.append(str(error))
            except asyncio.CancelledError:
                seen.append("cancelled")
                if step != "stubborn":
                    raise
            assert asyncio.current_task() is not None
        seen.append("end")

    task = begin(script())
    while task is not None and not task.done():
        for future in awaited:
            if not future.done():
                step = seen[-1]
                if step == "result":
                    future.set_result("as asked")
                elif step == "error":
                    future.set_exception(ValueError("broken"))
                elif step == "let go":
                    future.cancel()
                else:
                    task.cancel()
        await asyncio.sleep(0)
    return [*seen, task is not None and task.cancelled()]


@given(steps=STEPS)
def test_what_was_begun_goes_on_as_a_task_does(steps):
    async def both() -> tuple[list[object], list[object]]:
        loop = asyncio.get_running_loop()
        return await told(lambda whole: begun(loop, whole), steps), await told(loop.create_task, steps)

    eager, plain = asyncio.run(both())

    assert plain == eager


@given(steps=STEPS)
def test_what_was_begun_and_is_awaited_goes_on_as_a_task_does(steps):
    async def awaiting(rest: Awaitable[None]) -> None:
        await rest

    def begin_and_await(whole: Coroutine[Any, Any, None]) -> "asyncio.Task[None] | None":
        rest = begin(whole)
        return None if rest is None else begun(asyncio.get_running_loop(), awaiting(rest))

    async def both() -> tuple[list[object], list[object]]:
        return await told(begin_and_await, steps), await told(asyncio.get_running_loop().create_task, steps)

    eager, plain = asyncio.run(both())

    assert plain == eager


def test_the_result_of_what_was_begun_is_what_it_returns():
    async def later() -> str:
        await asyncio.sleep(0)
        return "done"

    async def whole() -> str:
        rest = begin(later())
        assert rest is not None
        return await rest

    assert "done" == asyncio.run(whole())


def test_what_does_not_wait_is_done_at_once():
    seen = []

    async def short() -> None:
        seen.append("done")

    async def begin() -> None:
        assert begun(asyncio.get_running_loop(), short()) is None
        assert ["done"] == seen

    asyncio.run(begin())


@pytest.mark.parametrize("error", [ValueError("broken"), SystemExit("enough"), asyncio.CancelledError()], ids=repr)
def test_what_fails_before_it_waits_fails_in_a_task_and_not_where_it_was_begun(error):
    async def failing() -> None:
        raise error

    begun_here = []

    async def begin() -> None:
        task = begun(asyncio.get_running_loop(), failing())
        begun_here.append(task)
        assert task is not None
        await task

    with pytest.raises(type(error)) as raised:
        asyncio.run(begin())
    assert str(error) == str(raised.value)
    assert 1 == len(begun_here)


@pytest.mark.parametrize("error", [ValueError("broken"), SystemExit("enough"), asyncio.CancelledError()], ids=repr)
def test_what_fails_before_it_waits_fails_where_it_is_awaited_and_may_be_dropped(error):
    async def failing() -> None:
        raise error

    async def whole() -> None:
        begin(failing())
        rest = begin(failing())
        assert rest is not None
        with pytest.raises(type(error)) as raised:
            await rest
        assert error is raised.value

    asyncio.run(whole())


def test_what_was_begun_and_is_dropped_is_closed_and_waits_for_nothing():
    closed = []

    async def endless(future: asyncio.Future[None]) -> None:
        try:
            await future
        finally:
            closed.append(True)

    async def drop() -> None:
        future = asyncio.get_running_loop().create_future()
        begin(endless(future))
        assert [True] == closed
        assert future.cancelled()

    gc.disable()  # nothing is left to it
    try:
        asyncio.run(drop())
    finally:
        gc.enable()


def test_what_was_begun_may_be_dropped_after_its_loop_was_closed():
    async def waiting(future: asyncio.Future[None]) -> None:
        await future

    async def start() -> object:
        future = asyncio.get_running_loop().create_future()
        future.add_done_callback(lambda _: None)  # which a loop that is closed cannot call
        return begin(waiting(future))

    assert asyncio.run(start()) is not None


def test_what_is_given_up_is_closed():
    closed = []

    async def endless() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            closed.append(True)

    async def begin() -> None:
        task = begun(asyncio.get_running_loop(), endless())
        assert task is not None
        await asyncio.sleep(0)
        task.get_coro().close()  # as the interpreter does at its end

    asyncio.run(begin())
    assert [True] == closed
