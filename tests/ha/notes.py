"""What the clients of a round note down together."""

import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2

from tests.ha.desks import Desk

KEPT = 40  # signed requests to replay
EXAMPLES = 5


class Notes:
    """Counts of what should not be (`found`) and of what was done, and the requests to be replayed."""

    def __init__(self) -> None:
        self.found: Counter[str] = Counter()
        self.examples: list[str] = []
        self.counts: Counter[str] = Counter()
        self.done: dict[Desk, list[float]] = defaultdict(list)  # when writes were acknowledged
        self.slowest = 0.0  # seconds that a client waited for its answer
        # What was answered: dialect, and request with a nonce.
        self.spent: deque[tuple[str, httpx2.Request]] = deque(maxlen=KEPT)
        self.spent_before: list[tuple[str, httpx2.Request]] = []  # the fault
        self._lock = threading.Lock()

    def find(self, what: str, example: str) -> None:
        """Note what should not be."""
        with self._lock:
            self.found[what] += 1
            if self.found[what] <= EXAMPLES:
                self.examples.append(f"{what}: {example}")

    def count(self, what: str) -> None:
        with self._lock:
            self.counts[what] += 1

    def acknowledge(self, desk: Desk) -> None:
        """Note that a write was done by a process."""
        self.done[desk].append(time.monotonic())
        self.count("acknowledged")

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Note how long an answer is waited for."""
        began = time.monotonic()
        try:
            yield
        finally:
            with self._lock:
                self.slowest = max(self.slowest, time.monotonic() - began)

    def longest_gap(self, since: float) -> float:
        """Return the longest time since a moment in which a process acknowledged nothing. Seconds."""
        gaps = []
        for times in self.done.values():
            later = [time for time in list(times) if time > since]
            gaps += [b - a for a, b in zip([since, *later], later, strict=False)]
        return max(gaps, default=0)
