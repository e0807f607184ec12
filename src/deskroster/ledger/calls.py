"""Calls: how many a company was asked in the last minute by all processes, where that is limited."""

import math

import msgspec
from sqlalchemy import bindparam, select

from deskroster.ledger import tables
from deskroster.ledger.engines import Db
from deskroster.ledger.rows import as_json, putting, sql

MINUTE = 60  # seconds


def count(db: Db, company_id: int, now: float, limit: int) -> int:
    """Count a call at `now`, unless there were as many as the limit; return the seconds until there is room, else 0.

    In a transaction that holds the right to write for the company.
    """
    row = db.execute(_FIND, (company_id,)).fetchone()
    times = [] if row is None else msgspec.json.decode(row[0], type=list[float])
    recent = [at for at in times if now - at < MINUTE]
    if len(recent) >= limit:
        return max(1, math.ceil(recent[0] + MINUTE - now))
    db.execute(_PUT, (company_id, as_json([*recent, now])))
    return 0


_FIND = sql(select(tables.calls.c.times).where(tables.calls.c.company_id == bindparam("company")))
_PUT = putting(tables.calls)
