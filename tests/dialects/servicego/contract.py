"""What the suites need to know of ServiceGo."""

from typing import Any

import httpx2

from deskroster.core.records import Agent, Group, PermissionSet, Position, ProfileField, ProfileRecord, Role
from deskroster.dialects import servicego
from deskroster.dialects.servicego import profiles, shapes
from deskroster.testing import Account
from tests.contract import Answers, Ask, Call, Class, Contract, IdList, Named, Page, Paging, Place, Worded, inside
from tests.dialects.servicego import identity
from tests.dialects.servicego.agreement import AGREEMENT
from tests.dialects.servicego.durability import LOOKS, writes
from tests.dialects.servicego.identity import RECORD, STAFF
from tests.dialects.servicego.putting_back import PUT_BACKS
from tests.pages import AT
from tests.world import AGENT, new_email

ID = AGENT.id

CALLS = {
    "POST /v1/user": Call("admin", "/v1/user", STAFF),
    "PUT /v1/user/{id}": Call("admin", "/v1/user/2", {"realname": "新"}),
    "GET /v1/user/{id}": Call("reader", "/v1/user/2"),
    "DELETE /v1/user/{id}": Call("admin", "/v1/user/1,2,99", many_ids=True),
    "GET /v1/user": Call("reader", "/v1/user"),
    "GET /v2/user": Call("reader", "/v2/user?type=1&value=2"),
    "POST /v1/userGroup": Call("admin", "/v1/userGroup", {"name": "新", "userList": [{"id": 1}]}),
    "PUT /v1/userGroup/{id}": Call("admin", "/v1/userGroup/1", {"name": "新"}),
    "GET /v1/userGroup/{id}": Call("reader", "/v1/userGroup/1"),
    "DELETE /v1/userGroup/{id}": Call("admin", "/v1/userGroup/1,99", many_ids=True),
    "GET /v1/userGroup": Call("reader", "/v1/userGroup"),
    "GET /v1/position": Call("reader", "/v1/position"),
    "GET /v1/role": Call("reader", "/v1/role"),
    "GET /v1/authorizationSet": Call("reader", "/v1/authorizationSet"),
    "GET /v1/fields": Call("reader", "/v1/fields?objectApiName=userInfo"),
    "GET /v1/data": Call("reader", "/v1/data?objectApiName=userInfo&id=1"),
    "POST /v1/data": Call("admin", "/v1/data", RECORD),
    "PUT /v1/data": Call("admin", "/v1/data", {**RECORD, "id": 1}),
    "DELETE /v1/data": Call("admin", "/v1/data?objectApiName=userInfo&id=2"),
}


def code_of(response: httpx2.Response, body: Any, expected: Class) -> Any:
    assert {"code", "message", "visible"} == set(body)
    assert body["message"]
    assert (expected in ("invalid", "conflict")) is body["visible"]
    return body["code"]


ANSWERS = Answers(
    success=200,
    refusals={
        "syntax": (400, 400), "invalid": (400, 400), "conflict": (409, 409), "notfound": (404, 404),
        "nopath": (404, 404), "unauth": (401, 401), "forbidden": (403, 403), "toolarge": (413, 413),
        "toomany": (429, 429), "method": (405, 405), "media": (415, 415),
    },
    code=code_of,
)  # fmt: skip


def check_page(body: Any, part: str, sent: Any) -> None:
    if "data" in body and part == "number" and sent in ("100", "101", "1000000"):
        assert [] == body["data"]
        assert int(sent) == body["paging"]["pageNum"]


def new_staff(field: str):
    return lambda value: {**STAFF, "email": new_email(), field: value}


def shown(field: str):
    def found(clients: Any, answer: Any) -> Any:
        return clients.servicego.get(f"/v1/user/{ID}").json()["data"].get(field, "")

    return found


def name_of_group(clients: Any, answer: Any) -> Any:
    return clients.servicego.get("/v1/userGroup/3").json()["data"]["name"]


def created(field: str, limit: int = 255) -> Place:
    return Place("servicego", "POST", "/v1/user", field, new_staff(field), inside("data", field), limit=limit)


def changed(field: str, limit: int = 255) -> Place:
    return Place("servicego", "PUT", f"/v1/user/{ID}", field, lambda v: {field: v}, shown(field), limit=limit)


def of_record(api_name: str, *how: Any) -> Place:
    def body(value: Any) -> Any:
        return {"objectApiName": "userInfo", "fieldDataList": [{"fieldApiName": api_name, "fieldValue": value}]}

    def found(clients: Any, answer: Any) -> Any:
        asked = {"objectApiName": "userInfo", "id": answer["data"]["id"]}
        record = clients.servicego.get("/v1/data", params=asked).json()["data"]
        return next((one["fieldValue"] for one in record["fieldDataList"] if "fieldValue" in one), "")

    return Place("servicego", "POST", "/v1/data", api_name, body, found, *how)


TEXTS = (
    created("realname", 32),
    changed("realname", 32),
    Place("servicego", "POST", "/v1/userGroup", "name", lambda v: {"name": v}, inside("data", "name")),
    Place("servicego", "PUT", "/v1/userGroup/3", "name", lambda v: {"name": v}, name_of_group),
    of_record("sysusername", "line", 255, True),
    of_record("bio", "text", 10_000, True),
)


def references(ids: Any) -> Any:
    """Return ids as they are referred to; what is no list stays as it is."""
    return [{"id": id} for id in ids] if isinstance(ids, list) else ids


ID_LISTS = (
    IdList("PUT", "/v1/user/2", lambda ids: {"userGroupList": ids}),
    IdList("PUT", "/v1/userGroup/3", lambda ids: {"userList": references(ids)}),
    IdList("PUT", "/v1/user/2", lambda ids: {"roleList": references(ids)}),
)


def staff(id: int, email: str, name: str, mobile: str, job_number: str, profile_id: int | None) -> Agent:
    return Agent(
        id=id, email=email, name=name, mobile=mobile, job_number=job_number, profile_id=profile_id, position_id=2,
        role_ids=(2,), group_ids=(533, 544), seat="plain", leads=False, created_at=AT, updated_at=AT,
    )  # fmt: skip


PAGE = Page(
    host="servicego.udesk.cn",
    admin=Account(id=5, email="admin@udesk.cn", password="admin-password", token="servicego-token"),
    records=(
        Role(id=2, name="客服"),
        Role(id=3, name="组长"),
        Position(id=2, name="客服专员"),
        PermissionSet(id=1, name="基础权限"),
        ProfileField(id=1, api_name="sysusername", label="姓名", type="single_line"),
        ProfileField(id=2, api_name="tudi", label="徒弟", type="single_line"),
        ProfileField(id=3, api_name="wuqi", label="武器", type="single_line"),
        ProfileField(id=4, api_name="lianxidianhua", label="联系电话", type="telephone"),
        ProfileRecord(id=2, values=((1, "测试1"), (2, "测试2"), (3, "测试3"), (4, "15840347826,15844578040"))),
        ProfileRecord(id=3, values=((1, "测试"), (3, "无"))),
        Group(id=533, name="一线", created_at=AT, updated_at=AT),
        Group(id=544, name="二线", created_at=AT, updated_at=AT),
        staff(1, "gone@udesk.cn", "将离", "13300000009", "1", None),
        staff(3, "zhaofeng@Udesk.cn", "张三", "15840134826", "88066", 2),
        staff(4, "wangxianzhi@udesk.cn", "测试01", "15834762387", "10000001", 3),
    ),
    examples=5,
)


CONTRACT = Contract(
    none_of={
        "log_in": "no call takes a login password",
        "loose_mobiles": "a mobile must look like one",
    },
    calls=CALLS,
    answers=ANSWERS,
    named=Named(
        kind="group",
        lists="/v1/userGroup",
        creates="/v1/userGroup",
        body=lambda name: {"name": name},
        id=lambda answer: answer["data"]["id"],
        names=lambda answer: [one["name"] for one in answer["data"]],
    ),
    worded=Worded(Ask("POST", "/v1/userGroup", {"name": ""})),
    paging=Paging(number="pageNum", size="pageSize", refuses=True, check=check_page),
    texts=TEXTS,
    emails=(created("email"),),
    strict_mobiles=(created("mobile"), changed("mobile")),
    loose_mobiles=(),
    id_lists=ID_LISTS,
    put_backs=PUT_BACKS,
    top_level_names=(("/v1/userGroup", "group"),),
    forms={"SHA-256": servicego.SIGNED, "SHA-1": servicego.SIGNED_BEFORE_JUNE_2021},
    log_in=None,
    page=PAGE,
    agreement=AGREEMENT,
    losses=identity.LOSSES,
    demotions=identity.DEMOTIONS,
    promotions=identity.PROMOTIONS,
    ids_in_query=identity.IDS_IN_QUERY,
    ids_in_body=identity.IDS_IN_BODY,
    finds=identity.FINDS,
    found_otherwise=frozenset({"DELETE /v1/userGroup/{id}"}),
    in_hand=((servicego.auth, "signer"),),
    day=identity.day,
    cached=frozenset({
        "GET /v1/user", "GET /v1/userGroup", "GET /v1/position",
        "GET /v1/role", "GET /v1/authorizationSet",
    }),
    pieces=(
        ("group", shapes.user_group_piece), ("profile_record", profiles.user_info_piece), ("agent", shapes.staff_piece),
    ),
    crowds=lambda last: "/v1/userGroup?pageSize=100",  # the newest come first
    writer=writes,
    looks=LOOKS,
)  # fmt: skip
