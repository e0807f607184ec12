"""Nonces in a database that several processes use: how they are spent, and when they may be deleted."""

from deskroster.ledger.engines import Db
from deskroster.ledger.engines.nonces import LIFETIME

AT_ONCE = 5_000  # that are deleted in one job
_FAR = 86_400  # seconds: a nonce that is stored for longer was spent by a clock that ran ahead
_JUMP = 60  # seconds by which the database's clock may differ from ours in a minute without having been set

_THEIRS = "floor(extract(epoch FROM clock_timestamp()))::bigint"
SPEND = f"""WITH spent AS (
    INSERT INTO nonces (company_id, digest, until)
        SELECT $1::bigint, digest, greatest({_THEIRS}, $2::bigint) + {LIFETIME} FROM unnest($3::bytea[]) AS digest
    ON CONFLICT (company_id, digest) DO UPDATE SET until = excluded.until
        WHERE nonces.until <= least({_THEIRS}, $2::bigint)
    RETURNING digest
) """
"""Before a query, which can select the digests `FROM spent` that had not been used.

A nonce may be used again only when both the database's clock and ours say so: neither can be set ahead to allow it.
"""
_DELETE = (
    "DELETE FROM nonces WHERE (until <= ? OR until > ?)"
    " AND ctid = ANY(ARRAY(SELECT ctid FROM nonces WHERE until <= ? OR until > ? LIMIT ?)) RETURNING 1"
)


def delete(db: Db, now: int, most: int = AT_ONCE) -> int:
    """Delete nonces that may be used again, so many at most; return how many these were.

    And those that a clock which ran a day ahead has spent. They are found by an index. One that is used again meanwhile
    stays: its row has another time by then.
    """
    far = now + _FAR
    return len(db.execute(_DELETE, (now, far, now, far, most)).fetchall())


class EvenClock:
    """Whether the database's clock has run evenly for as long as a nonce lives.

    It can be set like any other. Set ahead, it would have all nonces deleted, and they could be used again when it is
    set right. So a process deletes none before it has seen that clock run evenly for their lifetime.
    """

    def __init__(self) -> None:
        self._offset: float | None = None  # of the database's clock from ours that only goes forward
        self._even_since = 0.0

    def may_delete(self, theirs: float, steady: float) -> bool:
        """Take note of the database's time and ours; tell whether nonces that have expired by it may be deleted."""
        offset = theirs - steady
        if self._offset is None or abs(offset - self._offset) > _JUMP:
            self._even_since = steady
        self._offset = offset
        return steady - self._even_since >= LIFETIME
