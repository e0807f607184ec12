"""A worker thread with a queue of jobs. A thread can block for a job, and a coroutine can await it."""

import asyncio
import weakref
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Any, Generic, TypeVar, cast

from deskroster.ledger.engines import Late, NotBegun

T = TypeVar("T")


class JobFuture(Generic[T]):
    """The future of a job in the queue of a worker. At most one coroutine may await it at a time."""

    __slots__ = ("_cancelled", "_claimed", "_done", "_error", "_job", "_result", "_running", "_wake")

    def __init__(self, job: Callable[[], T]) -> None:
        self._job = job
        self._done = False
        self._cancelled = False
        self._result: T | None = None
        self._error: BaseException | None = None
        self._claimed = Lock()  # acquired to start the job, or to cancel it
        self._running = Lock()  # released when the job is done
        self._running.acquire()
        self._wake: Callable[[], object] | None = None

    def run(self) -> None:
        """Run the job in this thread, unless it was cancelled."""
        if self._claimed.acquire(blocking=False):
            try:
                self._result = self._job()
            except BaseException as error:  # noqa: BLE001 - the caller that waits for the job gets it
                self._error = error
            self._finish()

    def cancel(self) -> bool:
        """Cancel the job; False if it has started."""
        if not self._cancelled and self._claimed.acquire(blocking=False):
            self._cancelled = True
            self._finish()
        return self._cancelled

    def done(self) -> bool:
        """Tell whether the job has ended, or was cancelled."""
        return self._done

    def wait(self, seconds: float = -1) -> bool:
        """Block this thread until the job is done, for at most `seconds`; tell whether it is done."""
        if not self._done and self._running.acquire(timeout=seconds):
            self._running.release()  # for other threads that wait
        return self._done

    async def result_within(self, start_timeout: float | None, run_timeout: float | None = 0) -> T:
        """Await the job: `start_timeout` seconds for it to start, then `run_timeout` more. None: no timeout.

        Raises NotBegun for a job that has not started; it is cancelled. Raises Late for one that still runs.
        """
        if not self.done():
            loop = asyncio.get_running_loop()
            wakeup = loop.create_future()
            self._wake = lambda: loop.call_soon_threadsafe(_set, wakeup)  # before `done` is read again
            try:
                await self._wait_until_woken(start_timeout, wakeup)
                if not self.done() and not self.cancel() and run_timeout != 0:
                    await self._wait_until_woken(run_timeout, wakeup)
            finally:
                self._wake = None
                self.cancel()  # nobody waits for it any more
        if not self.done():
            raise Late
        return self.result()

    def result(self) -> T:
        """Block this thread until the job is done; return its result. Raises what it raised, or NotBegun."""
        self.wait()
        if self._cancelled:
            raise NotBegun
        if self._error is not None:
            raise self._error
        return cast(T, self._result)

    async def _wait_until_woken(self, seconds: float | None, wakeup: asyncio.Future[None]) -> None:
        if not self.done():
            await asyncio.wait([wakeup], timeout=seconds)

    def _finish(self) -> None:
        self._done = True
        self._running.release()
        wake = self._wake
        if wake is not None:
            with suppress(RuntimeError):  # the event loop is closed: nobody waits
                wake()


class Worker:
    """A thread with a queue: a ThreadPoolExecutor of one worker, at less cost (decision 0019)."""

    def __init__(self, name: str) -> None:
        self._jobs: SimpleQueue[JobFuture[Any] | None] = SimpleQueue()
        self._thread = Thread(target=_run_all, args=(self._jobs,), name=name, daemon=True)
        self._thread.start()
        self._stop = weakref.finalize(self, self._jobs.put, None)  # a worker that is never closed leaves no thread

    def submit(self, job: Callable[[], T]) -> JobFuture[T]:
        """Queue a job behind all that were submitted before. Raises RuntimeError after `close`."""
        if not self._stop.alive:
            raise RuntimeError("the worker is closed")
        future = JobFuture(job)
        self._jobs.put(future)
        return future

    def close(self) -> None:
        """Block until all submitted jobs are done, and stop the thread."""
        self._stop()
        self._thread.join()


def _run_all(jobs: "SimpleQueue[JobFuture[Any] | None]") -> None:
    while (future := jobs.get()) is not None:
        future.run()
        del future  # free its result while waiting for the next job


def _set(wakeup: asyncio.Future[None]) -> None:
    if not wakeup.done():
        wakeup.set_result(None)
