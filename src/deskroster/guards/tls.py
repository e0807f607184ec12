"""TLS, with the limits of a connection from its first byte on."""

import asyncio
import ssl
from typing import Any

from uvicorn.protocols.utils import get_remote_addr

from deskroster.eager import Begun, begin
from deskroster.guards.http import Guarded
from deskroster.guards.room import Room, plain


class Handshake(asyncio.Protocol):
    """A connection until TLS is agreed on: counted as any other, and timed as a head."""

    def __init__(self, room: Room, guarded: Guarded, tls: ssl.SSLContext) -> None:
        self._room = room
        self._guarded = guarded
        self._tls = tls
        self._early = b""  # what came with the end of the handshake
        self._lost = False
        self._shaking: asyncio.Task[None]

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        address = (plain(get_remote_addr(transport)) or ("",))[0]
        if not self._room.enter(address):
            transport.abort()
            return
        loop, seconds = asyncio.get_running_loop(), self._room.limits.head_seconds
        secure = begin(
            loop.start_tls(transport, self, self._tls, server_side=True, ssl_handshake_timeout=seconds)
        )  # at once: what is read next is part of it
        assert secure is not None  # the client has said nothing yet
        self._shaking = loop.create_task(self._shake(secure, address))

    def data_received(self, data: bytes) -> None:
        self._early += data

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = True

    async def _shake(self, secure: Begun[Any], address: str) -> None:
        try:
            transport = await secure
        except (OSError, asyncio.CancelledError):
            self._lost = True
        if self._lost:
            self._room.leave(address)
            return
        self._guarded.counted_as = address
        transport.set_protocol(self._guarded)
        self._guarded.connection_made(transport)
        if self._early:
            self._guarded.data_received(self._early)
