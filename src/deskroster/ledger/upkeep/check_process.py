"""Apart: looking a copy of the data over in a process of its own, so that the GIL of the server stays free."""

import asyncio
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from deskroster.core.problems import Damaged
from deskroster.ledger.disk.vault import Vault
from deskroster.ledger.engines import COPY_TIMEOUT, BadTables, DiskFailed, Failed, Late, copy_file
from deskroster.ledger.files.paths import as_text, from_text
from deskroster.ledger.upkeep import check
from deskroster.ledger.upkeep.check import Finding

SMALL = 4 << 20  # bytes of a copy for which a process of its own is not worth while: it takes longer to start
_NICE = 10  # whoever is served comes first
_START = (sys.executable, "-c", "from deskroster.ledger.upkeep.check_process import main; main()")


class _Wanted(msgspec.Struct, frozen=True):
    """What the process is told on its standard input: the key stands on no disk and in no list of processes."""

    file: str
    key: str  # in hex


async def findings(file: Path, opened: Vault) -> list[Finding]:
    """Return what is wrong with a copy that nobody writes to. Raises Failed, or Late after `COPY_SECONDS`."""
    size = await asyncio.to_thread(os.path.getsize, file)
    if size <= SMALL:
        return await asyncio.to_thread(looked_over, file, opened)
    process = await asyncio.to_thread(_started)
    wanted = msgspec.json.encode(_Wanted(as_text(file), opened.reveal().hex()))
    try:
        said, why = await asyncio.to_thread(process.communicate, wanted, COPY_TIMEOUT)
    except subprocess.TimeoutExpired:
        raise Late from None
    finally:
        if process.poll() is None:
            process.kill()
    try:  # by its output alone: where a server ignores SIGCHLD, as process 1 does, there is no exit code
        return msgspec.json.decode(said, type=list[Finding])
    except msgspec.DecodeError:
        why_not = why.decode(errors="replace")[-500:].strip()
        raise Failed(f"the check has ended without a result: {why_not or process.returncode}") from None


def looked_over(file: Path, opened: Vault) -> list[Finding]:
    """Return what is wrong with a copy, in this process. Raises Failed where the disk is full or cannot be read."""
    try:
        with copy_file.opened(file) as db:
            return check.everything(db, opened)
    except (Damaged, BadTables) as error:
        return [Finding("integrity", 0, str(error))]
    except DiskFailed as error:
        raise Failed(f"the check could not be finished: {error}") from error


def main() -> None:
    """Look over what is asked for on standard input, and print what was found."""
    wanted = msgspec.json.decode(sys.stdin.buffer.read(), type=_Wanted)
    with suppress(OSError):
        os.nice(_NICE)
    try:
        found = looked_over(from_text(wanted.file), Vault(bytes.fromhex(wanted.key)))
    except Failed as error:
        sys.exit(str(error))
    sys.stdout.buffer.write(msgspec.json.encode(found))
    sys.stdout.flush()


def _started() -> "subprocess.Popen[bytes]":
    pipes: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    return subprocess.Popen(_START, env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}, **pipes)
