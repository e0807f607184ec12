"""Serving a data folder, for `demo` and `serve`: the server, its admin socket, and how both end."""

import asyncio
import errno
import signal
import ssl
from collections.abc import Awaitable, Callable
from typing import TypeVar

import uvloop

from deskroster import server
from deskroster.admin import AdminApp, sockets
from deskroster.admin.installation import Installation
from deskroster.app import opened
from deskroster.cli.console import Exit, Refused
from deskroster.cli.opening import installation_of, refusing
from deskroster.cli.wording import in_words
from deskroster.core.problems import Refusal
from deskroster.ledger import FolderInUse
from deskroster.settings import Settings
from deskroster.telemetry import Telemetry

T = TypeVar("T")
Prepare = Callable[[Installation], Awaitable[T]]
Ready = Callable[[str, T], None]
"""Called with the address, and with what was prepared, when the server answers."""


def serve(settings: Settings, prepare: Prepare[T], ready: Ready[T]) -> None:
    """Serve a folder until SIGTERM, SIGINT or SIGHUP. Raises Refused."""
    stopping = _Signals()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner, refusing(settings.data):
            runner.run(_serve(settings, prepare, ready, stopping))
    except Refusal as problem:
        raise in_words(problem) from None


class _Signals:
    """What a signal does while no server catches it: before one is ready it ends the process, afterwards nothing.

    The server raises again, when it has stopped, the signal that stopped it; by then all that is left is to leave.
    """

    def __init__(self) -> None:
        self.ready = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._end)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as nohup has it
            signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))

    def _end(self, *_: object) -> None:
        if not self.ready:
            raise KeyboardInterrupt


async def _serve(settings: Settings, prepare: Prepare[T], ready: Ready[T], signals: _Signals) -> None:
    try:
        async with opened(settings, Telemetry(log_requests=settings.log_requests)) as app:
            installation = installation_of(app)
            prepared = await prepare(installation)

            def tell(url: str) -> None:
                signals.ready = True
                ready(url, prepared)

            listening = sockets.bind(settings.data)
            try:
                await server.run(app, settings, AdminApp(installation), listening, tell)
            finally:
                sockets.unbind(listening, settings.data)
    except FolderInUse as error:
        raise Refused(Exit.UNAVAILABLE, str(error), "A folder is served by one process.") from None
    except server.CannotListen as error:
        if error.errno == errno.EADDRINUSE:
            hint = "--port 0 takes a free one."
            raise Refused(Exit.UNAVAILABLE, f"port {settings.port} is in use", hint) from None
        why = f"cannot listen on {settings.host}, port {settings.port}: {error.strerror}"
        raise Refused(Exit.REFUSED, why) from None
    except ssl.SSLError as error:
        raise Refused(Exit.REFUSED, f"the certificate and its key cannot be used: {error}") from None
