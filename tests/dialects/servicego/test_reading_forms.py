"""Elements of a profile record in the forms in which they are read: edited, and those that no call here writes."""

import pytest

from tests.dialect.test_putting_back import PROFILE

pytestmark = pytest.mark.any_engine

FORMS = {
    "lianxidianhua": ("tagValueList", [
        {"tagName": "家", "tagValue": "010-12345"}, {"tagName": "手机", "tagValue": "13300000009"}]),
    "shift": ("optionNameList", ["晚班"]),
    "boss": ("userEmail", "agent@udesk.cn"),
    "mentor": ("foreignDataName", "无人"),
    "sysusername": ("fieldValue", "新"),
    "page": ("richText", {"content": "新", "attachmentList": PROFILE["page"]["attachmentList"]}),
}  # fmt: skip
REFUSED = [
    ("owner", "ownerResult", {"ownerType": 1, "ownerName": "李四"}), ("owner", "fieldValue", "李四"),
    ("sign", "signDto", {"url": "https://y", "time": "2024-01-01 00:00:00"}),
    ("files", "attachment", {"attachmentList": []}), ("page", "richText", {"content": "x", "attachmentList": []}),
]  # fmt: skip


@pytest.fixture
def record(desk):
    """Give the id of a record with values of every form."""
    return desk.own.patch("/v1/agents/6/profile", json={"values": PROFILE}).json()["profile_id"]


def elements(desk, record):
    return desk.servicego.get(f"/v1/data?objectApiName=userInfo&id={record}").json()["data"]["fieldDataList"]


@pytest.mark.parametrize("name", FORMS)
def test_with_one_element_edited_in_its_reading_form_exactly_that_value_changes(desk, record, name):
    form, value = FORMS[name]
    others = [one for one in elements(desk, record) if one["fieldApiName"] != name]
    edited = {"fieldApiName": name, "fieldTypeApiName": "ignored", form: value}

    body = {"id": record, "fieldDataList": [*others, edited]}
    assert 200 == desk.servicego.put("/v1/data", json=body).status_code

    changed = elements(desk, record)
    assert others == [one for one in changed if one["fieldApiName"] != name]
    assert value == next(one for one in changed if one["fieldApiName"] == name)[form]


@pytest.mark.parametrize(("name", "form", "value"), REFUSED)
def test_what_no_call_here_writes_is_refused_when_it_is_edited(desk, record, name, form, value):
    before = desk.roster().number

    refused = desk.servicego.put(
        "/v1/data", json={"id": record, "fieldDataList": [{"fieldApiName": name, form: value}]}
    )

    assert (400, f"{name} cannot be written") == (refused.status_code, refused.json()["message"])
    assert before == desk.roster().number
