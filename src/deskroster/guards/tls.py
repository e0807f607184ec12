"""TLS: the limits of a connection hold from the first byte of its handshake."""

import asyncio
import ssl
from typing import Any

from uvicorn.protocols.utils import get_remote_addr

from deskroster.eager import Begun, begin
from deskroster.guards.http import Guarded
from deskroster.guards.quotas import Quotas, unmapped


class Handshake(asyncio.Protocol):
    """A connection during its TLS handshake: counted as any other, within the timeout of a head."""

    def __init__(self, quotas: Quotas, guarded: Guarded, tls: ssl.SSLContext) -> None:
        self._quotas = quotas
        self._guarded = guarded
        self._tls = tls
        self._early = b""  # decrypted data that came with the end of the handshake
        self._lost = False
        self._task: asyncio.Task[None]

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        address = (unmapped(get_remote_addr(transport)) or ("",))[0]
        if not self._quotas.connect(address):
            transport.abort()
            return
        loop, seconds = asyncio.get_running_loop(), self._quotas.limits.head_seconds
        # Eagerly: what is read next is part of the handshake.
        secure = begin(loop.start_tls(transport, self, self._tls, server_side=True, ssl_handshake_timeout=seconds))
        assert secure is not None  # the client has said nothing yet
        self._task = loop.create_task(self._handshake(secure, address))

    def data_received(self, data: bytes) -> None:
        self._early += data

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = True

    async def _handshake(self, secure: Begun[Any], address: str) -> None:
        try:
            transport = await secure
        except (OSError, asyncio.CancelledError):
            self._lost = True
        if self._lost:
            self._quotas.disconnect(address)
            return
        self._guarded.counted_as = address
        transport.set_protocol(self._guarded)
        self._guarded.connection_made(transport)
        if self._early:
            self._guarded.data_received(self._early)
