"""Groups in KF5's words."""

import pytest

pytestmark = pytest.mark.any_engine

BASE = "http://demo.example.com/apiv2"
ADMIN_OUT = {"id": 1, "url": f"{BASE}/users/1.json", "username": "admin@udesk.cn", "name": "Admin"}
AGENT_OUT = {"id": 2, "url": f"{BASE}/users/2.json", "username": "agent@udesk.cn", "name": "客服小二"}


def members(desk, id):
    return [agent["id"] for agent in desk.kf5.get(f"/groups/{id}.json").json()["group"]["agents"]]


def invalid(reply):
    assert (422, "invalid") == (reply.status_code, reply.json()["error"]["code"])
    return reply.json()["error"]["fields"]


def test_a_group_has_its_agents_with_name_and_e_mail(quiet_desk):
    reply = quiet_desk.kf5.get("/groups/1.json")

    group = {"id": 1, "url": f"{BASE}/groups/1.json", "name": "售前", "created_at": "2020-09-13 20:26:40",
             "agents": [ADMIN_OUT, AGENT_OUT]}  # fmt: skip
    assert (200, {"group": group}) == (reply.status_code, reply.json())
    assert group == quiet_desk.kf5.get("/groups.json").json()["groups"][0]


def test_the_groups_of_a_user_are_those_it_is_in(quiet_desk):
    def groups(id):
        reply = quiet_desk.kf5.get(f"/users/{id}/groups.json").json()
        return [group["id"] for group in reply["groups"]], reply["count"]

    assert [([1, 2], 2), ([2], 1), ([], 0)] == [groups(id) for id in (2, 3, 5)]


@pytest.mark.parametrize("id", ["0", "-1", "01", "1.0", "1e3", "99", str(2**63 - 1), str(2**63), "9" * 5000, "x",
                                "%D9%A1", "1%20", "1%00", "%ff", "%zz", "..%2f1", "1,2"])  # fmt: skip
def test_an_id_that_is_none_is_404(quiet_desk, id):
    calls = [("GET", f"/groups/{id}"), ("PUT", f"/groups/{id}"), ("DELETE", f"/groups/{id}"),
             ("GET", f"/users/{id}/groups")]  # fmt: skip

    for method, path in calls:
        target = f"/apiv2{path}.json".encode()
        reply = quiet_desk.kf5.request(method, "/", content=b"{}", extensions={"target": target})

        assert (404, "not_found") == (reply.status_code, reply.json()["error"]["code"])


def test_creating_a_group_answers_201_with_it_and_where_it_is(desk):
    reply = desk.kf5.post("/groups.json", json={"group": {"name": " My Group\u3000", "agents": [2, 1, 2]}})

    group = {"id": 4, "url": f"{BASE}/groups/4.json", "name": "My Group", "created_at": "2023-11-15 06:13:20",
             "agents": [ADMIN_OUT, AGENT_OUT]}  # fmt: skip
    assert (201, {"group": group}) == (reply.status_code, reply.json())
    assert f"{BASE}/groups/4.json" == reply.headers["Location"]
    assert {"group": group} == desk.kf5.get("/groups/4.json").json()


@pytest.mark.parametrize(("body", "expected"), [
    ({"group": {"name": "x"}}, []),
    ({"group": {"name": "x", "agents": None}}, []),
    ({"group": {"name": "x", "agents": []}}, []),
    ({"group": {"name": "x"}, "agents": [2, 1]}, [1, 2]),
    ({"group": {"name": "x", "agents": [2]}, "agents": [1]}, [2]),
    ({"group": {"name": "x", "agents": []}, "agents": [1]}, []),
    ({"group": {"name": "x", "agents": None}, "agents": [1]}, []),
])  # fmt: skip
def test_agents_may_stand_beside_the_group_and_those_inside_win(desk, body, expected):
    desk.kf5.post("/groups.json", json=body).raise_for_status()

    assert expected == members(desk, 4)
    desk.kf5.put("/groups/1.json", json=body).raise_for_status()
    assert ([1, 2] if body == {"group": {"name": "x"}} else expected) == members(desk, 1)


@pytest.mark.parametrize(("body", "field"), [
    ({}, "group"), ({"agents": [1]}, "group"), ({"group": None}, "group"), ({"group": "x"}, "group"),
    ({"group": []}, "group"), ({"group": {}}, "name"), ({"group": {"agents": [1]}}, "name"),
    ({"group": {"name": None}}, "name"), ({"group": {"name": 1.5}}, "name"), ({"group": {"name": ""}}, "name"),
    ({"group": {"name": " \u200b"}}, "name"), ({"group": {"name": "x" * 256}}, "name"),
    ({"group": {"name": "a\nb"}}, "name"), ({"group": {"name": "a\u202eb"}}, "name"),
    ({"group": {"name": "x", "agents": [1, 99]}}, "agents"), ({"group": {"name": "x", "agents": ["1.0"]}}, "agents"),
    ({"group": {"name": "x", "agents": [True]}}, "agents"), ({"group": {"name": "x", "agents": 1}}, "agents"),
    ({"group": {"name": "x", "agents": [None]}}, "agents"), ({"group": {"name": "x", "agents": [1] * 10001}}, "agents"),
    ({"group": {"name": "x"}, "agents": [0]}, "agents"), ({"group": {"name": "x"}, "agents": [{}]}, "agents"),
])  # fmt: skip
def test_a_new_group_that_breaks_a_rule_is_422_names_the_field_and_writes_nothing(quiet_desk, body, field):
    before = quiet_desk.roster().number

    assert [field] == list(invalid(quiet_desk.kf5.post("/groups.json", json=body)))
    assert before == quiet_desk.roster().number


@pytest.mark.parametrize(("body", "field"), [
    ({"group": None}, "group"), ({"group": 1}, "group"), ({"group": {"name": None}}, "name"),
    ({"group": {"name": ""}}, "name"), ({"group": {"name": "x", "agents": [99]}}, "agents"),
    ({"agents": [1, 99]}, "agents"), ({"agents": "1"}, "agents"),
])  # fmt: skip
def test_a_change_that_breaks_a_rule_is_422_and_changes_nothing(quiet_desk, body, field):
    before = quiet_desk.roster().number

    assert [field] == list(invalid(quiet_desk.kf5.put("/groups/1.json", json=body)))
    assert before == quiet_desk.roster().number


def test_a_refusal_says_in_a_sentence_and_by_field_what_was_wrong(quiet_desk):
    reply = quiet_desk.kf5.post("/groups.json", json={"group": {"name": ""}})

    expected = {"code": "invalid", "message": "name cannot be empty", "fields": {"name": "cannot be empty"}}
    assert {"error": expected} == reply.json()


def test_a_name_of_255_characters_of_any_plane_is_kept(desk):
    name = "\U0001f600" * 255

    assert name == desk.kf5.post("/groups.json", json={"group": {"name": name}}).json()["group"]["name"]


def test_changing_a_group_answers_200_with_it(desk):
    reply = desk.kf5.put("/groups/1.json", json={"group": {"name": "Interesting Group", "id": 9, "created_at": ""}})

    group = {"id": 1, "url": f"{BASE}/groups/1.json", "name": "Interesting Group", "created_at": "2020-09-13 20:26:40",
             "agents": [ADMIN_OUT, AGENT_OUT]}  # fmt: skip
    assert (200, {"group": group}) == (reply.status_code, reply.json())


def test_agents_replaces_the_members_and_their_users_say_so(desk):
    desk.kf5.put("/groups/1.json", json={"group": {"agents": [3, 2]}}).raise_for_status()

    assert [2, 3] == members(desk, 1)
    assert [] == desk.kf5.get("/users/1.json").json()["user"]["groups_info"]
    assert [1, 2] == [one["id"] for one in desk.kf5.get("/users/3.json").json()["user"]["groups_info"]]


def test_without_a_group_only_the_agents_beside_it_count(desk):
    assert 200 == desk.kf5.put("/groups/1.json", json={"agents": [3], "name": "x"}).status_code

    group = desk.kf5.get("/groups/1.json").json()["group"]
    assert ("售前", [3]) == (group["name"], [agent["id"] for agent in group["agents"]])


def test_a_change_of_nothing_answers_with_the_group_as_it_is(desk):
    before = desk.roster().number

    for body in ({}, {"group": {}}, {"group": {"name": "售前"}}, {"agents": [1, 2]}):
        reply = desk.kf5.put("/groups/1.json", json=body)

        assert (200, "售前") == (reply.status_code, reply.json()["group"]["name"])
    assert before == desk.roster().number


def test_deleting_a_group_answers_200_with_an_empty_object_and_leaves_its_agents(desk):
    reply = desk.kf5.request("DELETE", "/groups/1.json", content=b"nonsense", headers={"Content-Type": "text/xml"})

    assert (200, {}) == (reply.status_code, reply.json())
    assert 404 == desk.kf5.get("/groups/1.json").status_code == desk.kf5.delete("/groups/1.json").status_code
    assert [2] == [one["id"] for one in desk.kf5.get("/users/2.json").json()["user"]["groups_info"]]


def test_a_group_of_another_dialect_is_here_in_the_next_request_and_a_deleted_one_gone_there(desk):
    id = desk.udesk.post("/user_groups", json={"name": "udesk's"}).json()["id"]

    assert "udesk's" == desk.kf5.get(f"/groups/{id}.json").json()["group"]["name"]
    desk.kf5.delete(f"/groups/{id}.json").raise_for_status()
    assert id not in [group["id"] for group in desk.udesk.get("/user_groups").json()["user_groups"]]


def test_a_renamed_agent_has_its_new_name_in_its_groups(desk):
    desk.kf5.get("/groups.json")

    desk.kf5.put("/users/2.json", json={"user": {"name": "新名", "email": "new@test.cn"}}).raise_for_status()

    for group in desk.kf5.get("/users/2/groups.json").json()["groups"]:
        agent = next(agent for agent in group["agents"] if agent["id"] == 2)
        assert ("新名", "new@test.cn") == (agent["name"], agent["username"])


@pytest.mark.parametrize(
    "listed", [[3, 2], ["3", "2"], [{"id": 3}, {"id": "2", "name": "x"}], [2, {"id": 3}], {"0": 2, "7": {"id": 3}}]
)
def test_agents_are_ids_or_objects_with_one(desk, listed):
    assert 200 == desk.kf5.put("/groups/1.json", json={"group": {"agents": listed}}).status_code
    assert [2, 3] == members(desk, 1)
    assert 201 == desk.kf5.post("/groups.json", json={"group": {"name": "x"}, "agents": listed}).status_code
    assert [2, 3] == members(desk, 4)
