"""How Udesk names agents and groups."""

from typing import Any

from tests.contract import Agreement, Ask, Listing

STATUS = {"enabled": "enable", "disabled": "disable"}


def create_agent(name: str, email: str, mobile: str) -> Ask:
    agent = {"nick_name": name, "email": email, "password": "p", "cellphone": mobile}
    return Ask("POST", "/agents", {"agent": agent})


def change_agent(id: int, name: str, mobile: str) -> Ask:
    return Ask("PUT", f"/agents/{id}", {"agent": {"nick_name": name, "cellphone": mobile}})


def agent(model: Any, id: int) -> dict[str, Any]:
    one = model.agents[id]
    return {
        "id": id, "nick_name": one["name"], "email": one["email"], "cellphone": one["mobile"],
        "disable_status": "enable" if one["state"] == "enabled" else "disable", "role_name": one["level"],
        "user_group_ids": model.groups_of(id),
    }  # fmt: skip


def check_agent(model: Any, id: int, answer: Any) -> None:
    assert agent(model, id).items() <= answer["agent"].items()


def groups(answer: Any) -> list[Any]:
    return [
        (one["id"], one["name"], {each["id"]: each["nick_name"] for each in one["agents"]})
        for one in answer["user_groups"]
    ]


AGREEMENT = Agreement(
    create_group=lambda name, members: Ask("POST", "/user_groups", {"name": name}),
    creates_with_members=False,
    group_made=lambda answer: answer["id"],
    rename_group=lambda id, name: Ask("PUT", f"/user_groups/{id}", {"name": name}),
    delete_groups=lambda ids: Ask("DELETE", f"/user_groups/{ids[0]}"),
    create_agent=create_agent,
    agent_made=lambda answer: answer["id"],
    change_agent=change_agent,
    set_groups=lambda id, wanted: Ask("PUT", f"/agents/{id}", {"agent": {"user_group_ids": wanted}}),
    set_state=lambda id, state: Ask("PUT", f"/agents/{id}", {"agent": {"disable_status": STATUS[state]}}),
    states=("enabled", "disabled"),
    delete_agents=lambda ids: Ask("DELETE", f"/agents/{ids[0]}"),
    groups=Listing("/user_groups?per_page=100", groups, lambda answer: answer["meta"]["total_count"]),
    agents=Listing("/agents?per_page=100&with_disabled=true", lambda answer: answer["agents"]),
    enabled=Listing("/agents?per_page=100", lambda answer: [one["id"] for one in answer["agents"]]),
    agent=agent,
    one_agent=lambda id: Ask("GET", f"/agents/get_agent?type=id&content={id}"),
    check_agent=check_agent,
    one_group=lambda id: Ask("GET", f"/user_groups/{id}/agents?per_page=100"),
    members=lambda answer: [one["id"] for one in answer["user_group"]["agents"]],
    lists=(
        "/user_groups", "/agents?with_disabled=true", "/agents?per_page=3&page=2", "/user_groups/1/agents",
        "/user_groups/2/agents", "/callcenter_analysis/agents_of_group?group_id=1",
    ),
    beside=frozenset({
        "GET /agent_roles", "GET /departments", "POST /departments", "POST /log_in",
    }),
)  # fmt: skip
