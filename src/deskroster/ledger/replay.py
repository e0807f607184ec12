"""Replay: what the tables must hold if all that the log tells happened, and where they do not."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace
from sqlalchemy import bindparam, select

from deskroster.core.records import KINDS, RECORDS, AnyRecord, Kind, Secret
from deskroster.ledger import tables
from deskroster.ledger.engines import Db
from deskroster.ledger.loading import LINKED, SELECT, TYPES, linked
from deskroster.ledger.rows import PLANS, Row, sql
from deskroster.ledger.tables import STORED

_MEMBERS = {"agent": "group_ids", "group": "member_ids"}


class Replay:
    """The records of a company as the log leaves them. Of a secret the log tells only whether there is one."""

    def __init__(self) -> None:
        self._records: dict[tuple[Kind, int], AnyRecord] = {}
        self._members: set[tuple[int, int]] = set()  # (agent, group)

    def follow(self, told: Sequence[Row]) -> None:
        """Take the changes of one commit. Raises ValueError for what cannot have been a change."""
        for kind, id, before, after in told:
            if before is None or after is None:
                old, new = (None if text is None else READERS[kind].decode(text) for text in (before, after))
                record = new
                joined, left = (getattr(one, _MEMBERS.get(kind, ""), ()) for one in (new, old))
            else:
                old, new = msgspec.json.decode(before), msgspec.json.decode(after)
                joined, left = (one.pop(_MEMBERS.get(kind), ()) for one in (new, old))
                record = replace(self._records[kind, id], **{name: as_field(kind, name, new[name]) for name in new})
            self._move(kind, id, joined, left)
            if record is None:
                del self._records[kind, id]
            else:
                self._records[kind, id] = replace(record, **{_MEMBERS[kind]: ()}) if kind in _MEMBERS else record

    def differences(self, db: Db, company_id: int) -> Iterator[str]:
        """Yield what the tables hold otherwise. May be asked once: what was compared is forgotten."""
        links = {field: linked(db, table, company_id) for field, table in STORED["agent"].links.items()}
        secrets = set(db.execute(_SECRETS, (company_id,)))
        for kind in KINDS:
            stored, plan = STORED[kind], PLANS[kind]
            for id, *values, _ in db.execute(SELECT[kind], (company_id,)):
                record = self._records.pop((kind, id), None)
                if (
                    record is None
                    or plan.values(record) != tuple(values)
                    or any(getattr(record, field) != links[field].get(id, ()) for field in stored.links)
                    or any(
                        (getattr(record, field) is None) == ((kind, id, field) in secrets) for field in stored.secrets
                    )
                ):
                    yield f"{kind} {id}"
        yield from (f"{kind} {id} is missing" for kind, id in self._records)
        for member in db.execute(LINKED[tables.memberships], (company_id,)):
            if member not in self._members:
                yield f"agent {member[0]} in group {member[1]}"
            self._members.discard(member)
        yield from (f"agent {agent_id} not in group {group_id}" for agent_id, group_id in self._members)

    def _move(self, kind: Kind, id: int, joined: Sequence[int], left: Sequence[int]) -> None:
        def pairs(others: Sequence[int]) -> set[tuple[int, int]]:
            return {(id, other) if kind == "agent" else (other, id) for other in others}

        if joined or left:
            self._members -= pairs(left)
            self._members |= pairs(joined)


def _as_secret(of: type, mark: Any) -> Secret:
    return Secret("")


def as_field(kind: Kind, name: str, value: Any) -> Any:
    """Return the value of a field that the log tells of. A secret is empty."""
    return msgspec.convert(value, TYPES[kind][name], dec_hook=_as_secret)


READERS = {kind: msgspec.json.Decoder(of, dec_hook=_as_secret) for kind, of in RECORDS.items()}
_SECRETS = sql(
    select(*(tables.secrets.c[name] for name in ("kind", "record_id", "field"))).where(
        tables.secrets.c.company_id == bindparam("key")
    )
)
