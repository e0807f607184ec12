"""How ServiceGo names agents and groups."""

from typing import Any

from tests.contract import Agreement, Ask, Listing

STATUS = {"enabled": 1, "disabled": 2, "review": 3}
JOB_STATUS = {True: 1, False: 0, None: None}


def refer(ids: list[int]) -> list[dict[str, int]]:
    return [{"id": id} for id in ids]


def create_agent(name: str, email: str, mobile: str) -> Ask:
    staff = {
        "realname": name, "email": email, "password": "long-enough", "mobile": mobile, "position": {"id": 1},
        "roleList": [{"id": 1}],
    }  # fmt: skip
    return Ask("POST", "/v1/user", staff)


def set_employed(id: int, employed: bool, enable: bool) -> Ask:
    return Ask("PUT", f"/v1/user/{id}", {"jobStatus": int(employed)} | ({"status": 1} if enable else {}))


def agent(model: Any, id: int) -> dict[str, Any]:
    one = model.agents[id]
    return {
        "id": id, "realname": one["name"], "email": one["email"], "mobile": one["mobile"] or None,
        "jobStatus": JOB_STATUS[one["employed"]], "userGroupList": model.groups_of(id),
    }  # fmt: skip


def check_agent(model: Any, id: int, answer: Any) -> None:
    assert STATUS[model.agents[id]["state"]] == answer["data"]["status"]


def groups(answer: Any) -> list[Any]:
    return [(one["id"], one["name"], {each["id"]: None for each in one["userList"]}) for one in answer["data"]]


def members(answer: Any) -> list[int]:
    found = [one["id"] for one in answer["data"]["userList"]]
    assert len(found) == answer["data"]["userCount"]
    return found


AGREEMENT = Agreement(
    create_group=lambda name, members: Ask("POST", "/v1/userGroup", {"name": name, "userList": refer(members)}),
    group_made=lambda answer: answer["data"]["id"],
    rename_group=lambda id, name: Ask("PUT", f"/v1/userGroup/{id}", {"name": name}),
    set_members=lambda id, members: Ask("PUT", f"/v1/userGroup/{id}", {"userList": refer(members)}),
    delete_groups=lambda ids: Ask("DELETE", f"/v1/userGroup/{','.join(map(str, ids))}"),
    create_agent=create_agent,
    agent_made=lambda answer: answer["data"]["id"],
    change_agent=lambda id, name, mobile: Ask("PUT", f"/v1/user/{id}", {"realname": name, "mobile": mobile}),
    set_groups=lambda id, wanted: Ask("PUT", f"/v1/user/{id}", {"userGroupList": wanted}),
    set_state=lambda id, state: Ask("PUT", f"/v1/user/{id}", {"status": STATUS[state]}),
    set_employed=set_employed,
    delete_agents=lambda ids: Ask("DELETE", f"/v1/user/{','.join(map(str, ids))}"),
    deleted=lambda answer: answer["data"]["successList"],
    groups=Listing("/v1/userGroup?pageSize=100", groups, lambda answer: answer["paging"]["total"], newest_first=True),
    agents=Listing("/v1/user?pageSize=100", lambda answer: answer["data"], newest_first=True),
    agent=agent,
    one_agent=lambda id: Ask("GET", f"/v2/user?type=1&value={id}"),
    check_agent=check_agent,
    one_group=lambda id: Ask("GET", f"/v1/userGroup/{id}"),
    members=members,
    lists=("/v1/user", "/v1/user?positionId=1", "/v1/userGroup"),
    beside=frozenset({
        "GET /v1/user/{id}", "GET /v1/position", "GET /v1/role", "GET /v1/authorizationSet", "GET /v1/fields",
        "GET /v1/data", "POST /v1/data", "PUT /v1/data", "DELETE /v1/data",
    }),
)  # fmt: skip
