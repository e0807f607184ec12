"""Replies: the first answer to an idempotency key, kept sealed for a day."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from sqlalchemy import bindparam, delete, select

from deskroster.core.problems import Damaged
from deskroster.ledger.disk import tables
from deskroster.ledger.disk.vault import Vault, WrongKey, address_of
from deskroster.ledger.disk.writing import sql, upsert_sql
from deskroster.ledger.engines import MAX_CLOCK_SKEW, Db

LIFETIME = 86_400  # seconds
AT_ONCE = 1_000  # that are forgotten in one job, or dated anew


class Once(NamedTuple):
    """HMACs of an idempotency key with its caller, and of the path and body that came with it."""

    key: bytes
    request: bytes


class Kept(NamedTuple):
    """The first answer, and the HMAC of the request that got it."""

    request: bytes
    reply: bytes


def find(db: Db, vault: Vault, company_id: int, keys: Iterable[bytes], ours: float) -> tuple[dict[bytes, Kept], int]:
    """Return what was answered to these keys in the last day, and the time, by the database's clock if it is shared.

    Kept for as long as either that clock or `ours`, which only goes forward, says so: each may have been set ahead.
    """
    now = db.moment(ours)
    since = int(min(ours, now)) - LIFETIME
    found: dict[bytes, Kept] = {}
    for key in keys:
        row = db.execute(_FIND, (company_id, key, since)).fetchone()
        if row is not None:
            found[key] = Kept(row[0], _opened(vault, row[2], address(company_id, key, *row[:2])))
    return found, int(now)


def keep(db: Db, vault: Vault, company_id: int, kept: Mapping[bytes, Kept], at: int) -> None:
    """Write first answers, sealed."""
    if kept:
        rows = [
            (company_id, key, request, at, vault.seal(reply, address(company_id, key, request, at)))
            for key, (request, reply) in kept.items()
        ]
        db.executemany(_KEEP, rows)


def address(company_id: int, key: bytes, request: bytes, at: int) -> str:
    """Return what a kept reply is bound to: all else that its row holds."""
    return address_of(company_id, "reply", f"{key.hex()}/{request.hex()}", str(at))


def _opened(vault: Vault, sealed: bytes, address: str) -> bytes:
    try:
        return vault.open(sealed, address)
    except WrongKey as error:
        raise Damaged(str(error)) from error


def forget(db: Db, before: int, most: int = AT_ONCE) -> int:
    """Remove the oldest answers of all companies that are older, so many at most; return how many these were.

    They are found by an index: it costs what is removed, however many are kept.
    """
    old = db.execute(_OLD, (before, most)).fetchall()
    db.executemany(_FORGET, old)
    return len(old)


def redate(db: Db, vault: Vault, now: int) -> None:
    """Date answers back to `now` that a clock which ran ahead has dated later: they are kept for a day from now."""
    for company_id, key, request, at, sealed in db.execute(_LATER, (now + MAX_CLOCK_SKEW,)).fetchall():
        reply = _opened(vault, sealed, address(company_id, key, request, at))
        keep(db, vault, company_id, {key: Kept(request, reply)}, now)


_KEEP = upsert_sql(tables.replies)
_LATER = f"{sql(select(tables.replies).where(tables.replies.c.at > bindparam('now')))} LIMIT {AT_ONCE}"
_FIND = sql(
    select(tables.replies.c.request, tables.replies.c.at, tables.replies.c.sealed).where(
        tables.replies.c.company_id == bindparam("company"),
        tables.replies.c.key == bindparam("key_"),
        tables.replies.c.at > bindparam("since"),
    )
)
_OLD = (
    sql(
        select(tables.replies.c.company_id, tables.replies.c.key)
        .where(tables.replies.c.at <= bindparam("before"))
        .order_by(tables.replies.c.at)
    )
    + " LIMIT ?"
)
_FORGET = sql(
    delete(tables.replies).where(
        tables.replies.c.company_id == bindparam("company"), tables.replies.c.key == bindparam("key_")
    )
)
