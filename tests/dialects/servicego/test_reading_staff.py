"""Staff as ServiceGo shows it: one, a page, and the look-up."""

import pytest

from deskroster.core import agents
from deskroster.core.agents import AgentFields
from tests import world

pytestmark = pytest.mark.any_engine

KEYS = [
    "id", "email", "position", "realname", "mobile", "jobNumber", "jobStatus", "agentType", "agentRole", "roleList",
    "userGroupList", "authorizationSetList", "userInfo",
]  # fmt: skip


def test_an_agent_has_the_keys_of_the_page_in_its_order(quiet_desk):
    answer = quiet_desk.servicego.get("/v1/user/2").json()

    assert ["code", "message", "visible", "data"] == list(answer)
    assert (200, "OK", False) == (answer["code"], answer["message"], answer["visible"])
    assert KEYS == list(answer["data"])
    assert {
        "id": 2, "email": "agent@udesk.cn", "position": {"id": 1}, "realname": "客服小二", "mobile": "13300000001",
        "jobNumber": "88066", "jobStatus": 1, "agentType": 2, "agentRole": "agent", "roleList": [{"id": 1}, {"id": 2}],
        "userGroupList": [1, 2], "authorizationSetList": [{"id": 1}],
    } == {key: value for key, value in answer["data"].items() if key != "userInfo"}  # fmt: skip


def test_what_was_never_set_is_left_out_and_lists_are_always_there(quiet_desk):
    assert {
        "id": 6, "email": "second@udesk.cn", "realname": "Second", "roleList": [], "userGroupList": [],
        "authorizationSetList": [],
    } == quiet_desk.servicego.get("/v1/user/6").json()["data"]  # fmt: skip


def test_a_page_has_exactly_these_keys_and_the_newest_first(quiet_desk):
    answer = quiet_desk.servicego.get("/v1/user").json()

    assert ["code", "message", "visible", "paging", "data"] == list(answer)
    assert {"pageNum": 1, "pageSize": 20, "total": 6} == answer["paging"]
    assert [6, 5, 4, 3, 2, 1] == [one["id"] for one in answer["data"]]
    assert quiet_desk.servicego.get("/v1/user/2").json()["data"] == answer["data"][4]


def test_pages_are_parts_of_the_list_and_say_what_was_asked(quiet_desk):
    second = quiet_desk.servicego.get("/v1/user?pageNum=2&pageSize=4").json()
    zeros = quiet_desk.servicego.get("/v1/user?pageNum=0000000000000000000002&pageSize=0000000000000000000004").json()
    past = quiet_desk.servicego.get("/v1/user?pageNum=1000000&pageSize=100").json()

    assert ({"pageNum": 2, "pageSize": 4, "total": 6}, [2, 1]) == (second["paging"], [i["id"] for i in second["data"]])
    assert second == zeros
    assert ({"pageNum": 1000000, "pageSize": 100, "total": 6}, []) == (past["paging"], past["data"])


@pytest.mark.parametrize(
    "value", ["0", "-1", "101", "abc", "1.5", "", "１", str(2**63), "9" * 5000, "1 ", "1&pageSize=1"]
)
def test_a_page_size_outside_its_limits_is_400(quiet_desk, value):
    refused = quiet_desk.servicego.get("/", extensions={"target": f"/api/v1/user?pageSize={value}".encode()})

    assert (400, True) == (refused.status_code, refused.json()["visible"])
    assert refused.json()["message"].startswith("pageSize ")


@pytest.mark.parametrize("value", ["0", "-1", "abc", "1.5", "", str(2**63), "1&pageNum=2"])
@pytest.mark.parametrize("path", ["user", "userGroup", "position", "role", "authorizationSet"])
def test_a_page_number_outside_its_limits_is_400_in_every_list(quiet_desk, path, value):
    refused = quiet_desk.servicego.get(f"/v1/{path}?pageNum={value}")

    assert 400 == refused.status_code
    assert refused.json()["message"].startswith("pageNum ")


def test_unknown_parameters_have_no_effect(quiet_desk):
    assert 6 == quiet_desk.servicego.get("/v1/user?page[]=1&per_page=0").json()["paging"]["total"]


def test_staff_can_be_listed_by_position(quiet_desk):
    def found(position_id):
        answer = quiet_desk.servicego.get(f"/v1/user?positionId={position_id}").json()
        return answer["paging"]["total"], [one["id"] for one in answer["data"]]

    assert (1, [2]) == found(1)
    assert (1, [1]) == found(2)
    assert (0, []) == found(99)
    assert (0, []) == found(2**64)


@pytest.mark.parametrize("value", ["0", "-1", "01", "x", "", "1.0", "1,2", "1&positionId=1"])
def test_a_malformed_position_is_400(quiet_desk, value):
    assert 400 == quiet_desk.servicego.get(f"/v1/user?positionId={value}").status_code


@pytest.mark.parametrize("path", ["user", "userGroup"])
@pytest.mark.parametrize(
    "id",
    ["0", "-1", "+1", "01", "1.0", "1e3", "1_0", "0x1", "%D9%A1", "1%20", "1%0a", "1%00", "99", str(2**63), "9" * 5000,
     "..%2f1", "1'--", "1,2", "%zz", "%ff", "%31"],
)  # fmt: skip
def test_an_id_that_nobody_has_or_could_have_is_404(quiet_desk, path, id):
    target = f"/api/v1/{path}/{id}".encode()

    assert 404 == quiet_desk.servicego.get("/", extensions={"target": target}).status_code
    assert 404 == quiet_desk.servicego.put("/", json={}, extensions={"target": target}).status_code


def test_id_1_finds_an_agent(quiet_desk):
    assert 1 == quiet_desk.servicego.get("/v1/user/1").json()["data"]["id"]


@pytest.mark.parametrize(("type", "value"), [(1, "2"), (2, "AGENT@udesk.cn"), (3, "13300000001"), (4, "88066")])
def test_the_look_up_finds_one_and_adds_the_status(quiet_desk, type, value):
    answer = quiet_desk.servicego.get("/v2/user", params={"type": type, "value": value}).json()

    assert ["code", "message", "visible", "data"] == list(answer)
    assert [*KEYS, "status"] == list(answer["data"])
    assert (2, 1) == (answer["data"]["id"], answer["data"]["status"])


@pytest.mark.parametrize(("account", "status"), [(world.ADMIN, 1), (world.DISABLED, 2), (world.REVIEWED, 3)])
def test_the_status_is_enabled_disabled_or_in_review(quiet_desk, account, status):
    found = quiet_desk.servicego.get("/v2/user", params={"type": 2, "value": account.email})

    assert status == found.json()["data"]["status"]


@pytest.mark.parametrize(
    ("type", "value"), [(1, "99"), (1, "x"), (1, ""), (2, "x@test.cn"), (2, "é"), (3, "1"), (4, "")]
)
def test_a_look_up_that_finds_nothing_is_404(quiet_desk, type, value):
    assert 404 == quiet_desk.servicego.get("/v2/user", params={"type": type, "value": value}).status_code


@pytest.mark.parametrize(
    "query",
    ["type=5&value=1", "type=01&value=1", "value=1", "type=1", "type=1&type=1&value=1", "type=1&value=1&value=2"],
)
def test_a_look_up_of_another_kind_is_400(quiet_desk, query):
    refused = quiet_desk.servicego.get(f"/v2/user?{query}")

    assert (400, True) == (refused.status_code, refused.json()["visible"])


def test_a_mobile_that_several_have_finds_the_lowest_id(desk):
    desk.servicego.put("/v1/user/6", json={"mobile": "13300000009"})
    desk.servicego.put("/v1/user/3", json={"mobile": "13300000009"})

    assert 3 == desk.servicego.get("/v2/user?type=3&value=13300000009").json()["data"]["id"]


def test_head_answers_as_get_without_the_body(quiet_desk):
    head = quiet_desk.servicego.head("/v1/user/2")

    assert (200, b"") == (head.status_code, head.content)


@pytest.mark.parametrize("sent", ["+86%20138", "%2B86 138", "%E2%80%8E+86%20138%0D"])
def test_a_mobile_with_a_plus_is_found_however_it_is_sent(desk, sent):
    desk.operate(lambda roster, caller: agents.update(roster, caller, 2, AgentFields(mobile="+86 138"), 1))
    pairs = "&".join(f"{name}={value}" for name, value in desk.servicego.auth.parameters().items())
    target = f"/api/v2/user?type=3&value={sent.replace(' ', '%20')}&{pairs}".encode()

    assert 2 == desk.plain().get("/", extensions={"target": target}).json()["data"]["id"]
