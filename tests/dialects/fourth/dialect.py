"""A vendor that there is not, with three calls: what the suites say of a dialect that was written by the how-to."""

from base64 import b64decode
from hmac import compare_digest
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from deskroster.core import groups, keys
from deskroster.core.access import Identity, Permission
from deskroster.core.problems import (
    Busy,
    Conflict,
    Doubt,
    Forbidden,
    Invalid,
    NotFound,
    Problem,
    Unauthenticated,
    Unknown,
)
from deskroster.core.records import Group
from deskroster.core.roster import Roster
from deskroster.core.table import MAX_IDS, Window
from deskroster.core.text import MAX_EMAIL
from deskroster.desk import Desk, Login, Proof, Signed
from deskroster.dialect import Dialect, Reply, Request, Route, turns, words
from deskroster.dialect.credentials import Basic
from deskroster.dialect.limits import CLAMPED, Name, paged
from deskroster.dialect.problems import (
    AnyRejection,
    BadHost,
    Incident,
    Malformed,
    MediaType,
    MethodNotAllowed,
    TooLarge,
    TooMany,
    TooSlow,
    UnknownCompany,
    UnknownPath,
)
from deskroster.dialect.request import PageReply
from deskroster.texts import said

NAME = "fourth"
MOST = 2**31  # pages
PROGRAM = "+program"  # ends the name of who sends a token instead of a password


class Asked(Struct, frozen=True):
    page: Annotated[int, paged(1, MOST, **{CLAMPED: True})] | UnsetType = UNSET
    size: Annotated[int, paged(20, 100, **{CLAMPED: True})] | UnsetType = UNSET


class TeamIn(Struct, frozen=True):
    name: Name
    people: Annotated[tuple[int, ...], Meta(extra_json_schema={"maxItems": MAX_IDS})] = ()


class Person(Struct, frozen=True):
    id: int
    name: str


class Team(Struct, frozen=True):
    id: int
    name: str
    people: tuple[Person, ...]


class Teams(Struct, frozen=True):
    teams: list[Team]
    total: int


class Refusal(Struct, frozen=True):
    reason: str
    text: str


def team_piece(roster: Roster, group: Group) -> bytes:
    people = tuple(Person(id, roster.agents.rows[id].name) for id in group.member_ids)
    return msgspec.json.encode(Team(group.id, group.name, people))


def list_teams(request: Request, desk: Desk):
    window = Window.numbered(_number(request, "page", 1, MOST), _number(request, "size", 20, 100))
    page = groups.find(desk.roster, request.caller, window)

    def answer(teams: bytes) -> Reply:
        return PageReply(200, b'{"teams":[%b],"total":%d}' % (teams, page.total), sources=page.sources)

    return turns.groups_page(desk.roster, team_piece, page, answer)


def _number(request: Request, name: str, default: int, most: int) -> int:
    sent = request.query.get(name, "")
    return min(max(int(sent), 1), most) if sent.isascii() and sent.isdigit() and len(sent) < 20 else default


def get_team(request: Request, desk: Desk) -> Reply:
    found = groups.get(desk.roster, request.caller, request.path_id("group"))
    return Reply(200, desk.roster.pieces.get("group", team_piece, found.id))


async def create_team(request: Request, desk: Desk) -> Reply:
    body, now = request.read(TeamIn), desk.now()
    return await request.submit(
        lambda roster, caller: groups.create(roster, caller, body.name, body.people, now),
        lambda roster, done: Reply(201, roster.pieces.get("group", team_piece, done[0].id)),
    )


def authenticate(request: Request, roster: Roster, now: int) -> Proof:
    """Return whose token it is, or the claim that a password is right. Raises Unauthenticated."""
    sent = [value for name, value in request.scope["headers"] if name == b"authorization"]
    scheme, _, encoded = (sent[0] if len(sent) == 1 else b"").strip().partition(b" ")
    try:
        name, colon, secret = b64decode(encoded.strip(), validate=True).decode().partition(":")
    except ValueError:
        raise Unauthenticated(Doubt.MISSING) from None
    email = name.removesuffix(PROGRAM)
    if scheme.lower() != b"basic" or not colon or "\0" in name + secret or len(email) > MAX_EMAIL:
        raise Unauthenticated(Doubt.MISSING)
    if email == name:
        return Login(email, secret)
    right = [
        key
        for key in keys.tried(roster, email, NAME, now)
        if compare_digest(key.secret.reveal().encode(), secret.encode()) and key.id
    ]
    if not right:
        raise Unauthenticated(Doubt.WRONG)
    return Signed(Identity(agent_id=right[0].agent_id, key_id=right[0].id))


def render(request: Request, problem: Problem | AnyRejection) -> Reply:
    headers: tuple[tuple[str, str], ...] = ()
    match problem:
        case Invalid() | Malformed() | BadHost():
            status = 400
        case Unauthenticated() | UnknownCompany():
            status, headers = 401, (("WWW-Authenticate", 'Basic realm="Fourth"'),)
        case Forbidden():
            status = 403
        case NotFound() | UnknownPath():
            status = 404
        case MethodNotAllowed(allow=allow):
            status, headers = 405, (("Allow", allow),)
        case TooSlow():
            status = 408
        case Conflict():
            status = 409
        case TooLarge(status=status):
            pass
        case MediaType():
            status = 415
        case TooMany(seconds=seconds):
            status, headers = 429, (("Retry-After", str(seconds)),)
        case Busy() | Unknown():
            status, headers = 503, (("Retry-After", "1"),)
        case Incident():
            status = 500
    refusal = Refusal(type(problem).__name__, words.of(request.language, problem))
    return Reply(status, msgspec.json.encode(refusal), headers)


DIALECT = Dialect(
    name=NAME,
    title="Fourth Teams API",
    vendor="Fourth",
    about=said("An agent's e-mail, and one of its keys."),
    prefix="/teams-api",
    routes=(
        Route(method="GET", path="/teams", handler=list_teams, needs=Permission.READ,
              summary=said("List groups"), description=said("A page by ascending id."), tag=said("Groups"),
              query=Asked, reply=Teams),
        Route(method="GET", path="/teams/{id}", handler=get_team, needs=Permission.READ,
              summary=said("Show a group"), description=said("A group with its agents."), tag=said("Groups"),
              finds="group", reply=Team),
        Route(method="POST", path="/teams", handler=create_team, needs=Permission.WRITE_GROUPS,
              summary=said("Create a group"), description=said("Every dialect shows it at once."), tag=said("Groups"),
              body=TeamIn, reply=Team, status=201, names={"member_ids": "people"},
              creates=True),
    ),
    authenticate=authenticate,
    render=render,
    passwords=True,
    examples=Path(__file__).with_name("examples.json"),
    refusal=Refusal,
    credentials=Basic(suffix=PROGRAM),
    example="/teams?size=2",
    security={"basic": {"type": "http", "scheme": "basic"}},
    requires=(("basic",),),
)  # fmt: skip
