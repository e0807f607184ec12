"""Roster: one company in memory, with the indexes that queries need. It applies changes and takes them back."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from typing import cast

from msgspec.structs import replace

from deskroster.core.answers import Answers
from deskroster.core.changes import Change, Commit
from deskroster.core.ids import Ids, Sharing, including, insert, remove, without
from deskroster.core.pieces import Pieces
from deskroster.core.records import (
    KINDS,
    Agent,
    AnyRecord,
    Company,
    Department,
    Group,
    Key,
    Kind,
    PermissionSet,
    Position,
    ProfileField,
    ProfileRecord,
    Role,
)
from deskroster.core.search import Texts
from deskroster.core.table import Table


class Roster:
    """One company, exactly as it is durable. `number` is that of its last commit; `next_ids` only grow.

    No `await` stands between the first and the last line of a rehearsal or of `advance`: no reader sees half of it.
    """

    def __init__(self, company: Company, number: int = 0, next_ids: dict[Kind, int] | None = None) -> None:
        self.company = company
        self.number = number
        self.next_ids: dict[Kind, int] = dict.fromkeys(KINDS, 1) | (next_ids or {})
        self.roles: Table[Role] = Table("role")
        self.positions: Table[Position] = Table("position")
        self.departments: Table[Department] = Table("department")
        self.permission_sets: Table[PermissionSet] = Table("permission_set")
        self.profile_fields: Table[ProfileField] = Table("profile_field")
        self.profile_records: Table[ProfileRecord] = Table("profile_record")
        self.groups: Table[Group] = Table("group")
        self.agents: Table[Agent] = Table("agent")
        self.keys: Table[Key] = Table("key")
        tables = [table for table in vars(self).values() if isinstance(table, Table)]
        self._tables = {table.kind: cast("Table[AnyRecord]", table) for table in tables}
        self.by_email: dict[str, int] = {}  # lower case
        self.by_mobile: dict[str, Sharing] = {}
        self.by_job_number: dict[str, Sharing] = {}
        self.by_api_name: dict[str, int] = {}  # profile fields
        self.enabled = Ids()  # agents whose state is enabled
        self.administrators = Ids()
        self.governing = Ids()  # administrators who may work
        self.agents_with: dict[Kind, dict[int, Ids]] = {
            "position": {}, "role": {}, "department": {}, "permission_set": {}, "profile_record": {},
        }  # fmt: skip
        self.mentions: dict[tuple[Kind, int], set[int]] = {}  # agent or profile record → profile records that name it
        self.keys_of: dict[int, Sharing] = {}  # agent → keys
        self.largest_group = 0  # the most members that a group has had since loading
        self.pieces: Pieces[Roster] = Pieces(self, self._tables)
        self.answers = Answers()
        self.texts = Texts(self.agents)
        self._moves: dict[int, dict[int, bool]] = {}  # group → agent → whether it joins or leaves; applied by `_move`

    def fill(self, kind: Kind, ascending: Iterable[AnyRecord]) -> None:
        """Load the records of one kind into a roster that has none of it. Kinds come in the order of `KINDS`.

        Memberships must be complete on both sides, so that loading costs the same however large a group is.
        """
        table = self._tables[kind]
        table.rows = {record.id: record for record in ascending}
        table.ids = Ids(table.rows)
        if kind == "agent":
            self._fill_agents(cast("Iterable[Agent]", table.rows.values()))
            self.governing = Ids(i for i in self.administrators if self.agents.rows[i].governs)
        elif kind == "group":
            groups = cast("Iterable[Group]", table.rows.values())
            self.largest_group = max((len(group.member_ids) for group in groups), default=0)
        else:
            for id, record in table.rows.items():
                self._index(kind, id, None, record)

    def _fill_agents(self, agents: Iterable[Agent]) -> None:
        held: dict[Kind, defaultdict[int, list[int]]] = {kind: defaultdict(list) for kind in self.agents_with}
        positions, profiles = held["position"], held["profile_record"]
        several = (held["role"], held["department"], held["permission_set"])
        enabled, administrators = [], []
        for agent in agents:
            id, email = agent.id, agent.email
            lower = email.lower()
            self.by_email[email if email == lower else lower] = id  # one string for both, if it is lower case
            alone = (id,)
            for index, text in ((self.by_mobile, agent.mobile), (self.by_job_number, agent.job_number)):
                if text and index.setdefault(text, alone) is not alone:
                    insert(index, text, id)
            if agent.state == "enabled":
                enabled.append(id)
            if agent.level == "admin":
                administrators.append(id)
            if agent.position_id is not None:
                positions[agent.position_id].append(id)
            if agent.profile_id is not None:
                profiles[agent.profile_id].append(id)
            for holders, ids in zip(
                several, (agent.role_ids, agent.department_ids, agent.permission_set_ids), strict=True
            ):
                for one in ids:
                    holders[one].append(id)
        self.enabled, self.administrators = Ids(enabled), Ids(administrators)
        self.agents_with = {kind: {id: Ids(ids) for id, ids in index.items()} for kind, index in held.items()}

    def table(self, kind: Kind) -> Table[AnyRecord]:
        return self._tables[kind]

    def record(self, kind: Kind, id: int) -> AnyRecord | None:
        """Return a record as it is between the changes of `apply_all`: after those before, without those to come."""
        if kind == "company":
            return self.company
        if kind == "group":
            self._move()
        return self._tables[kind].rows.get(id)

    def next_id(self, kind: Kind) -> int:
        """Return the id that the next record of this kind gets; `apply` moves it on."""
        return self.next_ids[kind]

    def count_ids(self, next_ids: Mapping[Kind, int]) -> None:
        """Raise the next ids to these; lower none."""
        mine = self.next_ids
        for kind, id in next_ids.items():
            if id > mine.get(kind, 1):
                mine[kind] = id

    def advance(self, commit: Commit) -> None:
        """Apply a durable commit, once: an older number is skipped. Raises RuntimeError at a gap."""
        if commit.number <= self.number:
            return
        if commit.number != self.number + 1:
            raise RuntimeError(f"commit {commit.number} cannot follow {self.number}")
        self.apply_all(commit.changes)
        self.number = commit.number

    @contextmanager
    def rehearsal(self) -> Iterator[Callable[[Iterable[Change]], None]]:
        """Yield a function that applies changes; take all of them back at the end of the block."""
        done: list[Change] = []
        next_ids = dict(self.next_ids)

        def perform(changes: Iterable[Change]) -> None:
            performed = list(changes)
            done.extend(performed)
            self.apply_all(performed)

        self.answers.rehearsing = True
        try:
            yield perform
        finally:
            self.apply_all(change.inverse() for change in reversed(done))
            self.next_ids = next_ids
            self.answers.rehearsing = False

    def apply(self, change: Change) -> None:
        """Apply one change to records and indexes; drop the pieces and answers that it makes stale. Never refuses."""
        self.apply_all((change,))

    def apply_all(self, changes: Iterable[Change]) -> None:
        """Apply changes. The record of a group that many agents join or leave is made once."""
        for change in changes:
            kind, id, before, after = change
            if kind == "company":
                self.company = cast(Company, after)
            else:
                if kind == "group":
                    self._move()
                self._store(self._tables[kind], id, after)
                self._index(kind, id, before, after)
            self._drop_stale(change)
        self._move()

    def forget_encoded(self) -> None:
        """Drop all pieces and answers."""
        self.pieces.clear()
        self.answers.clear()

    def _drop_stale(self, change: Change) -> None:
        """Drop the pieces and the answers that a change makes stale."""
        kind, id, before, after = change
        if kind == "company":
            self.forget_encoded()
            return
        self._drop(kind, (id,))
        if kind != "group" or before is None or after is None:  # groups are listed by id alone
            self.answers.invalidate_lists(kind)
        for other, ids in self._neighbours(change):
            if ids is None or ids:
                self._drop(other, ids)

    def _drop(self, kind: Kind, ids: Collection[int] | Ids | None) -> None:
        """Drop pieces and the answers that show them. An answer that shows an agent shows its profile record."""
        self.pieces.drop(kind, ids)
        if ids is None:
            self.answers.invalidate_lists(kind)
        else:
            self.answers.invalidate(kind, ids)
        if kind == "profile_record":
            if ids is None:
                self.answers.invalidate_lists("agent")
            else:
                holders = self.agents_with["profile_record"]
                self.answers.invalidate("agent", chain.from_iterable(holders.get(id, ()) for id in ids))

    def _neighbours(self, change: Change) -> Iterable[tuple[Kind, Collection[int] | Ids | None]]:
        """Return the records one step along the indexes from a changed one: ids by kind; None is all of the kind."""
        kind, id, before, after = change
        match kind:
            case "agent":
                mentioning = self.mentions.get((kind, id), ())
                return ("group", _either(before, after, "group_ids")), ("profile_record", mentioning)
            case "group":
                return (("agent", _either(before, after, "member_ids")),)
            case "profile_field":
                return (("profile_record", None),)
            case "profile_record":
                return (("profile_record", self.mentions.get((kind, id), ())),)
            case "position" | "role" | "department" | "permission_set":
                return (("agent", self.agents_with[kind].get(id, ())),)
            case _:
                return ()

    def _store(self, table: Table[AnyRecord], id: int, after: AnyRecord | None) -> None:
        if after is None:
            del table.rows[id]
            table.ids.discard(id)
            return
        if id not in table.rows:
            table.ids.add(id)
            self.next_ids[table.kind] = max(self.next_ids[table.kind], id + 1)
        table.rows[id] = after

    def _index(self, kind: Kind, id: int, before: AnyRecord | None, after: AnyRecord | None) -> None:
        match kind:
            case "agent":
                self._index_agent(id, cast("Agent | None", before), cast("Agent | None", after))
            case "group":
                self._index_group(id, cast("Group | None", before), cast("Group | None", after))
            case "key":
                if isinstance(before, Key):
                    remove(self.keys_of, before.agent_id, id)
                if isinstance(after, Key):
                    insert(self.keys_of, after.agent_id, id)
            case "profile_field":
                if isinstance(before, ProfileField):
                    del self.by_api_name[before.api_name]
                if isinstance(after, ProfileField):
                    self.by_api_name[after.api_name] = id
            case "profile_record":
                for target in self._targets(before):
                    self.mentions[target].discard(id)
                    if not self.mentions[target]:
                        del self.mentions[target]
                for target in self._targets(after):
                    self.mentions.setdefault(target, set()).add(id)
            case _:
                pass

    def _index_agent(self, id: int, before: Agent | None, after: Agent | None) -> None:
        if before is not None:
            if after is None or after.email != before.email:
                del self.by_email[before.email.lower()]
            if after is None or after.mobile != before.mobile:
                remove(self.by_mobile, before.mobile, id)
            if after is None or after.job_number != before.job_number:
                remove(self.by_job_number, before.job_number, id)
        if after is not None:
            if before is None or after.email != before.email:
                self.by_email[after.email.lower()] = id
            if after.mobile and (before is None or after.mobile != before.mobile):
                insert(self.by_mobile, after.mobile, id)
            if after.job_number and (before is None or after.job_number != before.job_number):
                insert(self.by_job_number, after.job_number, id)
        _mark(self.enabled, id, after is not None and after.state == "enabled")
        _mark(self.administrators, id, after is not None and after.level == "admin")
        _mark(self.governing, id, after is not None and after.governs)
        self.texts.forget(id)
        self._index_held(id, before, after)
        old, new = before.group_ids if before else (), after.group_ids if after else ()
        if old != new:
            for group_id in set(old).difference(new):
                self._moves.setdefault(group_id, {})[id] = False
            for group_id in set(new).difference(old):
                self._moves.setdefault(group_id, {})[id] = True

    def _move(self) -> None:
        """Update the members of the groups that agents have joined or left."""
        if not self._moves:
            return
        rows = self.groups.rows
        for group_id, moves in self._moves.items():
            group = rows[group_id]
            member_ids = _moved(group.member_ids, moves)
            rows[group_id] = replace(group, member_ids=member_ids)
            self.largest_group = max(self.largest_group, len(member_ids))
        self._moves.clear()

    def _index_held(self, id: int, before: Agent | None, after: Agent | None) -> None:
        for kind, index in self.agents_with.items():
            old, new = held_ids(before, kind), held_ids(after, kind)
            if old == new:
                continue
            for held in set(old).difference(new):
                index[held].discard(id)
                if not index[held]:
                    del index[held]
            for held in set(new).difference(old):
                index.setdefault(held, Ids()).add(id)

    def _index_group(self, id: int, before: Group | None, after: Group | None) -> None:
        old, new = before.member_ids if before else (), after.member_ids if after else ()
        if old != new:
            self.largest_group = max(self.largest_group, len(new))
            rows = self.agents.rows
            for agent_id in set(old).difference(new):
                rows[agent_id] = replace(rows[agent_id], group_ids=without(rows[agent_id].group_ids, id))
            for agent_id in set(new).difference(old):
                rows[agent_id] = replace(rows[agent_id], group_ids=including(rows[agent_id].group_ids, id))

    def _targets(self, record: AnyRecord | None) -> set[tuple[Kind, int]]:
        targets: set[tuple[Kind, int]] = set()
        if isinstance(record, ProfileRecord):
            for field_id, value in record.values:
                field = self.profile_fields.get(field_id)
                if field is not None and field.type == "staff":
                    targets.add(("agent", int(value)))
                elif field is not None and field.type == "lookup":
                    targets.add(("profile_record", int(value)))
        return targets


def held_ids(agent: Agent | None, kind: Kind) -> tuple[int, ...]:
    """Return the ids of this kind that an agent holds."""
    if agent is None:
        return ()
    match kind:
        case "position":
            return () if agent.position_id is None else (agent.position_id,)
        case "profile_record":
            return () if agent.profile_id is None else (agent.profile_id,)
        case "role":
            return agent.role_ids
        case "department":
            return agent.department_ids
        case "permission_set":
            return agent.permission_set_ids
        case "group":
            return agent.group_ids
        case _:
            return ()


def _either(before: AnyRecord | None, after: AnyRecord | None, field: str) -> Collection[int]:
    """Return the ids that a field holds before or after a change."""
    old, new = getattr(before, field, ()), getattr(after, field, ())
    return old if old == new else {*old, *new}


def _moved(member_ids: tuple[int, ...], moves: dict[int, bool]) -> tuple[int, ...]:
    if len(moves) > 1:
        staying = set(member_ids).difference(moves)
        return tuple(sorted(staying.union(id for id, joins in moves.items() if joins)))
    ((id, joins),) = moves.items()
    return including(member_ids, id) if joins else without(member_ids, id)


def _mark(ids: Ids, id: int, wanted: bool) -> None:
    if wanted:
        ids.add(id)
    else:
        ids.discard(id)
