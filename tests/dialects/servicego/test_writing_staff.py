"""Staff as ServiceGo creates and changes it."""

import pytest

from deskroster.core import agents
from deskroster.core.agents import AgentFields
from tests import world
from tests.conftest import NOW

pytestmark = pytest.mark.any_engine

NEW = {
    "email": "1@test.cn", "password": "sJrKTUpSx", "realname": "测试员工1", "position": {"id": 2},
    "roleList": [{"id": 3}],
}  # fmt: skip


def test_a_new_agent_is_answered_as_on_the_page_without_profile_and_job_number(desk):
    optional = {
        "mobile": "13300000001", "userGroupList": [2, 1, 2], "userInfo": {"id": 2}, "jobStatus": 1, "agentType": 1,
        "agentRole": "leader",
    }  # fmt: skip
    answer = desk.servicego.post("/v1/user", json=NEW | optional | {"jobNumber": "7", "status": 2})

    assert 200 == answer.status_code
    assert {
        "code": 200, "message": "OK", "visible": False,
        "data": {
            "id": 7, "email": "1@test.cn", "position": {"id": 2}, "realname": "测试员工1", "mobile": "13300000001",
            "jobStatus": 1, "agentType": 1, "agentRole": "leader", "roleList": [{"id": 3}], "userGroupList": [1, 2],
            "authorizationSetList": [],
        },
    } == answer.json()  # fmt: skip
    shown = desk.servicego.get("/v2/user?type=1&value=7").json()["data"]
    assert (2, 1) == (shown["userInfo"]["dataId"], shown["status"])
    assert "jobNumber" not in shown


def test_what_a_new_agent_does_not_name_is_left_out(desk):
    assert {
        "id": 7, "email": "1@test.cn", "position": {"id": 2}, "realname": "测试员工1", "roleList": [{"id": 3}],
        "userGroupList": [], "authorizationSetList": [],
    } == desk.servicego.post("/v1/user", json=NEW).json()["data"]  # fmt: skip


def test_a_new_agent_can_log_in_elsewhere_with_its_password(desk):
    desk.servicego.post("/v1/user", json=NEW)

    answer = desk.plain().get("/apiv2/groups.json", auth=(NEW["email"], NEW["password"]))

    assert answer.status_code in (200, 403)


@pytest.mark.parametrize("missing", ["email", "password", "realname", "position", "roleList"])
@pytest.mark.parametrize("how", ["absent", "null"])
def test_a_required_field_that_is_missing_is_400_and_named(quiet_desk, missing, how):
    body = {name: value for name, value in NEW.items() if name != missing} | ({missing: None} if how == "null" else {})
    number = quiet_desk.roster().number

    refused = quiet_desk.servicego.post("/v1/user", json=body)

    assert 400 == refused.status_code
    assert {"code": 400, "message": f"{missing} is required", "visible": True} == refused.json()
    assert number == quiet_desk.roster().number


BAD = {
    "email": ["", "no-at", "a@te st.cn", 1, [], "ａ@test.cn", "a" * 65 + "@test.cn"],
    "password": ["", "1234567", "x" * 129, "1234567\0", 1234567],
    "realname": ["", "   ", "\u3000", "\u200b", "x" * 33, "a\nb", "a\x00b", "a\u202eb", "a\uffff", 1.0, True, ["a"]],
    "position": [{}, {"id": None}, {"id": "2."}, {"id": 99}, {"id": 0}, {"id": -1}, {"id": 2.0}, 2, [], "2"],
    "roleList": [{}, [3], [{}], [{"id": 99}], [{"id": 3}, {"id": 99}], [{"id": "3 "}], [None]],
    "mobile": ["1330000000", "133000000011", "12300000001", "1330000000１", "1330000000\u0661",
               "+8613300000001", "133 0000 0001", 1330000000, "\x0013300000001"],
    "jobStatus": [2, -1, "1.0", True, 1.0, []],
    "agentType": [3, "1\r", False],
    "agentRole": ["boss", "Leader", 1],
    "userGroupList": [[99], ["1\n"], [{"id": 1}], {}, "1", [None], [True], [1.0]],
    "userInfo": [{}, {"id": 99}, {"id": None}, {"id": "1 "}, 1, []],
}  # fmt: skip


@pytest.mark.parametrize(("field", "value"), [(field, value) for field, values in BAD.items() for value in values])
def test_a_value_that_breaks_a_rule_is_400_names_the_field_and_writes_nothing(quiet_desk, field, value):
    number = quiet_desk.roster().number

    created = quiet_desk.servicego.post("/v1/user", json=NEW | {field: value})

    assert (400, True) == (created.status_code, created.json()["visible"])
    assert created.json()["message"].startswith(field)
    if field not in ("email", "password"):
        changed = quiet_desk.servicego.put("/v1/user/2", json={"realname": "other", field: value})
        assert created.json() == changed.json()
    assert number == quiet_desk.roster().number


@pytest.mark.parametrize(("field", "value", "changed"), [
    ("mobile", "", 200), ("mobile", None, 200), ("agentType", 0, 400), ("agentType", "0", 400), ("agentType", "", 400),
    ("agentType", None, 200), ("agentRole", "", 400), ("jobStatus", "", 400), ("userGroupList", "", 400),
    ("userInfo", {"id": 0}, 400), ("userInfo", None, 200),
])  # fmt: skip
def test_what_says_nothing_counts_as_absent_of_a_new_agent(desk, field, value, changed):
    assert changed == desk.servicego.put("/v1/user/3", json={field: value}).status_code

    made = desk.servicego.post("/v1/user", json=NEW | {field: value}).json()["data"]

    assert made.get(field, []) == []


def test_a_new_agent_has_a_role_and_a_change_may_take_the_last(desk):
    assert "roleList cannot be empty" == desk.servicego.post("/v1/user", json=NEW | {"roleList": []}).json()["message"]

    assert 200 == desk.servicego.put("/v1/user/2", json={"roleList": []}).status_code
    assert [] == desk.servicego.get("/v1/user/2").json()["data"]["roleList"]


@pytest.mark.parametrize("before", [1, 2, 3])
def test_the_same_request_twice_leaves_the_same_state(desk, before):
    """Leaving disables, unless the request asks for a review: also where that is what the agent is in."""
    for body, state in (({"jobStatus": 0}, 2), ({"jobStatus": 0, "status": 1}, 2), ({"jobStatus": 0, "status": 3}, 3)):
        desk.servicego.put("/v1/user/2", json={"jobStatus": 1})
        desk.servicego.put("/v1/user/2", json={"status": before})
        for _ in range(2):
            assert 200 == desk.servicego.put("/v1/user/2", json=body).status_code
            shown = desk.servicego.get("/v2/user?type=1&value=2").json()["data"]
            assert (0, state) == (shown["jobStatus"], shown["status"])


def test_leaving_wins_over_enabling_in_one_request(desk):
    for body in ({"jobStatus": 0, "status": 1}, {"jobStatus": "0", "status": "1", "realname": "离职"}):
        assert 200 == desk.servicego.put("/v1/user/2", json=body).status_code

        shown = desk.servicego.get("/v2/user?type=1&value=2").json()["data"]
        assert (0, 2) == (shown["jobStatus"], shown["status"])
    assert "离职" == shown["realname"]


@pytest.mark.parametrize("status", [0, 4, "1 ", None, True])
def test_a_status_that_is_none_is_400(quiet_desk, status):
    refused = quiet_desk.servicego.put("/v1/user/2", json={"status": status})

    assert 400 == refused.status_code
    assert refused.json()["message"].startswith("status ")


@pytest.mark.parametrize("value", ["x", "x" * 32, "😀" * 32, " 张三\u3000", "<script>", "=1+1", "Cafe\u0301"])
def test_a_real_name_has_1_to_32_characters_after_trimming(desk, value):
    assert 200 == desk.servicego.put("/v1/user/2", json={"realname": value}).status_code
    assert value.strip() == desk.servicego.get("/v1/user/2").json()["data"]["realname"]


@pytest.mark.parametrize("password", ["12345678", "x" * 128, "密" * 8])
def test_a_password_has_8_to_128_characters(desk, password):
    assert 200 == desk.servicego.post("/v1/user", json=NEW | {"password": password}).status_code


@pytest.mark.parametrize("email", ["agent@udesk.cn", "AGENT@udesk.CN"])
def test_an_email_in_use_is_409_and_visible(quiet_desk, email):
    refused = quiet_desk.servicego.post("/v1/user", json=NEW | {"email": email})

    assert (409, 409, True) == (refused.status_code, refused.json()["code"], refused.json()["visible"])
    assert refused.json()["message"].startswith("email ")


def test_a_change_answers_without_data(desk):
    answer = desk.servicego.put("/v1/user/2", json={"realname": "测试员工1", "status": 1})

    assert {"code": 200, "message": "OK", "visible": False} == answer.json()


def test_a_change_leaves_alone_what_it_does_not_name(desk):
    before = desk.servicego.get("/v1/user/2").json()["data"]

    desk.servicego.put("/v1/user/2", json={})
    desk.servicego.put("/v1/user/2", json={"mobile": "19900000001"})

    assert before | {"mobile": "19900000001"} == desk.servicego.get("/v1/user/2").json()["data"]


def test_a_change_sets_every_field_that_the_page_lists(desk):
    wanted = {
        "realname": "张三", "mobile": "13300000002", "jobStatus": 1, "agentType": 1, "agentRole": "leader",
        "position": {"id": 2}, "userGroupList": [3], "roleList": [{"id": 2}],
    }  # fmt: skip

    desk.servicego.put("/v1/user/2", json=wanted | {"status": 3, "userInfo": {"id": 2}})

    shown = desk.servicego.get("/v2/user?type=1&value=2").json()["data"]
    assert wanted == {key: shown[key] for key in wanted}
    assert (3, 2) == (shown["status"], shown["userInfo"]["dataId"])


def test_null_clears_what_may_be_empty(desk):
    cleared = ("mobile", "jobStatus", "agentType", "agentRole", "userInfo")

    answer = desk.servicego.put("/v1/user/2", json=dict.fromkeys(cleared) | {"userGroupList": None})

    shown = desk.servicego.get("/v1/user/2").json()["data"]
    assert 200 == answer.status_code
    assert not set(cleared) & shown.keys()
    assert [] == shown["userGroupList"]


def test_an_empty_list_takes_an_agent_out_of_all_groups(desk):
    desk.servicego.put("/v1/user/2", json={"userGroupList": []})

    assert [] == desk.servicego.get("/v1/user/2").json()["data"]["userGroupList"]
    assert [{"id": 1}] == desk.servicego.get("/v1/userGroup/1").json()["data"]["userList"]


def test_a_change_ignores_email_password_and_job_number_whatever_they_are(desk):
    answer = desk.servicego.put("/v1/user/2", json={"email": 1, "password": "x", "jobNumber": None, "realname": "New"})

    shown = desk.servicego.get("/v1/user/2").json()["data"]
    assert 200 == answer.status_code
    assert ("agent@udesk.cn", "88066", "New") == (shown["email"], shown["jobNumber"], shown["realname"])


def test_who_has_left_is_disabled_and_coming_back_does_not_enable(desk):
    def state():
        shown = desk.servicego.get("/v2/user?type=1&value=2").json()["data"]
        return shown["jobStatus"], shown["status"]

    desk.servicego.put("/v1/user/2", json={"jobStatus": 0})
    assert (0, 2) == state()
    enabled = desk.servicego.put("/v1/user/2", json={"status": 1})
    assert (409, True) == (enabled.status_code, enabled.json()["visible"])
    assert enabled.json()["message"].startswith("status ")
    desk.servicego.put("/v1/user/2", json={"jobStatus": 1})
    assert (1, 2) == state()
    desk.servicego.put("/v1/user/2", json={"jobStatus": 0})
    desk.servicego.put("/v1/user/2", json={"jobStatus": 1, "status": 1})
    assert (1, 1) == state()


def test_who_is_taken_on_as_left_cannot_work(desk):
    desk.servicego.post("/v1/user", json=NEW | {"jobStatus": 0})

    assert 2 == desk.servicego.get("/v2/user?type=1&value=7").json()["data"]["status"]


@pytest.mark.parametrize("change", [{"status": 2}, {"status": 3}, {"jobStatus": 0}])
def test_the_last_enabled_administrator_stays_enabled_and_employed(desk, change):
    assert 200 == desk.servicego.put("/v1/user/6", json=change).status_code

    refused = desk.servicego.put("/v1/user/1", json=change)

    assert (409, True) == (refused.status_code, refused.json()["visible"])
    assert 1 == desk.servicego.get("/v2/user?type=1&value=1").json()["data"]["status"]


def test_nobody_becomes_an_administrator_here(desk):
    desk.servicego.put("/v1/user/2", json={"level": "admin", "role_name": "admin", "roleList": [{"id": 2}]})
    desk.servicego.post("/v1/user", json=NEW | {"level": "admin", "isAdmin": True})

    assert ["agent", "agent"] == [desk.roster().agents[i].level for i in (2, 7)]


def test_what_another_dialect_wrote_is_shown_as_it_is(desk):
    desk.operate(lambda r, c: agents.update(r, c, 2, AgentFields(name="x" * 40, mobile="+86 1", job_number="甲"), NOW))

    shown = desk.servicego.get("/v1/user/2").json()["data"]

    assert ("x" * 40, "+86 1", "甲") == (shown["realname"], shown["mobile"], shown["jobNumber"])


def test_an_idempotency_key_creates_once_and_the_body_with_its_email_counts(desk):
    key = {"Idempotency-Key": "once"}

    first = desk.servicego.post("/v1/user", json=NEW, headers=key)
    desk.clock.now += 1
    again = desk.servicego.post("/v1/user", json=NEW, headers=key)
    other = desk.servicego.post("/v1/user", json=NEW | {"email": "2@test.cn"}, headers=key)

    assert first.content == again.content
    assert (409, True) == (other.status_code, other.json()["visible"])
    assert 7 == desk.servicego.get("/v1/user").json()["paging"]["total"]
    assert 400 == desk.servicego.post("/v1/user", json=NEW, headers={"Idempotency-Key": "x" * 256}).status_code


def test_a_list_of_ids_holds_at_most_10000(quiet_desk):
    refused = quiet_desk.servicego.put("/v1/user/2", json={"userGroupList": [1] * 10_001})

    assert 400 == refused.status_code
    assert refused.json()["message"].startswith("userGroupList ")
    assert 200 == quiet_desk.servicego.put("/v1/user/2", json={"userGroupList": [1, 2] * 5_000}).status_code


def test_the_id_in_the_path_is_looked_at_before_the_values_and_after_the_form(quiet_desk):
    assert 404 == quiet_desk.servicego.put("/v1/user/99", json={"status": 9}).status_code
    assert 400 == quiet_desk.servicego.put("/v1/user/99", content=b"{").status_code
    assert 401 == quiet_desk.of(world.STRANGER).servicego.put("/v1/user/99", content=b"{").status_code


def test_what_another_dialect_wrote_can_be_put_back(desk):
    other = {"cellphone": "+86 133-0000-0001", "nick_name": "一" * 40, "agent_role_ids": []}
    desk.udesk.put("/agents/2", json={"agent": other}).raise_for_status()
    read, number = desk.servicego.get("/v1/user/2").json()["data"], desk.roster().number

    assert (other["cellphone"], other["nick_name"], []) == (read["mobile"], read["realname"], read["roleList"])
    assert 200 == desk.servicego.put("/v1/user/2", json=read).status_code
    assert number == desk.roster().number
    for changed in ({"mobile": "+86 133-0000-0002"}, {"realname": "一" * 41}):
        assert 400 == desk.servicego.put("/v1/user/2", json=read | changed).status_code


@pytest.mark.parametrize(
    "info", [{"id": 2}, {"id": "2"}, {"dataId": 2}, {"dataId": "2", "objectId": 13}, {"id": 2, "dataId": 1}]
)
def test_a_profile_record_is_named_by_id_or_as_it_is_read(desk, info):
    assert 200 == desk.servicego.put("/v1/user/2", json={"userInfo": info}).status_code
    assert 2 == desk.servicego.get("/v1/user/2").json()["data"]["userInfo"]["dataId"]


@pytest.mark.parametrize("info", [{}, {"objectId": 13}, {"id": None}, {"dataId": None}])
def test_a_profile_record_without_an_id_is_of_the_wrong_type(quiet_desk, info):
    refused = quiet_desk.servicego.put("/v1/user/2", json={"userInfo": info})

    assert "userInfo is of the wrong type: an object with an id is wanted" == refused.json()["message"]


@pytest.mark.parametrize(
    ("sent", "stored"), [("133 0000 0001 ".strip() + "\r", None), ("\u202d13300000001\u202c", "13300000001")]
)
def test_a_pasted_mobile_loses_its_marks(desk, sent, stored):
    status = 400 if stored is None else 200

    assert status == desk.servicego.put("/v1/user/3", json={"mobile": sent}).status_code
    assert stored == desk.servicego.get("/v1/user/3").json()["data"].get("mobile")
