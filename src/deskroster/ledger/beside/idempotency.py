"""Idempotency keys: the first reply to each, stored encrypted for a day."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from sqlalchemy import bindparam, delete, select

from deskroster.core.problems import Damaged
from deskroster.ledger.disk import tables
from deskroster.ledger.disk.vault import Vault, WrongKey, address_of
from deskroster.ledger.disk.writing import sql, upsert_sql
from deskroster.ledger.engines import MAX_CLOCK_SKEW, Db
from deskroster.texts import foreign

LIFETIME = 86_400  # seconds
BATCH = 1_000  # rows that one transaction deletes, or corrects


class Once(NamedTuple):
    """An idempotency key: the HMAC of caller and key, and the HMAC of the request's path and body."""

    key: bytes
    request: bytes


class StoredReply(NamedTuple):
    """The first reply to an idempotency key, and the HMAC of the request that got it."""

    request: bytes
    reply: bytes


def find(
    db: Db, vault: Vault, company_id: int, keys: Iterable[bytes], ours: float
) -> tuple[dict[bytes, StoredReply], int]:
    """Return the replies of the last day to these keys, and the time: the database's, if it is shared, else `ours`.

    A reply expires once it is a day old by that clock and by `ours`, which is monotonic: either may have been set
    ahead.
    """
    now = db.moment(ours)
    since = int(min(ours, now)) - LIFETIME
    replies: dict[bytes, StoredReply] = {}
    for key in keys:
        row = db.execute(_FIND, (company_id, key, since)).fetchone()
        if row is not None:
            replies[key] = StoredReply(row[0], _decrypted(vault, row[2], reply_address(company_id, key, *row[:2])))
    return replies, int(now)


def store(db: Db, vault: Vault, company_id: int, replies: Mapping[bytes, StoredReply], at: int) -> None:
    """Store replies, encrypted."""
    if replies:
        rows = [
            (company_id, key, request, at, vault.seal(reply, reply_address(company_id, key, request, at)))
            for key, (request, reply) in replies.items()
        ]
        db.executemany(_UPSERT, rows)


def reply_address(company_id: int, key: bytes, request: bytes, at: int) -> str:
    """Return the associated data of an encrypted reply: all other columns of its row."""
    return address_of(company_id, "reply", f"{key.hex()}/{request.hex()}", str(at))


def _decrypted(vault: Vault, sealed: bytes, associated_data: str) -> bytes:
    try:
        return vault.open(sealed, associated_data)
    except WrongKey as error:
        raise Damaged(foreign(error)) from error


def delete_expired(db: Db, before: int, most: int = BATCH) -> int:
    """Delete up to `most` replies that are older, of all companies, the oldest first; return how many were deleted.

    They are found by an index, so the cost does not depend on how many are stored.
    """
    expired = db.execute(_EXPIRED, (before, most)).fetchall()
    db.executemany(_DELETE, expired)
    return len(expired)


def correct_dates(db: Db, vault: Vault, now: int) -> None:
    """Date replies back to `now` whose date is in the future, as a clock ran ahead: they expire in a day."""
    for company_id, key, request, at, sealed in db.execute(_FUTURE, (now + MAX_CLOCK_SKEW,)).fetchall():
        reply = _decrypted(vault, sealed, reply_address(company_id, key, request, at))
        store(db, vault, company_id, {key: StoredReply(request, reply)}, now)


_UPSERT = upsert_sql(tables.replies)
_FUTURE = f"{sql(select(tables.replies).where(tables.replies.c.at > bindparam('now')))} LIMIT {BATCH}"
_FIND = sql(
    select(tables.replies.c.request, tables.replies.c.at, tables.replies.c.sealed).where(
        tables.replies.c.company_id == bindparam("company"),
        tables.replies.c.key == bindparam("key_"),
        tables.replies.c.at > bindparam("since"),
    )
)
_EXPIRED = (
    sql(
        select(tables.replies.c.company_id, tables.replies.c.key)
        .where(tables.replies.c.at <= bindparam("before"))
        .order_by(tables.replies.c.at)
    )
    + " LIMIT ?"
)
_DELETE = sql(
    delete(tables.replies).where(
        tables.replies.c.company_id == bindparam("company"), tables.replies.c.key == bindparam("key_")
    )
)
