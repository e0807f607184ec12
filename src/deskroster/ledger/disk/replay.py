"""Replay of the log: compute what the tables must hold, and find where they do not."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from msgspec.structs import replace
from sqlalchemy import bindparam, select

from deskroster.core.records import KINDS, RECORDS, AnyRecord, Kind
from deskroster.ledger.disk import fields, tables
from deskroster.ledger.disk.fields import MEMBERS
from deskroster.ledger.disk.reading import SELECT_LINKS, SELECT_RECORDS, links_of
from deskroster.ledger.disk.tables import STORED
from deskroster.ledger.disk.writing import PLANS, Row, sql
from deskroster.ledger.engines import Db
from deskroster.texts import Text, said, verbatim


class Replay:
    """The records of a company, computed from the log. Of a secret only its existence is known.

    Records of kinds that only a later version knows are skipped.
    """

    def __init__(self) -> None:
        self._records: dict[tuple[Kind, int], AnyRecord] = {}
        self._members: set[tuple[int, int]] = set()  # pairs of agent id and group id

    def apply(self, change_rows: Sequence[Row]) -> None:
        """Apply the changes of one commit. Raises ValueError for an impossible change."""
        for kind, id, before, after in change_rows:
            if kind not in RECORDS:
                continue
            old, new = fields.raw_fields(before), fields.raw_fields(after)
            self._change_members(kind, id, *fields.membership_changes(kind, old, new))
            if after is None:
                del self._records[kind, id]
                continue
            if before is None:
                record = fields.new_record(kind, after)
            else:
                record = fields.changed_record(self._records[kind, id], old, new)
            self._records[kind, id] = replace(record, **{MEMBERS[kind]: ()}) if kind in MEMBERS else record

    def differences(self, db: Db, company_id: int) -> Iterator[Text]:
        """Yield where the tables differ. Call it once: it drops what it has compared."""
        links = {field: links_of(db, table, company_id) for field, table in STORED["agent"].links.items()}
        secrets: defaultdict[tuple[Kind, int], set[str]] = defaultdict(set)
        for kind, id, field in db.execute(_SECRETS, (company_id,)):
            secrets[kind, id].add(field)
        for kind in KINDS:
            stored, plan = STORED[kind], PLANS[kind]
            for id, *values, _ in db.execute(SELECT_RECORDS[kind], (company_id,)):
                record = self._records.pop((kind, id), None)
                if (
                    record is None
                    or plan.values(record) != tuple(values)
                    or any(getattr(record, field) != links[field].get(id, ()) for field in stored.links)
                    or secrets.get((kind, id), set()) != _secrets(record)
                ):
                    yield verbatim(f"{kind} {id}")
        yield from (said("{kind} {id} is missing", kind=kind, id=id) for kind, id in self._records)
        for member in db.execute(SELECT_LINKS[tables.memberships], (company_id,)):
            if member not in self._members:
                yield said("agent {agent_id} in group {group_id}", agent_id=member[0], group_id=member[1])
            self._members.discard(member)
        for agent_id, group_id in self._members:
            yield said("agent {agent_id} not in group {group_id}", agent_id=agent_id, group_id=group_id)

    def _change_members(self, kind: Kind, id: int, added: Sequence[int], removed: Sequence[int]) -> None:
        def pairs(others: Sequence[int]) -> set[tuple[int, int]]:
            return {(id, other) if kind == "agent" else (other, id) for other in others}

        if added or removed:
            self._members -= pairs(removed)
            self._members |= pairs(added)


def _secrets(record: AnyRecord) -> set[str]:
    names = {field for field in STORED[record.kind].secrets if getattr(record, field) is not None}
    return names.union(name for name, _ in fields.unknown_secrets(record))


_SECRETS = sql(
    select(*(tables.secrets.c[name] for name in ("kind", "record_id", "field"))).where(
        tables.secrets.c.company_id == bindparam("key")
    )
)
