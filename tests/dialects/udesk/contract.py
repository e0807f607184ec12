"""What the suites need to know of Udesk."""

from typing import Any

import httpx2

from deskroster.core.records import Agent, Department, Group, Position, Role
from deskroster.dialects import udesk
from deskroster.dialects.udesk import shapes
from deskroster.testing import Account
from tests.contract import (
    Answers,
    Ask,
    Call,
    Class,
    Contract,
    IdList,
    LogIn,
    Named,
    Page,
    Paging,
    Place,
    Worded,
    inside,
)
from tests.dialects.udesk import identity
from tests.dialects.udesk.agreement import AGREEMENT
from tests.dialects.udesk.durability import LOOKS, writes
from tests.dialects.udesk.identity import EMAIL
from tests.dialects.udesk.putting_back import PUT_BACKS
from tests.pages import AT, AVATAR
from tests.world import ADMIN, AGENT, new_email

ID = AGENT.id

CALLS = {
    "GET /user_groups": Call("reader", "/user_groups?per_page=2"),
    "POST /user_groups": Call("admin", "/user_groups", {"name": "新"}),
    "PUT /user_groups/{id}": Call("admin", "/user_groups/1", {"name": "新"}),
    "DELETE /user_groups/{id}": Call("admin", "/user_groups/1"),
    "GET /user_groups/{id}/agents": Call("reader", "/user_groups/1/agents"),
    "GET /agents": Call("reader", "/agents?with_disabled=true"),
    "GET /agents/get_agent": Call("reader", "/agents/get_agent?type=id&content=2"),
    "POST /agents": Call("admin", "/agents", {"agent": {"email": EMAIL, "password": "p", "nick_name": "新"}}),
    "PUT /agents/{id}": Call("admin", "/agents/2", {"agent": {"nick_name": "新"}}),
    "DELETE /agents/{id}": Call("admin", "/agents/2", {"owner_id": 1, "owner_group_id": 1}),
    "GET /callcenter_analysis/agents_of_group": Call("reader", "/callcenter_analysis/agents_of_group?group_id=1"),
    "GET /agent_roles": Call("reader", "/agent_roles"),
    "GET /departments": Call("reader", "/departments"),
    "POST /departments": Call("admin", "/departments", {"name": "新", "parent_id": 1}),
    "POST /log_in": Call("anyone", "/log_in", {"email": ADMIN.email, "password": ADMIN.password}),
}


def code_of(response: httpx2.Response, body: Any, expected: Class) -> Any:
    assert {"code", "message", "code_message"} <= set(body) <= {"code", "message", "code_message", "exception"}
    assert body["message"] == body["code_message"]
    assert body["message"]
    return body["code"]


def names_the_id(body: Any, sent: str) -> None:
    assert f"id={sent[:64]}" in body["exception"]


ANSWERS = Answers(
    success=1000,
    refusals={
        "syntax": (400, 2000), "invalid": (200, 2000), "conflict": (200, 2000), "notfound": (200, 2005),
        "nopath": (404, 2005), "unauth": (200, frozenset({2059, 20621, 20622, 20623, 20624})), "forbidden": (200, 2015),
        "toolarge": (413, 2000), "toomany": (429, 2000), "method": (405, 2000), "media": (415, 2000),
        "nocompany": (200, 2002),
    },
    code=code_of,
    required="is required|name cannot be empty|(email|password|group_id) cannot be empty",
    unknown_id=names_the_id,
)  # fmt: skip


def check_page(body: Any, part: str, sent: Any) -> None:
    number = int(sent) if sent in ("101", "100", "1000000") else 1
    if part == "number" and sent != str(2**63):
        assert number == body["meta"]["current_page"]
    assert body["meta"]["total_pages"] <= body["meta"]["total_count"]


def new_agent(field: str):
    new = {"email": "", "password": "p", "nick_name": "新"}
    return lambda value: {"agent": {**new, "email": new_email(), field: value}}


def name_of_group(clients: Any, answer: Any) -> Any:
    return clients.kf5.get(f"/groups/{answer['id']}.json").json()["group"]["name"]


def name_of_department(clients: Any, answer: Any) -> Any:
    found = clients.udesk.get("/departments").json()["departments"]
    return next(one["name"] for one in found if one["id"] == answer["id"])


def of_agent(field: str, *how: Any) -> Place:
    return Place("udesk", "PUT", f"/agents/{ID}", field, lambda v: {"agent": {field: v}}, inside("agent", field), *how)


TEXTS = (
    Place("udesk", "POST", "/user_groups", "name", lambda v: {"name": v}, name_of_group),
    Place("udesk", "PUT", "/user_groups/3", "name", lambda v: {"name": v}, inside("user_group", "name")),
    Place("udesk", "POST", "/agents", "nick_name", new_agent("nick_name"), inside("agent", "nick_name")),
    of_agent("nick_name"),
    Place("udesk", "POST", "/agents", "aliase", new_agent("aliase"), inside("agent", "aliase"), "line", nullable=True),
    of_agent("aliase", "line", 255, True),
    of_agent("cellphone", "number", 32, True),
    of_agent("work_id", "number", 64, True),
    of_agent("avatar", "line", 2048, True),
    of_agent("im_welcomes", "text", 10_000, True),
    Place("udesk", "POST", "/departments", "name", lambda v: {"name": v}, name_of_department),
)
EMAILS = (
    Place("udesk", "POST", "/agents", "email", new_agent("email"), inside("agent", "email")),
    of_agent("email"),
)
ID_LISTS = (
    IdList("PUT", "/agents/2", lambda ids: {"agent": {"user_group_ids": ids}}),
    IdList("PUT", "/agents/2", lambda ids: {"agent": {"agent_role_ids": ids}}),
    IdList("PUT", "/agents/2", lambda ids: {"agent": {"department_ids": ids}}),
)

PAGE = Page(
    host="demo.udesk.cn",
    admin=Account(id=3, email="admin@udesk.cn", password="admin-password", token="udesk-token"),
    records=(
        Role(id=1, name="role 1"),
        Position(id=1, name="客服专员"),
        Department(id=1, name="Department 1"),
        Department(id=2, name="Department 2"),
        Department(id=3, name="Department 3", parent_id=1),
        Group(id=1, name="Agent Group 1", created_at=AT, updated_at=AT),
        Agent(
            id=1, name="Test Agent1", email="test1@udesk.cn", mobile="12345678901", job_number="1", alias="Test Agent1",
            group_ids=(1,), role_ids=(1,), department_ids=(1, 3), avatar=AVATAR, language="en", created_at=AT,
            updated_at=AT,
        ),
        Agent(id=2, name="Test Agent2", email="test2@udesk.cn", created_at=AT, updated_at=AT),
    ),
    examples=5,
)  # fmt: skip


CONTRACT = Contract(
    none_of={"strict_mobiles": "a cellphone is any line of text"},
    calls=CALLS,
    answers=ANSWERS,
    named=Named(
        kind="group",
        lists="/user_groups",
        creates="/user_groups",
        body=lambda name: {"name": name},
        id=lambda answer: answer["id"],
        names=lambda answer: [one["name"] for one in answer["user_groups"]],
    ),
    worded=Worded(Ask("GET", "/nowhere"), "nopath"),
    paging=Paging(number="page", size="per_page", refuses=False, check=check_page),
    texts=TEXTS,
    emails=EMAILS,
    strict_mobiles=(),
    loose_mobiles=tuple(place for place in TEXTS if place.field == "cellphone"),
    id_lists=ID_LISTS,
    put_backs=PUT_BACKS,
    top_level_names=(("/user_groups", "group"), ("/departments", "department")),
    forms=udesk.FORMS,
    log_in=LogIn(
        name="log_in",
        ask=lambda email, password: Ask("POST", "/log_in", {"email": email, "password": password}),
        wrong="notfound",
    ),
    doubts={
        "no-timestamp": 20621, "timestamp-text": 20621, "timestamp-2^63": 20621, "timestamp-fullwidth": 20621,
        "old": 20622, "future": 20622, "replay": 20623, "replay-other-worker": 20623, "replay-after-restart": 20623,
        "no-nonce-v2": 20624, "else": 2059,
    },
    page=PAGE,
    agreement=AGREEMENT,
    losses=identity.LOSSES,
    demotions=identity.DEMOTIONS,
    promotions=identity.PROMOTIONS,
    ids_in_query=identity.IDS_IN_QUERY,
    ids_in_body=identity.IDS_IN_BODY,
    finds=identity.FINDS,
    in_hand=((udesk.auth, "signer"),),
    day=identity.day,
    cached=frozenset({
        "GET /user_groups", "GET /user_groups/{id}/agents", "GET /agents", "GET /callcenter_analysis/agents_of_group",
    }),
    pieces=(("group", shapes.group_piece), ("agent", shapes.agent_piece)),
    crowds=lambda last: f"/user_groups?per_page=100&page={last}",
    writer=writes,
    looks=LOOKS,
)  # fmt: skip
