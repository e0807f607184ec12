"""Counts of answers: plain integers, converted to Prometheus metrics when these are requested."""

import mmap
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from itertools import accumulate
from zlib import crc32

import msgspec
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

BUCKETS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0)  # seconds
SLOT_BYTES = 256 << 10  # for the counts of one worker, which has two slots; they take some 10 KiB
_HEAD = 8  # bytes before the counts: their length and their checksum
_TRIES = 3  # to read slots that are being written


class WorkerCounts(msgspec.Struct):
    """What one worker has counted."""

    counts: dict[tuple[str, int], list[int]]  # answers per bucket, by dialect and status
    seconds: dict[str, float]  # in total, by dialect
    dropped: dict[str, int]  # log lines, by reason


class SharedCounts:
    """Shared memory for the counts of all workers. It is made before they are forked.

    Each worker writes to two slots in turn, so that a worker that is killed while it writes leaves the counts before.
    The memory is anonymous: a write never waits for a disk, and cannot fail because one is full.
    """

    def __init__(self, workers: int) -> None:
        self._memory = mmap.mmap(-1, workers * 2 * SLOT_BYTES)
        self._workers = workers

    def write(self, worker: int, number: int, counts: WorkerCounts) -> None:
        """Write the counts of a worker. `number` goes up with each write."""
        content = msgspec.msgpack.encode((number, counts))
        if len(content) > SLOT_BYTES - _HEAD:
            return  # never with so few dialects and statuses
        at = self._offset(worker, number % 2)
        head = len(content).to_bytes(4, "big") + crc32(content).to_bytes(4, "big")
        self._memory[at : at + _HEAD + len(content)] = head + content

    def read(self, worker: int) -> tuple[int, WorkerCounts]:
        """Return the number of the last write of a worker, and its counts; 0 and no counts if there was none."""
        for _ in range(_TRIES):
            whole = [slot for at in (0, 1) if (slot := self._read_slot(self._offset(worker, at))) is not None]
            if whole:
                return max(whole, key=lambda slot: slot[0])
        return 0, WorkerCounts({}, {}, {})

    def read_others(self, worker: int) -> Iterator[WorkerCounts]:
        """Yield the last counts of each other worker."""
        for other in range(self._workers):
            if other != worker:
                yield self.read(other)[1]

    def _offset(self, worker: int, slot: int) -> int:
        return (2 * worker + slot) * SLOT_BYTES

    def _read_slot(self, at: int) -> tuple[int, WorkerCounts] | None:
        """Return what a slot contains; None if its checksum is wrong: it is empty, or being written."""
        size = int.from_bytes(self._memory[at : at + 4], "big")
        content = self._memory[at + _HEAD : at + _HEAD + min(size, SLOT_BYTES - _HEAD)]
        if not size or crc32(content) != int.from_bytes(self._memory[at + 4 : at + _HEAD], "big"):
            return None
        return msgspec.msgpack.decode(content, type=tuple[int, WorkerCounts])


class Counts(Collector):
    """Counts answers. It has no lock: only the thread of the event loop counts."""

    def __init__(self, dropped: Mapping[str, int]) -> None:
        """Start at zero. `dropped` counts the log lines that this process has dropped, by reason."""
        self._counts: dict[tuple[str, int], list[int]] = {}
        self._seconds: dict[str, float] = {}
        self._dropped = dropped
        self._dropped_before: dict[str, int] = {}  # by earlier processes with the number of this worker
        self._shared: SharedCounts | None = None
        self._worker = 0
        self._writes = 0

    def share(self, shared: SharedCounts, worker: int) -> None:
        """Share counts with the other workers, and go on from those of an earlier process with this number."""
        self._shared, self._worker = shared, worker
        self._writes, before = shared.read(worker)
        self._counts, self._seconds, self._dropped_before = before.counts, before.seconds, before.dropped

    def save(self) -> None:
        """Write the counts of this process where the other workers read them."""
        if self._shared is not None:
            self._writes += 1
            self._shared.write(self._worker, self._writes, self._own())

    def count(self, dialect: str, status: int, seconds: float) -> None:
        """Count an answer."""
        counts = self._counts.get((dialect, status))
        if counts is None:
            counts = self._counts[dialect, status] = [0] * (len(BUCKETS) + 1)
            self._seconds.setdefault(dialect, 0.0)
        counts[bisect_left(BUCKETS, seconds)] += 1
        self._seconds[dialect] += seconds

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics, of all workers if there are several."""
        total = self._total()
        answers = CounterMetricFamily("deskroster_answers", "Requests answered", labels=["dialect", "status"])
        for (dialect, status), counts in total.counts.items():
            answers.add_metric([dialect, str(status)], sum(counts))
        yield answers
        times = HistogramMetricFamily("deskroster_answer_seconds", "Time to an answer", labels=["dialect"])
        for dialect, seconds in total.seconds.items():
            of_dialect = [counts for (name, _), counts in total.counts.items() if name == dialect]
            below = accumulate(map(sum, zip(*of_dialect, strict=True)))
            buckets = zip((*map(str, BUCKETS), "+Inf"), below, strict=True)
            times.add_metric([dialect], [(bound, count) for bound, count in buckets], seconds)
        yield times
        lost = CounterMetricFamily(
            "deskroster_log_lines_dropped", "Log lines that were not written, by what was in the way", labels=["reason"]
        )
        for reason, lines in total.dropped.items():
            lost.add_metric([reason], lines)
        yield lost

    def _own(self) -> WorkerCounts:
        before = self._dropped_before
        dropped = {reason: lines + before.get(reason, 0) for reason, lines in self._dropped.items()}
        return WorkerCounts(self._counts, self._seconds, dropped)

    def _total(self) -> WorkerCounts:
        """Return the counts of this process plus the last ones that the other workers have written."""
        own = self._own()
        if self._shared is None:
            return own
        total = WorkerCounts({key: list(counts) for key, counts in own.counts.items()}, dict(own.seconds), own.dropped)
        for other in self._shared.read_others(self._worker):
            for key, counts in other.counts.items():
                before = total.counts.get(key, [0] * len(counts))
                total.counts[key] = [a + b for a, b in zip(before, counts, strict=True)]
            for dialect, seconds in other.seconds.items():
                total.seconds[dialect] = total.seconds.get(dialect, 0.0) + seconds
            for reason, lines in other.dropped.items():
                total.dropped[reason] = total.dropped.get(reason, 0) + lines
        return total
