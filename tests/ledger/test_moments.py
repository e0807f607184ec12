"""The loop stands still for a write only where writes are done in a moment."""

from concurrent.futures import Future

import pytest

from deskroster.ledger.engines import embedded
from deskroster.ledger.engines.embedded import Moments

pytestmark = pytest.mark.once

MOST = 64  # writes after one that took longer for which nobody stands still


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Give for how long it was waited, each time; it takes no time here."""
    waited: list[float] = []
    real = embedded.wait

    def wait(these, seconds):
        waited.append(seconds)
        return real(these, 0)

    monkeypatch.setattr(embedded, "wait", wait)
    return waited


def done() -> Future[None]:
    finished: Future[None] = Future()
    finished.set_result(None)
    return finished


def test_a_fast_disk_is_waited_for_each_time(waits):
    moments = Moments()

    assert all(moments.suffice(done()) for _ in range(100))
    assert 100 == len(waits)


def test_a_slow_disk_is_waited_for_ever_more_rarely(waits):
    moments = Moments()

    assert not any(moments.suffice(Future()) for _ in range(6_500))
    assert len(waits) <= 6 + 6_500 / MOST
    assert max(waits) <= 0.002


def test_a_disk_that_is_fast_again_is_waited_for_again(waits):
    moments = Moments()
    for _ in range(1_000):
        moments.suffice(Future())

    sufficed = [moments.suffice(done()) for _ in range(200)]

    assert sufficed.index(True) <= MOST
    assert all(sufficed[sufficed.index(True) :])
