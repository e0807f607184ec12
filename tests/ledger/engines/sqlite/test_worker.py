"""A worker runs jobs in order, in one thread; who waits for one hears how it ended, or that it never began."""

import asyncio
import gc
import threading
import time
import weakref

import pytest

from deskroster.ledger.engines import Late, NotBegun
from deskroster.ledger.engines.sqlite.worker import Worker

pytestmark = pytest.mark.once

SHORT = 0.02  # seconds of patience
LONG = 60.0  # seconds, for what happens at once on an idle machine


@pytest.fixture
def worker():
    worker = Worker("tested")
    yield worker
    worker.close()


@pytest.fixture
def kept_busy(worker):
    """A job that goes on until its event is set."""
    begun, end = threading.Event(), threading.Event()

    def job():
        begun.set()
        end.wait(LONG)
        return "done"

    running = worker.submit(job)
    assert begun.wait(LONG)
    yield running, end
    end.set()


def test_jobs_run_in_their_order_in_one_thread_that_is_not_this_one(worker):
    ran = []
    for n in range(5):
        worker.submit(lambda n=n: ran.append((n, threading.current_thread().name)))
    worker.submit(lambda: None).wait()

    assert [(n, "tested") for n in range(5)] == ran


def test_a_job_gives_what_it_returns_or_raises(worker):
    def refuse():
        raise SystemExit("no")

    async def scenario():
        assert 3 == await worker.submit(lambda: 3).result_within(LONG)
        with pytest.raises(SystemExit, match="no"):
            await worker.submit(refuse).result_within(LONG)
        assert 4 == await worker.submit(lambda: 4).result_within(LONG)  # the thread goes on

    asyncio.run(scenario())


def test_a_job_that_is_taken_out_of_the_queue_never_runs(worker, kept_busy):
    _, end = kept_busy
    ran = []
    queued = worker.submit(lambda: ran.append(1))

    assert queued.cancel()
    assert queued.cancel()
    assert queued.done()
    assert queued.wait()
    with pytest.raises(NotBegun):
        queued.result()
    end.set()
    worker.submit(lambda: None).wait()
    assert not ran


def test_a_job_that_has_begun_is_not_taken_back(kept_busy):
    running, end = kept_busy

    assert not running.cancel()
    assert not running.wait(SHORT)
    end.set()
    assert running.wait(LONG)
    assert "done" == running.result()


def test_who_has_waited_long_enough_takes_a_job_out_of_the_queue_or_leaves_it_going_on(worker, kept_busy):
    running, end = kept_busy
    ran = []

    async def scenario():
        with pytest.raises(NotBegun):
            await worker.submit(lambda: ran.append(1)).result_within(SHORT, LONG)
        with pytest.raises(Late):
            await running.result_within(SHORT)
        with pytest.raises(Late):
            await running.result_within(SHORT, SHORT)
        asyncio.get_running_loop().call_later(SHORT, end.set)
        assert "done" == await running.result_within(SHORT / 2, None)
        assert not ran

    asyncio.run(scenario())


def test_a_job_that_nobody_waits_for_any_more_is_taken_out_of_the_queue(worker, kept_busy):
    ran = []

    async def scenario():
        queued = worker.submit(lambda: ran.append(1))
        waiting = asyncio.ensure_future(queued.result_within(LONG))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        with pytest.raises(NotBegun):
            queued.result()
        assert not ran

    asyncio.run(scenario())


def test_a_loop_that_is_closed_while_a_job_goes_on_leaves_the_worker_working(worker, kept_busy):
    running, end = kept_busy
    loop = asyncio.new_event_loop()
    waiting = running.result_within(LONG)
    loop.run_until_complete(begun(waiting))
    loop.close()
    end.set()
    after = worker.submit(lambda: 3)

    assert after.wait(LONG)
    assert 3 == after.result()
    waiting.close()


def test_closing_waits_for_all_that_was_submitted_and_takes_nothing_more():
    worker, ran = Worker("tested"), []
    for n in range(100):
        worker.submit(lambda n=n: ran.append(n))
    worker.close()

    assert list(range(100)) == ran
    with pytest.raises(RuntimeError, match="closed"):
        worker.submit(lambda: ran.append(1))


def test_a_worker_that_is_forgotten_leaves_no_thread():
    worker = Worker("forgotten")
    thread = worker._thread
    del worker
    gc.collect()
    thread.join(LONG)

    assert not thread.is_alive()


def test_the_worker_keeps_no_reference_to_the_result_of_its_last_job(worker):
    class Large:
        pass

    running = worker.submit(Large)
    assert running.wait(LONG)
    returned, until = weakref.ref(running.result()), time.monotonic() + LONG
    del running

    while returned() is not None and time.monotonic() < until:
        time.sleep(0.001)
    assert returned() is None


async def begun(waiting):
    """Let a coroutine begin to wait, and leave it."""
    waiting.send(None)
