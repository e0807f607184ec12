"""Agents as JSON: what the operator of an installation needs of them. Secrets are written, never read."""

from msgspec import UNSET, Struct, UnsetType

from deskroster.core.agents import AgentFields
from deskroster.core.records import Agent, Level, Secret, State
from deskroster.core.roster import Roster
from deskroster.dialect.limits import Ids, Password, Phone
from deskroster.dialects.own.shapes import Moment, Paging, encode, moment


class AgentsQuery(Paging, frozen=True):
    """All, or the one that has this e-mail in whatever case."""

    email: str | UnsetType = UNSET


class AgentPatch(Struct, frozen=True):
    """What can be set here: the level, and what no vendor's call sets."""

    level: Level | UnsetType = UNSET
    permission_set_ids: Ids | UnsetType = UNSET
    callout_number: Phone | UnsetType = UNSET
    sip_number: Phone | UnsetType = UNSET
    sip_password: str | None | UnsetType = UNSET


class PasswordBody(Struct, frozen=True):
    password: Password


class AgentOut(Struct, frozen=True, kw_only=True):
    id: int
    name: str
    email: str
    level: Level
    state: State
    employed: bool
    alias: str
    mobile: str
    job_number: str
    group_ids: tuple[int, ...]
    role_ids: tuple[int, ...]
    department_ids: tuple[int, ...]
    permission_set_ids: tuple[int, ...]
    position_id: int | None
    profile_id: int | None
    callout_number: str
    sip_number: str
    has_password: bool
    created_at: Moment
    updated_at: Moment


class AgentList(Struct, frozen=True):
    items: list[AgentOut]
    total: int


def agent_fields(wanted: AgentPatch) -> AgentFields:
    """Return the fields that a body sets."""
    sip = wanted.sip_password
    return AgentFields(
        level=wanted.level,
        permission_set_ids=wanted.permission_set_ids,
        callout_number=wanted.callout_number,
        sip_number=wanted.sip_number,
        sip_password=UNSET if sip is UNSET else Secret(sip) if sip else None,
    )


def agent_piece(roster: Roster, agent: Agent) -> bytes:
    return encode(
        AgentOut(
            id=agent.id,
            name=agent.name,
            email=agent.email,
            level=agent.level,
            state=agent.state,
            employed=agent.employed is not False,
            alias=agent.alias,
            mobile=agent.mobile,
            job_number=agent.job_number,
            group_ids=agent.group_ids,
            role_ids=agent.role_ids,
            department_ids=agent.department_ids,
            permission_set_ids=agent.permission_set_ids,
            position_id=agent.position_id,
            profile_id=agent.profile_id,
            callout_number=agent.callout_number,
            sip_number=agent.sip_number,
            has_password=agent.password is not None,
            created_at=moment(agent.created_at),
            updated_at=moment(agent.updated_at),
        )
    )
