"""Groups of the Udesk Open API: its quirks, and what its contract says beside the page."""

import pytest

from tests.answers import check
from tests.calls import CALLS, ROUTES, name_of

pytestmark = pytest.mark.any_engine

MINE = [(dialect, route) for dialect, route in ROUTES if dialect.name == "udesk" and route.needs]


def test_the_agents_of_a_group_stand_under_both_keys(quiet_desk):
    answer = quiet_desk.udesk.get("/user_groups/1/agents").json()

    assert [answer["user_group"]] == answer["user_groups"]
    assert [1, 2] == [agent["id"] for agent in answer["user_group"]["agents"]]
    assert {"current_page": 1, "total_pages": 1, "total_count": 2} == answer["meta"]


def test_a_page_of_a_group_windows_its_agents(quiet_desk):
    answer = quiet_desk.udesk.get("/user_groups/1/agents?page=2&per_page=1").json()

    assert [2] == [agent["id"] for agent in answer["user_groups"][0]["agents"]]
    assert {"current_page": 2, "total_pages": 2, "total_count": 2} == answer["meta"]


def test_a_renamed_group_is_answered_with_its_id_beside_it(desk):
    answer = desk.udesk.put("/user_groups/3", json={"name": "新"}).json()

    assert {"code": 1000, "id": 3, "user_group": {"id": 3, "name": "新", "agents": []}} == answer


@pytest.mark.parametrize("body", [{}, {"name": None}])
def test_a_missing_name_cannot_be_empty(quiet_desk, body):
    for method, path in (("POST", "/user_groups"), ("PUT", "/user_groups/3")):
        refusal = check("udesk", quiet_desk.udesk.request(method, path, json=body), "invalid")

        assert {"code": 2000, "message": "name cannot be empty", "code_message": "name cannot be empty"} == refusal


@pytest.mark.parametrize(
    ("query", "number", "ids"),
    [
        ("", 1, [1, 2, 3]), ("per_page=2", 1, [1, 2]), ("page=2&per_page=2", 2, [3]), ("page=3&per_page=2", 3, []),
        ("page=0&per_page=0", 1, [1]), ("page=-5&per_page=-5", 1, [1]), ("page=x&per_page=x", 1, [1, 2, 3]),
        ("per_page=101", 1, [1, 2, 3]), ("page=2&page=3&per_page=1", 1, [1]), ("page=9999999999999999999999", None, []),
        ("page=00000000000000000000002&per_page=00000000000000000000002", 2, [3]),
    ],
)  # fmt: skip
def test_a_page_out_of_range_is_clamped_and_one_past_the_end_is_empty(quiet_desk, query, number, ids):
    answer = check("udesk", quiet_desk.udesk.get(f"/user_groups?{query}"), "ok")

    assert ids == [group["id"] for group in answer["user_groups"]]
    assert number in (answer["meta"]["current_page"], None)
    assert 3 == answer["meta"]["total_count"]


def test_a_list_without_anything_has_no_pages(desk):
    for id in (1, 2, 3):
        desk.udesk.delete(f"/user_groups/{id}")

    assert {"current_page": 1, "total_pages": 0, "total_count": 0} == desk.udesk.get("/user_groups").json()["meta"]


def test_two_groups_may_have_the_same_name_and_stand_by_ascending_id(desk):
    ids = [desk.udesk.post("/user_groups", json={"name": "售前"}).json()["id"] for _ in range(3)]

    listed = desk.udesk.get("/user_groups").json()["user_groups"]

    assert [1, 2, 3, *ids] == [group["id"] for group in listed]
    assert 4 == sum(group["name"] == "售前" for group in listed)


@pytest.mark.parametrize(("dialect", "route"), MINE, ids=lambda part: getattr(part, "path", ""))
def test_a_judged_refusal_is_http_200(desk, dialect, route):
    call = CALLS[name_of(dialect, route)]

    for response in (
        call.send(dialect, route, desk.plain(), dialect.prefix),
        desk.udesk.put("/user_groups/9", json={}),
    ):
        assert 200 == response.status_code
        assert response.json()["code"] != 1000


def test_a_deleted_group_leaves_its_agents_where_else_they_are(desk):
    desk.udesk.delete("/user_groups/1")

    agent = desk.udesk.get("/agents/get_agent?type=id&content=2").json()["agent"]
    assert ([2], [{"id": 2, "name": "After sales"}]) == (agent["user_group_ids"], agent["user_groups"])


def test_a_department_needs_a_parent_that_exists(desk):
    check("udesk", desk.udesk.post("/departments", json={"name": "a", "parent_id": 99}), "invalid")
    id = check("udesk", desk.udesk.post("/departments", json={"name": "a", "parent_id": 2}), "ok")["id"]

    found = desk.udesk.get("/departments").json()["departments"]

    second = {"id": 2, "name": "售前部", "sub_department": [{"id": id, "name": "a", "sub_department": []}]}
    third = {"id": 3, "name": "Support", "sub_department": []}
    assert [{"id": 1, "name": "总部", "sub_department": [second, third]}] == found
