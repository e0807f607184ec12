"""Progress: which part of a request the parser is in, and how many bytes have come for it."""

from typing import Literal

from deskroster.settings import Limits

Stage = Literal["idle", "head", "body"]
"""What is being received; `idle` is after a whole request."""


class Progress:
    """What one connection has sent, as far as the parser is."""

    __slots__ = ("_began", "_max", "_packet", "_since", "_small", "body_bytes", "stage")

    def __init__(self, limits: Limits) -> None:
        self.stage: Stage = "head"
        self.body_bytes = 0  # of the body that is being received
        self._max = limits.head_bytes
        self._small = min(limits.head_bytes, limits.query_bytes)  # bytes of a head that exceeds neither limit
        self._packet = 0  # bytes of the last packet
        self._began = 0  # bytes of the packet that the request began in
        self._since = 0  # bytes since the parser last reported a head, a part of a body, or the end of a request

    def packet(self, size: int) -> None:
        """Count the bytes of a packet, before it is parsed."""
        self._packet = size
        self._since += size

    def begin(self) -> None:
        """Note that a request begins in this packet."""
        self.stage, self._began = "head", self._packet

    def small_head(self) -> bool:
        """Return whether the head is surely within its limits; if not, its exact size has to be computed."""
        return self._began + self._since <= self._small

    def head_done(self) -> None:
        self.stage, self._since, self.body_bytes = "body", 0, 0

    def body_part(self, size: int) -> None:
        self._since = 0
        self.body_bytes += size

    def request_done(self) -> bool:
        """Note the end of a request. Return False where its head was not reported."""
        if self.stage != "body":
            return False
        self.stage, self._since = "idle", 0
        return True

    def too_large(self) -> bool:
        """Return whether more has come than a head may have: of a head, of trailers, or between chunks."""
        return self._since > self._max
