"""What clients of the Udesk Open API send: queries and bodies, as types (choices: README.md, "Quirks")."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

from deskroster.core.records import Channels
from deskroster.dialect.query import Paging
from deskroster.dialect.reading import Reference

REQUIRED = ("email", "password")  # of a new agent

Lang = Literal["zh-cn", "en-us"]


class AgentsQuery(Paging, frozen=True):
    with_disabled: Literal["true", "false"] | UnsetType = UNSET


class AgentQuery(Struct, frozen=True):
    type: Literal["id", "email"]
    content: str


class GroupBody(Struct, frozen=True):
    name: str


class DepartmentBody(Struct, frozen=True):
    name: str
    parent_id: int | None = None


class LoginBody(Struct, frozen=True):
    email: str
    password: str


class GroupAgentsQuery(Struct, frozen=True):
    """A page has another name here than in the other lists."""

    group_id: int
    page: int | UnsetType = UNSET
    perpage: int | UnsetType = UNSET


class SuccessorBody(Struct, frozen=True):
    """To whom a deleted agent's work goes; recorded with the deletion."""

    owner_group_id: int | None = None
    owner_id: int | None = None


class AgentIn(Struct, frozen=True, kw_only=True):
    """The writable fields of an agent. Others that a client sends back as it read them have no effect.

    Groups, roles and departments are written by their ids, or in the form in which they are read.
    """

    email: str | UnsetType = UNSET
    password: str | UnsetType = UNSET
    nick_name: str | UnsetType = UNSET
    aliase: str | None | UnsetType = UNSET
    cellphone: str | None | UnsetType = UNSET
    work_id: str | None | UnsetType = UNSET
    profile: Channels | UnsetType = UNSET
    duty: str | None | UnsetType = UNSET
    agent_role_ids: list[int] | None | UnsetType = UNSET
    user_group_ids: list[int] | None | UnsetType = UNSET
    department_ids: list[int] | None | UnsetType = UNSET
    im_ability_value: int | UnsetType = UNSET
    im_welcomes: str | None | UnsetType = UNSET
    availability: bool | UnsetType = UNSET
    avatar: str | None | UnsetType = UNSET
    lang: Lang | UnsetType = UNSET
    disable_status: Literal["enable", "disable"] | UnsetType = UNSET
    agent_roles: list[Reference] | None | UnsetType = UNSET
    user_groups: list[Reference] | None | UnsetType = UNSET
    departments: list[Reference] | None | UnsetType = UNSET
    number: Any = UNSET  # with it, `password` is that of the SIP account, as it was read


class AgentBody(Struct, frozen=True):
    agent: AgentIn


class NewAgentBody(Struct, frozen=True):
    agent: Annotated[AgentIn, msgspec.Meta(extra_json_schema={"required": REQUIRED})]


GROUP_NAMES = {"member_ids": "agents"}
AGENT_NAMES = {
    "name": "nick_name", "alias": "aliase", "mobile": "cellphone", "job_number": "work_id", "channels": "profile",
    "position_id": "duty", "role_ids": "agent_role_ids", "group_ids": "user_group_ids", "welcome": "im_welcomes",
    "chat_skill": "im_ability_value",
    "auto_assign": "availability", "language": "lang", "state": "disable_status",
}  # fmt: skip
