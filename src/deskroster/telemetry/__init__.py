"""Logs without secrets, and metrics. Neither can delay or change an answer, or make it fail."""

import logging
import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TextIO

import msgspec
import structlog
from prometheus_client import CollectorRegistry, generate_latest

from deskroster.telemetry.counts import Counts, SharedCounts
from deskroster.telemetry.lines import FLUSH_SECONDS, Lines, to_descriptor, to_stream

__all__ = ["METRICS_MEDIA", "STDERR", "SharedCounts", "Telemetry"]

STDERR = 2  # the file descriptor
METRICS_MEDIA = "text/plain; version=0.0.4; charset=utf-8"
_SEGMENT = re.compile(r"[A-Za-z0-9_.,-]{0,24}")  # of a path; tokens and signatures are longer
_MAX_VALUE = 32_768  # characters of a value in a line: an exception may contain a statement with all its parameters


class Telemetry:
    """Log and metrics of a process. It takes no query strings, headers or bodies: they contain secrets."""

    def __init__(self, *, log_requests: bool = False, stream: TextIO | int | None = None) -> None:
        """Log to `stream`: a text stream or a file descriptor; None is the current `sys.stderr`."""
        self._log_requests = log_requests
        if isinstance(stream, int):
            self._lines = Lines(to_descriptor(stream))
        else:
            self._lines = Lines(to_stream(stream or sys.stderr))
        self.log = structlog.wrap_logger(
            _Levels(self._lines.put),
            processors=[_line],
            wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        )
        self.registry = CollectorRegistry()
        self._counts = Counts(self._lines.dropped)
        self.registry.register(self._counts)

    def answered(self, dialect: str, method: str, path: str, status: int, seconds: float) -> None:
        """Count an answer and the time it took, and log it if requests are logged."""
        self._counts.count(dialect, status, seconds)
        if self._log_requests:
            line = _Answered(dialect, method, _masked(path), status, seconds, timestamp=datetime.now(UTC))
            self._lines.put(msgspec.json.format(msgspec.json.encode(line), indent=0))

    def capture(self, logger: str) -> None:
        """Log what a library logs through the `logging` module, at level WARNING and above."""
        captured = logging.getLogger(logger)
        captured.handlers = [Forwarding(self.log.warning)]
        captured.propagate = False

    def incident(self, id: str, error: Exception, dialect: str, method: str, path: str) -> None:
        """Log an unexpected exception, under the id that is in the answer."""
        self.log.error("incident", exc_info=error, incident=id, dialect=dialect, method=method, path=_masked(path))

    def share(self, shared: SharedCounts, worker: int) -> None:
        """Add the counts of the other workers to the metrics; go on from those of an earlier worker of this number."""
        self._counts.share(shared, worker)

    def save(self) -> None:
        """Write the counts of this process where the other workers read them."""
        self._counts.save()

    def metrics(self) -> bytes:
        """Return all metrics in the Prometheus text format."""
        self.save()  # else another worker would show lower counts than this one, and they would look like a restart
        return generate_latest(self.registry)

    def flush(self, seconds: float = FLUSH_SECONDS) -> bool:
        """Wait until what was logged is written or dropped. Return False on timeout."""
        return self._lines.flush(seconds)

    def close(self) -> None:
        """Flush, for at most FLUSH_SECONDS. What is logged later is dropped."""
        self._lines.close()


def _masked(path: str) -> str:
    """Return a path without the segments that none of our paths can have: a client may have put its signature there."""
    return "/".join(segment if _SEGMENT.fullmatch(segment) else "…" for segment in path.split("/"))


class _Answered(msgspec.Struct):
    """The line of a request. It is encoded by msgspec, without structlog, as there are many of them."""

    dialect: str
    method: str
    path: str
    status: int
    seconds: float
    event: str = "answered"
    level: str = "info"
    timestamp: datetime | None = None


class _Levels:
    """The logger that structlog calls with encoded lines."""

    def __init__(self, put: Callable[[bytes], None]) -> None:
        self.info = self.warning = self.error = self.critical = put


_PROCESSORS: tuple[structlog.types.Processor, ...] = (
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.format_exc_info,
    lambda _, __, event: {name: _cut(value) for name, value in event.items()},
    structlog.processors.JSONRenderer(ensure_ascii=False),
)


def _line(logger: Any, method: str, event: structlog.types.EventDict) -> bytes:
    """Return an event as a line of JSON. Never raises."""
    try:
        processed: Any = event
        for process in _PROCESSORS:
            processed = process(logger, method, processed)
        return str(processed).encode("utf-8", "backslashreplace")  # a path may contain lone surrogates
    except Exception:  # noqa: BLE001 - a value that cannot be encoded must not make the caller fail
        return b'{"event": "a line that cannot be written as JSON", "level": "%b"}' % method.encode()


def _cut(value: Any) -> Any:
    return f"{value[:_MAX_VALUE]}…" if isinstance(value, str) and len(value) > _MAX_VALUE else value


class Forwarding(logging.Handler):
    """Passes on the records of the `logging` module, at level WARNING and above."""

    def __init__(self, log: Callable[..., object]) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = record.getMessage()
        except Exception:  # noqa: BLE001 - the arguments do not fit the format: an error of the library
            text = str(record.msg)
        self._log(text, logger=record.name, exc_info=record.exc_info)
