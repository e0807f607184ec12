"""The notes of an installation: a key-value table, which says for example which key sealed the data."""

from collections.abc import Iterator

from sqlalchemy import bindparam, select

from deskroster.core.problems import Damaged
from deskroster.ledger.disk import tables
from deskroster.ledger.disk.writing import delete_sql, sql, upsert_sql
from deskroster.ledger.engines import Db, fence
from deskroster.texts import said

SCHEMA = "schema"  # note: the HMAC of the table declarations
ARRIVED = "arrived"  # note, in a copy that has become the data: the names of the moves that brought it here, in order
_MAX_ARRIVALS = 20  # names; every write reads all notes


def get(db: Db, name: str) -> str | None:
    """Return the value of a note, or None."""
    row = db.execute(_GET, (name,)).fetchone()
    return None if row is None else str(row[0])


def get_if_any(db: Db, name: str) -> str | None:
    """Return the value of a note, or None; also None if the database has no tables yet."""
    return get(db, name) if db.has_table(tables.installation.name) else None


def put(db: Db, name: str, value: str) -> None:
    """Write a note; replace the one of that name."""
    db.execute(_PUT, (name, value))


def remove(db: Db, name: str) -> None:
    """Delete a note."""
    db.execute(_REMOVE, (name,))


def fingerprint(db: Db) -> str | None:
    """Return the fingerprint of the key that sealed the data; None if no key was used yet."""
    return get(db, fence.KEY)


def count_company_change(db: Db) -> None:
    """Increment the counter of changes to the list of companies, so that other processes read it again."""
    put(db, fence.COMPANY_LIST, str(company_changes(db) + 1))


def company_changes(db: Db) -> int:
    """Return how often the list of companies has changed. Raises Damaged."""
    count = get(db, fence.COMPANY_LIST) or "0"
    if not count.isdecimal():
        raise Damaged(said("how often the list of companies has changed is not as it was written"))
    return int(count)


def arrivals(db: Db) -> list[str]:
    """Return the names of the moves that brought the data here, or to where it was moved from, in order."""
    return (get_if_any(db, ARRIVED) or "").split()


def put_arrivals(db: Db, names: list[str]) -> None:
    """Store which moves brought the data here; only the last ones, if there are many."""
    remove(db, ARRIVED)
    if names:
        put(db, ARRIVED, " ".join(names[-_MAX_ARRIVALS:]))


def unknown(db: Db, serves: str) -> Iterator[str]:
    """Yield the notes that this version does not write. `serves` is the oldest version that it serves."""
    for name, value in db.execute(fence.NOTES).fetchall():
        known = name in (fence.KEY, SCHEMA, ARRIVED, fence.MOVED, fence.UNDER_WAY)
        if not (known or (name, value) == (fence.SERVES, serves) or (name == fence.COMPANY_LIST and value.isdecimal())):
            yield f"the note {name!r}"


_PUT, _REMOVE = upsert_sql(tables.installation), delete_sql(tables.installation)
_GET = sql(select(tables.installation.c.value).where(tables.installation.c.name == bindparam("key_")))
