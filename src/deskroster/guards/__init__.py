"""Guards: what stands between the network and the app, so that nobody holds it up."""

import asyncio
import ssl
from collections.abc import Callable
from typing import Any

from deskroster.guards.http import AtOnce, Guarded, Refuse
from deskroster.guards.room import Room
from deskroster.guards.tls import Handshake
from deskroster.settings import Limits


class Guard:
    """Makes the connections of a server, all within its limits."""

    def __init__(
        self,
        limits: Limits,
        refuse: Refuse,
        is_proxy: Callable[[str], bool],
        tls: ssl.SSLContext | None = None,
        at_once: AtOnce | None = None,
    ) -> None:
        """`at_once` may answer before the app is asked."""
        self._room = Room(limits, is_proxy)
        self._refuse = refuse
        self._tls = tls
        self._at_once = at_once

    def protocol(self, **given: Any) -> asyncio.Protocol:
        """Make the protocol of one connection, as uvicorn asks for it."""
        guarded = Guarded(self._room, self._refuse, self._at_once, **given)
        return guarded if self._tls is None else Handshake(self._room, guarded, self._tls)
