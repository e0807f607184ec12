"""The standard streams of a command, which may be closed, full, broken, or unable to encode a text."""

import io
import os
import sys
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any, TextIO, cast

from deskroster.telemetry.lines import write_within

_STDERR_TIMEOUT = 5.0  # seconds for one write to standard error: a reader that does not read must not block a command


class OutputFailed(Exception):
    """The result of a command cannot be written to standard output."""


@contextmanager
def safe_streams() -> Iterator[None]:
    """Open the three standard streams if they are closed, and handle their errors.

    Standard output escapes what it cannot encode, and raises OutputFailed, which no library catches. Standard
    error never raises, because the exit code reports the failure too.
    """
    _open_closed()
    before = sys.stdout, sys.stderr
    if isinstance(sys.stdout, io.TextIOWrapper) and not sys.stdout.closed:
        sys.stdout.reconfigure(errors="backslashreplace")
    stderr = _Stderr(sys.stderr)
    sys.stdout, sys.stderr = cast(TextIO, _Stdout(sys.stdout)), cast(TextIO, stderr)
    sys.excepthook = stderr.print_uncaught
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def _open_closed() -> None:
    """Open /dev/null for each closed descriptor of 0, 1 and 2; otherwise the next file or socket would get its number.

    Reading from 0 then returns nothing, and writing to 1 and 2 fails, as on a closed descriptor.
    """
    for number, access in enumerate((os.O_RDWR, os.O_RDONLY, os.O_RDONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, access)  # gets the lowest free number
            os.set_inheritable(number, True)
    for name, number, mode in (("stdin", 0, "r"), ("stdout", 1, "w"), ("stderr", 2, "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))


class _Stdout:
    """Standard output, which raises OutputFailed instead of OSError and ValueError."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        with self._raising_output_failed():
            return self._stream.write(text)

    def writelines(self, lines: Iterable[str]) -> None:
        with self._raising_output_failed():
            self._stream.writelines(lines)

    def flush(self) -> None:
        with self._raising_output_failed():
            self._stream.flush()

    @contextmanager
    def _raising_output_failed(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError) as error:
            with suppress(OSError, ValueError):  # empty the buffers: Python would flush them at exit, and fail again
                devnull = os.open(os.devnull, os.O_WRONLY)
                os.dup2(devnull, self._stream.fileno())
                os.close(devnull)
                self._stream.flush()
            raise OutputFailed((error.strerror if isinstance(error, OSError) else None) or str(error)) from None


class _Stderr:
    """Unbuffered standard error with a timeout. After the first timeout everything that is written is dropped."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._timed_out = False
        try:
            self._number: int | None = stream.fileno()
        except (OSError, ValueError):  # replaced by a test
            self._number = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        if self._number is None:
            return self._stream.write(text)
        if not self._timed_out:
            encoded = text.encode(self._stream.encoding, "backslashreplace")
            self._timed_out = not write_within(self._number, encoded, _STDERR_TIMEOUT)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        self.write("".join(lines))

    def flush(self) -> None:
        """Do nothing: there is no buffer."""

    def print_uncaught(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        """Write the traceback of an uncaught exception."""
        self.writelines(traceback.format_exception(kind, error, trace))
