"""Standard error of a server process: what Python and libraries write there is logged instead."""

import io
import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from deskroster.telemetry import STDERR, Forwarding, Telemetry

_MAX_LINE = 65_536  # characters; a longer line is logged in parts


@contextmanager
def logged(telemetry: Telemetry) -> Iterator[None]:
    """Log warnings, records of the `logging` module, uncaught exceptions, and any other text for `sys.stderr`.

    These are settings of the whole process, so this is not for a process that embeds Deskroster.
    """
    root = logging.getLogger()
    before = root.handlers, sys.stderr, sys.unraisablehook, threading.excepthook
    root.handlers = [Forwarding(telemetry.log.warning)]
    sys.stderr = stderr = _Stderr(telemetry)
    sys.unraisablehook = lambda caught: _uncaught(telemetry, caught.exc_value, caught.err_msg)
    threading.excepthook = lambda caught: _uncaught(telemetry, caught.exc_value, "in a thread")
    logging.captureWarnings(True)
    try:
        yield
    finally:
        logging.captureWarnings(False)
        stderr.finish()
        root.handlers, sys.stderr, sys.unraisablehook, threading.excepthook = before


def _uncaught(telemetry: Telemetry, error: BaseException | None, where: str | None) -> None:
    if not isinstance(error, SystemExit):  # it ends a thread without an error
        telemetry.log.error("uncaught", where=where, exc_info=error)


class _Stderr(io.TextIOBase):
    """Replaces `sys.stderr`: each line becomes an event in the log."""

    encoding = "utf-8"

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry
        self._lock = threading.RLock()  # re-entrant: a signal handler may write during `write`
        self._rest = ""

    def write(self, text: str) -> int:
        with self._lock:
            *lines, self._rest = (self._rest + text).split("\n")
            if len(self._rest) > _MAX_LINE:
                lines, self._rest = [*lines, self._rest], ""
        for line in lines:
            if line:
                self._telemetry.log.warning("stderr", text=line)
        return len(text)

    def finish(self) -> None:
        """Log the last line, if it has no line break."""
        self.write("\n")

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return STDERR
