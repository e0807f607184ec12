"""Guards: the limits and timeouts of connections, between the network and the app."""

import asyncio
import ssl
from collections.abc import Callable
from typing import Any

from deskroster.guards.http import Guarded
from deskroster.guards.immediate import AtOnce
from deskroster.guards.quotas import Quotas
from deskroster.guards.refusal import Refuse
from deskroster.guards.tls import Handshake
from deskroster.settings import Limits


class Guard:
    """Makes the protocols of a server's connections, which share its quotas."""

    def __init__(
        self,
        limits: Limits,
        refuse: Refuse,
        is_proxy: Callable[[str], bool],
        tls: ssl.SSLContext | None = None,
        at_once: AtOnce | None = None,
    ) -> None:
        """Guard a server. `at_once` may answer a GET instead of the app; without it the app answers all."""
        self._quotas = Quotas(limits, is_proxy)
        self._refuse = refuse
        self._tls = tls
        self._at_once = at_once

    def protocol(self, **given: Any) -> asyncio.Protocol:
        """Make the protocol of one connection, as uvicorn asks for it."""
        guarded = Guarded(self._quotas, self._refuse, self._at_once, **given)
        return guarded if self._tls is None else Handshake(self._quotas, guarded, self._tls)
