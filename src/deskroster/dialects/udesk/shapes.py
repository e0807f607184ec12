"""Both directions of the mapping between the roster and the Udesk Open API's JSON (choices: README.md, "Quirks")."""

from collections.abc import Awaitable, Iterable
from typing import Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

from deskroster.core import text
from deskroster.core.agents import AgentFields
from deskroster.core.problems import Invalid, Rule
from deskroster.core.records import Agent, Channels, Department, Group, Language, Secret
from deskroster.core.roster import Roster
from deskroster.core.table import Page, Window
from deskroster.dialect import PageReply, Reply, Request, turns
from deskroster.dialect.query import clamped_window
from deskroster.dialect.reading import Reference
from deskroster.dialects.udesk.bodies import MOST_PER_PAGE, PER_PAGE, AgentIn, Lang

_LANGS: dict[Language, Lang] = {"zh": "zh-cn", "en": "en-us"}
_LANGUAGES: dict[Lang, Language] = {"zh-cn": "zh", "en-us": "en"}

_encode = msgspec.json.Encoder().encode


def window(request: Request) -> Window:
    """Return which page was asked for."""
    return clamped_window(request.query, PER_PAGE, MOST_PER_PAGE)


def agent_fields(roster: Roster, wanted: AgentIn, password: Secret | UnsetType, before: Agent | None) -> AgentFields:
    """Return the fields that a body sets. Raises Invalid for a `duty` that is no position's name."""
    state: Literal["enabled", "disabled"] | UnsetType = UNSET
    if wanted.disable_status is not UNSET and (before is None or _status(before) != wanted.disable_status):
        state = "enabled" if wanted.disable_status == "enable" else "disabled"
    return AgentFields(
        name=_name(wanted, before),
        email=wanted.email,
        password=password,
        alias=_text(wanted.aliase),
        mobile=_text(wanted.cellphone),
        job_number=_text(wanted.work_id),
        channels=wanted.profile,
        position_id=_position(roster, wanted.duty, before),
        role_ids=_ids(wanted.agent_role_ids, wanted.agent_roles, before.role_ids if before else ()),
        group_ids=_ids(wanted.user_group_ids, wanted.user_groups, before.group_ids if before else ()),
        department_ids=_ids(wanted.department_ids, wanted.departments, before.department_ids if before else ()),
        chat_skill=wanted.im_ability_value,
        welcome=_text(wanted.im_welcomes),
        auto_assign=wanted.availability,
        avatar=_text(wanted.avatar),
        language=UNSET if wanted.lang is UNSET else _LANGUAGES[wanted.lang],
        state=state,
    )


def _text(value: str | None | UnsetType) -> str | UnsetType:
    return "" if value is None else value


def _name(wanted: AgentIn, before: Agent | None) -> str | UnsetType:
    """Return the name that a body sets; a new agent without one has the part of the e-mail before the @."""
    if before is None and wanted.nick_name is UNSET and isinstance(wanted.email, str):
        return text.email("email", wanted.email).partition("@")[0]
    return wanted.nick_name


def _ids(
    ids: list[int] | None | UnsetType, objects: list[Reference] | None | UnsetType, shown: tuple[int, ...]
) -> list[int] | UnsetType:
    """Return the ids that one of two keys sets: of both, that which is not as it is shown."""
    if objects is UNSET or (ids is not UNSET and set(ids or ()) != set(shown)):
        return [] if ids is None else ids
    return [one.id for one in objects or ()]


def _position(roster: Roster, duty: str | None | UnsetType, before: Agent | None) -> int | None | UnsetType:
    """Return the position of this name: of several the one that the agent has, so that a client can send it back."""
    if duty is UNSET:
        return UNSET
    if before is not None and before.position_id is not None and roster.positions[before.position_id].name == duty:
        return before.position_id
    duty = text.trimmed(duty or "", text.MAX_NAME)
    if not duty:
        return None
    position_id = next((position.id for position in roster.positions if position.name == duty), None)
    if position_id is None:
        raise Invalid("position_id", Rule.UNKNOWN)
    return position_id


class Meta(Struct, frozen=True):
    current_page: int
    total_pages: int
    total_count: int


class AgentName(Struct, frozen=True):
    id: int
    nick_name: str


class Named(Struct, frozen=True):
    id: int
    name: str


class RoleOut(Struct, frozen=True):
    id: int
    name: str
    description: str


class GroupOut(Struct, frozen=True):
    id: int
    name: str
    agents: list[AgentName]


class AgentOut(Struct, frozen=True, kw_only=True):
    id: int
    nick_name: str
    email: str
    cellphone: str
    work_id: str
    im_ability_value: int
    profile: Channels
    aliase: str
    role_name: Literal["agent", "admin"]
    duty: str | None
    user_group_ids: tuple[int, ...]
    disable_status: Literal["enable", "disable"]
    avatar: str
    lang: Lang
    availability: bool
    im_welcomes: str
    user_groups: list[Named]
    agent_roles: list[RoleOut]
    departments: list[Named]
    agent_callout_display_number: str
    number: str
    password: str


class GroupAgentsOut(Struct, frozen=True):
    id: int
    name: str
    agents: list[AgentOut]


class DepartmentOut(Struct, frozen=True):
    id: int
    name: str
    sub_department: list["DepartmentOut"]


class GroupsReply(Struct, frozen=True):
    code: int
    user_groups: list[GroupOut]
    meta: Meta


class GroupAgentsReply(Struct, frozen=True):
    code: int
    user_group: GroupAgentsOut
    user_groups: list[GroupAgentsOut]
    meta: Meta


class IdReply(Struct, frozen=True):
    code: int
    id: int


class GroupReply(Struct, frozen=True):
    code: int
    id: int
    user_group: GroupOut


class MessageReply(Struct, frozen=True):
    message: str
    code: int


class AgentsReply(Struct, frozen=True):
    code: int
    agents: list[AgentOut]
    meta: Meta


class AgentNamesReply(Struct, frozen=True):
    code: int
    agents: list[AgentName]
    meta: Meta


class AgentReply(Struct, frozen=True):
    code: int
    agent: AgentOut


class AgentWrittenReply(Struct, frozen=True):
    code: int
    id: int
    agent: AgentOut


class RolesReply(Struct, frozen=True):
    code: int
    agent_roles: list[RoleOut]


class DepartmentsReply(Struct, frozen=True):
    code: int
    departments: list[DepartmentOut]


class TokenReply(Struct, frozen=True):
    code: int
    open_api_auth_token: str


def groups_page(roster: Roster, page: Page) -> Reply | Awaitable[Reply]:
    head = b'{"code":1000,"user_groups":['
    return turns.groups_page(roster, group_piece, page, lambda groups: _page(head, groups, page))


def group_agents(roster: Roster, group: Group, page: Page) -> Reply:
    """Answer under both keys that the vendor's page names: `user_group` and `user_groups`."""
    agents = roster.pieces.join("agent", agent_piece, page.ids)
    one = b'{"id":%d,"name":%b,"agents":[%b]}' % (group.id, _encode(group.name), agents)
    return _page(b'{"code":1000,"user_group":%b,"user_groups":[' % one, one, page)


def agents_page(roster: Roster, page: Page) -> Reply:
    return _page(b'{"code":1000,"agents":[', roster.pieces.join("agent", agent_piece, page.ids), page)


def agent_names(roster: Roster, page: Page) -> Reply:
    names = [AgentName(i, roster.agents.rows[i].name) for i in page.ids]
    return _page(b'{"code":1000,"agents":[', b",".join(map(_encode, names)), page)


def agent(roster: Roster, id: int) -> Reply:
    return Reply(200, b'{"code":1000,"agent":%b}' % roster.pieces.get("agent", agent_piece, id))


def agent_written(roster: Roster, id: int) -> Reply:
    return Reply(200, b'{"code":1000,"id":%d,"agent":%b}' % (id, roster.pieces.get("agent", agent_piece, id)))


def group_written(roster: Roster, id: int) -> Reply:
    return Reply(200, b'{"code":1000,"id":%d,"user_group":%b}' % (id, roster.pieces.get("group", group_piece, id)))


def id_only(id: int) -> Reply:
    return Reply(200, b'{"code":1000,"id":%d}' % id)


def message(sentence: str) -> Reply:
    return Reply(200, _encode(MessageReply(sentence, 1000)))


def token(secret: Secret) -> Reply:
    return Reply(200, _encode(TokenReply(1000, secret.reveal())))


def roles(roster: Roster) -> Reply:
    return Reply(
        200, _encode(RolesReply(1000, [RoleOut(role.id, role.name, role.description) for role in roster.roles]))
    )


def departments(roster: Roster) -> Reply:
    return Reply(200, _encode(DepartmentsReply(1000, _tree(roster.departments))))


def group_piece(roster: Roster, group: Group) -> bytes:
    agents = [AgentName(i, roster.agents.rows[i].name) for i in group.member_ids]
    return _encode(GroupOut(group.id, group.name, agents))


def agent_piece(roster: Roster, agent: Agent) -> bytes:
    position = roster.positions.get(agent.position_id) if agent.position_id else None
    return _encode(
        AgentOut(
            id=agent.id,
            nick_name=agent.name,
            email=agent.email,
            cellphone=agent.mobile,
            work_id=agent.job_number,
            im_ability_value=agent.chat_skill,
            profile=agent.channels,
            aliase=agent.alias,
            role_name=agent.level,
            duty=position.name if position else None,
            user_group_ids=agent.group_ids,
            disable_status=_status(agent),
            avatar=agent.avatar,
            lang=_LANGS[agent.language],
            availability=agent.auto_assign,
            im_welcomes=agent.welcome,
            user_groups=[Named(i, roster.groups.rows[i].name) for i in agent.group_ids],
            agent_roles=[
                RoleOut(role.id, role.name, role.description) for role in map(roster.roles.__getitem__, agent.role_ids)
            ],
            departments=[Named(i, roster.departments.rows[i].name) for i in agent.department_ids],
            agent_callout_display_number=agent.callout_number,
            number=agent.sip_number,
            password=agent.sip_password.reveal() if agent.sip_password else "",
        )
    )


def _status(agent: Agent) -> Literal["enable", "disable"]:
    return "enable" if agent.state == "enabled" else "disable"


def _page(head: bytes, elements: bytes, page: Page) -> PageReply:
    meta = page.window.number, page.pages, page.total
    tail = b'],"meta":{"current_page":%d,"total_pages":%d,"total_count":%d}}' % meta
    return PageReply(200, head + elements + tail, sources=page.sources)


def _tree(departments: Iterable[Department]) -> list[DepartmentOut]:
    nodes = {one.id: DepartmentOut(one.id, one.name, []) for one in departments}
    top: list[DepartmentOut] = []
    for one in departments:
        siblings = top if one.parent_id is None else nodes[one.parent_id].sub_department
        siblings.append(nodes[one.id])
    return top
