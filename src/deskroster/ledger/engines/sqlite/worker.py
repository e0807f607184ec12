"""Worker: a thread that runs jobs one after the other. A thread or the event loop may wait for each of them."""

import asyncio
import weakref
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Any, Generic, TypeVar, cast

from deskroster.ledger.engines import Late, NotBegun

T = TypeVar("T")


class Running(Generic[T]):
    """A job that was handed to a worker. One coroutine may wait for it at a time."""

    __slots__ = ("_cancelled", "_done", "_error", "_job", "_result", "_taken", "_wake", "_working")

    def __init__(self, job: Callable[[], T]) -> None:
        self._job = job
        self._done = False
        self._cancelled = False
        self._result: T | None = None
        self._error: BaseException | None = None
        self._taken = Lock()  # held by who begins it, or takes it out of the queue
        self._working = Lock()  # released when it is done
        self._working.acquire()
        self._wake: Callable[[], object] | None = None

    def run(self) -> None:
        """Run the job in this thread, unless it was cancelled."""
        if self._taken.acquire(blocking=False):
            try:
                self._result = self._job()
            except BaseException as error:  # noqa: BLE001 - it belongs to who waits for the job
                self._error = error
            self._finish()

    def cancel(self) -> bool:
        """Take the job out of the queue; False if it has begun."""
        if not self._cancelled and self._taken.acquire(blocking=False):
            self._cancelled = True
            self._finish()
        return self._cancelled

    def done(self) -> bool:
        """Tell whether the job has ended, or will never begin."""
        return self._done

    def wait(self, seconds: float = -1) -> bool:
        """Let this thread wait until the job is done, so many seconds at most; tell whether it is."""
        if not self._done and self._working.acquire(timeout=seconds):
            self._working.release()  # for others who wait
        return self._done

    async def ended(self, patience: float | None, longer: float | None = 0) -> T:
        """Wait `patience` seconds for the job, and once it has begun `longer`; None is as long as it takes.

        Raises NotBegun for a job that was still in the queue; it is taken out, and is never done. Raises Late for one
        that goes on.
        """
        if not self.done():
            loop = asyncio.get_running_loop()
            woken = loop.create_future()
            self._wake = lambda: loop.call_soon_threadsafe(_set, woken)  # before `done` is looked at again
            try:
                await self._within(patience, woken)
                if not self.done() and not self.cancel() and longer != 0:
                    await self._within(longer, woken)
            finally:
                self._wake = None
                self.cancel()  # nobody waits any more
        if not self.done():
            raise Late
        return self.result()

    def result(self) -> T:
        """Return what the job returned; this thread waits for it. Raises what it raised, or NotBegun."""
        self.wait()
        if self._cancelled:
            raise NotBegun
        if self._error is not None:
            raise self._error
        return cast(T, self._result)

    async def _within(self, seconds: float | None, woken: asyncio.Future[None]) -> None:
        if not self.done():
            await asyncio.wait([woken], timeout=seconds)

    def _finish(self) -> None:
        self._done = True
        self._working.release()
        wake = self._wake
        if wake is not None:
            with suppress(RuntimeError):  # the loop is closed, and nobody waits
                wake()


class Worker:
    """A thread with a queue, as a ThreadPoolExecutor of one has it, at less cost (decision 0019)."""

    def __init__(self, name: str) -> None:
        self._jobs: SimpleQueue[Running[Any] | None] = SimpleQueue()
        self._thread = Thread(target=_run_all, args=(self._jobs,), name=name, daemon=True)
        self._thread.start()
        self._end = weakref.finalize(self, self._jobs.put, None)  # a worker that is never closed leaves no thread

    def submit(self, job: Callable[[], T]) -> Running[T]:
        """Run a job after all that were submitted before. Raises RuntimeError when closed."""
        if not self._end.alive:
            raise RuntimeError("the worker is closed")
        running = Running(job)
        self._jobs.put(running)
        return running

    def close(self) -> None:
        """Wait until all that was submitted is done, and take nothing more."""
        self._end()
        self._thread.join()


def _run_all(jobs: "SimpleQueue[Running[Any] | None]") -> None:
    while (running := jobs.get()) is not None:
        running.run()
        del running  # and its result, while the next one is waited for


def _set(woken: asyncio.Future[None]) -> None:
    if not woken.done():
        woken.set_result(None)
