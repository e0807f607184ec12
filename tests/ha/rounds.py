"""A round: all clients go on while something breaks and is mended; then everything is compared."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from deskroster.testing import Account
from tests.ha import checker
from tests.ha.clients import Looking, Replaying, Writing, replay, writing
from tests.ha.desks import Desk
from tests.ha.faults import Seen
from tests.ha.machines import wait
from tests.ha.notes import Notes
from tests.proofs.durability.image import Image
from tests.proofs.durability.served import plain_client

BEFORE = 30  # writes of each process before anything breaks
AFTER = 30  # reads and writes together, when it works again
CONSEQUENCE_SECONDS = 60.0
PATIENCE = 60.0  # seconds in which it must work again; what is promised is compared with what was measured
READY_SECONDS = 15.0  # from the healthy cluster to processes that say they are ready


class Report(NamedTuple):
    """What a round has come to. `gap`: the longest time in which a process acknowledged nothing. Seconds."""

    found: Counter[str]  # what should not be
    counts: Counter[str]
    gap: float
    slowest: float  # answer
    mended: float  # from the mending to a healthy cluster and both processes ready
    examples: list[str]

    def __str__(self) -> str:
        counts = ", ".join(f"{count} {what}" for what, count in sorted(self.counts.items()))
        times = f"gap {self.gap:.1f} s, slowest answer {self.slowest:.1f} s, healthy again after {self.mended:.1f} s"
        return "\n".join([f"{dict(self.found) or 'nothing amiss'}; {counts}; {times}", *self.examples])


class Round:
    """Clients of two processes. `struck` is when something broke."""

    def __init__(self, tag: str, desks: Sequence[Desk], account: Account) -> None:
        self.desks = desks
        self.notes = Notes()
        self._stop = threading.Event()
        shared = desks, account, self.notes, self._stop
        self.writing: list[Writing] = writing(tag, *shared)
        self._clients = [
            *self.writing,
            Looking(self.writing, *shared),
            Looking(self.writing, *shared),
            Replaying(*shared),
        ]
        self.struck = 0.0

    def break_(self, strike: Callable[[], Seen]) -> None:
        """Break something when all are at work; return when that has had its consequence."""
        wait(lambda: all(len(self.notes.done[desk]) >= BEFORE for desk in self.desks), PATIENCE, "writes")
        self.notes.spent_before = list(self.notes.spent)
        self.struck = time.monotonic()
        wait(strike(), CONSEQUENCE_SECONDS, "what follows from what was broken")

    def works(self) -> bool:
        """Wait until each process that runs acknowledges writes again, and a while longer; return whether they do."""
        since = time.monotonic()
        for desk in self.desks:
            if desk.up:
                wait(lambda desk=desk: self.notes.done[desk][-1] > since, PATIENCE, f"a write done by {desk.url}")
        looks = self.notes.counts["reads"] + AFTER
        wait(lambda: self.notes.counts["reads"] > looks, PATIENCE, "reads")
        return True

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """Let all clients go on meanwhile."""
        for client in self._clients:
            client.start()
        try:
            yield
        except AssertionError:
            print(Report(self.notes.found, self.notes.counts, 0, self.notes.slowest, 0, self.notes.examples))
            raise
        finally:
            self._stop.set()
            for client in self._clients:
                client.join()

    def replay_all(self) -> None:
        """Send every request that is kept to both processes once more."""
        with plain_client() as http:
            for dialect, request in {*self.notes.spent_before, *self.notes.spent}:
                for desk in self.desks:
                    wait(
                        lambda n=dialect, r=request, d=desk: replay(http, n, r, d, self.notes),
                        PATIENCE,
                        "an answer to a replay",
                    )

    def report(self, now: Image, before: Image, mended: float) -> Report:
        """Compare what is there with what every client knows."""
        writers = [writer for client in self.writing for writer in client.writers]
        found = self.notes.found + checker.compared(now, before, writers)
        gap = self.notes.longest_gap(self.struck)
        return Report(found, self.notes.counts, gap, self.notes.slowest, mended, self.notes.examples)
