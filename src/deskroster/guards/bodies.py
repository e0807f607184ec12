"""Bodies: the bytes of one connection's request bodies, counted against the quotas while they are in memory."""

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from deskroster.guards.quotas import Quotas


class Bodies:
    """Counts the bytes of each request's body until the request is answered or abandoned."""

    __slots__ = ("_address", "_quotas", "_sizes")

    def __init__(self, quotas: Quotas, address: str) -> None:
        self._quotas = quotas
        self._address = address
        self._sizes: dict[RequestResponseCycle, int] = {}

    def add(self, cycle: RequestResponseCycle, size: int) -> bool:
        """Count a part of a request's body. Return False where a quota is now exceeded."""
        self._sizes[cycle] = self._sizes.get(cycle, 0) + size
        return self._quotas.reserve(self._address, size)

    def release(self, cycle: RequestResponseCycle) -> None:
        """Stop counting a request's body, and free what the app has not read of it."""
        size = self._sizes.pop(cycle, 0)
        if size:
            cycle.body.clear()
            self._quotas.release(self._address, size)
