"""What clients of KF5 send: queries and bodies, as types (the choices: README.md, "Quirks")."""

from typing import Annotated, Literal, get_args

from msgspec import UNSET, Meta, Struct, UnsetType

from deskroster.core.table import MAX_IDS
from deskroster.dialect.limits import (
    CLAMPED,
    AnyPassword,
    Email,
    Id,
    Line,
    Name,
    PageNumber,
    PasswordOrNone,
    Phone,
    Prose,
    Url,
    paged,
)
from deskroster.dialect.reading import Reference
from deskroster.dialects.kf5.times import FORM

Lang = Literal["zh_cn", "en_us"]
Role = Literal["agent", "admin"]
CUSTOMER = "end_user"  # the vendor's third role: nobody has it here

PER_PAGE = 100  # the default and the most
MAX_SHOWN = 100  # ids of `show_many`

_ROLE = f"({'|'.join((*get_args(Role), CUSTOMER))})"
Roles = Annotated[str, Meta(extra_json_schema={"pattern": f"^({_ROLE}(,{_ROLE})*)?$"})]
Time = Annotated[str, Meta(extra_json_schema={"pattern": f"^({FORM})$"})]
Order = Literal["asc", "desc"]
Listed = Annotated[str, Meta(extra_json_schema={"pattern": f"^[^,]*(,[^,]*){{0,{MAX_SHOWN - 1}}}$"})]


class Paging(Struct, frozen=True):
    """Which page; out of range is clamped."""

    page: PageNumber | UnsetType = UNSET
    per_page: Annotated[int, paged(PER_PAGE, PER_PAGE, **{CLAMPED: True})] | UnsetType = UNSET


class UsersQuery(Paging, frozen=True):
    """`role`: those wanted, with commas between them.

    A time is Unix seconds, or `YYYY-MM-DD`, or that with ` HH:MM:SS`, in the company's time zone; the start is included
    and the end is not.
    """

    role: Roles | UnsetType = UNSET
    created_start: Time | UnsetType = UNSET
    created_end: Time | UnsetType = UNSET
    updated_start: Time | UnsetType = UNSET
    updated_end: Time | UnsetType = UNSET
    created_order: Order | UnsetType = UNSET
    updated_order: Order | UnsetType = UNSET


class ShowManyQuery(Paging, frozen=True, kw_only=True):
    """`ids`: at most 100, with commas between them."""

    ids: Listed


class SearchQuery(Paging, frozen=True, kw_only=True):
    """`query`: part of a name, an e-mail or a phone number."""

    query: str


Members = Annotated[list[Id | Reference], Meta(extra_json_schema={"maxItems": MAX_IDS})]
"""Agents by their ids, or as they are read."""


class GroupIn(Struct, frozen=True):
    name: Name | UnsetType = UNSET
    agents: Members | None | UnsetType = UNSET


class NewGroupIn(GroupIn, frozen=True, kw_only=True):
    name: Name


class GroupBody(Struct, frozen=True):
    """`agents` may also stand beside `group`; inside wins."""

    group: GroupIn = GroupIn()
    agents: Members | None | UnsetType = UNSET


class NewGroupBody(GroupBody, frozen=True, kw_only=True):
    group: NewGroupIn


class UserIn(Struct, frozen=True, kw_only=True):
    """The writable fields of a user. Others that a client sends back as it read them have no effect."""

    name: Name | UnsetType = UNSET
    email: Email | UnsetType = UNSET
    role: Role | UnsetType = UNSET
    password: AnyPassword | UnsetType = UNSET
    phone: Phone | None | UnsetType = UNSET
    landline: Phone | None | UnsetType = UNSET
    remark_name: Line | None | UnsetType = UNSET
    agent_display_name: Line | None | UnsetType = UNSET
    signature: Prose | None | UnsetType = UNSET
    details: Prose | None | UnsetType = UNSET
    notes: Prose | None | UnsetType = UNSET
    language: Lang | UnsetType = UNSET
    mark_star: Literal[0, 1] | UnsetType = UNSET
    photo: Url | None | UnsetType = UNSET


class NewUserIn(UserIn, frozen=True, kw_only=True):
    """A new user; without a password it has none."""

    name: Name
    email: Email
    password: PasswordOrNone | None | UnsetType = UNSET  # type: ignore[assignment]


class UserBody(Struct, frozen=True):
    user: UserIn


class NewUserBody(Struct, frozen=True):
    user: Annotated[NewUserIn, Meta(extra_json_schema={"required": ["name", "email", "role"]})]


GROUP_NAMES = {"member_ids": "agents"}
USER_NAMES = {
    "level": "role", "mobile": "phone", "remark": "remark_name", "alias": "agent_display_name", "starred": "mark_star",
    "avatar": "photo",
}  # fmt: skip
