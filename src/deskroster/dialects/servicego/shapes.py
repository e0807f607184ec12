"""Both directions of the mapping between the roster and ServiceGo's JSON (the choices: README.md, "Quirks")."""

import re
from collections.abc import Awaitable, Sequence
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType
from msgspec.structs import replace

from deskroster.core import text
from deskroster.core.agents import AgentFields
from deskroster.core.problems import Invalid, Rule, Wanted
from deskroster.core.records import Agent, Group, Kind, PermissionSet, Position, Role, Seat, Secret, State
from deskroster.core.roster import Roster
from deskroster.core.table import Page
from deskroster.dialect import Reply, turns
from deskroster.dialect.limits import Email, Ids, Name, Password, References, lengths
from deskroster.dialect.reading import Reference
from deskroster.dialects.servicego.envelope import DoneReply, Paging, PagingOut, Wire, data, page_of
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
    position_id: Annotated[int, Meta(extra_json_schema={"minimum": 1})] | UnsetType = UNSET


class LookUpQuery(Wire, frozen=True):
    """By id, e-mail, mobile or job number."""

    type: Literal["1", "2", "3", "4"]
    value: str


Realname = Annotated[str, lengths(MAX_REALNAME, 1)]
Mobile = Annotated[str, Meta(extra_json_schema={"pattern": f"^({_MOBILE.pattern})?$"})]
Roles = Annotated[References, Meta(extra_json_schema={"minItems": 1})]


class ProfileIn(Wire, frozen=True):
    """A profile record: `id`, or `dataId` as it is read."""

    OPENAPI: ClassVar[dict[str, Any]] = {
        "anyOf": [{"required": [name], "properties": {name: {"type": "integer"}}} for name in ("id", "dataId")]
    }

    id: int | None | UnsetType = UNSET
    data_id: int | None | UnsetType = UNSET


class StaffOptions(Wire, frozen=True, kw_only=True):
    """What may be left out of any write; null clears it."""

    mobile: Mobile | None | UnsetType = UNSET
    job_status: JobStatus | None | UnsetType = UNSET
    agent_type: AgentType | None | UnsetType = UNSET
    agent_role: AgentRole | None | UnsetType = UNSET
    user_group_list: Ids | None | UnsetType = UNSET
    user_info: ProfileIn | None | UnsetType = UNSET


class NewStaffBody(StaffOptions, frozen=True, kw_only=True):
    email: Email
    password: Password
    realname: Realname
    position: Reference
    role_list: Roles


class StaffBody(StaffOptions, frozen=True, kw_only=True):
    """E-mail, password and job number are not among the fields that the vendor's page lets one change.

    What is sent as it is shown is left alone, a mobile or a name too that another dialect has written in another form.
    """

    realname: Realname | UnsetType = UNSET
    position: Reference | UnsetType = UNSET
    status: Status | UnsetType = UNSET
    role_list: References | UnsetType = UNSET


class NewUserGroupBody(Wire, frozen=True):
    name: Name
    user_list: References | None | UnsetType = UNSET


class UserGroupBody(Wire, frozen=True):
    name: Name | UnsetType = UNSET
    user_list: References | None | UnsetType = UNSET


STAFF_NAMES = {
    "name": "realname", "position_id": "position.id", "employed": "jobStatus", "seat": "agentType",
    "leads": "agentRole", "state": "status", "group_ids": "userGroupList", "role_ids": "roleList",
    "profile_id": "userInfo.id",
}  # fmt: skip
USER_GROUP_NAMES = {"member_ids": "userList"}


def new_agent(wanted: NewStaffBody, password: Secret) -> AgentFields:
    """Return the fields that a body sets for a new agent. Raises Invalid."""
    if not wanted.role_list:
        raise Invalid("role_ids", Rule.EMPTY)
    return replace(
        _options(wanted, None),
        email=wanted.email,
        password=password,
        name=text.name("name", wanted.realname, MAX_REALNAME),
        position_id=wanted.position.id,
        role_ids=[role.id for role in wanted.role_list],
    )


def agent_fields(wanted: StaffBody, before: Agent) -> AgentFields:
    """Return the fields that a body sets; what is sent as it is shown is left alone. Raises Invalid."""
    realname, status = wanted.realname, wanted.status
    if realname is not UNSET and realname != before.name:
        realname = text.name("name", realname, MAX_REALNAME)
    if wanted.job_status == 0 and status == 1:  # leaving wins
        status = UNSET
    return replace(
        _options(wanted, before),
        name=realname,
        position_id=UNSET if wanted.position is UNSET else wanted.position.id,
        state=UNSET if status is UNSET else _STATES[status],
        role_ids=UNSET if wanted.role_list is UNSET else [role.id for role in wanted.role_list],
    )


def member_ids(sent: list[Reference] | None | UnsetType) -> list[int] | UnsetType:
    return sent if sent is UNSET else [one.id for one in sent or ()]


def _options(wanted: StaffOptions, before: Agent | None) -> AgentFields:
    groups = wanted.user_group_list
    return AgentFields(
        mobile=_mobile(wanted.mobile, before),
        employed=_EMPLOYED[wanted.job_status],
        seat=_SEATS[wanted.agent_type],
        leads=_LEADS[wanted.agent_role],
        group_ids=[] if groups is None else groups,
        profile_id=_profile_id(wanted.user_info, before),
    )


def _mobile(sent: str | None | UnsetType, before: Agent | None) -> str | UnsetType:
    """Return the mobile that a body sets. What another dialect wrote may have another form, and is left alone."""
    if sent is UNSET or (before is not None and sent == before.mobile):
        return UNSET
    mobile = text.without_marks(sent or "", text.MAX_PHONE)
    if mobile and not _MOBILE.fullmatch(mobile):
        raise Invalid("mobile", Rule.FORM)
    return mobile


def _profile_id(sent: ProfileIn | None | UnsetType, before: Agent | None) -> int | None | UnsetType:
    """Return the profile record that a body sets; of a new agent 0 is none."""
    if not isinstance(sent, ProfileIn):
        return sent
    id = sent.data_id if sent.id is UNSET or sent.id is None else sent.id
    if id is UNSET or id is None:
        raise Invalid("userInfo", Rule.TYPE, wanted=Wanted.REFERENCE)
    return id if id or before else UNSET


# ── what is answered ─────────────────────────────────────────────────────────────────────────────────────────────


class StaffOut(Wire, frozen=True, kw_only=True):
    """An agent. What was never set is left out, lists are always there."""

    id: int
    email: str
    position: Reference | UnsetType = UNSET
    realname: str
    mobile: str | UnsetType = UNSET
    job_number: str | UnsetType = UNSET
    job_status: JobStatus | UnsetType = UNSET
    agent_type: AgentType | UnsetType = UNSET
    agent_role: AgentRole | UnsetType = UNSET
    role_list: list[Reference]
    user_group_list: tuple[int, ...]
    authorization_set_list: list[Reference]
    user_info: UserInfo | UnsetType = UNSET


class StaffWithStatusOut(StaffOut, frozen=True, kw_only=True):
    status: Status


class UserGroupOut(Wire, frozen=True):
    id: int
    name: str
    user_count: int
    user_list: list[Reference]


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
        position=UNSET if agent.position_id is None else Reference(agent.position_id),
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


def _refs(ids: tuple[int, ...]) -> list[Reference]:
    return [Reference(i) for i in ids]
