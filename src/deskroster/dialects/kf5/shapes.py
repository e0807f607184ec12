r"""Both directions of the mapping between the roster and KF5's JSON (the choices: README.md, "Quirks").

A piece has two placeholders: a raw NUL for the address that the client used, and a raw \2 for the piece of the user's
profile. JSON has no raw control characters (RFC 8259, section 7). The last login changes without a change of the
roster: it is the end of a piece, which is replaced when the answer is made.
"""

from collections.abc import Awaitable
from datetime import datetime
from typing import Literal
from urllib.parse import quote, unquote_to_bytes
from zoneinfo import ZoneInfo

import msgspec
from msgspec import UNSET, Struct, UnsetType

from deskroster.core.agents import AgentFields
from deskroster.core.problems import Invalid, Rule
from deskroster.core.records import Agent, Group, Language, Level, State
from deskroster.core.roster import Roster
from deskroster.core.table import Page, Window
from deskroster.desk import Desk
from deskroster.dialect import PageReply, Reply, Request, turns
from deskroster.dialect.query import clamped_window
from deskroster.dialects.kf5.bodies import PER_PAGE, GroupBody, Lang, NewUserIn, UserIn
from deskroster.dialects.kf5.profiles import UserField, fields_piece

PREFIX = "/apiv2"

Status = Literal["active", "suspended", "unverified"]
_LANGS: dict[Language, Lang] = {"zh": "zh_cn", "en": "en_us"}
_LANGUAGES: dict[Lang, Language] = {"zh_cn": "zh", "en_us": "en"}
_STATUSES: dict[State, Status] = {"enabled": "active", "disabled": "suspended", "review": "unverified"}

_ENDING = b'[],"last_login_at":null}'  # of a user without a profile who has never logged in
_SAFE = "=&%+,:;/?@!$'()*~"  # in a query, besides letters, digits and `-._`
_encode = msgspec.json.Encoder().encode


def window(request: Request) -> Window:
    """Return which page was asked for."""
    return clamped_window(request.query, PER_PAGE, PER_PAGE)


def member_ids(body: GroupBody) -> list[int] | UnsetType:
    """Return the members that a body sets for a group."""
    agents = body.agents if body.group.agents is UNSET else body.group.agents
    return UNSET if agents is UNSET else [one if isinstance(one, int) else one.id for one in agents or ()]


def agent_fields(wanted: UserIn) -> AgentFields:
    """Return the fields that a body sets but the password. Raises Invalid for a customer: only staff is kept here."""
    if isinstance(wanted, NewUserIn) and wanted.role is UNSET:
        raise Invalid("level", Rule.STAFF_ONLY)
    return AgentFields(
        name=wanted.name,
        email=wanted.email,
        level=wanted.role,
        mobile=_text(wanted.phone),
        landline=_text(wanted.landline),
        remark=_text(wanted.remark_name),
        alias=_text(wanted.agent_display_name),
        signature=_text(wanted.signature),
        details=_text(wanted.details),
        notes=_text(wanted.notes),
        language=UNSET if wanted.language is UNSET else _LANGUAGES[wanted.language],
        starred=UNSET if wanted.mark_star is UNSET else wanted.mark_star == 1,
        avatar=_text(wanted.photo),
    )


def _text(value: str | None | UnsetType) -> str | UnsetType:
    return "" if value is None else value


class MemberOut(Struct, frozen=True):
    id: int
    url: str
    username: str
    name: str


class GroupOut(Struct, frozen=True):
    id: int
    url: str
    name: str
    created_at: str
    agents: list[MemberOut]


class GroupInfo(Struct, frozen=True):
    id: int
    name: str
    display_name: str


class UserOut(Struct, frozen=True, kw_only=True):
    id: int
    url: str
    email: str
    name: str
    remark_name: str
    agent_display_name: str
    mark_star: Literal[0, 1]
    role: Level
    phone: str
    phone_bind: bool
    landline: str
    signature: str
    details: str
    notes: str
    organization_id: None
    language: Lang
    created_at: str
    updated_at: str
    status: Status
    groups_info: list[GroupInfo]
    photo: str
    tags: list[str]
    user_fields: list[UserField]
    last_login_at: str | None


class Listed(Struct, frozen=True, kw_only=True):
    count: int  # of the whole list
    next_page: str | None
    previous_page: str | None


class GroupReply(Struct, frozen=True):
    group: GroupOut


class GroupsReply(Listed, frozen=True, kw_only=True):
    groups: list[GroupOut]


class UserReply(Struct, frozen=True):
    user: UserOut


class UsersReply(Listed, frozen=True, kw_only=True):
    users: list[UserOut]


class Nothing(Struct, frozen=True):
    """An empty object."""


NOTHING = Reply(200, _encode(Nothing()))


def groups_page(request: Request, roster: Roster, page: Page) -> Reply | Awaitable[Reply]:
    def answer(groups: bytes) -> Reply:
        return _page(request, b'{"groups":[', groups, page)

    return turns.groups_page(roster, group_piece, page, answer, lambda pieces: _at(request, pieces))


def users_page(request: Request, desk: Desk, page: Page) -> Reply:
    users = _at(request, _users(desk.roster, desk, page.ids))
    return _page(request, b'{"users":[', users, page)


def group(roster: Roster, id: int) -> Reply:
    return Reply(200, b'{"group":%b}' % roster.pieces.get("group", group_piece, id))


def user(roster: Roster, desk: Desk, id: int) -> Reply:
    return Reply(200, b'{"user":%b}' % _users(roster, desk, [id]))


def created(reply: Reply, kind: Literal["groups", "users"], id: int) -> Reply:
    return Reply(201, reply.body, (("Location", _url(kind, id)),))


def addressed(request: Request, reply: Reply) -> Reply:
    """Return the reply with the address that the client used in place of its placeholder."""
    base = request.base_url
    headers = tuple((name, value.replace("\0", base)) for name, value in reply.headers)
    return Reply(reply.status, reply.body.replace(b"\0", base.encode()), headers)


def group_piece(roster: Roster, group: Group) -> bytes:
    members = map(roster.agents.rows.__getitem__, group.member_ids)
    return _placed(
        GroupOut(
            id=group.id,
            url=_url("groups", group.id),
            name=group.name,
            created_at=_local(roster, group.created_at),
            agents=[MemberOut(agent.id, _url("users", agent.id), agent.email, agent.name) for agent in members],
        )
    )


def user_piece(roster: Roster, agent: Agent) -> bytes:
    """Encode a user who has never logged in, with a placeholder for the piece of the profile."""
    named = ((i, roster.groups.rows[i].name) for i in agent.group_ids)
    piece = _placed(
        UserOut(
            id=agent.id,
            url=_url("users", agent.id),
            email=agent.email,
            name=agent.name,
            remark_name=agent.remark,
            agent_display_name=agent.alias,
            mark_star=1 if agent.starred else 0,
            role=agent.level,
            phone=agent.mobile,
            phone_bind=False,
            landline=agent.landline,
            signature=agent.signature,
            details=agent.details,
            notes=agent.notes,
            organization_id=None,
            language=_LANGS[agent.language],
            created_at=_local(roster, agent.created_at),
            updated_at=_local(roster, agent.updated_at),
            status=_STATUSES[agent.state],
            groups_info=[GroupInfo(i, name, name) for i, name in named],
            photo=agent.avatar,
            tags=[],
            user_fields=[],
            last_login_at=None,
        )
    )
    if agent.profile_id is None:
        return piece
    return piece.removesuffix(_ENDING) + b"\2" + _ENDING.removeprefix(b"[]")


def _users(roster: Roster, desk: Desk, ids: list[int]) -> bytes:
    """Return users with commas between them, each with its profile and its last login."""
    pieces = list(roster.pieces.pick("agent", user_piece, ids))
    logins = desk.last_logins(ids)
    if logins or roster.agents_with["profile_record"]:
        for place, id in enumerate(ids):
            profile_id = roster.agents.rows[id].profile_id
            if profile_id is not None:
                fields = roster.pieces.get("profile_record", fields_piece, profile_id)
                pieces[place] = pieces[place].replace(b"\2", fields)
            if id in logins:
                at = _local(roster, logins[id]).encode()
                pieces[place] = pieces[place].removesuffix(b"null}") + b'"%b"}' % at
    return b",".join(pieces)


def _placed(record: Struct) -> bytes:
    """Encode a record with a raw NUL before each path. Only our paths begin with U+0000: no text may contain it."""
    return _encode(record).replace(b'"\\u0000', b'"\0')


def _url(kind: Literal["groups", "users"], id: int) -> str:
    return f"\0{PREFIX}/{kind}/{id}.json"


def _local(roster: Roster, at: int) -> str:
    return datetime.fromtimestamp(at, ZoneInfo(roster.company.time_zone)).strftime("%Y-%m-%d %H:%M:%S")


def _page(request: Request, head: bytes, elements: bytes, page: Page) -> PageReply:
    """Return a page with the addresses of the pages before and after it; beyond the end, the last is the one before."""
    number, pages, total = page.window.number, page.pages, page.total
    before, after = (min(number - 1, pages), number + 1 if number < pages else 0)
    asked = _asked(request) if before or after else b""
    tail = b'],"count":%d,"next_page":%b,"previous_page":%b}' % (total, _link(asked, after), _link(asked, before))
    return PageReply(200, b"".join((head, elements, tail)), sources=page.sources)


def _at(request: Request, pieces: bytes) -> bytes:
    """Return pieces with the address that the client used in place of its placeholder."""
    return pieces.replace(b"\0", request.base_url.encode())


def _asked(request: Request) -> bytes:
    """Return the address of the list that was asked for, without the page."""
    query: bytes = request.scope["query_string"]
    others = [one for one in query.split(b"&") if one and unquote_to_bytes(one.partition(b"=")[0]) != b"page"]
    return f"{request.base_url}{request.path}?{quote(b'&'.join([*others, b'']), safe=_SAFE)}".encode()


def _link(asked: bytes, number: int) -> bytes:
    """Return the address of a page as JSON, or null: number 0 is none."""
    return b'"%bpage=%d"' % (asked, number) if number else b"null"
