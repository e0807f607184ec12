"""Quotas: limits for open connections, and for bytes of request bodies in memory, per address and in total."""

from collections import Counter
from collections.abc import Callable

from deskroster.settings import Limits

_MAPPED = "::ffff:"  # RFC 4291, section 2.5.5.2


def unmapped(peer: tuple[str, int] | None) -> tuple[str, int] | None:
    """Return an IPv4-mapped IPv6 address as IPv4: a dual-stack socket reports 192.0.2.1 as ::ffff:192.0.2.1."""
    if peer is None or not peer[0].startswith(_MAPPED):
        return peer
    return peer[0].removeprefix(_MAPPED), peer[1]


class Quotas:
    """What all connections of a server share. The limits per address do not apply to trusted proxies."""

    def __init__(self, limits: Limits, is_proxy: Callable[[str], bool]) -> None:
        self.limits = limits
        self._is_proxy = is_proxy
        self._connections: Counter[str] = Counter()  # by address
        self._all_connections = 0
        self._body_bytes: Counter[str] = Counter()  # of requests that are being received or answered, by address
        self._all_body_bytes = 0

    def connect(self, address: str) -> bool:
        """Count a connection. Return False, and count nothing, where that exceeds a limit."""
        if self._all_connections >= self.limits.connections:
            return False
        if self._connections[address] >= self.limits.connections_per_address and not self._is_proxy(address):
            return False
        self._connections[address] += 1
        self._all_connections += 1
        return True

    def disconnect(self, address: str) -> None:
        """Stop counting a connection."""
        self._all_connections -= 1
        self._connections[address] -= 1
        if not self._connections[address]:
            del self._connections[address]

    def reserve(self, address: str, size: int) -> bool:
        """Count bytes of a body. Return False where a limit is now exceeded; the bytes are counted all the same."""
        self._body_bytes[address] += size
        self._all_body_bytes += size
        if self._all_body_bytes > self.limits.bodies_bytes:
            return False
        return self._body_bytes[address] <= self.limits.bodies_bytes_per_address or self._is_proxy(address)

    def release(self, address: str, size: int) -> None:
        """Stop counting bytes of a body."""
        self._all_body_bytes -= size
        self._body_bytes[address] -= size
        if not self._body_bytes[address]:
            del self._body_bytes[address]
