"""Check a copy of the data in a child process, so that the GIL of the server stays free."""

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
from deskroster.texts import foreign, said, verbatim

SMALL_COPY = 4 << 20  # bytes; for a smaller copy a child process is not worth its start
_NICE = 10  # so that requests come first
_COMMAND = (sys.executable, "-c", "from deskroster.ledger.upkeep.check_process import main; main()")


class _Input(msgspec.Struct, frozen=True):
    """The input of the child process, on its standard input: so the key is on no disk and in no process list."""

    file: str
    key: str  # hex digits


async def findings(file: Path, key_vault: Vault) -> list[Finding]:
    """Check a copy that nobody writes to. Raises Failed, or Late after `COPY_TIMEOUT`."""
    size = await asyncio.to_thread(os.path.getsize, file)
    if size <= SMALL_COPY:
        return await asyncio.to_thread(check_copy, file, key_vault)
    process = await asyncio.to_thread(_spawn)
    child_input = msgspec.json.encode(_Input(as_text(file), key_vault.reveal().hex()))
    try:
        output, errors = await asyncio.to_thread(process.communicate, child_input, COPY_TIMEOUT)
    except subprocess.TimeoutExpired:
        raise Late from None
    finally:
        if process.poll() is None:
            process.kill()
    try:  # not by the exit code: where the server ignores SIGCHLD, as process 1 does, there is none
        return msgspec.json.decode(output, type=list[Finding])
    except msgspec.DecodeError:
        reason = errors.decode(errors="replace")[-500:].strip()
        raise Failed(
            said("the check has ended without a result: {reason}", reason=verbatim(reason or str(process.returncode)))
        ) from None


def check_copy(file: Path, key_vault: Vault) -> list[Finding]:
    """Check a copy in this process. Raises Failed where the disk is full or cannot be read."""
    try:
        with copy_file.opened(file) as db:
            return check.everything(db, key_vault)
    except (Damaged, BadTables) as error:
        return [Finding("integrity", 0, foreign(error))]
    except DiskFailed as error:
        raise Failed(said("the check could not be finished: {error}", error=foreign(error))) from error


def main() -> None:
    """Run the check that standard input asks for, and write the findings to standard output."""
    child_input = msgspec.json.decode(sys.stdin.buffer.read(), type=_Input)
    with suppress(OSError):
        os.nice(_NICE)
    try:
        result = check_copy(from_text(child_input.file), Vault(bytes.fromhex(child_input.key)))
    except Failed as error:
        sys.exit(str(error))
    sys.stdout.buffer.write(msgspec.json.encode(result))
    sys.stdout.flush()


def _spawn() -> "subprocess.Popen[bytes]":
    pipes: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    return subprocess.Popen(_COMMAND, env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}, **pipes)
