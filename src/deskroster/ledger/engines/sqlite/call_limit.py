"""The calls of a company in the last minute, counted by the second in memory: one process has the data.

A call counts for `MINUTE` seconds from the beginning of the second that it is in. Whatever the limit, counting a call
costs the same.
"""

from math import ceil, floor

from deskroster.ledger.engines import MINUTE


class LastMinute:
    """The calls of the last minute, by a clock that only goes forward."""

    def __init__(self) -> None:
        self._counts = [0] * MINUTE  # of second s at s modulo MINUTE
        self._second = 0  # of the last count
        self._all = 0

    def count(self, now: float, limit: int) -> int:
        """Count a call at `now`, unless there were as many as the limit; return the seconds until there is room."""
        counts, second = self._counts, floor(now)
        for passed in range(max(self._second + 1, second - MINUTE + 1), second + 1):
            self._all -= counts[passed % MINUTE]
            counts[passed % MINUTE] = 0
        self._second = second
        if self._all >= limit:
            oldest = next(s for s in range(second - MINUTE + 1, second + 1) if counts[s % MINUTE])
            return max(1, ceil(oldest + MINUTE - now))
        counts[second % MINUTE] += 1
        self._all += 1
        return 0
