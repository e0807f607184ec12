"""Agents in our own API: level, SIP account, login password."""

import pytest

from deskroster.testing import KF5Password, KF5Token
from tests.world import ADMIN, AGENT, SECOND_ADMIN

pytestmark = pytest.mark.any_engine


def test_an_agent_is_made_an_administrator_and_may_sign_for_udesk_at_once(desk):
    before = desk.of(AGENT).udesk.get("/user_groups").json()["code"]

    desk.own.patch(f"/v1/agents/{AGENT.id}", json={"level": "admin"})

    assert (2015, 1000) == (before, desk.of(AGENT).udesk.get("/user_groups").json()["code"])


def test_the_last_enabled_administrator_stays_one(desk):
    desk.own.patch(f"/v1/agents/{SECOND_ADMIN.id}", json={"level": "agent"})

    refused = desk.own.patch(f"/v1/agents/{ADMIN.id}", json={"level": "agent"})

    assert (409, "last_administrator") == (refused.status_code, refused.json()["reason"])


def test_the_sip_account_is_set_here_and_shown_by_udesk(desk):
    def shown():
        found = desk.udesk.get("/agents/get_agent", params={"type": "id", "content": AGENT.id}).json()["agent"]
        return found["number"], found["password"]

    path = f"/v1/agents/{AGENT.id}"

    answer = desk.own.patch(path, json={"sip_number": "6001", "sip_password": "dial-tone"})
    both = shown()
    desk.own.patch(path, json={"sip_password": ""})

    assert "dial-tone" not in answer.text
    assert ("6001", "dial-tone") == both
    assert ("6001", "") == shown()


def test_a_new_password_counts_at_once_and_the_old_one_no_more(desk):
    kf5, path = desk.plain(), "/apiv2/groups.json"
    old = kf5.get(path, auth=KF5Password(AGENT)).status_code

    answer = desk.own.put(f"/v1/agents/{AGENT.id}/password", json={"password": "another-password"})

    assert 200 == old
    assert (200, True) == (answer.status_code, answer.json()["has_password"])
    assert "another-password" not in answer.text
    assert 401 == kf5.get(path, auth=KF5Password(AGENT)).status_code
    assert 200 == kf5.get(path, auth=(AGENT.email, "another-password")).status_code
    assert 200 == kf5.get(path, auth=KF5Token(AGENT)).status_code


@pytest.mark.parametrize(("password", "reason"), [("1234567", "too_short"), ("x" * 129, "too_long")])
def test_a_password_has_8_to_128_characters(quiet_desk, password, reason):
    refused = quiet_desk.own.put(f"/v1/agents/{AGENT.id}/password", json={"password": password})

    assert (422, reason) == (refused.status_code, refused.json()["reason"])


def test_a_password_with_a_nul_is_refused_as_in_every_dialect(quiet_desk):
    refused = quiet_desk.own.put(f"/v1/agents/{AGENT.id}/password", json={"password": "long-enough\0"})

    assert (422, "characters") == (refused.status_code, refused.json()["reason"])


def test_an_agent_is_found_by_e_mail_whatever_its_case(quiet_desk):
    found = quiet_desk.own.get("/v1/agents", params={"email": AGENT.email.upper()}).json()
    nobody = quiet_desk.own.get("/v1/agents", params={"email": "nobody@udesk.cn"}).json()

    assert ([AGENT.id], 1) == ([one["id"] for one in found["items"]], found["total"])
    assert {"items": [], "total": 0} == nobody


def test_an_agent_is_shown_without_what_is_secret(quiet_desk):
    shown = quiet_desk.own.get(f"/v1/agents/{AGENT.id}")

    assert {"id": AGENT.id, "email": AGENT.email, "level": "agent"}.items() <= shown.json().items()
    assert not {"password", "sip_password"} & set(shown.json())
    assert "argon2" not in shown.text


def test_an_unknown_agent_is_404(quiet_desk):
    assert [404, 404, 404] == [
        quiet_desk.own.get("/v1/agents/99").status_code,
        quiet_desk.own.patch("/v1/agents/01", json={"level": "agent"}).status_code,
        quiet_desk.own.put("/v1/agents/99/password", json={"password": "x"}).status_code,
    ]


def test_permission_sets_and_the_outbound_number_are_set_here_and_shown_by_the_vendors(desk):
    body = {"permission_set_ids": [2, 1], "callout_number": "\u200e021-5555 8003"}

    answer = desk.own.patch(f"/v1/agents/{AGENT.id}", json=body).json()

    assert ([1, 2], "021-5555 8003") == (answer["permission_set_ids"], answer["callout_number"])
    staff = desk.servicego.get(f"/v1/user/{AGENT.id}").json()["data"]
    assert [{"id": 1}, {"id": 2}] == staff["authorizationSetList"]
    agent = desk.udesk.get(f"/agents/get_agent?type=id&content={AGENT.id}").json()["agent"]
    assert "021-5555 8003" == agent["agent_callout_display_number"]


FILE = {"name": "a.txt", "docAddress": "https://x/a", "size": 3}
WRITTEN = [  # value, and what is shown of it where that is another
    ("sysusername", " 名\r\n", "名"), ("bio", "一\n二", None), ("born", "1990-01-31", None), ("height", "-1.5", None),
    ("page", {"content": "<b>x</b>", "attachmentList": [FILE]}, None),
    ("page", "x", {"content": "x", "attachmentList": []}),
    ("lianxidianhua", [{"tagName": "家", "tagValue": "010-12345"}, {"tagName": "", "tagValue": "13300000001"}], None),
    ("lianxidianhua", "010-12345", [{"tagName": "", "tagValue": "010-12345"}]),
    ("mails", [{"tagName": "私", "tagValue": "a@test.cn"}], None), ("shift", "早班", ["早班"]),
    ("shift", ["早班"], None),
    ("skills", ["English", "中文"], None), ("skills", "中文", ["中文"]), ("city", "北京,海淀", None),
    ("mentor", "1", None), ("boss", "ADMIN@udesk.cn", "admin@udesk.cn"),
    ("owner", {"ownerType": 1, "ownerName": "张三"}, None),
    ("sign", {"url": "https://x/s.png", "time": "2024-01-01 00:00:00"}, None),
    ("files", {"attachmentList": [FILE, FILE]}, None), ("files", {"attachmentList": []}, ...), ("born", None, ...),
    ("born", "", ...),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value", "shown"), WRITTEN)
def test_values_of_a_profile_are_written_in_the_forms_in_which_they_are_read(desk, name, value, shown):
    path, expected = "/v1/agents/3/profile", {name: value if shown is None else shown}
    if shown is ...:
        expected = {}

    answer = desk.own.patch(path, json={"values": {name: value}})

    assert (200, {"profile_id": 3, "values": expected}) == (answer.status_code, answer.json())
    assert answer.json() == desk.own.get(path).json()
    number = desk.roster().number
    assert answer.json() == desk.own.patch(path, json={"values": answer.json()["values"]}).json()
    assert number == desk.roster().number
    assert 3 == desk.servicego.get("/v1/user/3").json()["data"]["userInfo"]["dataId"]


@pytest.mark.parametrize(
    ("values", "field", "reason"),
    [
        ({"nowhere": "x"}, "nowhere", "unknown"), ({"Born": "1990-01-31"}, "Born", "unknown"),
        ({"born": "x"}, "born", "form"), ({"owner": "张三"}, "owner", "type"), ({"bio": 1}, "bio", "type"),
        ({"owner": {"ownerName": "x"}}, "owner", "type"),
        ({"owner": {"ownerType": 1, "ownerName": " "}}, "owner", "empty"),
        ({"sign": {"url": "x", "time": "2024-01-01"}}, "sign", "form"), ({"files": [FILE]}, "files", "type"),
        ({"files": {"attachmentList": [FILE] * 101}}, "files", "too_many"),
        ({"files": {"attachmentList": [FILE | {"size": -1}]}}, "files", "range"),
        ({"files": {"attachmentList": [FILE | {"docAddress": "x" * 2_049}]}}, "files", "too_long"),
        ({"lianxidianhua": [{"tagValue": "abc", "tagName": ""}]}, "lianxidianhua", "form"),
        ({"lianxidianhua": ["010-12345"]}, "lianxidianhua", "type"), ({"skills": ["Deutsch"]}, "skills", "choice"),
        ({"skills": [1]}, "skills", "type"), ({"mentor": 1}, "mentor", "type"),
    ],
)  # fmt: skip
def test_a_value_of_a_profile_that_breaks_a_rule_is_422_and_writes_nothing(quiet_desk, values, field, reason):
    before = quiet_desk.roster().number

    refused = quiet_desk.own.patch("/v1/agents/2/profile", json={"values": {"sysusername": "x"} | values})

    assert (422, field, reason) == (refused.status_code, refused.json()["field"], refused.json()["reason"])
    assert before == quiet_desk.roster().number


@pytest.mark.parametrize("body", [{}, {"values": None}, {"values": []}, {"values": "x"}])
def test_the_values_of_a_profile_are_an_object(quiet_desk, body):
    assert "values" == quiet_desk.own.patch("/v1/agents/2/profile", json=body).json()["field"]


def test_values_of_a_profile_that_are_not_named_stay(desk):
    before = desk.own.get("/v1/agents/2/profile").json()["values"]

    after = desk.own.patch("/v1/agents/2/profile", json={"values": {"born": None, "height": "2"}}).json()["values"]

    assert {**{name: value for name, value in before.items() if name != "born"}, "height": "2"} == after


def test_the_values_of_an_agent_without_a_profile_are_none(quiet_desk):
    assert {"profile_id": None, "values": {}} == quiet_desk.own.get("/v1/agents/1/profile").json()
