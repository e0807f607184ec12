"""Deleting several at once, staff and groups."""

import pytest

pytestmark = pytest.mark.any_engine


def test_a_deletion_says_who_is_gone_and_why_the_others_are_not(desk):
    answer = desk.servicego.delete("/v1/user/2,99,1").json()

    assert ["code", "message", "visible", "data"] == list(answer)
    assert {
        "successList": [2], "successTotal": 1, "failMap": {"99": "员工不存在", "1": "员工不可删除"}, "failTotal": 2,
        "total": 3,
    } == answer["data"]  # fmt: skip
    assert ["successList", "successTotal", "failMap", "failTotal", "total"] == list(answer["data"])
    assert 404 == desk.servicego.get("/v1/user/2").status_code
    assert [{"id": 1}] == desk.servicego.get("/v1/userGroup/1").json()["data"]["userList"]


def test_the_reasons_are_the_vendor_s_in_every_language(desk):
    answer = desk.servicego.delete("/v1/user/99", headers={"Accept-Language": "en"}).json()

    assert {"99": "员工不存在"} == answer["data"]["failMap"]


def test_repeats_count_once(desk):
    data = desk.servicego.delete("/v1/user/3,3,99,99").json()["data"]

    assert ([3], {"99": "员工不存在"}, 2) == (data["successList"], data["failMap"], data["total"])


def test_an_id_beyond_64_bits_does_not_exist_and_is_named_as_it_was_sent(desk):
    for huge in (str(2**63), "9" * 5000):
        data = desk.servicego.delete(f"/v1/user/{huge}").json()["data"]

        assert ({huge: "员工不存在"}, 1, 1, []) == (
            data["failMap"], data["failTotal"], data["total"], data["successList"],
        )  # fmt: skip


@pytest.mark.parametrize(
    "ids", ["3,", ",3", "3,,4", "3,x", "0", "3,0", "-1", "+1", "01", "1.0", "3;4", "3 ,4", "%zz", "３"]
)
@pytest.mark.parametrize("path", ["user", "userGroup"])
def test_an_element_that_is_no_positive_integer_is_400_and_nothing_is_deleted(quiet_desk, path, ids):
    number = quiet_desk.roster().number

    refused = quiet_desk.servicego.delete("/", extensions={"target": f"/api/v1/{path}/{ids}".encode()})

    assert (400, True) == (refused.status_code, refused.json()["visible"])
    assert refused.json()["message"].startswith("ids ")
    assert number == quiet_desk.roster().number


def test_a_list_has_at_most_1000_ids_repeats_included(desk):
    assert 400 == desk.servicego.delete("/v1/user/" + ",".join(["3"] * 1001)).status_code
    assert 400 == desk.servicego.delete("/v1/user/" + ",".join(map(str, range(2, 1003)))).status_code
    assert 1 == desk.servicego.delete("/v1/user/" + ",".join(["3"] * 1000)).json()["data"]["total"]


def test_commas_may_be_escaped(desk):
    answer = desk.servicego.delete("/", extensions={"target": b"/api/v1/user/3%2C4"})

    assert [3, 4] == answer.json()["data"]["successList"]


@pytest.mark.parametrize("path", ["user", "userGroup"])
def test_a_deletion_without_ids_is_405(quiet_desk, path):
    for target in (f"/v1/{path}", f"/v1/{path}/"):
        refused = quiet_desk.servicego.delete(target)

        assert (405, "GET, HEAD, POST") == (refused.status_code, refused.headers["Allow"])
        assert {"code": 405, "message": "method not allowed", "visible": False} == refused.json()
    assert 200 == quiet_desk.servicego.get(f"/v1/{path}/").status_code


def test_deleting_nobody_is_a_success_that_says_so(desk):
    answer = desk.servicego.delete("/v1/user/1")

    assert 200 == answer.status_code
    assert {"1": "员工不可删除"} == answer.json()["data"]["failMap"]


def test_a_body_of_a_deletion_is_ignored(desk):
    answer = desk.servicego.request(
        "DELETE", "/v1/user/3", content=b"<xml>", headers={"Content-Type": "application/xml"}
    )

    assert [3] == answer.json()["data"]["successList"]


def test_groups_are_deleted_likewise_and_their_members_stay(desk):
    data = desk.servicego.delete("/v1/userGroup/1,99").json()["data"]

    assert {
        "successList": [1], "successTotal": 1, "failMap": {"99": "员工组不存在"}, "failTotal": 1, "total": 2,
    } == data  # fmt: skip
    assert [2] == desk.servicego.get("/v1/user/2").json()["data"]["userGroupList"]
