"""Standard error of a process that serves: what Python and libraries would write there themselves is logged instead."""

import io
import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from deskroster.telemetry import STDERR, Forwarding, Telemetry

_LONGEST_REST = 65_536  # characters without a line break that are kept


@contextmanager
def logged(telemetry: Telemetry) -> Iterator[None]:
    """Log warnings, what libraries tell the logging module, what nobody catches, and any other text for `sys.stderr`.

    For a process that is Deskroster's own: all of these belong to the whole process.
    """
    root = logging.getLogger()
    before = root.handlers, sys.stderr, sys.unraisablehook, threading.excepthook
    root.handlers = [Forwarding(telemetry.log.warning)]
    sys.stderr = stderr = _Stderr(telemetry)
    sys.unraisablehook = lambda lost: _uncaught(telemetry, lost.exc_value, lost.err_msg)
    threading.excepthook = lambda lost: _uncaught(telemetry, lost.exc_value, "in a thread")
    logging.captureWarnings(True)
    try:
        yield
    finally:
        logging.captureWarnings(False)
        stderr.finish()
        root.handlers, sys.stderr, sys.unraisablehook, threading.excepthook = before


def _uncaught(telemetry: Telemetry, error: BaseException | None, where: str | None) -> None:
    if not isinstance(error, SystemExit):  # which ends a thread in good order
        telemetry.log.error("uncaught", where=where, exc_info=error)


class _Stderr(io.TextIOBase):
    """In the place of `sys.stderr`: each line becomes an event."""

    encoding = "utf-8"

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry
        self._lock = threading.RLock()  # re-entrant: a signal handler may write in the midst of it
        self._rest = ""

    def write(self, text: str) -> int:
        with self._lock:
            *lines, self._rest = (self._rest + text).split("\n")
            if len(self._rest) > _LONGEST_REST:
                lines, self._rest = [*lines, self._rest], ""
        for line in lines:
            if line:
                self._telemetry.log.warning("stderr", text=line)
        return len(text)

    def finish(self) -> None:
        """Log what was written without a line break at its end."""
        self.write("\n")

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return STDERR
