"""A connection that is not there: bytes go in as they are cut, and what the server says to all of them comes out."""

import asyncio
import re
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any, cast

import uvicorn
from uvicorn.server import ServerState

from deskroster.app import App
from deskroster.dialect.request import Headers, Reply
from deskroster.guards import Guard
from deskroster.guards.refusal import Fault
from deskroster.settings import Limits
from tests.in_process import InProcess


class Ears(asyncio.Transport):
    """Keeps what is written to a connection."""

    def __init__(self) -> None:
        super().__init__()
        self.heard = bytearray()
        self._closing = False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("127.0.0.1", 40_000) if name == "peername" else default

    def write(self, data: Any) -> None:
        self.heard += data

    def writelines(self, parts: Iterable[Any]) -> None:
        for part in parts:
            self.heard += part

    def close(self) -> None:
        self._closing = True

    abort = write_eof = close

    def is_closing(self) -> bool:
        return self._closing

    def can_write_eof(self) -> bool:
        return True

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...


def cut(stream: bytes, places: Iterable[int]) -> Iterator[bytes]:
    """Yield a stream in pieces."""
    begin = 0
    for place in sorted({place % len(stream) for place in places} | {len(stream)}):
        if place > begin:
            yield stream[begin:place]
            begin = place


def refuse(app: App, method: str, path: bytes, headers: Headers, fault: Fault, client: str) -> Reply:
    """Word a refusal as the server does that trusts no proxy."""
    return app.refusal(method, path, headers, fault)


def heard(desk: InProcess, pieces: Iterable[bytes]) -> bytes:
    """Return what is said to pieces that come one after the other, but for its date."""

    async def talk() -> bytes:
        app, ears = desk.app, Ears()
        guard = Guard(Limits(), partial(refuse, app), lambda address: False, None, app.at_once)
        config = uvicorn.Config(
            cast(Any, app), http=guard.protocol, ws="none", lifespan="off", interface="asgi3", access_log=False,
            log_config=None, proxy_headers=False,
        )  # fmt: skip
        config.load()
        protocol: Any = guard.protocol(
            config=config, server_state=ServerState(), app_state={}, _loop=asyncio.get_running_loop()
        )
        protocol.connection_made(ears)
        for piece in pieces:
            protocol.data_received(piece)
            await asyncio.sleep(0)
        while protocol._dispatch.unanswered() and not ears.is_closing():  # noqa: ASYNC110 - the protocol tells nobody
            await asyncio.sleep(0)
        protocol.connection_lost(None)
        return re.sub(rb"date: [^\r]*\r\n", b"", bytes(ears.heard))

    said: bytes = desk.run(talk())
    return said
