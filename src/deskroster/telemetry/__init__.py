"""Logs without secrets, and metrics. Neither can delay, change or end an answer."""

import logging
import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TextIO

import msgspec
import structlog
from prometheus_client import CollectorRegistry, generate_latest

from deskroster.telemetry.counts import Counts, Shared
from deskroster.telemetry.lines import FLUSH_SECONDS, Lines, to_descriptor, to_stream

__all__ = ["METRICS_MEDIA", "STDERR", "Shared", "Telemetry"]

STDERR = 2  # the descriptor
METRICS_MEDIA = "text/plain; version=0.0.4; charset=utf-8"
_PART = re.compile(r"[A-Za-z0-9_.,-]{0,24}")  # of a path; a token or a signature is longer
_LONGEST_VALUE = 32_768  # characters of a value in a line: an exception may show a statement with all that it writes


class Telemetry:
    """What the server tells its operator. Query strings, headers and bodies never get here: they hold secrets."""

    def __init__(self, *, log_requests: bool = False, stream: TextIO | int | None = None) -> None:
        """`stream` is where the log goes: a text stream or a descriptor; without, standard error as it is now."""
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
            line = _Answered(dialect, method, _shown(path), status, seconds, timestamp=datetime.now(UTC))
            self._lines.put(msgspec.json.format(msgspec.json.encode(line), indent=0))

    def adopt(self, logger: str) -> None:
        """Log what a library tells the logging module from warnings on."""
        adopted = logging.getLogger(logger)
        adopted.handlers = [Forwarding(self.log.warning)]
        adopted.propagate = False

    def incident(self, id: str, error: Exception, dialect: str, method: str, path: str) -> None:
        """Log what failed that should not, under the id that the caller is told."""
        self.log.error("incident", exc_info=error, incident=id, dialect=dialect, method=method, path=_shown(path))

    def share(self, shared: Shared, worker: int) -> None:
        """Have what the other workers count among the metrics, and go on where a worker of this number has ended."""
        self._counts.share(shared, worker)

    def save(self) -> None:
        """Let the other workers know what was counted here."""
        self._counts.save()

    def metrics(self) -> bytes:
        """Return all metrics in the Prometheus text format."""
        self.save()  # what is shown is told: else another worker, or a successor, shows less, which reads as a restart
        return generate_latest(self.registry)

    def flush(self, seconds: float = FLUSH_SECONDS) -> bool:
        """Wait until what was logged is written or dropped; False if that takes longer."""
        return self._lines.flush(seconds)

    def close(self) -> None:
        """Write what is yet to be written, for a second at most. What is logged later is dropped."""
        self._lines.close()


def _shown(path: str) -> str:
    """Return a path without what is no part of any path of ours: a client may have joined its signature to it."""
    return "/".join(part if _PART.fullmatch(part) else "…" for part in path.split("/"))


class _Answered(msgspec.Struct):
    """The line of a request, encoded by itself: it is the only one that there are many of."""

    dialect: str
    method: str
    path: str
    status: int
    seconds: float
    event: str = "answered"
    level: str = "info"
    timestamp: datetime | None = None


class _Levels:
    """What structlog hands finished lines to."""

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
    """Return an event as a line of JSON, whatever is in it."""
    try:
        made: Any = event
        for process in _PROCESSORS:
            made = process(logger, method, made)
        return str(made).encode("utf-8", "backslashreplace")  # a path may hold what is no Unicode
    except Exception:  # noqa: BLE001 - who logs must not fail because of what is logged
        return b'{"event": "a line that cannot be written as JSON", "level": "%b"}' % method.encode()


def _cut(value: Any) -> Any:
    return f"{value[:_LONGEST_VALUE]}…" if isinstance(value, str) and len(value) > _LONGEST_VALUE else value


class Forwarding(logging.Handler):
    """Hands what the logging module is told on, from warnings on."""

    def __init__(self, tell: Callable[..., object]) -> None:
        super().__init__(logging.WARNING)
        self._tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = record.getMessage()
        except Exception:  # noqa: BLE001 - arguments that do not fit the message are the library's mistake
            text = str(record.msg)
        self._tell(text, logger=record.name, exc_info=record.exc_info)
