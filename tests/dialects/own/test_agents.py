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
