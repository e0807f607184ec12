"""Observations: when a key was last used, or an agent last logged in. In memory, saved once a minute, never logged."""

from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple

from sqlalchemy import bindparam, select

from deskroster.core.problems import Damaged
from deskroster.ledger.disk import tables
from deskroster.ledger.disk.vault import Vault
from deskroster.ledger.disk.writing import Row, sql, upsert_sql
from deskroster.ledger.engines import MAX_CLOCK_SKEW, Db
from deskroster.texts import said

Observed = Literal["key", "agent"]


class Last(NamedTuple):
    """When it was last seen, in Unix seconds; for a key, also the form of the signature."""

    at: int
    form: str


Seen = dict[tuple[Observed, int], Last]


class Observations:
    """The observations of one company. `schedule_save` is called when there is something to save."""

    def __init__(self, seen: Seen, now: float, schedule_save: Callable[[], None]) -> None:
        self._seen: dict[Observed, dict[int, Last]] = {"key": {}, "agent": {}}
        self._schedule_save = schedule_save
        self._unsaved: set[tuple[Observed, int]] = set()
        self.merge(seen, now)

    def record(self, kind: Observed, id: int, at: int, form: str) -> None:
        if self._seen[kind].get(id) == (at, form):
            return
        if not self._unsaved:
            self._schedule_save()
        self._seen[kind][id] = Last(at, form)
        self._unsaved.add((kind, id))

    def merge(self, seen: Seen, now: float) -> list[tuple[Observed, int]]:
        """Merge what was saved, also by other processes, where it is later. Return which ones were.

        A time in the future is by a clock that ran ahead. It is replaced by `now`, and saved so.
        """
        changed: list[tuple[Observed, int]] = []
        latest = int(now) + MAX_CLOCK_SKEW
        for (kind, id), last in seen.items():
            current = self._seen[kind].get(id)
            if last.at > latest:
                self.put_back(kind, id)
            if current is None or current.at < last.at or current.at > latest:
                self._seen[kind][id] = last if last.at <= latest else Last(int(now), last.form)
                changed.append((kind, id))
        return changed

    def last(self, kind: Observed, id: int) -> Last | None:
        return self._seen[kind].get(id)

    def among(self, kind: Observed, ids: Iterable[int]) -> dict[int, Last]:
        """Return the observations of these ids. Ids that were never seen cost little."""
        seen = self._seen[kind]
        return {id: seen[id] for id in seen.keys() & ids}

    @property
    def unsaved(self) -> bool:
        """Whether there is something to save."""
        return bool(self._unsaved)

    def put_back(self, kind: Observed, id: int) -> None:
        """Mark as unsaved what `take` returned and could not be saved."""
        if not self._unsaved:
            self._schedule_save()
        self._unsaved.add((kind, id))

    def take(self, company_id: int) -> list[Row]:
        """Return the unsaved rows, and mark them as saved."""
        rows: list[Row] = [(company_id, kind, id, *self._seen[kind][id]) for kind, id in self._unsaved]
        self._unsaved.clear()
        return rows


def load(db: Db, vault: Vault, company_id: int) -> Seen:
    """Return what was saved of a company. Raises Damaged."""
    seen: Seen = {}
    checksum = vault.checksums(company_id, "observation")
    for _, kind, id, at, form, stored_checksum in db.execute(_SELECT, (company_id,)):
        row = (kind, id, at, form)
        if checksum(row) != stored_checksum and not vault.has_checksum(company_id, "observation", row, stored_checksum):
            raise Damaged(
                said(
                    "company {company_id}, when {kind} {id} was last seen: not as it was written",
                    company_id=company_id,
                    kind=kind,
                    id=id,
                )
            )
        seen[kind, id] = Last(at, form)
    return seen


def save(db: Db, vault: Vault, rows: list[Row], now: float) -> None:
    """Write rows from `take`, unless the stored time is later and not in the future."""
    checksums = {id: vault.checksums(id, "observation") for id in {row[0] for row in rows}}
    latest = db.moment(now)
    db.executemany(_PUT, [(*row, checksums[row[0]](row[1:]), latest) for row in rows])


_SELECT = sql(select(tables.observations).where(tables.observations.c.company_id == bindparam("key")))
_PUT = f"{upsert_sql(tables.observations)} WHERE excluded.at >= observations.at OR observations.at > ?"
