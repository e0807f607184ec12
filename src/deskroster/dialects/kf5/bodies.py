"""What clients of KF5 send: queries and bodies, as types (the choices: README.md, "Quirks")."""

from typing import Literal

from msgspec import UNSET, Struct, UnsetType

from deskroster.dialect.query import Paging
from deskroster.dialect.reading import Reference

Lang = Literal["zh_cn", "en_us"]
Role = Literal["agent", "admin", "end_user"]


class UsersQuery(Paging, frozen=True):
    """`role`: those wanted, with commas between them.

    A time is Unix seconds, or `YYYY-MM-DD`, or that with ` HH:MM:SS`, in the company's time zone; the start is included
    and the end is not.
    """

    role: str | UnsetType = UNSET
    created_start: str | UnsetType = UNSET
    created_end: str | UnsetType = UNSET
    updated_start: str | UnsetType = UNSET
    updated_end: str | UnsetType = UNSET
    created_order: Literal["asc", "desc"] | UnsetType = UNSET
    updated_order: Literal["asc", "desc"] | UnsetType = UNSET


class ShowManyQuery(Paging, frozen=True, kw_only=True):
    """`ids`: at most 100, with commas between them."""

    ids: str


class SearchQuery(Paging, frozen=True, kw_only=True):
    """`query`: part of a name, an e-mail or a phone number."""

    query: str


Members = list[int | Reference]
"""Agents by their ids, or as they are read."""


class GroupIn(Struct, frozen=True):
    name: str | UnsetType = UNSET
    agents: Members | None | UnsetType = UNSET


class NewGroupIn(GroupIn, frozen=True, kw_only=True):
    name: str


class GroupBody(Struct, frozen=True):
    """`agents` may also stand beside `group`; inside wins."""

    group: GroupIn = GroupIn()
    agents: Members | None | UnsetType = UNSET


class NewGroupBody(GroupBody, frozen=True, kw_only=True):
    group: NewGroupIn


class UserIn(Struct, frozen=True, kw_only=True):
    """The writable fields of a user. Others that a client sends back as it read them have no effect."""

    name: str | UnsetType = UNSET
    email: str | UnsetType = UNSET
    role: Role | UnsetType = UNSET
    password: str | None | UnsetType = UNSET
    phone: str | None | UnsetType = UNSET
    landline: str | None | UnsetType = UNSET
    remark_name: str | None | UnsetType = UNSET
    agent_display_name: str | None | UnsetType = UNSET
    signature: str | None | UnsetType = UNSET
    details: str | None | UnsetType = UNSET
    notes: str | None | UnsetType = UNSET
    language: Lang | UnsetType = UNSET
    mark_star: Literal[0, 1] | UnsetType = UNSET
    photo: str | None | UnsetType = UNSET


class NewUserIn(UserIn, frozen=True, kw_only=True):
    name: str
    email: str


class UserBody(Struct, frozen=True):
    user: UserIn


class NewUserBody(Struct, frozen=True):
    user: NewUserIn


GROUP_NAMES = {"member_ids": "agents"}
USER_NAMES = {
    "level": "role", "mobile": "phone", "remark": "remark_name", "alias": "agent_display_name", "starred": "mark_star",
    "avatar": "photo",
}  # fmt: skip
