"""Callers who come at the same time, and whose right to ask ends while they do."""

import pytest

from deskroster.core import agents, keys
from deskroster.core.agents import AgentFields
from deskroster.core.records import Secret
from deskroster.testing import KF5Password
from tests.answers import check
from tests.contracts import CONTRACTS
from tests.in_process import signed
from tests.world import ADMIN, AGENT, SECOND_ADMIN, password_hash

DEMOTE = {"user": {"role": "agent"}}


def test_of_two_administrators_who_demote_each_other_at_once_one_stays(desk):
    first, second = desk.of(ADMIN), desk.of(SECOND_ADMIN)

    answers = desk.together(
        signed(first.kf5, "PUT", f"/users/{SECOND_ADMIN.id}.json", json=DEMOTE),
        signed(second.kf5, "PUT", f"/users/{ADMIN.id}.json", json=DEMOTE),
    )

    assert [200, 403] == sorted(answer.status_code for answer in answers)
    assert 1 == len(desk.roster().administrators)


def test_of_two_administrators_who_delete_each_other_at_once_one_stays(desk):
    first, second = desk.of(ADMIN), desk.of(SECOND_ADMIN)

    answers = desk.together(
        signed(first.servicego, "DELETE", f"/v1/user/{SECOND_ADMIN.id}"),
        signed(second.servicego, "DELETE", f"/v1/user/{ADMIN.id}"),
    )

    assert [200, 401] == sorted(answer.status_code for answer in answers)
    assert 1 == len(desk.roster().administrators)


def test_of_two_agents_with_one_email_at_once_one_is_created(desk):
    body = {"user": {"name": "a", "email": "a@test.cn", "role": "agent"}}
    other = {"agent": {"nick_name": "b", "email": "A@TEST.cn", "password": "p"}}

    kf5, udesk = desk.together(
        signed(desk.kf5, "POST", "/users.json", json=body), signed(desk.udesk, "POST", "/agents", json=other)
    )

    check("kf5", kf5, "ok" if udesk.json()["code"] != 1000 else "conflict")
    check("udesk", udesk, "ok" if kf5.status_code == 409 else "conflict")
    assert 7 == len(desk.roster().agents)


def test_writes_at_once_through_all_dialects_are_all_kept(desk):
    name = "一起"
    created = {dialect: contract.named for dialect, contract in CONTRACTS.items()}
    requests = [
        signed(getattr(desk, dialect), "POST", named.creates, json=named.body(name))
        for _ in range(20)
        for dialect, named in created.items()
    ]
    before = desk.roster().number

    answers = desk.together(*requests)

    assert {200, 201} == {answer.status_code for answer in answers}
    assert before + len(requests) == desk.roster().number
    desk.restart()
    kinds = {named.kind for named in created.values()}
    assert len(requests) == sum(one.name == name for kind in kinds for one in desk.roster().table(kind))


def test_a_nonce_sent_twice_at_once_is_good_for_one(desk):
    request = signed(desk.udesk, "GET", "/user_groups")

    answers = desk.together(request, request, request)

    assert [1000, 20623, 20623] == sorted(answer.json()["code"] for answer in answers)


def test_a_key_that_expires_is_good_until_that_second(desk):
    secret, ends = Secret("short-lived"), int(desk.clock()) + 60
    desk.operate(lambda roster, caller: keys.create(roster, caller, 1, "k", secret, ends - 60, expires_at=ends))
    account = ADMIN.__class__(id=1, email=ADMIN.email, password="", token="short-lived")

    desk.clock.now = ends - 1
    check("udesk", desk.of(account).udesk.get("/agents"), "ok")
    desk.clock.now = ends
    check("udesk", desk.of(account).udesk.get("/agents"), "unauth")


@pytest.mark.parametrize(
    "fields",
    [AgentFields(state="disabled"), AgentFields(state="review"), AgentFields(employed=False),
     AgentFields(password=password_hash("another password"))],
)  # fmt: skip
def test_a_remembered_password_ends_with_what_it_stood_for(desk, fields):
    client = desk.plain()
    check("kf5", client.get("/apiv2/groups.json", auth=KF5Password(AGENT)), "ok")

    desk.operate(lambda roster, caller: agents.update(roster, caller, AGENT.id, fields, 0))

    check("kf5", client.get("/apiv2/groups.json", auth=KF5Password(AGENT)), "unauth")


def test_an_agent_that_is_deleted_is_nobody_from_then_on(desk):
    check("kf5", desk.of(AGENT).kf5.get("/groups.json"), "ok")

    desk.udesk.delete(f"/agents/{AGENT.id}")

    check("kf5", desk.of(AGENT).kf5.get("/groups.json"), "unauth")
    check("kf5", desk.plain().get("/apiv2/groups.json", auth=KF5Password(AGENT)), "unauth")


def test_an_email_is_free_again_when_its_agent_is_deleted_and_its_id_is_not(desk):
    desk.udesk.delete(f"/agents/{SECOND_ADMIN.id}")

    user = {"user": {"name": "a", "email": SECOND_ADMIN.email, "role": "agent"}}
    assert SECOND_ADMIN.id + 1 == check("kf5", desk.kf5.post("/users.json", json=user), "ok")["user"]["id"]
    desk.restart()
    desk.udesk.delete(f"/agents/{SECOND_ADMIN.id + 1}")
    desk.restart()
    assert SECOND_ADMIN.id + 2 == check("kf5", desk.kf5.post("/users.json", json=user), "ok")["user"]["id"]
