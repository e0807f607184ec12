"""Groups, and the lists of what staff is described by."""

import pytest

pytestmark = pytest.mark.any_engine


def test_a_group_is_created_with_its_members(desk):
    answer = desk.servicego.post(
        "/v1/userGroup", json={"name": " 夜班 ", "userList": [{"id": 3}, {"id": 1}, {"id": 3}]}
    )

    assert {
        "code": 200, "message": "OK", "visible": False,
        "data": {"id": 4, "name": "夜班", "userCount": 2, "userList": [{"id": 1}, {"id": 3}]},
    } == answer.json()  # fmt: skip
    assert answer.json() == desk.servicego.get("/v1/userGroup/4").json()
    assert [1, 4] == desk.servicego.get("/v1/user/1").json()["data"]["userGroupList"]


def test_groups_are_listed_newest_first(quiet_desk):
    answer = quiet_desk.servicego.get("/v1/userGroup?pageSize=2").json()

    assert ["code", "message", "visible", "paging", "data"] == list(answer)
    assert {"pageNum": 1, "pageSize": 2, "total": 3} == answer["paging"]
    assert [
        {"id": 3, "name": "空组", "userCount": 0, "userList": []},
        {"id": 2, "name": "After sales", "userCount": 2, "userList": [{"id": 2}, {"id": 3}]},
    ] == answer["data"]


def test_a_change_replaces_the_members_and_answers_without_data(desk):
    answer = desk.servicego.put("/v1/userGroup/1", json={"userList": [{"id": 3}]})

    assert {"code": 200, "message": "OK", "visible": False} == answer.json()
    shown = desk.servicego.get("/v1/userGroup/1").json()["data"]
    assert {"id": 1, "name": "售前", "userCount": 1, "userList": [{"id": 3}]} == shown
    desk.servicego.put("/v1/userGroup/1", json={"name": "售后"})
    assert shown | {"name": "售后"} == desk.servicego.get("/v1/userGroup/1").json()["data"]


@pytest.mark.parametrize("nobody", [[], None])
def test_a_group_can_be_emptied(desk, nobody):
    desk.servicego.put("/v1/userGroup/1", json={"userList": nobody})

    assert [] == desk.servicego.get("/v1/userGroup/1").json()["data"]["userList"]


@pytest.mark.parametrize("name", ["x" * 255, "😀" * 255, "组", "{{7*7}}"])
def test_a_group_name_has_1_to_255_characters(desk, name):
    assert name == desk.servicego.post("/v1/userGroup", json={"name": name}).json()["data"]["name"]


@pytest.mark.parametrize("name", ["", "  ", "x" * 256, "a\nb", None, 1.0, ["a"], {"a": 1}, True])
def test_another_name_is_400(quiet_desk, name):
    for refused in (
        quiet_desk.servicego.post("/v1/userGroup", json={"name": name}),
        quiet_desk.servicego.put("/v1/userGroup/1", json={"name": name}),
    ):
        assert (400, True) == (refused.status_code, refused.json()["visible"])
        assert refused.json()["message"].startswith("name ")


@pytest.mark.parametrize(
    "members", [[{"id": 99}], [{"id": 1}, {"id": 99}], [1], [{}], {}, "1", [{"id": "1 "}], [{"id": 0}]]
)
def test_members_who_do_not_exist_refuse_the_whole_request(quiet_desk, members):
    number = quiet_desk.roster().number

    for refused in (
        quiet_desk.servicego.post("/v1/userGroup", json={"name": "x", "userList": members}),
        quiet_desk.servicego.put("/v1/userGroup/1", json={"name": "x", "userList": members}),
    ):
        assert (400, True) == (refused.status_code, refused.json()["visible"])
        assert refused.json()["message"].startswith("userList")
    assert number == quiet_desk.roster().number


def test_a_group_without_a_name_is_400(quiet_desk):
    refused = quiet_desk.servicego.post("/v1/userGroup", json={})

    assert {"code": 400, "message": "name is required", "visible": True} == refused.json()


def test_an_idempotency_key_creates_a_group_once(desk):
    for _ in range(2):
        desk.servicego.post("/v1/userGroup", json={"name": "x"}, headers={"Idempotency-Key": "k"})

    assert 4 == desk.servicego.get("/v1/userGroup").json()["paging"]["total"]


@pytest.mark.parametrize(
    ("path", "kind"), [("position", "position"), ("role", "role"), ("authorizationSet", "permission_set")]
)
def test_reference_data_is_listed_in_pages_newest_first(quiet_desk, path, kind):
    known = list(quiet_desk.roster().table(kind))[::-1]

    answer = quiet_desk.servicego.get(f"/v1/{path}?pageSize=2").json()

    assert ["code", "message", "visible", "paging", "data"] == list(answer)
    assert {"pageNum": 1, "pageSize": 2, "total": len(known)} == answer["paging"]
    assert [{"id": one.id, "name": one.name} for one in known[:2]] == answer["data"]
