"""Replies: the first answer to an idempotency key, kept sealed for a day."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from sqlalchemy import bindparam, delete, select

from deskroster.core.problems import Damaged
from deskroster.ledger import tables
from deskroster.ledger.engines import Db
from deskroster.ledger.rows import putting, sql
from deskroster.ledger.vault import Vault, WrongKey, bound

LIFETIME = 86_400  # seconds
AT_ONCE = 1_000  # that are forgotten in one job


class Once(NamedTuple):
    """HMACs of an idempotency key with its caller, and of the path and body that came with it."""

    key: bytes
    request: bytes


class Kept(NamedTuple):
    """The first answer, and the HMAC of the request that got it."""

    request: bytes
    reply: bytes


def find(db: Db, vault: Vault, company_id: int, keys: Iterable[bytes], since: int) -> dict[bytes, Kept]:
    """Return what was answered to these keys after `since`."""
    found: dict[bytes, Kept] = {}
    for key in keys:
        row = db.execute(_FIND, (company_id, key, since)).fetchone()
        if row is not None:
            found[key] = Kept(row[0], _opened(vault, row[2], place(company_id, key, *row[:2])))
    return found


def keep(db: Db, vault: Vault, company_id: int, kept: Mapping[bytes, Kept], at: int) -> None:
    """Write first answers, sealed."""
    if kept:
        rows = [
            (company_id, key, request, at, vault.seal(reply, place(company_id, key, request, at)))
            for key, (request, reply) in kept.items()
        ]
        db.executemany(_KEEP, rows)


def place(company_id: int, key: bytes, request: bytes, at: int) -> str:
    """Return what a kept reply is bound to: all else that its row holds."""
    return bound(company_id, "reply", f"{key.hex()}/{request.hex()}", str(at))


def _opened(vault: Vault, sealed: bytes, place: str) -> bytes:
    try:
        return vault.open(sealed, place)
    except WrongKey as error:
        raise Damaged(str(error)) from error


def forget(db: Db, before: int, most: int = AT_ONCE) -> int:
    """Remove the oldest answers of all companies that are older, so many at most; return how many these were.

    They are found by an index: it costs what is removed, however many are kept.
    """
    old = db.execute(_OLD, (before, most)).fetchall()
    db.executemany(_FORGET, old)
    return len(old)


_KEEP = putting(tables.replies)
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
