"""Rate limit: the calls of a company in the last minute, counted per second in a row of fixed size.

Several processes serve the company, so the row is shared. A call counts for `MINUTE` seconds from the beginning of its
second. Counting one takes the same time, and writes the same, for any limit.
"""

from deskroster.ledger.engines import MINUTE

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
"""Counts a call, by the database's clock; returns 0 if it was counted, else the seconds until one may be.

Its values are the company id and the limit. `counts[1]` is for the second `second`, `counts[2]` for the one before it.
The clock is read after the row lock is held. If the clock was set back, all calls count as of this second: for a minute
at most.
"""
