"""The time of a test, and clocks that follow it or stand still."""

import time

from deskroster.clocks import PlainClock

_FRAMES = 6  # more than freezegun looks at


def time_of_test(frames: int = _FRAMES) -> float:
    """Return Unix time as the test that runs has it: frozen by freezegun, moved by time-machine, or real.

    freezegun gives real time to what `threading` has called at most five frames before, as all in a thread of a server
    may be. So there are more of them here.
    """
    return time.time() if frames == 0 else time_of_test(frames - 1)


class ShiftedClock(PlainClock):
    """A clock that runs `ahead` of the test's: `emulator.clock.ahead += 901`. Seconds.

    When it moves forward, by this or by the test's own time, that is time that has gone by, also for limits; when it
    moves back, the time of day was set back.
    """

    def __init__(self, ahead: float = 0) -> None:
        self.ahead = ahead
        super().__init__(lambda: time_of_test() + self.ahead)


class StillClock:
    """A clock that moves only when it is told to: `clock.now += 301`. Unix seconds.

    A higher `now` is time that has gone by, a lower one the time of day set back. `set_by` sets the time of day alone,
    as an administrator does, or what a machine without a battery gets from the network; `reboot` begins another boot.
    """

    def __init__(self, now: float | None = None) -> None:
        self._now = time_of_test() if now is None else now
        self._steady = self._now
        self._boots = 0

    @property
    def now(self) -> float:
        return self._now

    @now.setter
    def now(self, now: float) -> None:
        self._steady += max(0.0, now - self._now)
        self._now = now

    @property
    def boot(self) -> str:
        return f"{id(self)} {self._boots}"

    def __call__(self) -> float:
        return self._now

    def steady(self) -> float:
        return self._steady

    def set_by(self, seconds: float) -> None:
        """Set the time of day forward, or back where negative; no time goes by."""
        self._now += seconds

    def reboot(self) -> None:
        """Begin another boot of the machine, whose steady clock begins again."""
        self._boots += 1
        self._steady = 0.0
