"""A server in a process of its own: what it costs is its own too."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

TOP = Path(__file__).parents[3]
_KIB = 1_024


class Alone(NamedTuple):
    url: str
    pid: int

    def memory(self) -> int:
        """Return the bytes that the process has in memory now."""
        return self._status("VmRSS")

    def most_memory(self) -> int:
        """Return the most bytes that it has had at once."""
        return self._status("VmHWM")

    def forget_most(self) -> None:
        """Count the most from now on."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5", encoding="ascii")

    def _status(self, name: str) -> int:
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        found = re.search(rf"{name}:\s*(\d+) kB", status)
        assert found is not None
        return int(found[1]) * _KIB


@contextmanager
def alone(prepared: Path, folder: Path, *options: str, **limits: Any) -> Iterator[Alone]:
    """Serve a copy of a prepared folder."""
    shutil.copytree(prepared, folder)
    command = [sys.executable, "-m", "tests.proofs.wire.serve", folder, msgspec.json.encode(limits).decode(), *options]
    with subprocess.Popen(command, cwd=TOP, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield Alone(process.stdout.readline().strip(), process.pid)
        finally:
            process.terminate()
            process.wait(60)
