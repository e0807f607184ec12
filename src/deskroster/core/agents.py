"""Verbs and queries on agents."""

import heapq
from collections.abc import Callable, Generator, Iterable, Mapping
from typing import Any, Literal, NamedTuple

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import asdict, replace

from deskroster.core import reference, text
from deskroster.core.access import Caller, Permission, keep_an_administrator
from deskroster.core.changes import Batch, Change, created, deleted
from deskroster.core.problems import Conflict, Invalid, NotFound, Problem, Reason, Rule
from deskroster.core.records import Agent, Channels, Kind, Language, Level, Seat, Secret, State
from deskroster.core.roster import Roster
from deskroster.core.table import MAX_IDS, Page, Window

MAX_CHAT_SKILL = 2**31 - 1
_STEP = 1_000  # agents that a search looks at before others have their turn


class Span(Struct, frozen=True):
    """Moments from one on and before another, in Unix seconds."""

    start: int | None = None
    end: int | None = None

    def holds(self, at: int) -> bool:
        return (self.start is None or self.start <= at) and (self.end is None or at < self.end)


class TimeOrder(NamedTuple):
    """By which time agents are listed, the earliest first or the latest."""

    field: Literal["created_at", "updated_at"]
    descending: bool = False


ANY_TIME = Span()


class AgentFields(Struct, frozen=True, kw_only=True):
    """The fields of an agent to set. `UNSET` leaves one unchanged, or at its default on creation."""

    name: str | UnsetType = UNSET
    email: str | UnsetType = UNSET
    level: Level | UnsetType = UNSET
    state: State | UnsetType = UNSET
    employed: bool | None | UnsetType = UNSET
    alias: str | UnsetType = UNSET
    mobile: str | UnsetType = UNSET
    job_number: str | UnsetType = UNSET
    group_ids: Iterable[int] | UnsetType = UNSET
    role_ids: Iterable[int] | UnsetType = UNSET
    department_ids: Iterable[int] | UnsetType = UNSET
    permission_set_ids: Iterable[int] | UnsetType = UNSET
    position_id: int | None | UnsetType = UNSET
    profile_id: int | None | UnsetType = UNSET
    seat: Seat | None | UnsetType = UNSET
    leads: bool | None | UnsetType = UNSET
    channels: Channels | UnsetType = UNSET
    chat_skill: int | UnsetType = UNSET
    auto_assign: bool | UnsetType = UNSET
    language: Language | UnsetType = UNSET
    avatar: str | UnsetType = UNSET
    welcome: str | UnsetType = UNSET
    landline: str | UnsetType = UNSET
    remark: str | UnsetType = UNSET
    signature: str | UnsetType = UNSET
    details: str | UnsetType = UNSET
    notes: str | UnsetType = UNSET
    starred: bool | UnsetType = UNSET
    callout_number: str | UnsetType = UNSET
    sip_number: str | UnsetType = UNSET
    sip_password: Secret | None | UnsetType = UNSET
    password: Secret | UnsetType = UNSET  # the Argon2id hash


def create(roster: Roster, caller: Caller, fields: AgentFields, at: int) -> list[Change]:
    """Create an agent; `name` and `email` are required. Raises Forbidden, Invalid or Conflict."""
    caller.must(Permission.WRITE_AGENTS)
    for required in ("name", "email"):
        if getattr(fields, required) is UNSET:
            raise Invalid(required, Rule.REQUIRED)
    if fields.position_id is UNSET or fields.position_id is None:
        fields = replace(fields, position_id=reference.default_position_id(roster))
    agent = Agent(id=roster.next_id("agent"), name="", email="", created_at=at, updated_at=at)
    given = _given(fields)
    return [created(_with(roster, agent, given, "state" in given))]


def update(roster: Roster, caller: Caller, id: int, fields: AgentFields, at: int) -> list[Change]:
    """Change an agent. Raises Forbidden, NotFound, Invalid or Conflict."""
    caller.must(Permission.WRITE_AGENTS)
    before = roster.agents.find(id)
    given = _given(fields)
    edited = {name: value for name, value in given.items() if not _unchanged(value, getattr(before, name))}
    after = _with(roster, before, edited, "state" in given)
    if after == before:
        return []
    keep_an_administrator(roster, before, after)
    return [Change("agent", id, before, replace(after, updated_at=at))]


def delete(roster: Roster, caller: Caller, id: int) -> list[Change]:
    """Delete an agent and its keys. Raises Forbidden, NotFound, or Conflict: oneself, the last administrator."""
    caller.must(Permission.WRITE_AGENTS)
    return _deletion(roster, caller, id, frozenset())


def delete_many(roster: Roster, caller: Caller, ids: Iterable[int]) -> Batch:
    """Delete the agents that can be deleted; return the Problem of each other id. Raises Forbidden."""
    caller.must(Permission.WRITE_AGENTS)
    changes: list[Change] = []
    refused: dict[int, Problem] = {}
    gone: set[int] = set()
    for id in dict.fromkeys(ids):
        try:
            changes += _deletion(roster, caller, id, gone)
            gone.add(id)
        except (NotFound, Conflict) as problem:
            refused[id] = problem
    return Batch(changes, refused)


def get(roster: Roster, caller: Caller, id: int) -> Agent:
    """Return an agent. Raises Forbidden or NotFound."""
    caller.must(Permission.READ)
    return roster.agents.find(id)


def find(
    roster: Roster,
    caller: Caller,
    window: Window,
    *,
    enabled: bool = False,
    position_id: int | None = None,
    levels: frozenset[Level] | None = None,
) -> Page:
    """Return a page of agents: all, or only the enabled ones, those with a position, or those of some levels."""
    caller.must(Permission.READ)
    if position_id is not None:
        return roster.agents.page(window, roster.agents_with["position"].get(position_id, ()))
    if levels is not None and len(levels) < 2:
        if "admin" in levels:
            return roster.agents.page(window, roster.administrators)
        administrators = set(roster.administrators)
        others = [i for i in roster.agents.ids if i not in administrators] if levels else []
        return roster.agents.page(window, others)
    return roster.agents.page(window, roster.enabled if enabled else None)


def find_in_time(
    roster: Roster,
    caller: Caller,
    window: Window,
    *,
    levels: frozenset[Level] | None = None,
    created: Span = ANY_TIME,
    updated: Span = ANY_TIME,
    order: TimeOrder | None = None,
) -> Generator[None, None, Page]:
    """Find, in steps, a page of the agents of some levels that were created and last changed in these spans.

    By id, unless `order` says by which time; then ties are by id.
    """
    caller.must(Permission.READ)
    rows, found = roster.agents.rows, []
    for count, id in enumerate(list(roster.agents.ids)):
        agent = rows.get(id)
        if agent is None or not (created.holds(agent.created_at) and updated.holds(agent.updated_at)):
            continue
        if levels is None or agent.level in levels:
            found.append((_key(agent, order), id))
        if count % _STEP == 0:
            yield
    if order is not None:
        found = yield from _in_order(found)
    ids = [id for _, id in found if id in roster.agents]
    return roster.agents.page(window, ids)


def _key(agent: Agent, order: TimeOrder | None) -> int:
    if order is None:
        return 0
    at: int = getattr(agent, order.field)
    return -at if order.descending else at


def _in_order(keyed: list[tuple[int, int]]) -> Generator[None, None, list[tuple[int, int]]]:
    """Sort pairs, in steps."""
    runs = []
    for at in range(0, len(keyed), _STEP):
        runs.append(sorted(keyed[at : at + _STEP]))
        yield
    merged = []
    for count, pair in enumerate(heapq.merge(*runs)):
        merged.append(pair)
        if count % _STEP == 0:
            yield
    return merged


def find_by_email(roster: Roster, caller: Caller, email: str) -> Page:
    """Return a page with the agent of this e-mail, in any letter case; an empty page if there is none."""
    caller.must(Permission.READ)
    id = _id_by_email(roster, email)
    return roster.agents.page(Window(0, 1), () if id is None else (id,))


def among(roster: Roster, caller: Caller, ids: Iterable[int], window: Window) -> Page:
    """Return a page of the agents with these ids, ascending; leave out ids that do not exist."""
    caller.must(Permission.READ)
    return roster.agents.page(window, sorted(id for id in set(ids) if id in roster.agents))


def search(roster: Roster, caller: Caller, part: str, window: Window) -> Generator[None, None, Page]:
    """Find, in steps, a page of the agents whose name, e-mail or mobile contains `part`; case and width are ignored."""
    caller.must(Permission.READ)
    found = yield from roster.texts.holding(text.trimmed(part, text.MAX_NAME))
    return roster.agents.page(window, found)


def with_email(roster: Roster, caller: Caller, email: str) -> Agent:
    """Return the agent with this e-mail, in any letter case. Raises Forbidden or NotFound."""
    caller.must(Permission.READ)
    id = _id_by_email(roster, email)
    if id is None:
        raise NotFound("agent", email)
    return roster.agents[id]


def with_mobile(roster: Roster, caller: Caller, mobile: str) -> Agent:
    """Return the agent with this mobile, of several the one with the lowest id. Raises Forbidden or NotFound."""
    caller.must(Permission.READ)
    ids = roster.by_mobile.get(text.without_marks(mobile, text.MAX_PHONE))
    if not ids:
        raise NotFound("agent", mobile)
    return roster.agents[next(iter(ids))]


def with_job_number(roster: Roster, caller: Caller, job_number: str) -> Agent:
    """Return the agent with this job number, of several the one with the lowest id. Raises Forbidden or NotFound."""
    caller.must(Permission.READ)
    ids = roster.by_job_number.get(text.without_marks(job_number, text.MAX_JOB_NUMBER))
    if not ids:
        raise NotFound("agent", job_number)
    return roster.agents[next(iter(ids))]


def _id_by_email(roster: Roster, email: str) -> int | None:
    email = text.trimmed(email, text.MAX_EMAIL)
    return roster.by_email.get(email.lower()) if text.may_be_email(email) else None


def _deletion(roster: Roster, caller: Caller, id: int, gone: frozenset[int] | set[int]) -> list[Change]:
    agent = roster.agents.find(id)
    if caller.agent_id == id:
        raise Conflict(Reason.ONESELF)
    keep_an_administrator(roster, agent, None, gone)
    return [*(deleted(roster.keys[key]) for key in roster.keys_of.get(id, ())), deleted(agent)]


def _unchanged(value: Any, held: Any) -> bool:
    """Tell whether a field is sent as it is: then it is left alone, whatever rules are newer than it."""
    return bool(value == held)


def _given(fields: AgentFields) -> dict[str, Any]:
    return {name: value for name, value in asdict(fields).items() if value is not UNSET}


def _with(roster: Roster, agent: Agent, wanted: Mapping[str, Any], state_given: bool) -> Agent:
    """Return the agent with these fields, each checked. Raises Invalid or Conflict.

    `state_given`: whether a state was asked for, if only the one that it has. Without one, who leaves is disabled.
    """
    checked = {name: _CHECKS[name](name, value) if name in _CHECKS else value for name, value in wanted.items()}
    for name, kind in _ID_LISTS.items():
        if name in wanted:
            checked[name] = roster.table(kind).id_set(name, wanted[name])
    for name, kind in _IDS.items():
        if wanted.get(name) is not None and wanted[name] not in roster.table(kind):
            raise Invalid(name, Rule.UNKNOWN)
    for joined in set(checked.get("group_ids", ())).difference(agent.group_ids):
        if len(roster.groups[joined].member_ids) >= MAX_IDS:
            raise Invalid("group_ids", Rule.TOO_MANY, MAX_IDS)
    if "email" in checked and roster.by_email.get(checked["email"].lower(), agent.id) != agent.id:
        raise Conflict(Reason.EMAIL_TAKEN, "email")
    after: Agent = replace(agent, **checked)
    if after.employed is False:
        if wanted.get("state") == "enabled":
            raise Conflict(Reason.HAS_LEFT, "state")
        if after.state == "enabled" or ("employed" in wanted and not state_given):
            after = replace(after, state="disabled")
    return after


def _number(limit: int) -> Callable[[str, str], str]:
    return lambda field, value: text.number(field, value, limit)


def _chat_skill(field: str, value: int) -> int:
    if not 0 <= value <= MAX_CHAT_SKILL:
        raise Invalid(field, Rule.RANGE)
    return value


_CHECKS: dict[str, Callable[[str, Any], Any]] = {
    "name": text.name,
    "email": text.email,
    "alias": text.line,
    "remark": text.line,
    "mobile": _number(text.MAX_PHONE),
    "landline": _number(text.MAX_PHONE),
    "callout_number": _number(text.MAX_PHONE),
    "sip_number": _number(text.MAX_PHONE),
    "job_number": _number(text.MAX_JOB_NUMBER),
    "avatar": lambda field, value: text.line(field, value, text.MAX_URL),
    "welcome": text.text,
    "signature": text.text,
    "details": text.text,
    "notes": text.text,
    "chat_skill": _chat_skill,
}
_ID_LISTS: dict[str, Kind] = {
    "group_ids": "group",
    "role_ids": "role",
    "department_ids": "department",
    "permission_set_ids": "permission_set",
}
_IDS: dict[str, Kind] = {"position_id": "position", "profile_id": "profile_record"}
