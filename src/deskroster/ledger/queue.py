"""Queue: verbs that wait to be decided, in their order, none of them for longer than its patience."""

import asyncio
from collections import deque

from deskroster.core.problems import Busy, Damaged
from deskroster.ledger.rehearsal import Entry

MAX_VERBS = 256  # of one batch
MAX_QUEUE = 4_096  # waiting verbs; above it, Busy


class Queue:
    """What waits is answered with Busy when its time is over."""

    def __init__(self) -> None:
        self.crowd = 1  # how many came together of late; a crowd that is gone is halved with each batch
        self._entries: deque[Entry] = deque()
        self._expiry: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def full(self) -> bool:
        return len(self._entries) >= MAX_QUEUE

    def add(self, entry: Entry) -> None:
        self._entries.append(entry)
        self._watch()

    def take(self) -> list[Entry]:
        """Return the next batch. There must be one."""
        entries = self._entries
        batch = [entries.popleft()]
        while entries and len(batch) < MAX_VERBS and not (batch[0].alone or entries[0].alone):
            batch.append(entries.popleft())
        self.crowd = max(len(batch), self.crowd // 2)
        return batch

    def put_back(self, batch: list[Entry]) -> None:
        """Have entries decided before all others."""
        self._entries.extendleft(reversed(batch))
        self._watch()

    def refuse(self, problem: Damaged | Busy) -> None:
        """Answer all."""
        while self._entries:
            self._entries.popleft().settle(problem)

    def _watch(self) -> None:
        if self._expiry is None and self._entries:
            self._expiry = asyncio.get_running_loop().call_at(self._entries[0].until, self._expire)

    def _expire(self) -> None:
        self._expiry = None
        while self._entries and self._entries[0].until <= asyncio.get_running_loop().time():
            self._entries.popleft().settle(Busy())
        self._watch()
