"""Nonces in a database that several processes share: how they are spent and released, and when they may be deleted."""

import secrets
from collections import deque
from typing import NamedTuple

from deskroster.ledger.engines import Db
from deskroster.ledger.engines.nonces import LIFETIME, digest

DELETE_BATCH = 5_000  # nonces that one transaction deletes
_MAX_AHEAD = 86_400  # seconds: a nonce that expires later was spent by a clock that ran ahead
MAX_UNCONFIRMED = 500  # failed queries that are remembered, the latest
_MAX_DRIFT = 60  # seconds by which the offset between the clocks may change in a minute: more, and one was set

_DB_TIME = "floor(extract(epoch FROM clock_timestamp()))::bigint"
SPEND = f"""WITH spent AS (
    INSERT INTO nonces (company_id, digest, until, spender)
        SELECT $1::bigint, digest, greatest({_DB_TIME}, $2::bigint) + {LIFETIME}, $4::bigint
        FROM unnest($3::bytea[]) AS digest
    ON CONFLICT (company_id, digest) DO UPDATE SET until = excluded.until, spender = excluded.spender
        WHERE nonces.until <= least({_DB_TIME}, $2::bigint) OR nonces.spender = ANY($5::bigint[])
    RETURNING digest
) """
"""Precedes a query, which can select `FROM spent` the digests of the nonces that were unused.

A nonce may be used again only when it has expired by the database's clock and by ours: setting one of them ahead is
not enough. $4 names this query, and $5 those whose result is unknown: no request was let in by what they spent.
"""
RELEASE = """DELETE FROM nonces
    WHERE company_id = $1::bigint AND digest = ANY($2::bytea[]) AND spender = ANY($3::bigint[])"""
"""Deletes what such queries spent."""
_DELETE = (
    "DELETE FROM nonces WHERE (until <= ? OR until > ?)"
    " AND ctid = ANY(ARRAY(SELECT ctid FROM nonces WHERE until <= ? OR until > ? LIMIT ?)) RETURNING 1"
)


def release(company_id: int, nonce: str) -> str:
    """Return the statement that makes a nonce unused again which this process has spent; its value is the company."""
    spent = digest(company_id, nonce).hex()
    return (
        f"WITH released AS (DELETE FROM nonces WHERE company_id = ? AND digest = '\\x{spent}' RETURNING 1)"
        " SELECT count(*)::integer FROM released"
    )


class Spending(NamedTuple):
    """A query that spends nonces."""

    company_id: int
    digests: tuple[bytes, ...]
    spender: int
    since: float  # by a monotonic clock


class Unconfirmed:
    """The queries of this process that spent nonces, if they were carried out, and had no result.

    All of their requests were refused as surely not done, and may be sent again as they are.
    """

    def __init__(self) -> None:
        self._queries: deque[Spending] = deque(maxlen=MAX_UNCONFIRMED)

    def add(self, spending: Spending) -> None:
        self._queries.append(spending)

    def of(self, company_id: int, now: float) -> list[Spending]:
        """Return the queries about a company whose nonces have not expired."""
        while self._queries and self._queries[0].since <= now - LIFETIME:
            self._queries.popleft()
        return [query for query in self._queries if query.company_id == company_id]


def new_spender() -> int:
    """Return a name for a query, which no other has."""
    return secrets.randbits(63)


def delete(db: Db, now: int, most: int = DELETE_BATCH) -> int:
    """Delete up to `most` expired nonces; return how many were deleted.

    Nonces that expire in more than a day are deleted too: a clock that ran ahead has spent them. Rows are found by an
    index. One that is spent again meanwhile stays, because it has another expiry by then.
    """
    too_late = now + _MAX_AHEAD
    return len(db.execute(_DELETE, (now, too_late, now, too_late, most)).fetchall())


class EvenClock:
    """Tells whether the database's clock was not set for as long as a nonce lives.

    If it was set ahead, all nonces would be deleted, and could be used again once it is set right. So a process deletes
    none before it has seen that clock run evenly, beside the monotonic clock, for the lifetime of a nonce.
    """

    def __init__(self) -> None:
        self._offset: float | None = None  # of the database's clock from our monotonic clock
        self._even_since = 0.0

    def may_delete(self, database_time: float, monotonic_time: float) -> bool:
        """Compare the database's time with our monotonic time; tell whether expired nonces may be deleted."""
        offset = database_time - monotonic_time
        if self._offset is None or abs(offset - self._offset) > _MAX_DRIFT:
            self._even_since = monotonic_time
        self._offset = offset
        return monotonic_time - self._even_since >= LIFETIME
