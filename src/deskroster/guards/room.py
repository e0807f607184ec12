"""Room: who is connected, and how much of their requests is held, by address and in all."""

from collections import Counter
from collections.abc import Callable

from deskroster.settings import Limits

_MAPPED = "::ffff:"  # RFC 4291, section 2.5.5.2


def plain(peer: tuple[str, int] | None) -> tuple[str, int] | None:
    """Return an address as its family writes it: a socket for IPv6 and IPv4 shows 192.0.2.1 as ::ffff:192.0.2.1."""
    if peer is None or not peer[0].startswith(_MAPPED):
        return peer
    return peer[0].removeprefix(_MAPPED), peer[1]


class Room:
    """What all connections of a server share."""

    def __init__(self, limits: Limits, is_proxy: Callable[[str], bool]) -> None:
        self.limits = limits
        self._held: Counter[str] = Counter()  # bytes of bodies that are being read or answered, by address
        self._held_in_all = 0
        self._is_proxy = is_proxy
        self._connected: Counter[str] = Counter()
        self._total = 0

    def enter(self, address: str) -> bool:
        """Count a connection, unless it is one too many."""
        if self._total >= self.limits.connections:
            return False
        if self._connected[address] >= self.limits.connections_per_address and not self._is_proxy(address):
            return False
        self._connected[address] += 1
        self._total += 1
        return True

    def leave(self, address: str) -> None:
        """Count a connection no more."""
        self._total -= 1
        self._connected[address] -= 1
        if not self._connected[address]:
            del self._connected[address]

    def hold(self, address: str, size: int) -> bool:
        """Count a part of a body; False if that is too much."""
        self._held[address] += size
        self._held_in_all += size
        if self._held_in_all > self.limits.bodies_bytes:
            return False
        return self._held[address] <= self.limits.bodies_bytes_per_address or self._is_proxy(address)

    def give_back(self, address: str, size: int) -> None:
        """Count a body no more."""
        self._held_in_all -= size
        self._held[address] -= size
        if not self._held[address]:
            del self._held[address]
