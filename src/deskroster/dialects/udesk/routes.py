"""The calls of the Udesk Open API v2: the vendor's page on agent groups, and what stands beside it (README.md)."""

import uuid
from collections.abc import Awaitable

from msgspec import UNSET, UnsetType

from deskroster.core import agents, groups, keys, reference, text
from deskroster.core.access import Caller, Permission
from deskroster.core.changes import Done, new_id
from deskroster.core.problems import Invalid, Rule
from deskroster.core.records import Secret
from deskroster.core.roster import Roster
from deskroster.desk import Desk, Login
from deskroster.dialect import Reply, Request, Route
from deskroster.dialect.query import REPEATED, Paging, clamped_window, parse_id
from deskroster.dialects.udesk import bodies, shapes


def list_user_groups(request: Request, desk: Desk) -> Reply | Awaitable[Reply]:
    page = groups.find(desk.roster, request.caller, shapes.window(request))
    return shapes.groups_page(desk.roster, page)


def list_group_agents(request: Request, desk: Desk) -> Reply:
    group = groups.get(desk.roster, request.caller, request.path_id("group"))
    page = groups.members(desk.roster, request.caller, group.id, shapes.window(request))
    return shapes.group_agents(desk.roster, group, page)


async def create_user_group(request: Request, desk: Desk) -> Reply:
    name, now = request.read(bodies.GroupBody).name, desk.now()
    return await request.submit(
        lambda roster, caller: groups.create(roster, caller, name, (), now),
        lambda roster, done: shapes.id_only(new_id(done)),
    )


async def update_user_group(request: Request, desk: Desk) -> Reply:
    id = groups.get(desk.roster, request.caller, request.path_id("group")).id
    name, now = request.read(bodies.GroupBody).name, desk.now()
    return await request.submit(
        lambda roster, caller: groups.update(roster, caller, id, now, name=name),
        lambda roster, done: shapes.group_written(roster, id),
    )


async def delete_user_group(request: Request, desk: Desk) -> Reply:
    id = request.path_id("group")
    return await request.submit(
        lambda roster, caller: groups.delete(roster, caller, id),
        lambda roster, done: shapes.message(f"The customer service group with ID {id} was successfully deleted"),
    )


def list_agents(request: Request, desk: Desk) -> Reply:
    everyone = request.query.get("with_disabled", "").lower() == "true"
    page = agents.find(desk.roster, request.caller, shapes.window(request), enabled=not everyone)
    return shapes.agents_page(desk.roster, page)


def get_agent(request: Request, desk: Desk) -> Reply:
    kind, content = request.query.get("type"), request.query.get("content")
    if content is None or content == REPEATED:
        raise Invalid("content", Rule.REQUIRED if content is None else Rule.FORM)
    if kind == "id":
        agent = agents.get(desk.roster, request.caller, parse_id("agent", content))
    elif kind == "email":
        agent = agents.with_email(desk.roster, request.caller, content)
    else:
        raise Invalid("type", Rule.REQUIRED if kind is None else Rule.CHOICE)
    return shapes.agent(desk.roster, agent.id)


async def create_agent(request: Request, desk: Desk) -> Reply:
    wanted, now = request.read(bodies.AgentIn, inside="agent"), desk.now()
    for required in bodies.REQUIRED:
        if getattr(wanted, required) is UNSET:
            raise Invalid(required, Rule.REQUIRED)
    password = await _new_password(desk, wanted.password)
    return await request.submit(
        lambda roster, caller: agents.create(roster, caller, shapes.agent_fields(roster, wanted, password, None), now),
        lambda roster, done: shapes.agent_written(roster, new_id(done)),
    )


async def update_agent(request: Request, desk: Desk) -> Reply:
    before = agents.get(desk.roster, request.caller, request.path_id("agent"))
    wanted, now = request.read(bodies.AgentIn, inside="agent"), desk.now()
    password = await _password(desk, wanted)
    return await request.submit(
        lambda roster, caller: agents.update(
            roster,
            caller,
            before.id,
            shapes.agent_fields(roster, wanted, password, agents.get(roster, caller, before.id)),
            now,
        ),
        lambda roster, done: shapes.agent_written(roster, before.id),
    )


async def delete_agent(request: Request, desk: Desk) -> Reply:
    id = agents.get(desk.roster, request.caller, request.path_id("agent")).id
    successor = request.read(bodies.SuccessorBody)
    group_id, agent_id = successor.owner_group_id or 0, successor.owner_id or 0
    note = {name: id for name, id in (("owner_group_id", group_id), ("owner_id", agent_id)) if id}

    def verb(roster: Roster, caller: Caller) -> Done:
        if group_id:
            groups.get(roster, caller, group_id)
        if agent_id:
            agents.get(roster, caller, agent_id)
        return agents.delete(roster, caller, id)

    return await request.submit(
        verb, lambda roster, done: shapes.message(f"The agent with ID {id} was successfully deleted"), note or None
    )


def list_agents_of_group(request: Request, desk: Desk) -> Reply:
    sent = request.query.get("group_id")
    if sent is None or sent == REPEATED:
        raise Invalid("group_id", Rule.REQUIRED if sent is None else Rule.FORM)
    group_id = parse_id("group", sent)
    window = clamped_window(request.query, shapes.PER_PAGE, shapes.MOST_PER_PAGE, size_name="perpage")
    return shapes.agent_names(desk.roster, groups.members(desk.roster, request.caller, group_id, window))


def list_agent_roles(request: Request, desk: Desk) -> Reply:
    request.caller.must(Permission.READ)
    return shapes.roles(desk.roster)


def list_departments(request: Request, desk: Desk) -> Reply:
    request.caller.must(Permission.READ)
    return shapes.departments(desk.roster)


async def create_department(request: Request, desk: Desk) -> Reply:
    wanted = request.read(bodies.DepartmentBody)
    parent_id = wanted.parent_id or None  # 0 is the top
    return await request.submit(
        lambda roster, caller: reference.create(roster, caller, "department", wanted.name, parent_id=parent_id),
        lambda roster, done: shapes.id_only(new_id(done)),
    )


async def log_in(request: Request, desk: Desk) -> Reply:
    """Return the caller's token: a live key that may write here, or one that is created now."""
    wanted, now = request.read(bodies.LoginBody), desk.now()
    login = Login(text.trimmed(wanted.email, text.MAX_EMAIL), wanted.password)
    request.identity = await desk.log_in(login, request.address)
    request.caller = desk.caller(request.identity)
    request.caller.must(Permission.WRITE_KEYS)
    agent_id, fresh = request.identity.agent_id, Secret(str(uuid.uuid4()))
    return await request.submit(
        lambda roster, caller: keys.issue(roster, caller, agent_id, "udesk", fresh, now),
        lambda roster, done: shapes.token(_token(roster, agent_id, now)),
    )


def _token(roster: Roster, agent_id: int, now: int) -> Secret:
    key = keys.token(roster, agent_id, "udesk", now)
    assert key is not None, "it has just been issued"
    return key.secret


async def _new_password(desk: Desk, sent: str | UnsetType) -> Secret:
    """Hash the login password of a new agent. Raises Invalid."""
    if not sent:
        raise Invalid("password", Rule.EMPTY)
    return await desk.hash_password(text.password(sent, 1))


async def _password(desk: Desk, wanted: bodies.AgentIn) -> Secret | UnsetType:
    """Hash the login password that a change sets: not an empty one, and not that of the SIP account. Raises Invalid."""
    if not wanted.password or wanted.number is not UNSET:
        return UNSET
    return await _new_password(desk, wanted.password)


_READ, _AGENTS, _GROUPS = Permission.READ_AS_ADMIN, Permission.WRITE_AGENTS, Permission.WRITE_GROUPS
_GROUP, _AGENT = bodies.GROUP_NAMES, bodies.AGENT_NAMES

ROUTES = (
    Route(method="GET", path="/user_groups", handler=list_user_groups, needs=_READ, summary="List groups",
          query=Paging, reply=shapes.GroupsReply),
    Route(method="POST", path="/user_groups", handler=create_user_group, needs=_GROUPS, summary="Create a group",
          body=bodies.GroupBody, reply=shapes.IdReply, names=_GROUP, creates=True),
    Route(method="PUT", path="/user_groups/{id}", handler=update_user_group, needs=_GROUPS, summary="Rename a group",
          body=bodies.GroupBody, reply=shapes.GroupReply, names=_GROUP),
    Route(method="DELETE", path="/user_groups/{id}", handler=delete_user_group, needs=_GROUPS,
          summary="Delete a group; its agents stay", reply=shapes.MessageReply),
    Route(method="GET", path="/user_groups/{id}/agents", handler=list_group_agents, needs=_READ,
          summary="List the agents of a group", query=Paging, reply=shapes.GroupAgentsReply),
    Route(method="GET", path="/agents", handler=list_agents, needs=_READ, summary="List agents",
          query=bodies.AgentsQuery, reply=shapes.AgentsReply),
    Route(method="GET", path="/agents/get_agent", handler=get_agent, needs=_READ,
          summary="Find an agent by id or e-mail", query=bodies.AgentQuery, reply=shapes.AgentReply),
    Route(method="POST", path="/agents", handler=create_agent, needs=_AGENTS, summary="Create an agent",
          body=bodies.NewAgentBody, reply=shapes.AgentWrittenReply, names=_AGENT, creates=True),
    Route(method="PUT", path="/agents/{id}", handler=update_agent, needs=_AGENTS, summary="Change an agent",
          body=bodies.AgentBody, reply=shapes.AgentWrittenReply, names=_AGENT),
    Route(method="DELETE", path="/agents/{id}", handler=delete_agent, needs=_AGENTS, summary="Delete an agent",
          body=bodies.SuccessorBody, empty_body=True, reply=shapes.MessageReply),
    Route(method="GET", path="/callcenter_analysis/agents_of_group", handler=list_agents_of_group, needs=_READ,
          summary="List the names of a group's agents", query=bodies.GroupAgentsQuery, reply=shapes.AgentNamesReply),
    Route(method="GET", path="/agent_roles", handler=list_agent_roles, needs=_READ, summary="List roles",
          reply=shapes.RolesReply),
    Route(method="GET", path="/departments", handler=list_departments, needs=_READ,
          summary="List departments as a tree", reply=shapes.DepartmentsReply),
    Route(method="POST", path="/departments", handler=create_department, needs=Permission.WRITE_REFERENCE,
          summary="Create a department", body=bodies.DepartmentBody, reply=shapes.IdReply, creates=True),
    Route(method="POST", path="/log_in", handler=log_in, needs=None, summary="Exchange a password for the API token",
          body=bodies.LoginBody, reply=shapes.TokenReply),
)  # fmt: skip
