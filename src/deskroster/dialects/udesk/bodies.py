"""What clients of the Udesk Open API send: queries and bodies, as types (choices: README.md, "Quirks")."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

from deskroster.core.records import Channels
from deskroster.dialect.limits import (
    CLAMPED,
    AnyPassword,
    Email,
    Id,
    IdOrNone,
    Ids,
    JobNumber,
    Line,
    Name,
    PageNumber,
    PasswordOrNone,
    Phone,
    Prose,
    References,
    Skill,
    Url,
    paged,
)

REQUIRED = ("email", "password")  # of a new agent

PER_PAGE, MOST_PER_PAGE = 20, 100

Lang = Literal["zh-cn", "en-us"]
PageSize = Annotated[int, paged(PER_PAGE, MOST_PER_PAGE, **{CLAMPED: True})]


class Paging(Struct, frozen=True):
    """Which page; out of range is clamped."""

    page: PageNumber | UnsetType = UNSET
    per_page: PageSize | UnsetType = UNSET


class AgentsQuery(Paging, frozen=True):
    """`with_disabled`: whether agents that are not enabled are listed too."""

    with_disabled: bool | UnsetType = UNSET


class AgentQuery(Struct, frozen=True):
    type: Literal["id", "email"]
    content: str


class GroupBody(Struct, frozen=True):
    name: Name


class DepartmentBody(Struct, frozen=True):
    """A department; without `parent_id`, or with 0, at the top."""

    name: Name
    parent_id: IdOrNone | None = None


class LoginBody(Struct, frozen=True):
    email: str
    password: str


class GroupAgentsQuery(Struct, frozen=True):
    """A page has another name here than in the other lists."""

    group_id: Id
    page: PageNumber | UnsetType = UNSET
    perpage: PageSize | UnsetType = UNSET


class SuccessorBody(Struct, frozen=True):
    """To whom a deleted agent's work goes; recorded with the deletion."""

    owner_group_id: IdOrNone | None = None
    owner_id: IdOrNone | None = None


class AgentIn(Struct, frozen=True, kw_only=True):
    """The writable fields of an agent. Others that a client sends back as it read them have no effect.

    Groups, roles and departments are written by their ids, or in the form in which they are read.
    """

    email: Email | UnsetType = UNSET
    password: PasswordOrNone | UnsetType = UNSET
    nick_name: Name | UnsetType = UNSET
    aliase: Line | None | UnsetType = UNSET
    cellphone: Phone | None | UnsetType = UNSET
    work_id: JobNumber | None | UnsetType = UNSET
    profile: Channels | UnsetType = UNSET
    duty: str | None | UnsetType = UNSET
    agent_role_ids: Ids | None | UnsetType = UNSET
    user_group_ids: Ids | None | UnsetType = UNSET
    department_ids: Ids | None | UnsetType = UNSET
    im_ability_value: Skill | UnsetType = UNSET
    im_welcomes: Prose | None | UnsetType = UNSET
    availability: bool | UnsetType = UNSET
    avatar: Url | None | UnsetType = UNSET
    lang: Lang | UnsetType = UNSET
    disable_status: Literal["enable", "disable"] | UnsetType = UNSET
    agent_roles: References | None | UnsetType = UNSET
    user_groups: References | None | UnsetType = UNSET
    departments: References | None | UnsetType = UNSET
    number: Any = UNSET  # with it, `password` is that of the SIP account, as it was read


_NEW: dict[str, Any] = {
    "required": REQUIRED,
    "properties": {"password": msgspec.json.schema(AnyPassword)},
}


class AgentBody(Struct, frozen=True):
    agent: AgentIn


class NewAgentBody(Struct, frozen=True):
    agent: Annotated[AgentIn, msgspec.Meta(extra_json_schema=_NEW)]


GROUP_NAMES = {"member_ids": "agents"}
AGENT_NAMES = {
    "name": "nick_name", "alias": "aliase", "mobile": "cellphone", "job_number": "work_id", "channels": "profile",
    "position_id": "duty", "role_ids": "agent_role_ids", "group_ids": "user_group_ids", "welcome": "im_welcomes",
    "chat_skill": "im_ability_value",
    "auto_assign": "availability", "language": "lang", "state": "disable_status",
}  # fmt: skip
