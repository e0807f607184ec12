"""The calls of a company in the last minute, counted by the second in a row of fixed size: several processes serve it.

A call counts for `MINUTE` seconds from the beginning of the second that it is in. Whatever the limit, counting a call
costs the same, and writes the same.
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
"""Counts a call in a database that is shared, by its clock; gives the seconds until there is room, 0 if counted.

Its values are the company and the limit. `counts` begins with `second` and goes back from there. The clock is read
after the row is locked. Where it was set back, all that was counted counts as of this second: for a minute at most.
"""
