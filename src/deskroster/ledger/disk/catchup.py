"""Catch-up: the commits of other processes, as changes that a roster can apply."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sqlalchemy import bindparam, select

from deskroster.core.changes import Change, Commit
from deskroster.core.records import RECORDS, AnyRecord, Kind, Secret
from deskroster.core.roster import Roster
from deskroster.ledger.disk import fields, log, reading, tables
from deskroster.ledger.disk.vault import Vault, address_of
from deskroster.ledger.disk.writing import Row, sql
from deskroster.ledger.engines import Db
from deskroster.texts import said

SecretKey = tuple[Kind, int, str]
"""Kind, id and field of a secret."""


class Unseen(NamedTuple):
    """The commits after a given one, up to the last, with the current values of the secrets that they mention."""

    commits: list[log.LoggedCommit]
    secrets: dict[SecretKey, Secret]
    next_ids: dict[Kind, int]

    def as_commit(self, roster: Roster, logged: log.LoggedCommit) -> Commit:
        """Return the next commit for this roster. Its changes are generated as they are applied, one by one."""
        return Commit(logged.number, logged.at, logged.origin, _changes(roster, logged.changes, self.secrets))


def unseen(db: Db, vault: Vault, company_id: int, since: int, head: bytes) -> Unseen:
    """Return what was committed after the commit `since` with the hash `head`, in one snapshot.

    Raises Broken if that commit has another hash, Damaged, NewerData.
    """
    commits = list(log.commits(db, company_id, since, head))
    secrets: dict[SecretKey, Secret] = {}
    for commit in commits:
        for kind, id, _, after in commit.changes:
            if kind in RECORDS and after is not None and fields.SECRET_MARK in after:
                _read_secrets(db, vault, company_id, (kind, id), after, secrets)
    with reading.unreadable_is_damage(db, said("the end of the log of company {company_id}", company_id=company_id)):
        loaded = reading.settings(db, vault, company_id)
    return Unseen(commits, secrets, loaded.roster.next_ids)


def _read_secrets(
    db: Db, vault: Vault, company_id: int, record: tuple[Kind, int], after: str, secrets: dict[SecretKey, Secret]
) -> None:
    for field in fields.secret_fields(fields.raw_fields(after)):
        if (*record, field) in secrets:
            continue
        row = db.execute(_SECRET, (company_id, *record, field)).fetchone()
        if row is not None:
            address = address_of(company_id, *record, field)
            with reading.unreadable_is_damage(db, address):
                secrets[(*record, field)] = Secret(vault.open(row[0], address).decode())


def _changes(roster: Roster, change_rows: Sequence[Row], secrets: dict[SecretKey, Secret]) -> Iterator[Change]:
    """Yield changes. Each is built from the record that the roster holds once those before it are applied.

    Changes of kinds that only a later version knows are skipped.
    """
    for kind, id, before, after in change_rows:
        if kind not in RECORDS:
            continue
        record = roster.record(kind, id)
        if after is None:
            yield Change(kind, id, record, None)
            continue
        if before is None:
            new_record = fields.new_record(kind, after)
        else:
            assert record is not None
            new_record = fields.changed_record(record, fields.raw_fields(before), fields.raw_fields(after))
        if fields.SECRET_MARK in after:
            new_record = _with_secrets(new_record, after, secrets)
        yield Change(kind, id, record, new_record)


def _with_secrets(record: AnyRecord, after: str, secrets: dict[SecretKey, Secret]) -> AnyRecord:
    """Fill in the secrets, which the log only marks. A secret that is gone by now is removed by a later change."""
    marked = fields.secret_fields(fields.raw_fields(after))
    return fields.with_secrets(record, {name: secrets.get((record.kind, record.id, name)) for name in marked})


_SECRET = sql(
    select(tables.secrets.c.sealed).where(
        tables.secrets.c.company_id == bindparam("company"),
        tables.secrets.c.kind == bindparam("kind_"),
        tables.secrets.c.record_id == bindparam("record"),
        tables.secrets.c.field == bindparam("field_"),
    )
)
