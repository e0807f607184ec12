"""Clocks: the time of day, which somebody may set; and a clock that only goes forward, for intervals."""

import os
import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Protocol, cast

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_TIME_NAMESPACE = Path("/proc/self/ns/time")
_STEADY: int = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""On Linux it goes on while the machine is suspended, as CLOCK_MONOTONIC does not; on macOS CLOCK_MONOTONIC does."""

Wall = Callable[[], float]
"""Unix time in seconds."""


class Clock(Protocol):
    """Unix time in seconds when it is called: what people, signatures and expiry dates mean. It can be set back."""

    @property
    def boot(self) -> str:
        """Which run of the machine `steady` counts in, so that another process can compare; "" if unknown."""

    def __call__(self) -> float: ...

    def steady(self) -> float:
        """Return seconds that only go forward, whatever the time of day is set to. For intervals in one process."""


class SystemClock:
    """The clocks of the machine."""

    def __call__(self) -> float:
        return time.time()

    def steady(self) -> float:
        return time.clock_gettime(_STEADY)

    @cached_property
    def boot(self) -> str:
        try:
            namespace = os.readlink(_TIME_NAMESPACE) if _TIME_NAMESPACE.exists() else ""
            return f"{_BOOT_ID.read_text().strip()} {namespace}"
        except OSError:
            return ""


SYSTEM = SystemClock()


class PlainClock:
    """A function that gives Unix time, as a clock: its steady side moves when it moves forward, never when back."""

    boot = ""

    def __init__(self, wall: Wall) -> None:
        self._wall = wall
        self._last = wall()
        self._elapsed = 0.0

    def __call__(self) -> float:
        return self._wall()

    def steady(self) -> float:
        now = self._wall()
        self._elapsed += max(0.0, now - self._last)
        self._last = now
        return self._elapsed


class ForwardTime:
    """Unix time as it was when this was made, and from then on by the steady clock.

    For what is stored with a lifetime: setting the clock while the process runs neither ends nor extends it.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._offset = clock() - clock.steady()

    def __call__(self) -> float:
        return self._offset + self._clock.steady()


def clock_of(given: Clock | Wall) -> Clock:
    """Return a clock with both sides, also of a plain function that gives Unix time."""
    if given is time.time:
        return SYSTEM
    return cast("Clock", given) if hasattr(given, "steady") else PlainClock(given)
