"""How KF5 names agents and groups."""

from typing import Any

from tests.contract import Agreement, Ask, Listing

STATUS = {"enabled": "active", "disabled": "suspended", "review": "unverified"}


def agent(model: Any, id: int) -> dict[str, Any]:
    one = model.agents[id]
    return {
        "id": id, "name": one["name"], "email": one["email"], "phone": one["mobile"], "role": one["level"],
        "status": STATUS[one["state"]], "groups_info": model.groups_of(id),
    }  # fmt: skip


def check_agent(model: Any, id: int, answer: Any) -> None:
    assert model.groups_of(id) == [group["id"] for group in answer["groups"]]


def groups(answer: Any) -> list[Any]:
    return [(one["id"], one["name"], {each["id"]: each["name"] for each in one["agents"]}) for one in answer["groups"]]


def agents(answer: Any) -> list[Any]:
    return [one | {"groups_info": [group["id"] for group in one["groups_info"]]} for one in answer["users"]]


AGREEMENT = Agreement(
    create_group=lambda name, members: Ask("POST", "/groups.json", {"group": {"name": name, "agents": members}}),
    group_made=lambda answer: answer["group"]["id"],
    rename_group=lambda id, name: Ask("PUT", f"/groups/{id}.json", {"group": {"name": name}}),
    set_members=lambda id, members: Ask("PUT", f"/groups/{id}.json", {"agents": [*members, *members]}),
    delete_groups=lambda ids: Ask("DELETE", f"/groups/{ids[0]}.json"),
    create_agent=lambda name, email, mobile: Ask(
        "POST", "/users.json", {"user": {"name": name, "email": email, "phone": mobile, "role": "agent"}}
    ),
    agent_made=lambda answer: answer["user"]["id"],
    change_agent=lambda id, name, mobile: Ask("PUT", f"/users/{id}.json", {"user": {"name": name, "phone": mobile}}),
    set_level=lambda id, level: Ask("PUT", f"/users/{id}.json", {"user": {"role": level}}),
    delete_agents=lambda ids: Ask("DELETE", f"/users/{ids[0]}.json"),
    groups=Listing("/groups.json", groups, lambda answer: answer["count"]),
    agents=Listing("/users.json", agents),
    agent=agent,
    one_agent=lambda id: Ask("GET", f"/users/{id}/groups.json"),
    check_agent=check_agent,
    one_group=lambda id: Ask("GET", f"/groups/{id}.json"),
    members=lambda answer: [one["id"] for one in answer["group"]["agents"]],
    lists=("/groups.json", "/users.json", "/users.json?role=admin"),
    beside=frozenset({
        "GET /users/me.json", "GET /users/show_many.json", "GET /users/search.json", "GET /users/{id}.json",
    }),
)  # fmt: skip
