"""`python -m tests.proofs.wire.serve FOLDER LIMITS [--unguarded]`: the server in a process of its own.

It prints its address and ends with its standard input. LIMITS is JSON.
"""

import asyncio
import contextlib
import sys
from contextlib import nullcontext
from pathlib import Path

import msgspec
import pytest
import uvloop
from pwdlib.hashers.argon2 import Argon2Hasher

from deskroster import server
from deskroster.admin import AdminApp, sockets
from deskroster.admin.open_installation import OpenInstallation
from deskroster.app import opened
from deskroster.settings import Limits, Settings
from deskroster.telemetry import Telemetry
from tests.proofs.wire.unguarded import unguarded


async def main(folder: Path, limits: Limits) -> None:
    settings = Settings(data=folder, port=0, limits=limits, graceful_seconds=1)
    running = asyncio.current_task()
    assert running is not None
    loop = asyncio.get_running_loop()
    loop.add_reader(sys.stdin, running.cancel)
    async with opened(settings, Telemetry()) as app:
        installation = OpenInstallation(settings, app.store, app.desks, app.passwords, app.telemetry, app.clock)
        listening = sockets.bind(folder)
        try:
            await server.run(app, settings, AdminApp(installation), listening, lambda url: print(url, flush=True))
        finally:
            sockets.unbind(listening, folder)


def hasher() -> Argon2Hasher:
    """Return one that takes as long as the real one, without its memory."""
    return Argon2Hasher(memory_cost=1_024, time_cost=200, parallelism=1)


if __name__ == "__main__":
    with (
        pytest.MonkeyPatch.context() as patch,
        unguarded() if "--unguarded" in sys.argv else nullcontext(),
        contextlib.suppress(asyncio.CancelledError),
    ):
        patch.setattr("deskroster.passwords.Argon2Hasher", hasher)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(main(Path(sys.argv[1]), msgspec.json.decode(sys.argv[2], type=Limits)))
