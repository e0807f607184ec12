"""Agents of the Udesk Open API: its quirks, and what its contract says."""

import shutil
import sqlite3
from contextlib import closing

import pytest

from deskroster.core import agents, reference
from deskroster.core.agents import AgentFields
from deskroster.core.records import Secret
from deskroster.testing import KF5Password
from tests.answers import check
from tests.world import ADMIN, AGENT

pytestmark = pytest.mark.any_engine

SIP = "sip-secret"


def agent(desk, id=AGENT.id):
    return desk.udesk.get(f"/agents/get_agent?type=id&content={id}").json()["agent"]


def put(desk, id=AGENT.id, /, **fields):
    return desk.udesk.put(f"/agents/{id}", json={"agent": fields})


def can_log_in(desk, email: str, password: str) -> bool:
    account = ADMIN.__class__(id=0, email=email, password=password, token="")
    return desk.plain().get("/apiv2/users/me.json", auth=KF5Password(account)).status_code == 200


def notes(desk):
    """Return what was recorded with each commit, read from a copy of the folder."""
    copy = shutil.copytree(desk.folder, desk.folder.with_name("copy"))
    with closing(sqlite3.connect(copy / "deskroster.db")) as db:
        return db.execute("SELECT note FROM commits ORDER BY number").fetchall()


def with_sip(desk):
    fields = AgentFields(sip_number="8001", sip_password=Secret(SIP))
    desk.operate(lambda roster, caller: agents.update(roster, caller, AGENT.id, fields, 0))


def test_an_agent_has_every_key_of_the_page_and_its_email(quiet_desk):
    assert {
        "id": 2, "nick_name": "客服小二", "email": "agent@udesk.cn", "cellphone": "13300000001", "work_id": "88066",
        "im_ability_value": 10, "profile": "all", "aliase": "小二", "role_name": "agent", "duty": "客服专员",
        "user_group_ids": [1, 2], "disable_status": "enable", "avatar": "", "lang": "zh-cn", "availability": True,
        "im_welcomes": "", "user_groups": [{"id": 1, "name": "售前"}, {"id": 2, "name": "After sales"}],
        "agent_roles": [
            {"id": 1, "name": "客服", "description": "接待客户"}, {"id": 2, "name": "Supervisor", "description": ""},
        ],
        "departments": [{"id": 1, "name": "总部"}, {"id": 3, "name": "Support"}], "agent_callout_display_number": "",
        "number": "", "password": "",
    } == agent(quiet_desk)  # fmt: skip


def test_cellphone_and_work_id_are_text_and_read_from_the_numbers_that_the_page_prints(desk):
    assert ("13300000001", "88066") == (agent(desk)["cellphone"], agent(desk)["work_id"])

    check("udesk", put(desk, cellphone=12345678901, work_id=1), "ok")

    assert ("12345678901", "1") == (agent(desk)["cellphone"], agent(desk)["work_id"])


def test_the_ids_of_an_agents_groups_agree_with_the_groups(desk):
    put(desk, user_group_ids=[3, 1, 3])

    for found in desk.udesk.get("/agents?with_disabled=true").json()["agents"]:
        assert found["user_group_ids"] == [group["id"] for group in found["user_groups"]]
    assert [1, 3] == agent(desk)["user_group_ids"]


def test_an_agent_in_review_reads_as_disabled_and_stays_in_review_when_that_is_sent_back(desk):
    assert "disable" == agent(desk, 5)["disable_status"]

    check("udesk", put(desk, 5, disable_status="disable", nick_name="新"), "ok")
    assert "review" == desk.roster().agents[5].state

    check("udesk", put(desk, 5, disable_status="enable"), "ok")
    assert "enabled" == desk.roster().agents[5].state


def test_a_duty_is_the_position_of_that_name_that_the_agent_has_or_of_the_lowest_id(desk):
    desk.operate(lambda roster, caller: reference.create(roster, caller, "position", "Team lead"))

    assert "Team lead" == put(desk, duty="Team lead").json()["agent"]["duty"]
    assert 2 == desk.roster().agents[AGENT.id].position_id
    desk.operate(lambda roster, caller: agents.update(roster, caller, AGENT.id, AgentFields(position_id=4), 0))
    check("udesk", put(desk, duty="Team lead"), "ok")
    assert 4 == desk.roster().agents[AGENT.id].position_id
    check("udesk", put(desk, duty="宇航员"), "invalid")
    assert None is put(desk, duty=None).json()["agent"]["duty"]


def test_an_email_that_nobody_has_is_named_in_the_refusal(quiet_desk):
    response = quiet_desk.udesk.get("/agents/get_agent?type=email&content=nobody@udesk.cn")

    assert "Couldn't find Agent with email=nobody@udesk.cn" == check("udesk", response, "notfound")["exception"]


@pytest.mark.parametrize(
    "query",
    [
        "", "type=id", "content=1", "type=name&content=1", "type=id&type=id&content=1", "type=id&content=1&content=1",
        "type=email&content=admin@udesk.cn&content=admin@udesk.cn",
    ],
)  # fmt: skip
def test_a_look_up_says_by_what_and_for_what(quiet_desk, query):
    check("udesk", quiet_desk.udesk.get(f"/agents/get_agent?{query}"), "invalid")


@pytest.mark.parametrize("content", ["0", "01", "x", "99", "%31x", "9" * 30])
def test_a_look_up_by_what_is_no_id_finds_nothing(quiet_desk, content):
    check("udesk", quiet_desk.udesk.get("/", extensions={
        "target": f"/open_api_v1/agents/get_agent?type=id&content={content}".encode(),
    }), "notfound")  # fmt: skip


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_an_unknown_parameter_does_not_change_what_a_refusal_says(quiet_desk, method):
    response = quiet_desk.udesk.request(method, "/agents/99?type=email", json={"agent": {}})

    assert "Couldn't find Agent with id=99" == check("udesk", response, "notfound")["exception"]


def test_an_empty_password_and_the_sip_password_change_nothing(desk):
    with_sip(desk)
    read = agent(desk)
    assert ("8001", SIP) == (read["number"], read["password"])

    for password in ("", SIP):
        check("udesk", put(desk, **{**read, "password": password}), "ok")
        assert can_log_in(desk, AGENT.email, AGENT.password)

    check("udesk", put(desk, password="another"), "ok")
    assert can_log_in(desk, AGENT.email, "another")
    assert not can_log_in(desk, AGENT.email, AGENT.password)
    assert ("8001", SIP) == (agent(desk)["number"], agent(desk)["password"])


def test_what_was_read_can_be_sent_back_and_changes_nothing(desk):
    with_sip(desk)
    for id in desk.roster().agents.ids:
        before = desk.roster().number

        check("udesk", put(desk, id, **agent(desk, id)), "ok")

        assert before == desk.roster().number


@pytest.mark.parametrize(("password", "cls"), [("p", "ok"), ("p" * 128, "ok"), ("p" * 129, "invalid"), ("", "invalid")])
def test_a_new_agents_password_has_1_to_128_characters(desk, password, cls):
    body = {"agent": {"email": "new@udesk.cn", "password": password, "nick_name": "新"}}

    check("udesk", desk.udesk.post("/agents", json=body), cls)

    assert (cls == "ok") == can_log_in(desk, "new@udesk.cn", password)


def test_a_password_is_text_like_any_other_without_a_nul(desk):
    body = {"agent": {"email": "new@udesk.cn", "password": "a\0b", "nick_name": "新"}}

    check("udesk", desk.udesk.post("/agents", json=body), "invalid")
    check("udesk", put(desk, password="a\0b"), "invalid")

    assert can_log_in(desk, AGENT.email, AGENT.password)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("profile", "mail"), ("profile", None), ("lang", "fr-fr"), ("disable_status", "off"), ("availability", 2),
        ("disable_status", 1), ("availability", None), ("im_ability_value", -1), ("im_ability_value", 2**31),
        ("im_ability_value", 1.5), ("im_ability_value", "1 "), ("nick_name", None), ("email", None),
        ("password", 1.0), ("duty", 1.0),
        ("user_group_ids", "1"), ("agent_role_ids", [99]), ("department_ids", [None]),
    ],
)  # fmt: skip
def test_a_value_that_breaks_a_rule_writes_nothing_and_is_named(quiet_desk, field, value):
    before = quiet_desk.roster().number

    refusal = check("udesk", put(quiet_desk, **{"nick_name": "新", field: value}), "invalid")

    assert field.replace("_", " ") in str(refusal).lower().replace("_", " ")
    assert before == quiet_desk.roster().number


@pytest.mark.parametrize("field", ["number", "role_name", "id", "agent_callout_display_number", "x"])
def test_what_is_not_writable_has_no_effect(desk, field):
    before = desk.roster().number

    check("udesk", put(desk, **{field: "admin"}), "ok")

    assert before == desk.roster().number


@pytest.mark.once
def test_who_takes_over_is_recorded_with_the_deletion(desk):
    body = {"owner_group_id": 1, "owner_id": 1}

    check("udesk", desk.udesk.request("DELETE", "/agents/2", json=body), "ok")

    assert ['{"owner_group_id":1,"owner_id":1}'] == [note for (note,) in notes(desk) if note]


@pytest.mark.parametrize("body", [{"owner_id": 99}, {"owner_group_id": 99}])
def test_who_takes_over_must_exist(quiet_desk, body):
    before = quiet_desk.roster().number

    check("udesk", quiet_desk.udesk.request("DELETE", "/agents/2", json=body), "notfound")

    assert before == quiet_desk.roster().number


def test_agents_are_listed_without_the_disabled_unless_asked(quiet_desk):
    def ids(query):
        return [one["id"] for one in quiet_desk.udesk.get(f"/agents{query}").json()["agents"]]

    assert [1, 2, 6] == ids("") == ids("?with_disabled=false")
    assert [1, 2, 6] == ids("?with_disabled=0") == ids("?with_disabled=")
    assert [1, 2, 3, 4, 5, 6] == ids("?with_disabled=true") == ids("?with_disabled=TRUE") == ids("?with_disabled=1")


@pytest.mark.parametrize("query", ["with_disabled=yes", "with_disabled=true&with_disabled=true"])
def test_what_is_no_boolean_is_refused_and_not_ignored(quiet_desk, query):
    refusal = check("udesk", quiet_desk.udesk.get(f"/agents?{query}"), "invalid")

    assert "With disabled is of the wrong type: a boolean is wanted" in refusal["exception"]


@pytest.mark.parametrize(("email", "name"), [("zhang.san@udesk.cn", "zhang.san"), (" A+b@Udesk.cn\r\n", "A+b")])
def test_a_new_agent_without_a_name_has_that_of_its_email(desk, email, name):
    made = desk.udesk.post("/agents", json={"agent": {"email": email, "password": "p"}}).json()["agent"]

    assert (name, email.strip()) == (made["nick_name"], made["email"])


@pytest.mark.parametrize("email", ["", "a\u0001b@udesk.cn", "x" * 300 + "@udesk.cn", "@udesk.cn"])
def test_where_the_email_is_wrong_no_name_is_blamed(quiet_desk, email):
    refused = quiet_desk.udesk.post("/agents", json={"agent": {"email": email, "password": "p"}})

    assert "Email" in check("udesk", refused, "invalid")["exception"]


@pytest.mark.parametrize("name", [None, "", " "])
def test_a_name_that_is_sent_empty_is_refused(quiet_desk, name):
    body = {"agent": {"email": "new@udesk.cn", "password": "p", "nick_name": name}}

    check("udesk", quiet_desk.udesk.post("/agents", json=body), "invalid")


OBJECTS = {"user_group_ids": "user_groups", "agent_role_ids": "agent_roles", "department_ids": "departments"}


@pytest.mark.parametrize(("ids", "objects"), OBJECTS.items())
def test_groups_roles_and_departments_are_written_as_ids_or_as_they_are_read(desk, ids, objects):
    def shown():
        assert [one["id"] for one in agent(desk)[objects]] == [one.id for one in of_roster(desk, objects)]
        return [one["id"] for one in agent(desk)[objects]]

    def sent(*listed):
        return [{"id": id, "name": "not looked at"} for id in listed]

    read = agent(desk)
    for wanted, body in (
        ([3], {objects: sent(3)}),
        ([1, 2], {objects: sent(2, "1")}),
        ([3], {ids: [1, 2], objects: sent(3)}),  # the ids are as they are shown
        ([1], {ids: [1], objects: sent(3)}),
        ([2], {ids: [2], objects: sent(3)}),  # neither is
        ([], {objects: []}),
        ([3], {**read, ids: [3]}),
    ):
        check("udesk", put(desk, **body), "ok")
        assert wanted == shown()


def of_roster(desk, objects):
    one = desk.roster().agents[AGENT.id]
    ids = {"user_groups": one.group_ids, "agent_roles": one.role_ids, "departments": one.department_ids}[objects]
    table = {"user_groups": "group", "agent_roles": "role", "departments": "department"}[objects]
    return [desk.roster().table(table)[id] for id in ids]


@pytest.mark.parametrize(
    "body", [{"owner_group_id": "1", "owner_id": "6"}, {"owner_id": 0}, {"owner_group_id": "", "owner_id": None}, {}]
)
def test_who_takes_over_may_be_named_by_text_or_not_at_all(desk, body):
    check("udesk", desk.udesk.request("DELETE", "/agents/2", json=body), "ok")

    assert 2 not in desk.roster().agents


@pytest.mark.parametrize("parent", [0, "0", "", None])
def test_a_department_below_0_is_at_the_top(desk, parent):
    id = check("udesk", desk.udesk.post("/departments", json={"name": "新", "parent_id": parent}), "ok")["id"]

    assert desk.roster().departments[id].parent_id is None


@pytest.mark.parametrize(
    ("method", "path", "body", "said"),
    [
        ("POST", "/user_groups", {"name": ["x"]}, "Group name is of the wrong type: text is wanted"),
        ("PUT", "/agents/2", {"agent": {"user_group_ids": "1"}},
         "User group ids is of the wrong type: an array of integers is wanted"),
        ("PUT", "/agents/2", {"agent": {"email": "x"}}, "Email is not a valid e-mail address"),
        ("PUT", "/agents/2", {"agent": {"availability": "yes"}},
         "Availability is of the wrong type: a boolean is wanted"),
        ("DELETE", "/agents/1", None, "you cannot delete yourself"),
    ],
)  # fmt: skip
def test_a_validation_that_failed_is_told_in_one_language(quiet_desk, method, path, body, said):
    for language in ("zh", "en"):
        response = quiet_desk.udesk.request(method, path, json=body, headers={"Accept-Language": language})

        assert f"Validation failed: {said}" == response.json()["exception"]


@pytest.mark.parametrize("query", ["", "&page=1&perpage=1", "&page=2&perpage=1", "&per_page=1", "&perpage=0"])
def test_the_names_of_a_groups_agents_come_in_pages(quiet_desk, query):
    size = 1 if "perpage" in query else 20
    page = 2 if "page=2" in query else 1

    answer = check("udesk", quiet_desk.udesk.get(f"/callcenter_analysis/agents_of_group?group_id=1{query}"), "ok")

    everybody = [{"id": 1, "nick_name": "Admin"}, {"id": 2, "nick_name": "客服小二"}]
    assert everybody[(page - 1) * size : page * size] == answer["agents"]
    assert {"current_page": page, "total_pages": -(-2 // size), "total_count": 2} == answer["meta"]


@pytest.mark.parametrize(
    ("query", "cls"),
    [
        ("", "invalid"), ("?group_id=99", "notfound"), ("?group_id=x", "notfound"), ("?group_id=", "notfound"),
        ("?group_id=1&group_id=1", "invalid"),
    ],
)  # fmt: skip
def test_the_names_of_no_group_are_refused(quiet_desk, query, cls):
    check("udesk", quiet_desk.udesk.get(f"/callcenter_analysis/agents_of_group{query}"), cls)
