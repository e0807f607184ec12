"""The calls of KF5 apiv2: the vendor's page "Groups 客服组接口", and its users."""

from collections.abc import Awaitable

from msgspec import UNSET
from msgspec.structs import replace

from deskroster.core import agents, groups, text
from deskroster.core.access import Permission
from deskroster.core.changes import new_id
from deskroster.core.problems import Invalid, Rule
from deskroster.core.records import Level, Secret
from deskroster.desk import Desk
from deskroster.dialect import Reply, Request, Route
from deskroster.dialect.query import ID, Paging
from deskroster.dialect.turns import in_turns
from deskroster.dialects.kf5 import bodies, shapes, times

LEVELS: tuple[Level, ...] = ("agent", "admin")
MAX_SHOWN = 100  # ids of `show_many`


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
    wanted, now = request.read(bodies.NewUserBody).user, desk.now()
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
    wanted, now = request.read(bodies.UserBody).user, desk.now()
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


def _levels(request: Request) -> frozenset[Level] | None:
    """Return the levels that `role` lists; None is all. There are no users of the role `end_user`. Raises Invalid."""
    sent = request.query.get("role", request.query.get("role[]"))
    if not sent:
        return None
    roles = sent.split(",")
    if not {*LEVELS, "end_user"}.issuperset(roles):
        raise Invalid("role", Rule.CHOICE)
    return frozenset(level for level in LEVELS if level in roles)


def _listed_ids(request: Request) -> list[int]:
    """Return those of the `ids` that an agent could have. Raises Invalid."""
    sent = _required(request, "ids").split(",")
    if len(sent) > MAX_SHOWN:
        raise Invalid("ids", Rule.TOO_MANY, MAX_SHOWN)
    return [int(one) for one in sent if ID.fullmatch(one)]


def _required(request: Request, name: str) -> str:
    sent = request.query.get(name)
    if sent is None:
        raise Invalid(name, Rule.REQUIRED)
    return sent


async def _hashed(desk: Desk, password: str | None) -> Secret:
    """Hash a login password. Raises Invalid."""
    if not password:
        raise Invalid("password", Rule.REQUIRED if password is None else Rule.EMPTY)
    return await desk.hash_password(text.password(password, 1))


_READ, _AGENTS, _GROUPS = Permission.READ, Permission.WRITE_AGENTS, Permission.WRITE_GROUPS
_GROUP, _USER = bodies.GROUP_NAMES, bodies.USER_NAMES

ROUTES = (
    Route(method="GET", path="/groups.json", handler=list_groups, needs=_READ, summary="List groups",
          query=Paging, reply=shapes.GroupsReply),
    Route(method="POST", path="/groups.json", handler=create_group, needs=_GROUPS, summary="Create a group",
          body=bodies.NewGroupBody, reply=shapes.GroupReply, status=201, names=_GROUP, creates=True),
    Route(method="GET", path="/groups/{id}.json", handler=get_group, needs=_READ, summary="Show a group",
          reply=shapes.GroupReply),
    Route(method="PUT", path="/groups/{id}.json", handler=update_group, needs=_GROUPS,
          summary="Rename a group, or replace its agents", body=bodies.GroupBody, reply=shapes.GroupReply,
          names=_GROUP),
    Route(method="DELETE", path="/groups/{id}.json", handler=delete_group, needs=_GROUPS,
          summary="Delete a group; its agents stay", reply=shapes.Nothing),
    Route(method="GET", path="/users.json", handler=list_users, needs=_READ, summary="List users",
          query=bodies.UsersQuery, reply=shapes.UsersReply),
    Route(method="POST", path="/users.json", handler=create_user, needs=_AGENTS, summary="Create a user",
          body=bodies.NewUserBody, reply=shapes.UserReply, status=201, names=_USER, creates=True),
    Route(method="GET", path="/users/me.json", handler=get_me, needs=_READ, summary="Show the caller",
          reply=shapes.UserReply),
    Route(method="GET", path="/users/show_many.json", handler=show_many_users, needs=_READ,
          summary="Show the users with these ids", query=bodies.ShowManyQuery, reply=shapes.UsersReply),
    Route(method="GET", path="/users/search.json", handler=search_users, needs=_READ,
          summary="Search users by part of name, e-mail or phone", query=bodies.SearchQuery, reply=shapes.UsersReply),
    Route(method="GET", path="/users/{id}.json", handler=get_user, needs=_READ, summary="Show a user",
          reply=shapes.UserReply),
    Route(method="PUT", path="/users/{id}.json", handler=update_user, needs=_AGENTS, summary="Change a user",
          body=bodies.UserBody, reply=shapes.UserReply, names=_USER),
    Route(method="DELETE", path="/users/{id}.json", handler=delete_user, needs=_AGENTS, summary="Delete a user",
          reply=shapes.Nothing),
    Route(method="GET", path="/users/{id}/groups.json", handler=list_groups_of_user, needs=_READ,
          summary="List the groups of a user", query=Paging, reply=shapes.GroupsReply),
)  # fmt: skip
