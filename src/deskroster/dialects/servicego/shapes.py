"""Both directions of the mapping between the roster and ServiceGo's JSON (the choices: README.md, "Quirks")."""

import re
from collections.abc import Awaitable, Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType
from msgspec.structs import replace

from deskroster.core import text
from deskroster.core.agents import AgentFields
from deskroster.core.problems import Invalid, Rule
from deskroster.core.records import Agent, Group, Kind, PermissionSet, Position, Role, Seat, Secret, State
from deskroster.core.roster import Roster
from deskroster.core.table import Page
from deskroster.dialect import Reply, turns
from deskroster.dialects.servicego.envelope import DoneReply, Paging, PagingOut, Ref, Wire, data, page_of
from deskroster.dialects.servicego.profiles import UserInfo, user_info_piece

MAX_REALNAME = 32  # characters

JobStatus = Literal[0, 1]
AgentType = Literal[1, 2]
AgentRole = Literal["agent", "leader"]
Status = Literal[1, 2, 3]

# The wire's value, null or absent → the stored value, none or unchanged.
_EMPLOYED: dict[JobStatus | None | UnsetType, bool | None | UnsetType] = {
    0: False, 1: True, None: None, UNSET: UNSET,
}  # fmt: skip
_SEATS: dict[AgentType | None | UnsetType, Seat | None | UnsetType] = {
    1: "plain", 2: "phone", None: None, UNSET: UNSET,
}  # fmt: skip
_LEADS: dict[AgentRole | None | UnsetType, bool | None | UnsetType] = {
    "agent": False, "leader": True, None: None, UNSET: UNSET,
}  # fmt: skip
_STATES: dict[Status, State] = {1: "enabled", 2: "disabled", 3: "review"}

# The stored value → the wire's.
_JOB_STATUSES: dict[bool | None, JobStatus | UnsetType] = {None: UNSET, False: 0, True: 1}
_AGENT_TYPES: dict[Seat | None, AgentType | UnsetType] = {None: UNSET, "plain": 1, "phone": 2}
_AGENT_ROLES: dict[bool | None, AgentRole | UnsetType] = {None: UNSET, False: "agent", True: "leader"}
_STATUSES: dict[State, Status] = {"enabled": 1, "disabled": 2, "review": 3}

_MOBILE = re.compile(r"1[3-9][0-9]{9}")

_encode = msgspec.json.Encoder().encode


# ── what is asked ────────────────────────────────────────────────────────────────────────────────────────────────


class StaffQuery(Paging, frozen=True):
    position_id: Annotated[int, Meta(ge=1)] | UnsetType = UNSET


class LookUpQuery(Wire, frozen=True):
    """By id, e-mail, mobile or job number."""

    type: Literal["1", "2", "3", "4"]
    value: str


Realname = Annotated[str, Meta(extra_json_schema={"minLength": 1, "maxLength": MAX_REALNAME})]
Password = Annotated[str, Meta(extra_json_schema={"minLength": text.MIN_PASSWORD, "maxLength": text.MAX_PASSWORD})]
Mobile = Annotated[str, Meta(extra_json_schema={"pattern": f"^{_MOBILE.pattern}$"})]
Roles = Annotated[list[Ref], Meta(extra_json_schema={"minItems": 1})]


class StaffOptions(Wire, frozen=True, kw_only=True):
    """What may be left out of any write; null clears it."""

    mobile: Mobile | None | UnsetType = UNSET
    job_status: JobStatus | None | UnsetType = UNSET
    agent_type: AgentType | None | UnsetType = UNSET
    agent_role: AgentRole | None | UnsetType = UNSET
    user_group_list: list[int] | None | UnsetType = UNSET
    user_info: Ref | None | UnsetType = UNSET


class NewStaffBody(StaffOptions, frozen=True, kw_only=True):
    email: str
    password: Password
    realname: Realname
    position: Ref
    role_list: Roles


class StaffBody(StaffOptions, frozen=True, kw_only=True):
    """E-mail, password and job number are not among the fields that the vendor's page lets one change."""

    realname: Realname | UnsetType = UNSET
    position: Ref | UnsetType = UNSET
    status: Status | UnsetType = UNSET
    role_list: Roles | UnsetType = UNSET


class NewUserGroupBody(Wire, frozen=True):
    name: str
    user_list: list[Ref] | None | UnsetType = UNSET


class UserGroupBody(Wire, frozen=True):
    name: str | UnsetType = UNSET
    user_list: list[Ref] | None | UnsetType = UNSET


STAFF_NAMES = {
    "name": "realname", "position_id": "position.id", "employed": "jobStatus", "seat": "agentType",
    "leads": "agentRole", "state": "status", "group_ids": "userGroupList", "role_ids": "roleList",
    "profile_id": "userInfo.id",
}  # fmt: skip
USER_GROUP_NAMES = {"member_ids": "userList"}


def new_agent(wanted: NewStaffBody, password: Secret) -> AgentFields:
    """Return the fields that a body sets for a new agent. Raises Invalid."""
    return replace(
        _options(wanted),
        email=wanted.email,
        password=password,
        name=_realname(wanted.realname),
        position_id=wanted.position.id,
        role_ids=_role_ids(wanted.role_list),
    )


def agent_fields(wanted: StaffBody) -> AgentFields:
    """Return the fields that a body sets. Raises Invalid."""
    return replace(
        _options(wanted),
        name=UNSET if wanted.realname is UNSET else _realname(wanted.realname),
        position_id=UNSET if wanted.position is UNSET else wanted.position.id,
        state=UNSET if wanted.status is UNSET else _STATES[wanted.status],
        role_ids=UNSET if wanted.role_list is UNSET else _role_ids(wanted.role_list),
    )


def member_ids(sent: list[Ref] | None | UnsetType) -> list[int] | UnsetType:
    return sent if sent is UNSET else [one.id for one in sent or ()]


def _options(wanted: StaffOptions) -> AgentFields:
    mobile, groups, profile = wanted.mobile, wanted.user_group_list, wanted.user_info
    if isinstance(mobile, str) and not _MOBILE.fullmatch(mobile):
        raise Invalid("mobile", Rule.FORM)
    return AgentFields(
        mobile="" if mobile is None else mobile,
        employed=_EMPLOYED[wanted.job_status],
        seat=_SEATS[wanted.agent_type],
        leads=_LEADS[wanted.agent_role],
        group_ids=[] if groups is None else groups,
        profile_id=profile.id if isinstance(profile, Ref) else profile,
    )


def _realname(sent: str) -> str:
    return text.name("name", sent, MAX_REALNAME)


def _role_ids(sent: list[Ref]) -> list[int]:
    if not sent:
        raise Invalid("role_ids", Rule.EMPTY)
    return [role.id for role in sent]


# ── what is answered ─────────────────────────────────────────────────────────────────────────────────────────────


class StaffOut(Wire, frozen=True, kw_only=True):
    """An agent. What was never set is left out, lists are always there."""

    id: int
    email: str
    position: Ref | UnsetType = UNSET
    realname: str
    mobile: str | UnsetType = UNSET
    job_number: str | UnsetType = UNSET
    job_status: JobStatus | UnsetType = UNSET
    agent_type: AgentType | UnsetType = UNSET
    agent_role: AgentRole | UnsetType = UNSET
    role_list: list[Ref]
    user_group_list: tuple[int, ...]
    authorization_set_list: list[Ref]
    user_info: UserInfo | UnsetType = UNSET


class StaffWithStatusOut(StaffOut, frozen=True, kw_only=True):
    status: Status


class UserGroupOut(Wire, frozen=True):
    id: int
    name: str
    user_count: int
    user_list: list[Ref]


class NamedOut(Wire, frozen=True):
    id: int
    name: str


class StaffReply(DoneReply, frozen=True):
    data: StaffOut


class StaffWithStatusReply(DoneReply, frozen=True):
    data: StaffWithStatusOut


class StaffPageReply(DoneReply, frozen=True):
    paging: PagingOut
    data: list[StaffOut]


class UserGroupReply(DoneReply, frozen=True):
    data: UserGroupOut


class UserGroupPageReply(DoneReply, frozen=True):
    paging: PagingOut
    data: list[UserGroupOut]


class NamedPageReply(DoneReply, frozen=True):
    paging: PagingOut
    data: list[NamedOut]


def staff_page(roster: Roster, page: Page) -> Reply:
    return page_of(_staff(roster, page.ids), page)


def user_group_page(roster: Roster, page: Page) -> Reply | Awaitable[Reply]:
    return turns.groups_page(roster, user_group_piece, page, lambda groups: page_of(groups, page))


def named_page(roster: Roster, kind: Kind, page: Page) -> Reply:
    return page_of(roster.pieces.join(kind, named_piece, page.ids), page)


def staff(roster: Roster, id: int) -> Reply:
    return data(_staff(roster, [id]))


def staff_with_status(roster: Roster, agent: Agent) -> Reply:
    return data(_staff(roster, [agent.id])[:-1] + b',"status":%d}' % _STATUSES[agent.state])


def new_staff(roster: Roster, id: int) -> Reply:
    """Answer without `userInfo`, as the vendor's page does."""
    return data(roster.pieces.get("agent", staff_piece, id) + b"}")


def user_group(roster: Roster, id: int) -> Reply:
    return data(roster.pieces.get("group", user_group_piece, id))


def staff_piece(roster: Roster, agent: Agent) -> bytes:
    """Return an agent without its closing brace: the piece of its profile follows."""
    shown = StaffOut(
        id=agent.id,
        email=agent.email,
        position=UNSET if agent.position_id is None else Ref(agent.position_id),
        realname=agent.name,
        mobile=agent.mobile or UNSET,
        job_number=agent.job_number or UNSET,
        job_status=_JOB_STATUSES[agent.employed],
        agent_type=_AGENT_TYPES[agent.seat],
        agent_role=_AGENT_ROLES[agent.leads],
        role_list=_refs(agent.role_ids),
        user_group_list=agent.group_ids,
        authorization_set_list=_refs(agent.permission_set_ids),
    )
    return _encode(shown)[:-1]


def user_group_piece(roster: Roster, group: Group) -> bytes:
    return _encode(UserGroupOut(group.id, group.name, len(group.member_ids), _refs(group.member_ids)))


def named_piece(roster: Roster, record: Position | Role | PermissionSet) -> bytes:
    return _encode(NamedOut(record.id, record.name))


def _staff(roster: Roster, ids: list[int]) -> bytes:
    """Return agents with commas between them, each with its profile record."""
    if not ids:
        return b""
    pieces = roster.pieces.pick("agent", staff_piece, ids)
    if not roster.agents_with["profile_record"]:
        return b"},".join(pieces) + b"}"
    parts = [b""] * (2 * len(ids))
    parts[::2] = pieces
    parts[1::2] = _endings(roster, ids)
    parts[-1] = parts[-1].removesuffix(b",")
    return b"".join(parts)


def _endings(roster: Roster, ids: list[int]) -> Sequence[bytes]:
    rows = roster.agents.rows
    held = [rows[i].profile_id for i in ids]
    present = [i for i in held if i is not None]
    pieces = roster.pieces.pick("profile_record", user_info_piece, present)
    if len(pieces) == len(ids):
        return pieces
    infos = iter(pieces)
    return [b"}," if i is None else next(infos) for i in held]


def _refs(ids: tuple[int, ...]) -> list[Ref]:
    return [Ref(i) for i in ids]
