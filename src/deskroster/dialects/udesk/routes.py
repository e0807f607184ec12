"""The calls of the Udesk Open API v2: the vendor's page on agent groups, and what stands beside it (README.md)."""

import uuid
from collections.abc import Awaitable

from msgspec import UNSET, UnsetType

from deskroster.core import agents, groups, keys, reference, text
from deskroster.core.access import Caller, Permission
from deskroster.core.changes import Done, new_id
from deskroster.core.problems import Invalid, Reason, Rule, Wanted
from deskroster.core.records import Secret
from deskroster.core.roster import Roster
from deskroster.desk import Desk, Login
from deskroster.dialect import Reply, Request, Route, reading
from deskroster.dialect.query import REPEATED, clamped_window, parse_id
from deskroster.dialects.udesk import bodies, shapes
from deskroster.texts import said


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
    everyone = _flag(request, "with_disabled")
    page = agents.find(desk.roster, request.caller, shapes.window(request), enabled=not everyone)
    return shapes.agents_page(desk.roster, page)


def _flag(request: Request, name: str) -> bool:
    """Return a boolean of the query; false where it is absent or empty. Raises Invalid."""
    flag = reading.boolean(request.query.get(name, "").lower() or "false")
    if flag is None:
        raise Invalid(name, Rule.TYPE, wanted=Wanted.BOOLEAN)
    return flag


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
    window = clamped_window(request.query, bodies.PER_PAGE, bodies.MOST_PER_PAGE, size_name="perpage")
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
_KEEPS_AN_ADMINISTRATOR = Reason.LAST_ADMINISTRATOR
_OF_GROUPS, _OF_AGENTS, _OF_REFERENCE = said("Groups"), said("Agents"), said("Roles and departments")

ROUTES = (
    Route(method="GET", path="/user_groups", handler=list_user_groups, needs=_READ, summary=said("List groups"),
          description=said("A page of the groups by ascending id, each with the ids and names of its agents."),
          tag=_OF_GROUPS, query=bodies.Paging, reply=shapes.GroupsReply),
    Route(method="POST", path="/user_groups", handler=create_user_group, needs=_GROUPS, summary=said("Create a group"),
          description=said("Agents join it by their `user_group_ids`. Several groups may have one name."),
          tag=_OF_GROUPS, body=bodies.GroupBody, reply=shapes.IdReply, names=_GROUP, creates=True),
    Route(method="PUT", path="/user_groups/{id}", handler=update_user_group, needs=_GROUPS,
          summary=said("Rename a group"), description=said("Its agents stay."), tag=_OF_GROUPS, finds="group",
          body=bodies.GroupBody, reply=shapes.GroupReply, names=_GROUP),
    Route(method="DELETE", path="/user_groups/{id}", handler=delete_user_group, needs=_GROUPS,
          summary=said("Delete a group"), description=said("Its agents stay. The id is never used again."),
          tag=_OF_GROUPS, finds="group", reply=shapes.MessageReply),
    Route(method="GET", path="/user_groups/{id}/agents", handler=list_group_agents, needs=_READ,
          summary=said("List the agents of a group"),
          description=said("The group with a page of its agents, whole, under `user_group` and under `user_groups`."),
          tag=_OF_GROUPS, finds="group", query=bodies.Paging, reply=shapes.GroupAgentsReply),
    Route(method="GET", path="/agents", handler=list_agents, needs=_READ, summary=said("List agents"),
          description=said("A page of the enabled agents by ascending id; with `with_disabled=true` of all."),
          tag=_OF_AGENTS, query=bodies.AgentsQuery, reply=shapes.AgentsReply),
    Route(method="GET", path="/agents/get_agent", handler=get_agent, needs=_READ, summary=said("Find an agent"),
          description=said("By `type=id` or `type=email`; `content` is the id or the e-mail, in any letter case."),
          tag=_OF_AGENTS, finds="agent", query=bodies.AgentQuery, reply=shapes.AgentReply),
    Route(method="POST", path="/agents", handler=create_agent, needs=_AGENTS, summary=said("Create an agent"),
          description=said("`email` and `password` are required. Without `nick_name` the agent is named by the part of "
                           "the e-mail before the @; `duty` is the name of a position that there is."),
          tag=_OF_AGENTS, body=bodies.NewAgentBody, reply=shapes.AgentWrittenReply, names=_AGENT, creates=True,
          conflicts=(Reason.EMAIL_TAKEN,)),
    Route(method="PUT", path="/agents/{id}", handler=update_agent, needs=_AGENTS, summary=said("Change an agent"),
          description=said("Only the keys that are sent are changed; an agent can be sent back as it was read. "
                           "An empty `password` changes nothing."),
          tag=_OF_AGENTS, finds="agent", body=bodies.AgentBody, reply=shapes.AgentWrittenReply, names=_AGENT,
          conflicts=(Reason.EMAIL_TAKEN, _KEEPS_AN_ADMINISTRATOR, Reason.HAS_LEFT)),
    Route(method="DELETE", path="/agents/{id}", handler=delete_agent, needs=_AGENTS, summary=said("Delete an agent"),
          description=said("To whom the agent's work goes is recorded; the body can be left out."), tag=_OF_AGENTS,
          finds="agent", body=bodies.SuccessorBody, empty_body=True, reply=shapes.MessageReply,
          conflicts=(Reason.ONESELF, _KEEPS_AN_ADMINISTRATOR)),
    Route(method="GET", path="/callcenter_analysis/agents_of_group", handler=list_agents_of_group, needs=_READ,
          summary=said("List the names of a group's agents"),
          description=said("A page of the ids and names of the agents of the group `group_id`. "
                           "The page size is called `perpage` here."),
          tag=_OF_GROUPS, finds="group", query=bodies.GroupAgentsQuery, reply=shapes.AgentNamesReply),
    Route(method="GET", path="/agent_roles", handler=list_agent_roles, needs=_READ, summary=said("List roles"),
          description=said("All roles of the company. Our own API and the command line create them."),
          tag=_OF_REFERENCE, reply=shapes.RolesReply),
    Route(method="GET", path="/departments", handler=list_departments, needs=_READ, summary=said("List departments"),
          description=said("All departments, as a tree."), tag=_OF_REFERENCE, reply=shapes.DepartmentsReply),
    Route(method="POST", path="/departments", handler=create_department, needs=Permission.WRITE_REFERENCE,
          summary=said("Create a department"),
          description=said("Below `parent_id`; without it, or with 0, at the top."), tag=_OF_REFERENCE,
          body=bodies.DepartmentBody, reply=shapes.IdReply, creates=True),
    Route(method="POST", path="/log_in", handler=log_in, needs=None,
          summary=said("Exchange a password for the API token"),
          description=said("For an administrator's e-mail and login password. The call itself is not signed. "
                           "Wrong passwords are limited."),
          tag=said("Log in"), body=bodies.LoginBody, reply=shapes.TokenReply),
)  # fmt: skip
