"""What the suites need to know of KF5."""

from typing import Any

import httpx2

from deskroster.core.records import Agent, Group
from deskroster.dialect.credentials import Basic
from deskroster.dialects import kf5
from deskroster.dialects.kf5 import profiles, shapes
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
from tests.dialects.kf5 import identity
from tests.dialects.kf5.agreement import AGREEMENT
from tests.dialects.kf5.durability import LOOKS, writes
from tests.dialects.kf5.putting_back import PUT_BACKS
from tests.pages import AT
from tests.world import AGENT, new_email

ID = AGENT.id
NEW_USER = {"user": {"name": "新", "email": "new@test.cn", "role": "agent"}}

CALLS = {
    "GET /groups.json": Call("agent", "/groups.json?per_page=2"),
    "POST /groups.json": Call("admin", "/groups.json", {"group": {"name": "新", "agents": [1]}}),
    "GET /groups/{id}.json": Call("agent", "/groups/1.json"),
    "PUT /groups/{id}.json": Call("admin", "/groups/1.json", {"group": {"name": "新"}}),
    "DELETE /groups/{id}.json": Call("admin", "/groups/1.json"),
    "GET /users.json": Call("agent", "/users.json"),
    "POST /users.json": Call("admin", "/users.json", NEW_USER),
    "GET /users/me.json": Call("agent", "/users/me.json"),
    "GET /users/show_many.json": Call("agent", "/users/show_many.json?ids=1,2"),
    "GET /users/search.json": Call("agent", "/users/search.json?query=udesk"),
    "GET /users/{id}.json": Call("agent", "/users/2.json"),
    "PUT /users/{id}.json": Call("admin", "/users/2.json", {"user": {"name": "新"}}),
    "DELETE /users/{id}.json": Call("admin", "/users/2.json"),
    "GET /users/{id}/groups.json": Call("agent", "/users/2/groups.json"),
}


def code_of(response: httpx2.Response, body: Any, expected: Class) -> Any:
    assert {"error"} == set(body)
    assert {"code", "message"} | ({"fields"} if expected == "invalid" else set()) == set(body["error"])
    assert body["error"]["message"]
    if expected == "invalid":
        assert all(isinstance(told, str) and told for told in body["error"]["fields"].values())
        assert body["error"]["fields"]
    if response.status_code == 401:
        assert response.headers["www-authenticate"] == 'Basic realm="KF5", charset="UTF-8"'
    return body["error"]["code"]


ANSWERS = Answers(
    success=None,
    refusals={
        "syntax": (400, "bad_request"), "invalid": (422, "invalid"), "conflict": (409, "conflict"),
        "notfound": (404, "not_found"), "nopath": (404, "not_found"), "unauth": (401, "unauthorized"),
        "forbidden": (403, "forbidden"), "toolarge": (413, "too_large"), "toomany": (429, "too_many_requests"),
        "method": (405, "method_not_allowed"), "media": (415, "unsupported_media_type"),
        "nocompany": (401, "unauthorized"),
    },
    code=code_of,
)  # fmt: skip


def new_user(field: str):
    return lambda value: {"user": {"name": "新", "email": new_email(), "role": "agent", field: value}}


def created(field: str, *how: Any) -> Place:
    return Place("kf5", "POST", "/users.json", field, new_user(field), inside("user", field), *how)


def changed(field: str, *how: Any) -> Place:
    return Place("kf5", "PUT", f"/users/{ID}.json", field, lambda v: {"user": {field: v}}, inside("user", field), *how)


TEXTS = (
    Place("kf5", "POST", "/groups.json", "name", lambda v: {"group": {"name": v}}, inside("group", "name")),
    Place("kf5", "PUT", "/groups/3.json", "name", lambda v: {"group": {"name": v}}, inside("group", "name")),
    created("name"),
    changed("name"),
    changed("remark_name", "line", 255, True),
    created("agent_display_name", "line", 255, True),
    changed("phone", "number", 32, True),
    changed("landline", "number", 32, True),
    changed("photo", "line", 2048, True),
    changed("signature", "text", 10_000, True),
    changed("details", "text", 10_000, True),
    created("notes", "text", 10_000, True),
)
ID_LISTS = (
    IdList("PUT", "/groups/3.json", lambda ids: {"group": {"agents": ids}}),
    IdList("PUT", "/groups/3.json", lambda ids: {"agents": ids}),
    IdList("POST", "/groups.json", lambda ids: {"group": {"name": "a"}, "agents": ids}),
)

PAGE = Page(
    host="support.kf5.com",
    admin=Account(id=2, email="admin@kf5.com", password="admin-password", token="kf5-token"),
    records=(
        Group(id=122, name="group2", created_at=AT, updated_at=AT),
        Group(id=165, name="支持组", created_at=AT, updated_at=AT),
        Agent(id=733, name="agent", email="agent@kf5.com", group_ids=(165,), created_at=AT, updated_at=AT),
        Agent(id=886, name="客服小叶", email="support@kf5.com", group_ids=(165,), created_at=AT, updated_at=AT),
    ),
    examples=5,
)


CONTRACT = Contract(
    none_of={
        "top_level_names": "what is created stands inside an object in the body",
        "strict_mobiles": "a phone is any line of text",
    },
    calls=CALLS,
    answers=ANSWERS,
    named=Named(
        kind="group",
        lists="/groups.json",
        creates="/groups.json",
        body=lambda name: {"group": {"name": name}},
        id=lambda answer: answer["group"]["id"],
        names=lambda answer: [one["name"] for one in answer["groups"]],
    ),
    worded=Worded(Ask("POST", "/groups.json", {"group": {"name": ""}})),
    paging=Paging(number="page", size="per_page", refuses=False),
    texts=TEXTS,
    emails=(created("email"), changed("email")),
    strict_mobiles=(),
    loose_mobiles=tuple(place for place in TEXTS if place.field == "phone"),
    id_lists=ID_LISTS,
    put_backs=PUT_BACKS,
    top_level_names=(),
    forms={"token": Basic(suffix="/token")},
    log_in=LogIn(name="password", by=Basic()),
    page=PAGE,
    agreement=AGREEMENT,
    losses=identity.LOSSES,
    demotions=identity.DEMOTIONS,
    promotions=identity.PROMOTIONS,
    ids_in_query={"GET /users/show_many.json": lambda id: f"ids=1,{id}"},
    ids_in_body={
        "POST /groups.json": {"agents": lambda id: {"group": {"name": "x", "agents": [id]}}},
        "PUT /groups/{id}.json": {"agents": lambda id: {"group": {}, "agents": [1, id]}},
    },
    finds=identity.FINDS,
    in_hand=((kf5.auth, "by_key"),),
    day=identity.day,
    cached=frozenset({
        "GET /groups.json", "GET /users.json", "GET /users/show_many.json",
        "GET /users/{id}/groups.json",
    }),
    pieces=(
        ("group", shapes.group_piece), ("profile_record", profiles.fields_piece), ("agent", shapes.user_piece),
    ),
    crowds=lambda last: f"/groups.json?per_page=100&page={last}",
    writer=writes,
    looks=LOOKS,
)  # fmt: skip
