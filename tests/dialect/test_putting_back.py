"""What a dialect answers it takes back: every object of a GET may be sent to the PUT of the same resource as it is."""

from collections.abc import Callable
from random import Random
from typing import Any, NamedTuple

import pytest

from deskroster.core import agents, groups, profiles
from deskroster.core.agents import AgentFields
from deskroster.core.changes import Change
from deskroster.core.records import Secret
from tests.random_verbs import attempt


class Resource(NamedTuple):
    """The objects of a list, and the PUT that takes one."""

    dialect: str
    lists: str
    objects: Callable[[Any], list[Any]]
    puts: Callable[[Any], tuple[str, Any]]  # path and body, from an object as it was read
    edits: dict[str, tuple[Any, str]]  # key → another value, and the field of the record that it changes


EDITS_OF_AGENT = {
    "nick_name": ("新名", "name"), "cellphone": (13300000009, "mobile"), "work_id": ("9", "job_number"),
    "aliase": ("新", "alias"), "im_ability_value": (99, "chat_skill"), "profile": ("dial", "channels"),
    "availability": ("false", "auto_assign"), "avatar": ("https://x/y", "avatar"), "lang": ("en-us", "language"),
    "im_welcomes": ("嗨", "welcome"), "user_group_ids": ([3], "group_ids"), "user_groups": ([{"id": 3}], "group_ids"),
    "agent_roles": ([{"id": 3}], "role_ids"), "departments": ([{"id": 2}], "department_ids"),
    "email": ("edited@test.cn", "email"), "duty": ("经理", "position_id"),
}  # fmt: skip
EDITS_OF_USER = {
    "name": ("新名", "name"), "email": ("edited@test.cn", "email"), "phone": (13300000009, "mobile"),
    "landline": ("010", "landline"), "remark_name": ("r", "remark"), "agent_display_name": ("新", "alias"),
    "signature": ("s", "signature"), "details": ("d", "details"), "notes": ("n", "notes"),
    "language": ("en_us", "language"), "mark_star": ("1", "starred"), "photo": ("https://x/y", "avatar"),
}  # fmt: skip
EDITS_OF_STAFF = {
    "realname": ("新名", "name"), "mobile": (13300000009, "mobile"), "agentRole": ("leader", "leads"),
    "position": ({"id": "3"}, "position_id"), "roleList": ([{"id": 3}], "role_ids"),
    "userGroupList": ({"1": 3}, "group_ids"), "userInfo": ({"dataId": 2}, "profile_id"),
}  # fmt: skip


def rows(key: str) -> Callable[[Any], list[Any]]:
    return lambda answer: answer[key]


def records(answer: Any) -> list[Any]:
    return [one["userInfo"] for one in answer["data"] if "userInfo" in one]


RESOURCES = {
    "udesk agents": Resource(
        "udesk", "/agents?with_disabled=true&per_page=100", rows("agents"),
        lambda one: (f"/agents/{one['id']}", {"agent": one}), EDITS_OF_AGENT,
    ),
    "udesk groups": Resource(
        "udesk", "/user_groups?per_page=100", rows("user_groups"),
        lambda one: (f"/user_groups/{one['id']}", one), {"name": ("新名", "name")},
    ),
    "udesk members": Resource(
        "udesk", "/user_groups/1/agents", lambda answer: answer["user_group"]["agents"],
        lambda one: (f"/agents/{one['id']}", {"agent": one}), EDITS_OF_AGENT,
    ),
    "kf5 groups": Resource(
        "kf5", "/groups.json", rows("groups"), lambda one: (f"/groups/{one['id']}.json", {"group": one}),
        {"name": ("新名", "name"), "agents": ([{"id": 3, "name": "x"}, "5"], "member_ids")},
    ),
    "kf5 users": Resource(
        "kf5", "/users.json", rows("users"), lambda one: (f"/users/{one['id']}.json", {"user": one}), EDITS_OF_USER,
    ),
    "servicego staff": Resource(
        "servicego", "/v1/user?pageSize=100", rows("data"), lambda one: (f"/v1/user/{one['id']}", one), EDITS_OF_STAFF,
    ),
    "servicego groups": Resource(
        "servicego", "/v1/userGroup?pageSize=100", rows("data"),
        lambda one: (f"/v1/userGroup/{one['id']}", one),
        {"name": ("新名", "name"), "userList": ([{"id": "3"}], "member_ids")},
    ),
    "servicego records": Resource(
        "servicego", "/v1/user?pageSize=100", records,
        lambda one: ("/v1/data", {"id": one["dataId"], "fieldDataList": one["fieldDataList"]}), {},
    ),
}  # fmt: skip


@pytest.fixture
def odd(desk):
    """Give a company of which no dialect alone could have written everything."""

    def write(verb):
        desk.operate(verb)

    write(lambda roster, caller: agents.update(roster, caller, 2, AgentFields(
        mobile="+86 133-0000-0001 转 8", name="一" * 200, sip_number="8001", sip_password=Secret("sip"),
        role_ids=[], employed=False, callout_number="010-1",
    ), 5))  # fmt: skip
    write(lambda roster, caller: agents.update(roster, caller, 5, AgentFields(mobile="分机 8", employed=False), 5))
    write(lambda roster, caller: agents.update(roster, caller, 3, AgentFields(profile_id=2, position_id=None), 5))
    write(lambda roster, caller: profiles.write_of_agent(roster, caller, 6, {
        "sysusername": "负责人", "lianxidianhua": [{"tagName": "家", "tagValue": "010-12345"}],
        "page": {"content": "<b>页</b>", "attachmentList": [{"name": "a", "docAddress": "https://x/a", "size": 1}]},
        "owner": {"ownerType": 1, "ownerName": "张三"}, "sign": {"url": "https://x/s", "time": "2024-01-01 00:00:00"},
        "files": {"attachmentList": [{"name": "b", "docAddress": "https://x/b", "size": 2}]}, "mentor": "1",
    }, 5))  # fmt: skip
    return desk


def read(desk, resource: Resource) -> list[Any]:
    found = resource.objects(getattr(desk, resource.dialect).get(resource.lists).json())
    assert found
    return found


def put(desk, resource: Resource, one: Any, **edited: Any) -> Any:
    path, body = resource.puts(one | edited)
    return getattr(desk, resource.dialect).put(path, json=body)


def succeeded(response) -> bool:
    return response.status_code == 200 and response.json().get("code", 200) in (200, 1000)


@pytest.mark.any_engine
@pytest.mark.parametrize("name", RESOURCES)
def test_what_is_read_can_be_put_back_and_changes_nothing(odd, name):
    resource = RESOURCES[name]
    before = odd.roster().number

    for one in read(odd, resource):
        response = put(odd, resource, one)
        assert succeeded(response), response.text

    assert before == odd.roster().number


@pytest.mark.parametrize("name", [name for name in RESOURCES if "records" not in name])
def test_text_that_an_earlier_version_took_can_be_put_back(desk, monkeypatch, name):
    with monkeypatch.context() as earlier:
        earlier.setattr("deskroster.core.text.trimmed", lambda value, limit: value)
        earlier.setattr("deskroster.core.text._checked", lambda field, value, limit: value)
        desk.operate(lambda r, c: agents.update(r, c, 2, AgentFields(name="\u200e客服\r\n", alias="\u3000小"), 5))
        desk.operate(lambda r, c: groups.update(r, c, 1, 5, name="售\u202e前\r"))
    before = desk.roster().number

    for one in read(desk, RESOURCES[name]):
        assert succeeded(put(desk, RESOURCES[name], one))

    assert before == desk.roster().number


EDITED = [(name, key) for name, resource in RESOURCES.items() for key in resource.edits]


@pytest.mark.any_engine
@pytest.mark.parametrize(("name", "key"), EDITED)
def test_with_one_key_edited_exactly_that_field_changes(odd, name, key):
    resource = RESOURCES[name]
    value, field = resource.edits[key]
    one = next(one for one in read(odd, resource) if one["id"] == (1 if "groups" in name else 2))
    kind = "group" if "groups" in name else "agent"
    before, number = odd.roster().table(kind)[one["id"]], odd.roster().number

    response = put(odd, resource, one, **{key: value})

    assert succeeded(response), response.text
    after = odd.roster().table(kind)[one["id"]]
    assert number + 1 == odd.roster().number
    changed = {each for each in before.__struct_fields__ if getattr(before, each) != getattr(after, each)}
    assert {field} == changed - {"updated_at"}


FORMS = {
    "tagValueList": [{"tagName": "家", "tagValue": "010-12345"}, {"tagName": "x", "tagValue": "13300000009"}],
    "optionNameList": ["晚班"], "userEmail": "agent@udesk.cn", "foreignDataName": "客服小二", "fieldValue": "新",
    "richText": {"content": "新", "attachmentList": [{"name": "a", "docAddress": "https://x/a", "size": 1}]},
}  # fmt: skip


@pytest.mark.parametrize(("name", "form"), [
    ("lianxidianhua", "tagValueList"), ("shift", "optionNameList"), ("boss", "userEmail"),
    ("mentor", "foreignDataName"), ("sysusername", "fieldValue"), ("page", "richText"),
])  # fmt: skip
def test_with_one_element_edited_in_its_reading_form_exactly_that_value_changes(odd, name, form):
    resource = RESOURCES["servicego records"]
    id = odd.roster().agents[6].profile_id
    one = next(one for one in read(odd, resource) if one["dataId"] == id)
    others = [each for each in one["fieldDataList"] if each["fieldApiName"] != name]
    element = {"fieldApiName": name, "fieldTypeApiName": "ignored", form: FORMS[form]}

    assert succeeded(put(odd, resource, one, fieldDataList=[*others, element]))

    changed = next(one for one in read(odd, resource) if one["dataId"] == id)["fieldDataList"]
    assert others == [each for each in changed if each["fieldApiName"] != name]
    shown = next(each for each in changed if each["fieldApiName"] == name)
    assert shown[form] == (
        [FORMS[form][0], {"tagName": "手机", "tagValue": "13300000009"}] if form == "tagValueList" else FORMS[form]
    )


@pytest.mark.parametrize(("name", "form", "value"), [
    ("owner", "ownerResult", {"ownerType": 1, "ownerName": "李四"}), ("owner", "fieldValue", "李四"),
    ("sign", "signDto", {"url": "https://y", "time": "2024-01-01 00:00:00"}),
    ("files", "attachment", {"attachmentList": []}), ("page", "richText", {"content": "x", "attachmentList": []}),
])  # fmt: skip
def test_what_no_vendor_call_writes_is_refused_when_edited(odd, name, form, value):
    before, id = odd.roster().number, odd.roster().agents[6].profile_id
    element = {"fieldApiName": name, form: value}

    refused = odd.servicego.put("/v1/data", json={"id": id, "fieldDataList": [element]})

    assert (400, f"{name} cannot be written") == (refused.status_code, refused.json()["message"])
    assert before == odd.roster().number


@pytest.mark.parametrize("seed", range(6))
def test_whatever_has_been_written_what_is_read_can_be_put_back(desk, seed):
    random = Random(seed)
    for _ in range(60):
        desk.operate(lambda roster, caller: _without_the_caller(attempt(random, roster)))
    before = desk.roster().number

    for resource in RESOURCES.values():
        for one in resource.objects(getattr(desk, resource.dialect).get(resource.lists).json()):
            response = put(desk, resource, one)
            assert succeeded(response), response.text

    assert before == desk.roster().number


def _without_the_caller(changes: list[Change]) -> list[Change]:
    """Return changes after which the tests can still ask as they do; none if there are others."""
    asked_for = {("agent", 1), ("group", 1)}
    spared = all(
        change.kind not in ("company", "key") and (change.kind, change.id) not in asked_for for change in changes
    )
    return changes if spared else []


def test_control_a_core_that_checks_what_has_not_changed_is_noticed(desk, monkeypatch):
    monkeypatch.setattr(agents, "_unchanged", lambda value, held: False)

    with pytest.raises(AssertionError):
        test_text_that_an_earlier_version_took_can_be_put_back(desk, monkeypatch, "udesk agents")
