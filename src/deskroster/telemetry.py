"""Logs without secrets, and metrics."""

import logging
import re
import sys
from bisect import bisect_left
from collections.abc import Callable, Iterator
from itertools import accumulate
from pathlib import Path
from typing import Literal, TextIO

import msgspec
import structlog
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

BUCKETS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0)  # seconds
Counts = dict[tuple[str, int], list[int]]
"""How many answers each bucket holds, by dialect and status."""
_FORM = 2  # of what workers tell each other
_PART = re.compile(r"[A-Za-z0-9_.,-]{0,24}")  # of a path; a token or a signature is longer
METRICS_MEDIA = "text/plain; version=0.0.4; charset=utf-8"


class Telemetry:
    """What the server tells its operator. Query strings, headers and bodies never get here: they hold secrets."""

    def __init__(self, *, log_requests: bool = False, stream: TextIO | None = None) -> None:
        self._log_requests = log_requests
        self.log = structlog.wrap_logger(
            structlog.PrintLogger(stream or sys.stderr),
            processors=[
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
            wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        )
        self.registry = CollectorRegistry()
        self._answers = _Answers()
        self.registry.register(self._answers)

    def answered(self, dialect: str, method: str, path: str, status: int, seconds: float) -> None:
        """Count an answer and the time it took, and log it if requests are logged."""
        self._answers.count(dialect, status, seconds)
        if self._log_requests:
            self.log.info("answered", dialect=dialect, method=method, path=_shown(path), status=status, seconds=seconds)

    def watch(self, name: str, meaning: str, read: Callable[[], float]) -> None:
        """Show a number among the metrics; it is read when they are."""
        Gauge(name, meaning, registry=self.registry).set_function(read)

    def adopt(self, logger: str) -> None:
        """Log what a library tells the logging module from warnings on."""
        adopted = logging.getLogger(logger)
        adopted.handlers = [_Forwarding(self.log.warning)]
        adopted.propagate = False

    def incident(self, id: str, error: Exception, dialect: str, method: str, path: str) -> None:
        """Log what failed that should not, under the id that the caller is told."""
        self.log.error("incident", exc_info=error, incident=id, dialect=dialect, method=method, path=_shown(path))

    def share(self, folder: Path, worker: int) -> None:
        """Have what the other workers count among the metrics, and go on where a worker of this number has ended."""
        self._answers.share(folder, worker)

    def save(self) -> None:
        """Let the other workers know what was counted here."""
        self._answers.save()

    def metrics(self) -> bytes:
        """Return all metrics in the Prometheus text format."""
        return generate_latest(self.registry)


def _shown(path: str) -> str:
    """Return a path without what is no part of any path of ours: a client may have joined its signature to it."""
    return "/".join(part if _PART.fullmatch(part) else "…" for part in path.split("/"))


class _Answers(Collector):
    """Counts answers, all in one thread, as plain numbers; they become metrics when these are asked for."""

    def __init__(self) -> None:
        self._counts: Counts = {}
        self._seconds: dict[str, float] = {}
        self._mine: Path | None = None  # where they are for the other workers

    def share(self, folder: Path, worker: int) -> None:
        folder.mkdir(mode=0o700, exist_ok=True)
        self._mine = folder / str(worker)
        if self._mine.exists():
            self._counts, self._seconds = _read(self._mine)

    def save(self) -> None:
        if self._mine is not None:
            partial = self._mine.with_suffix(".partial")
            partial.write_bytes(msgspec.msgpack.encode((_FORM, self._counts, self._seconds)))
            partial.replace(self._mine)

    def count(self, dialect: str, status: int, seconds: float) -> None:
        counts = self._counts.get((dialect, status))
        if counts is None:
            counts = self._counts[dialect, status] = [0] * (len(BUCKETS) + 1)
            self._seconds.setdefault(dialect, 0.0)
        counts[bisect_left(BUCKETS, seconds)] += 1
        self._seconds[dialect] += seconds

    def collect(self) -> Iterator[Metric]:
        all_counts, all_seconds = self._of_all()
        answers = CounterMetricFamily("deskroster_answers", "Requests answered", labels=["dialect", "status"])
        for (dialect, status), counts in all_counts.items():
            answers.add_metric([dialect, str(status)], sum(counts))
        yield answers
        times = HistogramMetricFamily("deskroster_answer_seconds", "Time to an answer", labels=["dialect"])
        for dialect, seconds in all_seconds.items():
            of_dialect = [counts for (name, _), counts in all_counts.items() if name == dialect]
            below = accumulate(map(sum, zip(*of_dialect, strict=True)))
            buckets = zip((*map(str, BUCKETS), "+Inf"), below, strict=True)
            times.add_metric([dialect], [(bound, count) for bound, count in buckets], seconds)
        yield times

    def _of_all(self) -> tuple[Counts, dict[str, float]]:
        """Return what was counted here, and by the other workers as they last told."""
        if self._mine is None:
            return self._counts, self._seconds
        counts, seconds = {name: list(some) for name, some in self._counts.items()}, dict(self._seconds)
        for path in self._mine.parent.glob("[0-9]*"):
            if path.suffix or path == self._mine:
                continue
            theirs, took = _read(path)
            for name, some in theirs.items():
                counts[name] = [a + b for a, b in zip(counts.get(name, [0] * len(some)), some, strict=True)]
            for dialect, more in took.items():
                seconds[dialect] = seconds.get(dialect, 0.0) + more
        return counts, seconds


def _read(path: Path) -> tuple[Counts, dict[str, float]]:
    """Return what a worker has counted; nothing of one that wrote another form: an upgrade, or a rest of one."""
    try:
        _, counts, seconds = msgspec.msgpack.decode(path.read_bytes(), type=tuple[Literal[2], Counts, dict[str, float]])
    except msgspec.DecodeError:
        return {}, {}
    return counts, seconds


class _Forwarding(logging.Handler):
    def __init__(self, tell: Callable[..., object]) -> None:
        super().__init__(logging.WARNING)
        self._tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        self._tell(record.getMessage(), logger=record.name, exc_info=record.exc_info)
