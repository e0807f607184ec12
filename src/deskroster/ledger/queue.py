"""The queue of verbs, in their order, each with a deadline."""

import asyncio
from collections import deque

from deskroster.core.problems import Busy, Damaged
from deskroster.ledger.rehearsal import Entry

MAX_VERBS = 256  # of one batch
MAX_QUEUE = 4_096  # verbs; above it, Busy


class Queue:
    """A verb that is still queued at its deadline is refused with Busy."""

    def __init__(self) -> None:
        self.recent_batch_size = 1  # the largest recent batch; halved with each smaller one
        self._entries: deque[Entry] = deque()
        self._expiry: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def full(self) -> bool:
        return len(self._entries) >= MAX_QUEUE

    def add(self, entry: Entry) -> None:
        self._entries.append(entry)
        self._schedule_expiry()

    def take(self) -> list[Entry]:
        """Remove and return the next batch. The queue must not be empty."""
        entries = self._entries
        batch = [entries.popleft()]
        while entries and len(batch) < MAX_VERBS and not (batch[0].own_batch or entries[0].own_batch):
            batch.append(entries.popleft())
        self.recent_batch_size = max(len(batch), self.recent_batch_size // 2)
        return batch

    def put_back(self, batch: list[Entry]) -> None:
        """Put entries back, before all others."""
        self._entries.extendleft(reversed(batch))
        self._schedule_expiry()

    def refuse(self, problem: Damaged | Busy) -> None:
        """Refuse all entries."""
        while self._entries:
            self._entries.popleft().finish(problem)

    def _schedule_expiry(self) -> None:
        if self._expiry is None and self._entries:
            self._expiry = asyncio.get_running_loop().call_at(self._entries[0].deadline, self._expire)

    def _expire(self) -> None:
        self._expiry = None
        while self._entries and self._entries[0].deadline <= asyncio.get_running_loop().time():
            self._entries.popleft().finish(Busy())
        self._schedule_expiry()
