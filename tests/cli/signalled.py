"""Starts a server again and again, and sends it a signal at another moment of its start each time.

`python -m tests.cli.signalled FOLDER TIMES SECONDS [raising]` prints, as JSON, how each ended: an exit code, or null if
it did not in so many seconds. With `raising` signals raise an exception wherever they come.
A moment is a call of a function in the first thread, so that the same moments come again on any machine.
"""

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

from deskroster.cli import main, serving


def _serve(folder: str, call: int, ready: Callable[[int], object]) -> int:
    """Serve in a process of its own, which is sent a signal as a function is called, the how-manieth of its start.

    It says when it is ready, and how many were called until then. Returns its id.
    """
    pid = os.fork()
    if pid:
        return pid
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    begin, leave, counted = serving._serve_in_process, serving._Signals.leave_to_server, 0

    def called(*_: object) -> None:
        nonlocal counted
        counted += 1
        if counted == call:
            sys.setprofile(None)
            os.kill(os.getpid(), signal.SIGTERM)

    def watched(*given: Any) -> None:
        sys.setprofile(called)
        begin(*given)

    def leaves(signals: Any) -> None:
        leave(signals)
        sys.setprofile(None)
        ready(counted)

    serving._serve_in_process = watched
    serving._Signals.leave_to_server = leaves  # type: ignore[method-assign]
    sys.argv = ["deskroster", "serve", "--data", folder, "--port", "0"]
    code: Any = 99
    try:
        main()
    except SystemExit as end:
        code = end.code
    finally:
        os._exit(code or 0)


def _counted(folder: str) -> int:
    """Return how many functions a start calls until it is ready."""
    reader, writer = os.pipe()
    pid = _serve(folder, 0, lambda counted: os.write(writer, str(counted).encode()))
    calls = int(os.read(reader, 100))
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return calls


def _signalled(folder: str, call: int, patience: float) -> int | None:
    """Return how a server ends that is sent a signal at this call."""
    pid = _serve(folder, call, lambda counted: None)
    until = time.monotonic() + patience
    while time.monotonic() < until:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return None


def _raise(signals: Any, *_: object) -> None:
    if not signals._ready:
        raise KeyboardInterrupt


if __name__ == "__main__":
    where, times, seconds, *faults = sys.argv[1:]
    if faults:
        serving._Signals._handle = _raise  # type: ignore[method-assign]
    calls = _counted(where)
    print(json.dumps([_signalled(where, 1 + calls * at // int(times), float(seconds)) for at in range(int(times))]))
