"""Rate limit: the calls of a company in the last minute, counted per second in memory, as one process has the data.

A call counts for `MINUTE` seconds from the beginning of its second. Counting one takes the same time for any limit.
"""

from math import ceil, floor

from deskroster.ledger.engines import MINUTE


class LastMinute:
    """A sliding window of 60 counters, by a monotonic clock."""

    def __init__(self) -> None:
        self._counts = [0] * MINUTE  # the count of second s is at s modulo MINUTE
        self._second = 0  # the second of the last count
        self._total = 0

    def count(self, now: float, limit: int) -> int:
        """Count a call at `now` and return 0; at the limit, count nothing and return the seconds to wait."""
        counts, second = self._counts, floor(now)
        for passed in range(max(self._second + 1, second - MINUTE + 1), second + 1):
            self._total -= counts[passed % MINUTE]
            counts[passed % MINUTE] = 0
        self._second = second
        if self._total >= limit:
            oldest = next(s for s in range(second - MINUTE + 1, second + 1) if counts[s % MINUTE])
            return max(1, ceil(oldest + MINUTE - now))
        counts[second % MINUTE] += 1
        self._total += 1
        return 0
