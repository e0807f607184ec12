"""What the suites need to know of our own API."""

from typing import Any

import httpx2

from deskroster.dialect.credentials import Basic
from deskroster.dialects.own.shapes.agents import agent_piece
from tests.contract import (
    IN_OTHER,
    Agreement,
    Answers,
    Ask,
    Call,
    Class,
    Contract,
    Demotion,
    Find,
    IdList,
    Listing,
    Loss,
    Named,
    Paging,
    Place,
    Worded,
    inside,
)
from tests.dialects.own import identity
from tests.world import SECOND_ADMIN

WHO = SECOND_ADMIN.id
KINDS = ("positions", "roles", "permission-sets", "departments")

CALLS = {
    **{f"GET /v1/{kind}": Call("agent", f"/v1/{kind}") for kind in (*KINDS, "profile-fields", "agents")},
    **{f"POST /v1/{kind}": Call("admin", f"/v1/{kind}", {"name": "新"}) for kind in KINDS},
    **{f"PATCH /v1/{kind}/{{id}}": Call("admin", f"/v1/{kind}/1", {"name": "新"}) for kind in KINDS},
    "DELETE /v1/positions/{id}": Call("admin", "/v1/positions/3"),
    "DELETE /v1/roles/{id}": Call("admin", "/v1/roles/3"),
    "DELETE /v1/permission-sets/{id}": Call("admin", "/v1/permission-sets/2"),
    "DELETE /v1/departments/{id}": Call("admin", "/v1/departments/2"),
    "POST /v1/profile-fields": Call("admin", "/v1/profile-fields", {"api_name": "xin", "label": "新"}),
    "PATCH /v1/profile-fields/{id}": Call("admin", "/v1/profile-fields/1", {"label": "新"}),
    "DELETE /v1/profile-fields/{id}": Call("admin", "/v1/profile-fields/17"),
    "GET /v1/agents/{id}": Call("agent", "/v1/agents/2"),
    "PATCH /v1/agents/{id}": Call("admin", "/v1/agents/2", {"sip_number": "8001", "sip_password": "secret"}),
    "GET /v1/agents/{id}/profile": Call("agent", "/v1/agents/2/profile"),
    "PATCH /v1/agents/{id}/profile": Call("admin", "/v1/agents/2/profile", {"values": {"sysusername": "新"}}),
    "PUT /v1/agents/{id}/password": Call("admin", "/v1/agents/2/password", {"password": "long-enough"}),
    "GET /v1/keys": Call("admin", "/v1/keys"),
    "POST /v1/keys": Call("admin", "/v1/keys", {"agent_id": 2, "name": "新", "dialects": ["kf5"]}),
    "DELETE /v1/keys/{id}": Call("admin", "/v1/keys/2"),
}


def code_of(response: httpx2.Response, body: Any, expected: Class) -> Any:
    assert {"type", "title", "status", "detail"} <= set(body)
    assert response.status_code == body["status"]
    return body["type"].rpartition(":")[2]


ANSWERS = Answers(
    success=None,
    refusals={
        "syntax": (400, "malformed"), "invalid": (422, "invalid"), "conflict": (409, "conflict"),
        "notfound": (404, "not-found"), "nopath": (404, "unknown-path"), "unauth": (401, "unauthenticated"),
        "forbidden": (403, "forbidden"), "toolarge": (413, "too-large"), "toomany": (429, "too-many"),
        "method": (405, "method-not-allowed"), "media": (415, "media-type"), "nocompany": (404, "unknown-company"),
        "host": (400, "bad-host"),
    },
    code=code_of,
)  # fmt: skip


def agent(model: Any, id: int) -> dict[str, Any]:
    one = model.agents[id]
    return {
        "id": id, "name": one["name"], "email": one["email"], "mobile": one["mobile"], "level": one["level"],
        "state": one["state"], "employed": one["employed"] is not False, "group_ids": model.groups_of(id),
    }  # fmt: skip


def check_agent(model: Any, id: int, answer: Any) -> None:
    assert agent(model, id).items() <= answer.items()


AGREEMENT = Agreement(
    set_level=lambda id, level: Ask("PATCH", f"/v1/agents/{id}", {"level": level}),
    agents=Listing("/v1/agents", lambda answer: answer["items"], lambda answer: answer["total"]),
    agent=agent,
    one_agent=lambda id: Ask("GET", f"/v1/agents/{id}"),
    check_agent=check_agent,
    lists=("/v1/agents", "/v1/agents?per_page=3&page=2"),
    beside=frozenset(route for route in CALLS if "/v1/agents" not in route)
    | {"PUT /v1/agents/{id}/password", "GET /v1/agents/{id}/profile", "PATCH /v1/agents/{id}/profile"},
)


CONTRACT = Contract(
    none_of={
        "put_backs": "no PUT takes what a GET returns",
        "emails": "it creates no agents",
        "strict_mobiles": "it writes no mobile",
        "loose_mobiles": "it writes no mobile",
        "log_in": "no call takes a login password",
        "page": "there is no vendor whose page has examples",
        "crowds": "it lists no groups",
        "writer": "it creates neither agents nor groups",
        "looks": "it is none of those that write",
        "ids_in_query": "no query has an id",
    },
    calls=CALLS,
    answers=ANSWERS,
    named=Named(
        kind="position",
        lists="/v1/positions",
        creates="/v1/positions",
        body=lambda name: {"name": name},
        id=lambda answer: answer["id"],
        names=lambda answer: [one["name"] for one in answer["items"]],
    ),
    worded=Worded(Ask("POST", "/v1/positions", {"name": ""})),
    paging=Paging(number="page", size="per_page", refuses=False),
    texts=(
        Place("own", "POST", "/v1/positions", "name", lambda v: {"name": v}, inside("name")),
        Place("own", "PATCH", "/v1/positions/3", "name", lambda v: {"name": v}, inside("name")),
        Place(
            "own",
            "PATCH",
            "/v1/agents/2",
            "callout_number",
            lambda v: {"callout_number": v},
            inside("callout_number"),
            "number",
            32,
        ),
    ),
    emails=(),
    strict_mobiles=(),
    loose_mobiles=(),
    id_lists=(IdList("PATCH", "/v1/agents/2", lambda ids: {"permission_set_ids": ids}),),
    put_backs=(),
    top_level_names=(("/v1/positions", "position"), ("/v1/departments", "department")),
    moments=("POST /v1/keys expires_at",),
    forms={"key": Basic()},
    log_in=None,
    page=None,
    agreement=AGREEMENT,
    losses={
        "the password, in our own API": Loss(
            "PUT", f"/v1/agents/{WHO}/password", {"password": "new-password"}, "password"
        ),
        "the key": Loss("DELETE", "/v1/keys/6", None, "key"),
        "the level, in our own API": Loss("PATCH", f"/v1/agents/{WHO}", {"level": "agent"}, "all", "forbidden"),
    },
    demotions={
        "demoted in our own API": Demotion(lambda id: Ask("PATCH", f"/v1/agents/{id}", {"level": "agent"})),
    },
    promotions={"promoted in our own API": lambda id: Ask("PATCH", f"/v1/agents/{id}", {"level": "admin"})},
    ids_in_query={},
    ids_in_body={
        "PATCH /v1/agents/{id}": {"permission_set_ids": lambda id: {"permission_set_ids": [1, id]}},
        "POST /v1/departments": {"parent_id": lambda id: {"name": "x", "parent_id": id}},
        "POST /v1/keys": {"agent_id": lambda id: {"agent_id": id, "name": "x"}},
    },
    finds=(Find("/v1/agents?email={}", *IN_OTHER),),
    day=identity.day,
    cached=frozenset(
        {
            "GET /v1/agents",
            "GET /v1/positions",
            "GET /v1/roles",
            "GET /v1/permission-sets",
            "GET /v1/departments",
            "GET /v1/profile-fields",
        }
    ),
    pieces=(("agent", agent_piece),),
    crowds=None,
    writer=None,
    looks={},
)
