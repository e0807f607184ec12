"""The loop stands still for a write only where writes are done in a moment."""

from typing import ClassVar

import pytest

from deskroster.ledger.engines.sqlite.engine import BriefBlocking
from deskroster.ledger.engines.sqlite.worker import JobFuture

pytestmark = pytest.mark.once

MOST = 64  # writes after one that took longer for which nobody stands still


class Writing(JobFuture[None]):
    """A write that says for how long it was waited for; that takes no time here."""

    waits: ClassVar[list[float]] = []

    def __init__(self) -> None:
        super().__init__(lambda: None)

    def wait(self, seconds: float = -1) -> bool:
        assert seconds > 0
        self.waits.append(seconds)
        return super().wait(0)


@pytest.fixture(autouse=True)
def waits() -> list[float]:
    """Give for how long it was waited, each time."""
    Writing.waits.clear()
    return Writing.waits


def done() -> Writing:
    finished = Writing()
    finished.run()
    return finished


def test_a_fast_disk_is_waited_for_each_time(waits):
    blocking = BriefBlocking()

    assert all(blocking.wait_for(done()) for _ in range(100))
    assert 100 == len(waits)


def test_a_slow_disk_is_waited_for_ever_more_rarely(waits):
    blocking = BriefBlocking()

    assert not any(blocking.wait_for(Writing()) for _ in range(6_500))
    assert len(waits) <= 6 + 6_500 / MOST
    assert max(waits) <= 0.002


def test_a_disk_that_is_fast_again_is_waited_for_again(waits):
    blocking = BriefBlocking()
    for _ in range(1_000):
        blocking.wait_for(Writing())

    sufficed = [blocking.wait_for(done()) for _ in range(200)]

    assert sufficed.index(True) <= MOST
    assert all(sufficed[sufficed.index(True) :])
