"""Calls: how many a company was asked in the last minute, where that is limited. Counted by the second.

In memory where one process has the data; in a row of fixed size for each company where several processes do. A call
counts for `MINUTE` seconds from the beginning of the second that it is in. Whatever the limit, counting a call costs
the same, and writes the same.
"""

from math import ceil, floor

MINUTE = 60  # seconds, and so many counts are kept


class Minute:
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


COUNT = f"""
INSERT INTO call_counts AS c (company_id, second, counts, waits)
    VALUES (?, floor(extract(epoch FROM clock_timestamp()))::bigint, 1 || array_fill(0, ARRAY[{MINUTE - 1}]), 0)
ON CONFLICT (company_id) DO UPDATE SET (second, counts, waits) = (
    SELECT floor(at)::bigint,
        CASE WHEN spent THEN recent ELSE recent[1] + 1 || recent[2:{MINUTE}] END,
        CASE WHEN spent THEN greatest(1, ceil(floor(at) - oldest + {MINUTE + 1} - at))::integer ELSE 0 END
    FROM (
        SELECT at, recent, (SELECT sum(n) FROM unnest(recent) AS n) >= ? AS spent,
            (SELECT max(place) FROM unnest(recent) WITH ORDINALITY AS u (n, place) WHERE n > 0) AS oldest
        FROM (
            SELECT at, (array_fill(0, ARRAY[passed]) || c.counts)[1:{MINUTE}] AS recent
            FROM (
                SELECT at, least({MINUTE}, greatest(0, floor(at)::bigint - c.second))::integer AS passed
                FROM (SELECT extract(epoch FROM clock_timestamp())::float8 AS at) AS clock
            ) AS since
        ) AS moved
    ) AS judged
)
RETURNING waits"""
"""Counts a call in a database that is shared, by its clock; gives the seconds until there is room, 0 if counted.

Its values are the company and the limit. `counts` begins with `second` and goes back from there. The clock is read
after the row is locked. Where it was set back, all that was counted counts as of this second: for a minute at most.
"""
