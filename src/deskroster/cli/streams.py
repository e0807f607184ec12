"""Standard input, output and error as the command line has them: closed, full, broken, or of another encoding."""

import io
import os
import sys
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any, TextIO, cast

from deskroster.telemetry.lines import write_within

_PATIENCE = 5.0  # seconds for standard error to take what is said there: its reader must not keep a command from ending


class CannotShow(Exception):
    """The result of a command cannot be written to standard output."""


@contextmanager
def settled() -> Iterator[None]:
    """Have three open streams whose failures are known.

    Standard output escapes what it cannot encode, and raises CannotShow, which no library takes for its own. Standard
    error never raises: what goes wrong is told by the exit code too.
    """
    _open_closed()
    before = sys.stdout, sys.stderr
    if isinstance(sys.stdout, io.TextIOWrapper) and not sys.stdout.closed:
        sys.stdout.reconfigure(errors="backslashreplace")
    errors = _Errors(sys.stderr)
    sys.stdout, sys.stderr = cast(TextIO, _Output(sys.stdout)), cast(TextIO, errors)
    sys.excepthook = errors.uncaught
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def _open_closed() -> None:
    """Take the numbers 0, 1 and 2 if they are free: the next file or socket would get them, and what is written there.

    From 0 nothing can be read then, and writing to 1 and 2 fails, as it would if they were closed.
    """
    for number, access in enumerate((os.O_RDWR, os.O_RDONLY, os.O_RDONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, access)  # the lowest free number
            os.set_inheritable(number, True)
    for name, number, mode in (("stdin", 0, "r"), ("stdout", 1, "w"), ("stderr", 2, "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))


class _Output:
    """Standard output that fails in a way of its own."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        with self._told():
            return self._stream.write(text)

    def writelines(self, lines: Iterable[str]) -> None:
        with self._told():
            self._stream.writelines(lines)

    def flush(self) -> None:
        with self._told():
            self._stream.flush()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError) as error:
            with suppress(OSError, ValueError):  # what is left in the buffers: Python would try to write it at its end
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, self._stream.fileno())
                os.close(nowhere)
                self._stream.flush()
            raise CannotShow((error.strerror if isinstance(error, OSError) else None) or str(error)) from None


class _Errors:
    """Standard error without a buffer, which waits for its reader for a while only, and drops all that comes then."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._given_up = False
        try:
            self._number: int | None = stream.fileno()
        except (OSError, ValueError):  # a test's
            self._number = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        if self._number is None:
            return self._stream.write(text)
        if not self._given_up:
            encoded = text.encode(self._stream.encoding, "backslashreplace")
            self._given_up = not write_within(self._number, encoded, _PATIENCE)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        self.write("".join(lines))

    def flush(self) -> None:
        """Do nothing: nothing is kept."""

    def uncaught(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        """Write the traceback of an exception that nobody has caught."""
        self.writelines(traceback.format_exception(kind, error, trace))
