"""Agents: what the operator of an installation does for them. Their daily business is the vendors' calls."""

from deskroster.core import agents, profiles, text
from deskroster.core.access import Permission
from deskroster.core.agents import AgentFields
from deskroster.core.problems import Reason
from deskroster.desk import Desk
from deskroster.dialect import Reply, Request, Route
from deskroster.dialects.own import shapes
from deskroster.dialects.own.shapes.agents import (
    AgentList,
    AgentOut,
    AgentPatch,
    AgentsQuery,
    PasswordBody,
    agent_fields,
    agent_piece,
)
from deskroster.dialects.own.shapes.profiles import ProfileOut, ProfilePatch, profile
from deskroster.texts import said


def list_agents(request: Request, desk: Desk) -> Reply:
    email = request.query.get("email")
    if email is None:
        page = agents.find(desk.roster, request.caller, shapes.window(request))
    else:
        page = agents.find_by_email(desk.roster, request.caller, email)
    return shapes.listed(desk.roster, "agent", agent_piece, page)


def get_agent(request: Request, desk: Desk) -> Reply:
    agent = agents.get(desk.roster, request.caller, request.path_id("agent"))
    return shapes.one(desk.roster, "agent", agent_piece, agent.id)


async def update_agent(request: Request, desk: Desk) -> Reply:
    id = agents.get(desk.roster, request.caller, request.path_id("agent")).id
    return await _write(request, id, agent_fields(request.read(AgentPatch)), desk.now())


async def set_password(request: Request, desk: Desk) -> Reply:
    id = agents.get(desk.roster, request.caller, request.path_id("agent")).id
    password = await desk.hash_password(text.password(request.read(PasswordBody).password))
    return await _write(request, id, AgentFields(password=password), desk.now())


def get_profile(request: Request, desk: Desk) -> Reply:
    agent = agents.get(desk.roster, request.caller, request.path_id("agent"))
    return profile(desk.roster, agent.id)


async def update_profile(request: Request, desk: Desk) -> Reply:
    id = agents.get(desk.roster, request.caller, request.path_id("agent")).id
    sent, now = request.read(ProfilePatch).values, desk.now()
    return await request.submit(
        lambda roster, caller: profiles.write_of_agent(roster, caller, id, sent, now),
        lambda roster, done: profile(roster, id),
    )


async def _write(request: Request, id: int, wanted: AgentFields, now: int) -> Reply:
    return await request.submit(
        lambda roster, caller: agents.update(roster, caller, id, wanted, now),
        lambda roster, done: shapes.one(roster, "agent", agent_piece, id),
    )


_TAG = said("Agents")

ROUTES = (
    Route(method="GET", path="/agents", handler=list_agents, needs=Permission.READ, summary=said("List agents"),
          description=said("A page by ascending id; with `email` the agent who has it, in any letter case."), tag=_TAG,
          query=AgentsQuery, reply=AgentList),
    Route(method="GET", path="/agents/{id}", handler=get_agent, needs=Permission.READ, summary=said("Show an agent"),
          description=said("As all dialects know the agent."), tag=_TAG, finds="agent", reply=AgentOut),
    Route(method="PATCH", path="/agents/{id}", handler=update_agent, needs=Permission.WRITE_AGENTS,
          summary=said("Change an agent"),
          description=said("The level, and what no vendor's call sets: permission sets, the number shown to customers, "
                           "the SIP account. Only the keys that are sent are changed."),
          tag=_TAG, finds="agent", body=AgentPatch, reply=AgentOut, conflicts=(Reason.LAST_ADMINISTRATOR,)),
    Route(method="GET", path="/agents/{id}/profile", handler=get_profile, needs=Permission.READ,
          summary=said("Show the values of an agent's profile"),
          description=said("By the API names of the fields, in forms in which they can be written again."), tag=_TAG,
          finds="agent", reply=ProfileOut),
    Route(method="PATCH", path="/agents/{id}/profile", handler=update_profile, needs=Permission.WRITE_PROFILES,
          summary=said("Change values of an agent's profile"),
          description=said("Only the values that are named are changed; null clears one. An agent without a profile "
                           "record gets one."),
          tag=_TAG, finds="agent", body=ProfilePatch, reply=ProfileOut),
    Route(method="PUT", path="/agents/{id}/password", handler=set_password, needs=Permission.WRITE_AGENTS,
          summary=said("Set an agent's login password"),
          description=said("The password before is no longer valid. No call returns a password."), tag=_TAG,
          finds="agent", body=PasswordBody, reply=AgentOut),
)  # fmt: skip
