"""Clocks: Unix time, which an administrator may set, and a monotonic clock for intervals."""

import os
import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Protocol, cast

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_TIME_NAMESPACE = Path("/proc/self/ns/time")
_STEADY: int = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Counts while the machine is suspended: CLOCK_BOOTTIME does on Linux, CLOCK_MONOTONIC on macOS."""

Wall = Callable[[], float]
"""Unix time in seconds."""


class Clock(Protocol):
    """Returns Unix time in seconds when it is called: for signatures and expiry dates. It can be set back."""

    @property
    def boot(self) -> str:
        """The boot that `steady` counts in, to compare with another process; "" if unknown."""

    def __call__(self) -> float: ...

    def steady(self) -> float:
        """Return monotonic seconds, whatever Unix time is set to. For intervals in one process."""


class SystemClock:
    """The clocks of the operating system."""

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
    """A clock made of a function that returns Unix time. `steady` follows it forward and ignores steps back."""

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
    """Unix time when this was made, plus the monotonic seconds since.

    For stored data with an expiry: setting the clock while the process runs neither shortens nor extends it.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._offset = clock() - clock.steady()

    def __call__(self) -> float:
        return self._offset + self._clock.steady()


def clock_of(given: Clock | Wall) -> Clock:
    """Return a clock as it is; make one of a plain function that returns Unix time."""
    if given is time.time:
        return SYSTEM
    return cast("Clock", given) if hasattr(given, "steady") else PlainClock(given)
