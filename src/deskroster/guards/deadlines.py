"""Deadlines: timeouts of one connection for sending a request, for reading an answer, and between two requests."""

import asyncio
from collections.abc import Callable

from deskroster.guards.progress import Stage
from deskroster.settings import Limits


class InputDeadline:
    """The timeout for the rest of a head or of a body. It runs only between packets."""

    __slots__ = ("_limits", "_loop", "_stage", "_timer")

    def __init__(self, loop: asyncio.AbstractEventLoop, limits: Limits) -> None:
        self._loop = loop
        self._limits = limits
        self._stage: Stage | None = None  # the stage that the timer was started for
        self._timer: asyncio.TimerHandle | None = None

    def start(self, stage: Stage, expired: Callable[[], object]) -> None:
        """Start the timeout of a stage anew; call `expired` when it ends."""
        self.stop()
        limits = self._limits
        seconds = limits.head_seconds if stage == "head" else limits.body_seconds
        self._stage, self._timer = stage, self._loop.call_later(seconds, expired)

    def follow(self, stage: Stage, expired: Callable[[], object]) -> None:
        """After a packet: start the timeout of a new stage, keep that of the same stage, stop it between requests."""
        if stage == "idle":
            if self._timer is not None:
                self.stop()
        elif stage != self._stage:
            self.start(stage, expired)

    def new_request(self) -> None:
        """Have the next `follow` start the timeout anew: this head is not the one that it runs for."""
        self._stage = None

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._stage = self._timer = None


class OutputDeadline:
    """The timeout for a client to read what was written to it: then the connection is aborted."""

    __slots__ = ("_loop", "_seconds", "_timer", "_transport")

    def __init__(self, loop: asyncio.AbstractEventLoop, transport: asyncio.Transport, seconds: float) -> None:
        self._loop = loop
        self._transport = transport
        self._seconds = seconds
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Start the timeout, unless it runs."""
        if self._timer is None:
            self._timer = self._loop.call_later(self._seconds, self._transport.abort)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class IdleTimeout:
    """The timeout between an answer and the next request. An answer stores a time; it moves no timer."""

    __slots__ = ("_loop", "_seconds", "_since")

    def __init__(self, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
        self._loop = loop
        self._seconds = seconds
        self._since = 0.0  # by the clock of the event loop

    def restart(self) -> None:
        """Count the seconds from now on."""
        self._since = self._loop.time()

    def seconds_left(self, busy: bool) -> float:
        """Return the seconds until the timeout; all of them while a request is received or answered."""
        return self._seconds - (0 if busy else self._loop.time() - self._since)
