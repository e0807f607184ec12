"""Observations: when a key was last used, an agent last logged in. In memory, saved now and then, never logged."""

from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple

from sqlalchemy import bindparam, select

from deskroster.core.problems import Damaged
from deskroster.ledger.disk import tables
from deskroster.ledger.disk.vault import Vault
from deskroster.ledger.disk.writing import Row, sql, upsert_sql
from deskroster.ledger.engines import MAX_CLOCK_SKEW, Db

Observed = Literal["key", "agent"]


class Last(NamedTuple):
    """When it was last seen, in Unix seconds, and for a key the form of the signature."""

    at: int
    form: str


Seen = dict[tuple[Observed, int], Last]


class Observations:
    """Those of one company. `stir` is called when there is something to save that there was not."""

    def __init__(self, seen: Seen, now: float, stir: Callable[[], None]) -> None:
        self._seen: dict[Observed, dict[int, Last]] = {"key": {}, "agent": {}}
        self._stir = stir
        self._unsaved: set[tuple[Observed, int]] = set()
        self.learn(seen, now)

    def note(self, kind: Observed, id: int, at: int, form: str) -> None:
        if self._seen[kind].get(id) == (at, form):
            return
        if not self._unsaved:
            self._stir()
        self._seen[kind][id] = Last(at, form)
        self._unsaved.add((kind, id))

    def learn(self, seen: Seen, now: float) -> list[tuple[Observed, int]]:
        """Take over what was saved, by others too, where it is later than what is known; return where that was.

        What lies in the future was seen by a clock that ran ahead: it counts as of now, and is saved so.
        """
        later: list[tuple[Observed, int]] = []
        latest = int(now) + MAX_CLOCK_SKEW
        for (kind, id), last in seen.items():
            known = self._seen[kind].get(id)
            if last.at > latest:
                self.put_back(kind, id)
            if known is None or known.at < last.at or known.at > latest:
                self._seen[kind][id] = last if last.at <= latest else Last(int(now), last.form)
                later.append((kind, id))
        return later

    def last(self, kind: Observed, id: int) -> Last | None:
        return self._seen[kind].get(id)

    def among(self, kind: Observed, ids: Iterable[int]) -> dict[int, Last]:
        """Return those of the ids that were ever seen, at little cost for those that were not."""
        seen = self._seen[kind]
        return {id: seen[id] for id in seen.keys() & ids}

    @property
    def unsaved(self) -> bool:
        """Whether there is something to save."""
        return bool(self._unsaved)

    def put_back(self, kind: Observed, id: int) -> None:
        """Have something saved that was taken, and could not be."""
        if not self._unsaved:
            self._stir()
        self._unsaved.add((kind, id))

    def take(self, company_id: int) -> list[Row]:
        """Return the rows to save; they count as saved."""
        rows: list[Row] = [(company_id, kind, id, *self._seen[kind][id]) for kind, id in self._unsaved]
        self._unsaved.clear()
        return rows


def load(db: Db, vault: Vault, company_id: int) -> Seen:
    """Return what was saved of a company. Raises Damaged."""
    seen: Seen = {}
    checksum = vault.checksums(company_id, "observation")
    for _, kind, id, at, form, written in db.execute(_SELECT, (company_id,)):
        row = (kind, id, at, form)
        if checksum(row) != written and not vault.has_checksum(company_id, "observation", row, written):
            raise Damaged(f"company {company_id}, when {kind} {id} was last seen: not as it was written")
        seen[kind, id] = Last(at, form)
    return seen


def save(db: Db, vault: Vault, rows: list[Row], now: float) -> None:
    """Write what `take` gave, where it is later than what stands there, or that lies in the future."""
    checksums = {id: vault.checksums(id, "observation") for id in {row[0] for row in rows}}
    latest = db.moment(now)
    db.executemany(_PUT, [(*row, checksums[row[0]](row[1:]), latest) for row in rows])


_SELECT = sql(select(tables.observations).where(tables.observations.c.company_id == bindparam("key")))
_PUT = f"{upsert_sql(tables.observations)} WHERE excluded.at >= observations.at OR observations.at > ?"
