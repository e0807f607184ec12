"""A create with an Idempotency-Key is done once, whatever dialect it comes in."""

import pytest

from tests.answers import check
from tests.calls import CALLS, ROUTES, name_of
from tests.in_process import signed
from tests.sampled import one_of_each
from tests.world import ADMIN, SECOND_ADMIN

CREATES = [pytest.param(dialect, route, id=name_of(dialect, route)) for dialect, route in ROUTES if route.creates]
DAY = 86_400


def post(client, call, key, body=None):
    return client.post(call.path, json=body or call.body, headers={"Idempotency-Key": key})


@pytest.mark.parametrize(("dialect", "route"), CREATES)
def test_a_repeated_create_gets_the_first_answer_and_creates_nothing(desk, dialect, route):
    client, call = getattr(desk, dialect.name), CALLS[name_of(dialect, route)]
    first = post(client, call, "key-1")
    check(dialect.name, first, "ok")
    number = desk.roster().number

    desk.clock.now += 299
    again = post(client, call, "key-1")
    desk.restart()
    once_more = post(getattr(desk, dialect.name), call, "key-1")

    for answer in (again, once_more):
        assert (first.status_code, first.content) == (answer.status_code, answer.content)
        assert first.headers.get("location") == answer.headers.get("location")
    assert number == desk.roster().number


@pytest.mark.parametrize(("dialect", "route"), CREATES)
def test_a_key_that_comes_with_another_body_is_a_conflict(desk, dialect, route):
    client, call = getattr(desk, dialect.name), CALLS[name_of(dialect, route)]
    post(client, call, "key-1")
    number = desk.roster().number

    check(dialect.name, post(client, call, "key-1", {**call.body, "more": 1}), "conflict")

    assert number == desk.roster().number


@pytest.mark.parametrize(("dialect", "route"), one_of_each(CREATES, lambda dialect, route: dialect.name))
@pytest.mark.parametrize(("key", "cls"), [("", "syntax"), ("k" * 256, "syntax"), ("k", "ok"), ("k" * 255, "ok")])
def test_a_key_has_1_to_255_characters(desk, dialect, route, key, cls):
    client, call = getattr(desk, dialect.name), CALLS[name_of(dialect, route)]

    response = post(client, call, key)

    if cls == "ok":
        assert response.status_code in (200, 201)
    else:
        check(dialect.name, response, cls)
        assert 1 == desk.roster().number


def test_of_two_at_once_the_second_waits_for_the_first(desk):
    requests = [
        signed(desk.udesk, "POST", "/user_groups", json={"name": "售前"}, headers={"Idempotency-Key": "k"})
        for _ in range(5)
    ]

    answers = desk.together(*requests)

    assert 1 == len({answer.content for answer in answers})
    assert 4 == len(desk.roster().groups)


def test_creates_at_once_without_a_key_are_creates_each(desk):
    desk.together(*(signed(desk.udesk, "POST", "/user_groups", json={"name": "售前"}) for _ in range(20)))

    assert [*range(1, 24)] == list(desk.roster().groups.ids)


def test_a_key_is_forgotten_after_a_day(desk):
    headers = {"Idempotency-Key": "k"}
    first = desk.udesk.post("/user_groups", json={"name": "售前"}, headers=headers).json()
    desk.clock.now += DAY - 1
    assert first == desk.udesk.post("/user_groups", json={"name": "售前"}, headers=headers).json()

    desk.clock.now += 2

    assert first["id"] + 1 == desk.udesk.post("/user_groups", json={"name": "售前"}, headers=headers).json()["id"]


def test_a_refusal_is_not_kept(desk):
    headers = {"Idempotency-Key": "k"}
    check("udesk", desk.udesk.post("/user_groups", json={"name": ""}, headers=headers), "invalid")

    check("udesk", desk.udesk.post("/user_groups", json={"name": "售前"}, headers=headers), "ok")


def test_a_key_is_its_callers_and_its_paths_own(desk):
    headers = {"Idempotency-Key": "k"}
    mine = desk.udesk.post("/user_groups", json={"name": "售前"}, headers=headers).json()

    theirs = desk.of(SECOND_ADMIN).udesk.post("/user_groups", json={"name": "售前"}, headers=headers).json()

    assert mine["id"] + 1 == theirs["id"]
    check("udesk", desk.udesk.post("/departments", json={"name": "售前"}, headers=headers), "conflict")
    check("servicego", desk.servicego.post("/v1/userGroup", json={"name": "售前"}, headers=headers), "conflict")


def test_parameters_that_sign_are_no_part_of_what_is_asked(desk):
    headers = {"Idempotency-Key": "k"}
    first = desk.udesk.post("/user_groups", json={"name": "售前"}, headers=headers).json()
    parameters = desk.udesk.auth.parameters()

    in_body = desk.plain().post("/open_api_v1/user_groups", json={"name": "售前", **parameters}, headers=headers).json()

    assert first == in_body


def test_the_order_of_the_keys_of_a_body_does_not_count(desk):
    headers = {"Idempotency-Key": "k"}
    first = desk.udesk.post("/departments", content='{"name":"a","parent_id":1}', headers=headers).json()

    assert first == desk.udesk.post("/departments", content='{"parent_id": 1, "name": "a"}', headers=headers).json()


def test_an_idempotency_key_is_ignored_by_calls_that_create_nothing(desk):
    headers = {"Idempotency-Key": ""}

    check("udesk", desk.udesk.put("/user_groups/1", json={"name": "a"}, headers=headers), "ok")
    check("kf5", desk.kf5.get("/groups.json", headers=headers), "ok")
    assert ADMIN.id in desk.roster().administrators
