"""Positions, roles, permission sets, departments and profile fields in our own API."""

from base64 import b64encode
from typing import get_args

import pytest

from deskroster.core.profiles import WITH_OPTIONS
from deskroster.core.records import FieldType
from deskroster.core.values import STRUCTURED
from tests.world import ADMIN, AGENT

pytestmark = pytest.mark.any_engine


def test_a_position_is_added_listed_renamed_and_removed(desk):
    added = desk.own.post("/v1/positions", json={"name": "质检"})
    id = added.json()["id"]
    listed = desk.own.get("/v1/positions").json()
    renamed = desk.own.patch(f"/v1/positions/{id}", json={"name": "质检员"}).json()
    removed = desk.own.delete(f"/v1/positions/{id}")

    assert (201, f"/deskroster/v1/positions/{id}") == (added.status_code, added.headers["Location"])
    assert {"id": id, "name": "质检"} == listed["items"][-1]
    assert len(listed["items"]) == listed["total"]
    assert {"id": id, "name": "质检员"} == renamed
    assert (200, {}) == (removed.status_code, removed.json())
    assert listed["total"] - 1 == desk.own.get("/v1/positions").json()["total"]


def test_a_new_position_is_in_servicego_at_the_next_request(desk):
    id = desk.own.post("/v1/positions", json={"name": "质检"}).json()["id"]

    assert {"id": id, "name": "质检"} == desk.servicego.get("/v1/position").json()["data"][0]


@pytest.mark.parametrize("path", ["positions/1", "roles/1", "permission-sets/1", "departments/1"])
def test_what_an_agent_has_cannot_be_removed(desk, path):
    number = desk.roster().number

    refused = desk.own.delete(f"/v1/{path}")

    assert (409, "in_use") == (refused.status_code, refused.json()["reason"])
    assert number == desk.roster().number


def test_a_role_has_a_description(desk):
    made = desk.own.post("/v1/roles", json={"name": "质检", "description": "检查质量"}).json()
    changed = desk.own.patch(f"/v1/roles/{made['id']}", json={"description": ""}).json()

    assert {"id": made["id"], "name": "质检", "description": "检查质量"} == made
    assert {"id": made["id"], "name": "质检", "description": ""} == changed


def test_a_department_is_below_another(desk):
    made = desk.own.post("/v1/departments", json={"name": "一部", "parent_id": 1}).json()

    lost = desk.own.post("/v1/departments", json={"name": "二部", "parent_id": 99})

    assert {"id": made["id"], "name": "一部", "parent_id": 1} == made
    assert (422, "parent_id", "unknown") == (lost.status_code, lost.json()["field"], lost.json()["reason"])


def test_a_profile_field_is_added_relabelled_and_removed(desk):
    wanted = {"api_name": "shirt", "label": "尺码", "type": "single_listbox", "options": ["S", "M"]}

    made = desk.own.post("/v1/profile-fields", json=wanted).json()
    relabelled = desk.own.patch(f"/v1/profile-fields/{made['id']}", json={"label": "T恤"}).json()
    twice = desk.own.post("/v1/profile-fields", json=wanted)
    removed = desk.own.delete(f"/v1/profile-fields/{made['id']}")

    assert {"id": made["id"], "required": False, **wanted} == made
    assert {**made, "label": "T恤"} == relabelled
    assert (409, "name_taken") == (twice.status_code, twice.json()["reason"])
    assert 200 == removed.status_code


@pytest.mark.parametrize("type", sorted(WITH_OPTIONS))
@pytest.mark.parametrize(
    ("language", "detail"), [("en", "options is required"), ("zh", "options 不能为空")]
)  # fmt: skip
def test_a_list_box_without_options_is_told_that_it_needs_them(quiet_desk, type, language, detail):
    wanted = {"api_name": "shirt", "label": "尺码", "type": type, "options": []}

    refused = quiet_desk.own.post("/v1/profile-fields", json=wanted, headers={"Accept-Language": language})

    assert (422, "options", "required") == (refused.status_code, refused.json()["field"], refused.json()["reason"])
    assert detail == refused.json()["detail"]


@pytest.mark.parametrize("type", sorted({*get_args(FieldType)} - WITH_OPTIONS))
@pytest.mark.parametrize(
    ("language", "detail"),
    [("en", "options does not apply to a field of this type"), ("zh", "options 不适用于该类型的字段")],
)
def test_any_other_field_with_options_is_told_that_its_type_has_none(quiet_desk, type, language, detail):
    wanted = {"api_name": "shirt", "label": "尺码", "type": type, "options": ["S"]}

    refused = quiet_desk.own.post("/v1/profile-fields", json=wanted, headers={"Accept-Language": language})

    assert (422, "options", "inapplicable") == (refused.status_code, refused.json()["field"], refused.json()["reason"])
    assert detail == refused.json()["detail"]


def test_a_field_cannot_be_required_while_there_are_records_without_a_value_of_it(quiet_desk):
    wanted = {"api_name": "shirt", "label": "尺码", "required": True}

    refused = quiet_desk.own.post("/v1/profile-fields", json=wanted, headers={"Accept-Language": "en"})

    assert (409, "required", "records_exist") == (
        refused.status_code,
        refused.json()["field"],
        refused.json()["reason"],
    )
    assert "there are records already" in refused.json()["detail"]


@pytest.mark.parametrize("type", sorted(STRUCTURED))
def test_a_field_that_no_call_writes_cannot_be_required(quiet_desk, type):
    wanted = {"api_name": "shirt", "label": "尺码", "type": type, "required": True}

    refused = quiet_desk.own.post("/v1/profile-fields", json=wanted)

    assert (422, "required", "inapplicable") == (refused.status_code, refused.json()["field"], refused.json()["reason"])


def test_a_profile_field_that_holds_values_cannot_be_removed(desk):
    assert 409 == desk.own.delete("/v1/profile-fields/1").status_code


def test_a_list_comes_in_pages(quiet_desk):
    first = quiet_desk.own.get("/v1/roles", params={"per_page": 2}).json()
    second = quiet_desk.own.get("/v1/roles", params={"per_page": 2, "page": 2}).json()

    assert [1, 2] == [one["id"] for one in first["items"]]
    assert [3] == [one["id"] for one in second["items"]]
    assert 3 == first["total"] == second["total"]


def test_an_agent_reads_and_does_not_write(quiet_desk):
    agent = quiet_desk.of(AGENT).own

    assert 200 == agent.get("/v1/positions").status_code
    assert 403 == agent.post("/v1/positions", json={"name": "x"}).status_code
    assert 403 == agent.get("/v1/keys").status_code


@pytest.mark.parametrize(
    ("language", "detail"), [("en", "name cannot be empty"), ("zh-CN,zh;q=0.9,en;q=0.1", "name 不能为空")]
)
def test_a_refusal_is_a_problem_detail_in_the_reader_s_language(quiet_desk, language, detail):
    refused = quiet_desk.own.post("/v1/positions", json={"name": " "}, headers={"Accept-Language": language})

    assert "application/problem+json" == refused.headers["Content-Type"]
    assert {
        "type": "urn:deskroster:problem:invalid",
        "title": "Invalid",
        "status": 422,
        "detail": detail,
        "field": "name",
        "reason": "empty",
    } == refused.json()


def test_a_login_password_is_no_credential(quiet_desk):
    admin = (AGENT.email, AGENT.password)

    refused = quiet_desk.plain().get("/deskroster/v1/positions", auth=admin)

    assert 401 == refused.status_code
    assert refused.headers["WWW-Authenticate"].startswith("Basic ")


def test_several_authorization_headers_are_refused_even_if_all_are_right(quiet_desk):
    right = ("Authorization", "Basic " + b64encode(f"{ADMIN.email}:{ADMIN.token}".encode()).decode())

    answered = [quiet_desk.plain().get("/deskroster/v1/positions", headers=[right] * count) for count in (1, 2)]

    assert [200, 401] == [one.status_code for one in answered]


@pytest.mark.parametrize("header", [
    "Basic", "Basic !!!", "Basic YQ==", "Bearer YTpi", "Basic /w==",
    "Basic " + b64encode(f"{ADMIN.email}:{ADMIN.token}\0".encode()).decode(),
])  # fmt: skip
def test_a_header_that_is_no_basic_credential_is_refused(quiet_desk, header):
    refused = quiet_desk.plain().get("/deskroster/v1/positions", headers={"Authorization": header})

    assert 401 == refused.status_code


@pytest.mark.parametrize("name", ["\u200d", "\u3164", "\u2060\xad", "\u2800"], ids=ascii)
@pytest.mark.parametrize(
    ("path", "field", "more"),
    [
        ("positions", "name", {}),
        ("roles", "name", {}),
        ("permission-sets", "name", {}),
        ("departments", "name", {}),
        ("keys", "name", {"agent_id": 1}),
        ("profile-fields", "label", {"api_name": "unseen", "type": "single_line"}),
    ],
)
def test_a_name_of_which_nothing_can_be_seen_is_empty(quiet_desk, path, field, more, name):
    answer = quiet_desk.own.post(f"/v1/{path}", json={field: name, **more})

    assert (422, field, "empty") == (answer.status_code, answer.json()["field"], answer.json()["reason"])
