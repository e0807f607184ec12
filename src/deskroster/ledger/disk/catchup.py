"""Catching up: what other processes have committed, as changes that a roster can follow."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sqlalchemy import bindparam, select

from deskroster.core.changes import Change, Commit
from deskroster.core.records import RECORDS, AnyRecord, Kind, Secret
from deskroster.core.roster import Roster
from deskroster.ledger.disk import fields, log, reading, tables
from deskroster.ledger.disk.vault import Vault, bound
from deskroster.ledger.disk.writing import Row, sql
from deskroster.ledger.engines import Db

SecretKey = tuple[Kind, int, str]
"""The kind, id and field of a record that has a secret."""


class Unseen(NamedTuple):
    """The commits after one that is known, whole up to the last, and the secrets that they speak of as they are now."""

    commits: list[log.Told]
    secrets: dict[SecretKey, Secret]
    next_ids: dict[Kind, int]

    def followed(self, roster: Roster, told: log.Told) -> Commit:
        """Return the commit that comes next for this roster. Its changes are made as they are applied, one by one."""
        return Commit(told.number, told.at, told.origin, _changes(roster, told.changes, self.secrets))


def unseen(db: Db, vault: Vault, company_id: int, since: int, head: bytes) -> Unseen:
    """Return what was committed after the commit `since` with the hash `head`, all of one moment.

    Raises Broken if that commit is another one, Damaged, NewerData.
    """
    commits = list(log.whole(db, company_id, since, head))
    secrets: dict[SecretKey, Secret] = {}
    for commit in commits:
        for kind, id, _, after in commit.changes:
            if kind in RECORDS and after is not None and fields.SECRET in after:
                _read_secrets(db, vault, company_id, (kind, id), after, secrets)
    with reading.legible(db, f"the end of the log of company {company_id}"):
        loaded = reading.settings(db, vault, company_id)
    return Unseen(commits, secrets, loaded.roster.next_ids)


def _read_secrets(
    db: Db, vault: Vault, company_id: int, record: tuple[Kind, int], after: str, found: dict[SecretKey, Secret]
) -> None:
    for field in fields.marked(fields.read(after)):
        if (*record, field) in found:
            continue
        row = db.execute(_SECRET, (company_id, *record, field)).fetchone()
        if row is not None:
            address = bound(company_id, *record, field)
            with reading.legible(db, address):
                found[(*record, field)] = Secret(vault.open(row[0], address).decode())


def _changes(roster: Roster, told: Sequence[Row], secrets: dict[SecretKey, Secret]) -> Iterator[Change]:
    """Yield changes, each made of what the roster holds once those before it are applied.

    Records of a kind that only a later version knows are left to it.
    """
    for kind, id, before, after in told:
        if kind not in RECORDS:
            continue
        was = roster.record(kind, id)
        if after is None:
            yield Change(kind, id, was, None)
            continue
        if before is None:
            now = fields.made(kind, after)
        else:
            assert was is not None
            now = fields.changed(was, fields.read(before), fields.read(after))
        yield Change(kind, id, was, _with_secrets(now, after, secrets) if fields.SECRET in after else now)


def _with_secrets(record: AnyRecord, after: str, secrets: dict[SecretKey, Secret]) -> AnyRecord:
    """Put in the secrets that were only marked. One that is gone by now will be given up by a later change."""
    marked = fields.marked(fields.read(after))
    return fields.with_secrets(record, {name: secrets.get((record.kind, record.id, name)) for name in marked})


_SECRET = sql(
    select(tables.secrets.c.sealed).where(
        tables.secrets.c.company_id == bindparam("company"),
        tables.secrets.c.kind == bindparam("kind_"),
        tables.secrets.c.record_id == bindparam("record"),
        tables.secrets.c.field == bindparam("field_"),
    )
)
