"""What is counted: plain numbers, which become metrics when these are asked for."""

import mmap
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from itertools import accumulate
from zlib import crc32

import msgspec
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

BUCKETS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0)  # seconds
PLACE_BYTES = 256 << 10  # for the counts of one worker, twice; they take some 10 KiB
_HEAD = 8  # bytes before what is told: its length, and its checksum
_TRIES = 3  # readings of a place that is being written


class Told(msgspec.Struct):
    """What a worker has counted."""

    counts: dict[tuple[str, int], list[int]]  # how many answers each bucket holds, by dialect and status
    seconds: dict[str, float]
    dropped: dict[str, int]


class Shared:
    """Memory in which workers tell one another what they counted. Made before they are forked: it holds nothing else.

    Each has two places in turn, so that one killed while it tells leaves what it told before. It is no file: to tell
    never waits for a disk, and cannot fail because one is full.
    """

    def __init__(self, workers: int) -> None:
        self._memory = mmap.mmap(-1, workers * 2 * PLACE_BYTES)
        self._workers = workers

    def tell(self, worker: int, turn: int, told: Told) -> None:
        """Write what a worker has counted; `turn` counts up."""
        content = msgspec.msgpack.encode((turn, told))
        if len(content) > PLACE_BYTES - _HEAD:
            return  # not with these labels
        at = self._place(worker, turn % 2)
        head = len(content).to_bytes(4, "big") + crc32(content).to_bytes(4, "big")
        self._memory[at : at + _HEAD + len(content)] = head + content

    def told_by(self, worker: int) -> tuple[int, Told]:
        """Return what a worker told last, and in which turn: in none if it has told nothing."""
        for _ in range(_TRIES):
            found = [told for half in (0, 1) if (told := self._read(self._place(worker, half))) is not None]
            if found:
                return max(found, key=lambda one: one[0])
        return 0, Told({}, {}, {})

    def others(self, worker: int) -> Iterator[Told]:
        """Yield what each of the other workers told last."""
        for other in range(self._workers):
            if other != worker:
                yield self.told_by(other)[1]

    def _place(self, worker: int, half: int) -> int:
        return (2 * worker + half) * PLACE_BYTES

    def _read(self, at: int) -> tuple[int, Told] | None:
        size = int.from_bytes(self._memory[at : at + 4], "big")
        content = self._memory[at + _HEAD : at + _HEAD + min(size, PLACE_BYTES - _HEAD)]
        if not size or crc32(content) != int.from_bytes(self._memory[at + 4 : at + _HEAD], "big"):
            return None
        return msgspec.msgpack.decode(content, type=tuple[int, Told])


class Counts(Collector):
    """Counts answers, all in one thread."""

    def __init__(self, dropped: Mapping[str, int]) -> None:
        """Count nothing yet; `dropped` is what this process has dropped of its log so far."""
        self._counts: dict[tuple[str, int], list[int]] = {}
        self._seconds: dict[str, float] = {}
        self._dropped = dropped
        self._dropped_before: dict[str, int] = {}  # by the worker whose place this one has taken
        self._shared: Shared | None = None
        self._worker = 0
        self._turn = 0

    def share(self, shared: Shared, worker: int) -> None:
        """Tell the other workers, and go on where a worker of this number has ended."""
        self._shared, self._worker = shared, worker
        self._turn, told = shared.told_by(worker)
        self._counts, self._seconds, self._dropped_before = told.counts, told.seconds, told.dropped

    def save(self) -> None:
        """Let the other workers know what was counted here."""
        if self._shared is not None:
            self._turn += 1
            self._shared.tell(self._worker, self._turn, self._own())

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
        told = self._of_all()
        answers = CounterMetricFamily("deskroster_answers", "Requests answered", labels=["dialect", "status"])
        for (dialect, status), counts in told.counts.items():
            answers.add_metric([dialect, str(status)], sum(counts))
        yield answers
        times = HistogramMetricFamily("deskroster_answer_seconds", "Time to an answer", labels=["dialect"])
        for dialect, seconds in told.seconds.items():
            of_dialect = [counts for (name, _), counts in told.counts.items() if name == dialect]
            below = accumulate(map(sum, zip(*of_dialect, strict=True)))
            buckets = zip((*map(str, BUCKETS), "+Inf"), below, strict=True)
            times.add_metric([dialect], [(bound, count) for bound, count in buckets], seconds)
        yield times
        lost = CounterMetricFamily(
            "deskroster_log_lines_dropped", "Log lines that were not written, by what was in the way", labels=["reason"]
        )
        for reason, lines in told.dropped.items():
            lost.add_metric([reason], lines)
        yield lost

    def _own(self) -> Told:
        before = self._dropped_before
        dropped = {reason: lines + before.get(reason, 0) for reason, lines in self._dropped.items()}
        return Told(self._counts, self._seconds, dropped)

    def _of_all(self) -> Told:
        """Return what was counted here, and by the other workers as they last told."""
        told = self._own()
        if self._shared is None:
            return told
        all_told = Told({name: list(some) for name, some in told.counts.items()}, dict(told.seconds), told.dropped)
        for other in self._shared.others(self._worker):
            for name, some in other.counts.items():
                before = all_told.counts.get(name, [0] * len(some))
                all_told.counts[name] = [a + b for a, b in zip(before, some, strict=True)]
            for dialect, more in other.seconds.items():
                all_told.seconds[dialect] = all_told.seconds.get(dialect, 0.0) + more
            for reason, lines in other.dropped.items():
                all_told.dropped[reason] = all_told.dropped.get(reason, 0) + lines
        return all_told
