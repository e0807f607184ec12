"""The calls of KF5 apiv2: the vendor's page "Groups 客服组接口", and its users."""

import re
from collections.abc import Awaitable
from typing import TypeVar

from msgspec import UNSET
from msgspec.structs import replace

from deskroster.core import agents, groups, text
from deskroster.core.access import Permission
from deskroster.core.changes import new_id
from deskroster.core.problems import Invalid, Reason, Rule
from deskroster.core.records import Level, Secret
from deskroster.desk import Desk
from deskroster.dialect import Reply, Request, Route
from deskroster.dialect.query import ID
from deskroster.dialect.turns import in_turns
from deskroster.dialects.kf5 import bodies, shapes, times
from deskroster.texts import said

T = TypeVar("T", bodies.NewUserBody, bodies.UserBody)

LEVELS: tuple[Level, ...] = ("agent", "admin")


def list_groups(request: Request, desk: Desk) -> Reply | Awaitable[Reply]:
    page = groups.find(desk.roster, request.caller, shapes.window(request))
    return shapes.groups_page(request, desk.roster, page)


def list_groups_of_user(request: Request, desk: Desk) -> Reply | Awaitable[Reply]:
    page = groups.of_agent(desk.roster, request.caller, request.path_id("agent"), shapes.window(request))
    return shapes.groups_page(request, desk.roster, page)


def get_group(request: Request, desk: Desk) -> Reply:
    group = groups.get(desk.roster, request.caller, request.path_id("group"))
    return shapes.addressed(request, shapes.group(desk.roster, group.id))


async def create_group(request: Request, desk: Desk) -> Reply:
    body, now = request.read(bodies.NewGroupBody), desk.now()
    wanted = shapes.member_ids(body)
    member_ids = [] if wanted is UNSET else wanted
    reply = await request.submit(
        lambda roster, caller: groups.create(roster, caller, body.group.name, member_ids, now),
        lambda roster, done: shapes.created(shapes.group(roster, new_id(done)), "groups", new_id(done)),
    )
    return shapes.addressed(request, reply)


async def update_group(request: Request, desk: Desk) -> Reply:
    id = groups.get(desk.roster, request.caller, request.path_id("group")).id
    body, now = request.read(bodies.GroupBody), desk.now()
    reply = await request.submit(
        lambda roster, caller: groups.update(
            roster, caller, id, now, name=body.group.name, member_ids=shapes.member_ids(body)
        ),
        lambda roster, done: shapes.group(roster, id),
    )
    return shapes.addressed(request, reply)


async def delete_group(request: Request, desk: Desk) -> Reply:
    id = request.path_id("group")
    return await request.submit(
        lambda roster, caller: groups.delete(roster, caller, id), lambda roster, done: shapes.NOTHING
    )


def list_users(request: Request, desk: Desk) -> Reply | Awaitable[Reply]:
    if not times.PARAMETERS.isdisjoint(request.query):
        return _list_users_in_time(request, desk)
    page = agents.find(desk.roster, request.caller, shapes.window(request), levels=_levels(request))
    return shapes.users_page(request, desk, page)


async def _list_users_in_time(request: Request, desk: Desk) -> Reply:
    roster = desk.roster
    found = agents.find_in_time(
        roster,
        request.caller,
        shapes.window(request),
        levels=_levels(request),
        created=times.span(request, roster, "created"),
        updated=times.span(request, roster, "updated"),
        order=times.order(request),
    )
    return shapes.users_page(request, desk, await in_turns(found))


def show_many_users(request: Request, desk: Desk) -> Reply:
    page = agents.among(desk.roster, request.caller, _listed_ids(request), shapes.window(request))
    return shapes.users_page(request, desk, page)


async def search_users(request: Request, desk: Desk) -> Reply:
    part, window = _required(request, "query"), shapes.window(request)
    page = await in_turns(agents.search(desk.roster, request.caller, part, window))
    return shapes.users_page(request, desk, page)


def get_user(request: Request, desk: Desk) -> Reply:
    agent = agents.get(desk.roster, request.caller, request.path_id("agent"))
    return shapes.addressed(request, shapes.user(desk.roster, desk, agent.id))


def get_me(request: Request, desk: Desk) -> Reply:
    assert request.identity is not None
    agent = agents.get(desk.roster, request.caller, request.identity.agent_id)
    return shapes.addressed(request, shapes.user(desk.roster, desk, agent.id))


async def create_user(request: Request, desk: Desk) -> Reply:
    wanted, now = _read_user(request, bodies.NewUserBody).user, desk.now()
    fields = shapes.agent_fields(wanted)
    if wanted.password:
        fields = replace(fields, password=await _hashed(desk, wanted.password))
    reply = await request.submit(
        lambda roster, caller: agents.create(roster, caller, fields, now),
        lambda roster, done: shapes.created(shapes.user(roster, desk, new_id(done)), "users", new_id(done)),
    )
    return shapes.addressed(request, reply)


async def update_user(request: Request, desk: Desk) -> Reply:
    id = agents.get(desk.roster, request.caller, request.path_id("agent")).id
    wanted, now = _read_user(request, bodies.UserBody).user, desk.now()
    fields = shapes.agent_fields(wanted)
    if wanted.password is not UNSET:
        fields = replace(fields, password=await _hashed(desk, wanted.password))
    reply = await request.submit(
        lambda roster, caller: agents.update(roster, caller, id, fields, now),
        lambda roster, done: shapes.user(roster, desk, id),
    )
    return shapes.addressed(request, reply)


async def delete_user(request: Request, desk: Desk) -> Reply:
    id = request.path_id("agent")
    return await request.submit(
        lambda roster, caller: agents.delete(roster, caller, id), lambda roster, done: shapes.NOTHING
    )


def _read_user(request: Request, wanted: type[T]) -> T:
    """Return the body. Raises Invalid, for a customer too: only staff is kept here."""
    user = request.json.get("user")
    if isinstance(user, dict) and user.get("role") == bodies.CUSTOMER:
        raise Invalid("level", Rule.STAFF_ONLY)
    return request.read(wanted)


_ROLE = re.compile(r"role(\[[0-9]*\])?")  # as text, or as PHP has a list


def _levels(request: Request) -> frozenset[Level] | None:
    """Return the levels that `role` lists; None is all. There are no users of the role `end_user`. Raises Invalid."""
    sent = [value for name, value in request.query.items() if _ROLE.fullmatch(name)]
    roles = [role for value in sent if value for role in value.split(",")]
    if not roles:
        return None
    if not {*LEVELS, bodies.CUSTOMER}.issuperset(roles):
        raise Invalid("role", Rule.CHOICE)
    return frozenset(level for level in LEVELS if level in roles)


def _listed_ids(request: Request) -> list[int]:
    """Return those of the `ids` that an agent could have. Raises Invalid."""
    sent = _required(request, "ids").split(",")
    if len(sent) > bodies.MAX_SHOWN:
        raise Invalid("ids", Rule.TOO_MANY, bodies.MAX_SHOWN)
    return [int(one) for one in sent if ID.fullmatch(one)]


def _required(request: Request, name: str) -> str:
    sent = request.query.get(name)
    if sent is None:
        raise Invalid(name, Rule.REQUIRED)
    return sent


async def _hashed(desk: Desk, password: str) -> Secret:
    """Hash a login password. Raises Invalid."""
    if not password:
        raise Invalid("password", Rule.EMPTY)
    return await desk.hash_password(text.password(password, 1))


_READ, _AGENTS, _GROUPS = Permission.READ, Permission.WRITE_AGENTS, Permission.WRITE_GROUPS
_GROUP, _USER = bodies.GROUP_NAMES, bodies.USER_NAMES
_OF_GROUPS, _OF_USERS = said("Groups"), said("Users")

ROUTES = (
    Route(method="GET", path="/groups.json", handler=list_groups, needs=_READ, summary=said("List groups"),
          description=said("A page of the groups by ascending id, each with its agents; `next_page` and "
                           "`previous_page` are addresses, or null."),
          tag=_OF_GROUPS, query=bodies.Paging, reply=shapes.GroupsReply),
    Route(method="POST", path="/groups.json", handler=create_group, needs=_GROUPS, summary=said("Create a group"),
          description=said("`agents` are ids, inside `group` or beside it; inside wins."), tag=_OF_GROUPS,
          body=bodies.NewGroupBody, reply=shapes.GroupReply, status=201, names=_GROUP, creates=True),
    Route(method="GET", path="/groups/{id}.json", handler=get_group, needs=_READ, summary=said("Show a group"),
          description=said("A group with its agents."), tag=_OF_GROUPS, finds="group", reply=shapes.GroupReply),
    Route(method="PUT", path="/groups/{id}.json", handler=update_group, needs=_GROUPS, summary=said("Change a group"),
          description=said("Renames it, or replaces its agents: `[]` and null leave it without any. "
                           "Without `agents` they stay."),
          tag=_OF_GROUPS, finds="group", body=bodies.GroupBody, reply=shapes.GroupReply, names=_GROUP),
    Route(method="DELETE", path="/groups/{id}.json", handler=delete_group, needs=_GROUPS,
          summary=said("Delete a group"), description=said("Its agents stay. The id is never used again."),
          tag=_OF_GROUPS, finds="group", reply=shapes.Nothing),
    Route(method="GET", path="/users.json", handler=list_users, needs=_READ, summary=said("List users"),
          description=said(
              "A page of the agents by ascending id, or by the time of `created_order` or `updated_order`. `role`: "
              "those wanted, with commas between them. A time is Unix seconds, or `YYYY-MM-DD`, or that with "
              "` HH:MM:SS`, in the company's time zone; the start is included and the end is not."),
          tag=_OF_USERS, query=bodies.UsersQuery, reply=shapes.UsersReply),
    Route(method="POST", path="/users.json", handler=create_user, needs=_AGENTS, summary=said("Create a user"),
          description=said("`role` is `agent` or `admin`: only staff is kept here. Without a password the user can use "
                           "API tokens only."),
          tag=_OF_USERS, body=bodies.NewUserBody, reply=shapes.UserReply, status=201, names=_USER, creates=True,
          conflicts=(Reason.EMAIL_TAKEN,)),
    Route(method="GET", path="/users/me.json", handler=get_me, needs=_READ, summary=said("Show the caller"),
          description=said("The user whose credentials the call has."), tag=_OF_USERS, reply=shapes.UserReply),
    Route(method="GET", path="/users/show_many.json", handler=show_many_users, needs=_READ,
          summary=said("Show several users"),
          description=said("`ids`: at most {most}, with commas between them. Those that do not exist are left out.",
                           most=bodies.MAX_SHOWN),
          tag=_OF_USERS, query=bodies.ShowManyQuery, reply=shapes.UsersReply),
    Route(method="GET", path="/users/search.json", handler=search_users, needs=_READ, summary=said("Search users"),
          description=said("Those who have `query` in the name, the e-mail or the phone; letter case and width do not "
                           "matter, and phones are compared by their digits."),
          tag=_OF_USERS, query=bodies.SearchQuery, reply=shapes.UsersReply),
    Route(method="GET", path="/users/{id}.json", handler=get_user, needs=_READ, summary=said("Show a user"),
          description=said("A user with groups, profile and the time of the last login."), tag=_OF_USERS,
          finds="agent", reply=shapes.UserReply),
    Route(method="PUT", path="/users/{id}.json", handler=update_user, needs=_AGENTS, summary=said("Change a user"),
          description=said("Only the keys that are sent are changed; a user can be sent back as it was read."),
          tag=_OF_USERS, finds="agent", body=bodies.UserBody, reply=shapes.UserReply, names=_USER,
          conflicts=(Reason.EMAIL_TAKEN, Reason.LAST_ADMINISTRATOR)),
    Route(method="DELETE", path="/users/{id}.json", handler=delete_user, needs=_AGENTS, summary=said("Delete a user"),
          description=said("Neither oneself nor the last enabled administrator."), tag=_OF_USERS, finds="agent",
          reply=shapes.Nothing, conflicts=(Reason.ONESELF, Reason.LAST_ADMINISTRATOR)),
    Route(method="GET", path="/users/{id}/groups.json", handler=list_groups_of_user, needs=_READ,
          summary=said("List the groups of a user"), description=said("A page of the groups that the user is in."),
          tag=_OF_GROUPS, finds="agent", query=bodies.Paging, reply=shapes.GroupsReply),
)  # fmt: skip
