"""What the suites need to know of the vendor that there is not."""

from typing import Any

import httpx2

from deskroster.core.records import Agent, Group
from deskroster.dialect.credentials import Basic
from deskroster.testing import Account
from tests.contract import (
    Agreement,
    Answers,
    Ask,
    Call,
    Class,
    Contract,
    IdList,
    Listing,
    LogIn,
    Named,
    Page,
    Paging,
    Place,
    Worded,
    inside,
)
from tests.dialects.fourth.dialect import PROGRAM, team_piece
from tests.proofs.durability import world
from tests.proofs.durability.world import Look, View, Write, ids


def code_of(response: httpx2.Response, body: Any, expected: Class) -> Any:
    assert {"reason", "text"} == set(body)
    assert body["text"]
    return body["reason"]


def writes(fresh: str, agent: int, group: int, some: list[int], staff: list[int]) -> dict[str, Write]:
    team = {"name": fresh, "people": staff}
    return {"group": Write("POST", "/teams", team, world.group(fresh, staff), "id")}


def teams(answer: Any) -> list[Any]:
    return [(one["id"], one["name"], {each["id"]: each["name"] for each in one["people"]}) for one in answer["teams"]]


NO_AGENTS = "no call of it writes an agent"

CONTRACT = Contract(
    none_of={
        "put_backs": "no PUT takes what a GET returns",
        "emails": NO_AGENTS,
        "strict_mobiles": NO_AGENTS,
        "loose_mobiles": NO_AGENTS,
        "losses": NO_AGENTS,
        "demotions": NO_AGENTS,
        "finds": "no call of it finds an agent",
        "ids_in_query": "no query has an id",
        "day": "no call of it has a secret in its body",
    },
    calls={
        "GET /teams": Call("agent", "/teams"),
        "GET /teams/{id}": Call("agent", "/teams/1"),
        "POST /teams": Call("admin", "/teams", {"name": "新", "people": [1]}),
    },
    answers=Answers(
        success=None,
        refusals={
            "syntax": (400, "Malformed"), "invalid": (400, "Invalid"), "conflict": (409, "Conflict"),
            "notfound": (404, "NotFound"), "nopath": (404, "UnknownPath"), "unauth": (401, "Unauthenticated"),
            "forbidden": (403, "Forbidden"), "toolarge": (413, "TooLarge"), "toomany": (429, "TooMany"),
            "method": (405, "MethodNotAllowed"), "media": (415, "MediaType"), "nocompany": (401, "UnknownCompany"),
            "host": (400, "BadHost"),
        },
        code=code_of,
    ),
    named=Named(
        kind="group",
        lists="/teams",
        creates="/teams",
        body=lambda name: {"name": name},
        id=lambda answer: answer["id"],
        names=lambda answer: [one["name"] for one in answer["teams"]],
    ),
    worded=Worded(Ask("POST", "/teams", {"name": ""})),
    paging=Paging(number="page", size="size", refuses=False),
    texts=(Place("fourth", "POST", "/teams", "name", lambda v: {"name": v}, inside("name")),),
    emails=(),
    strict_mobiles=(),
    loose_mobiles=(),
    id_lists=(IdList("POST", "/teams", lambda ids: {"name": "x", "people": ids}),),
    put_backs=(),
    top_level_names=(("/teams", "group"),),
    forms={"token": Basic(suffix=PROGRAM)},
    log_in=LogIn(name="password", by=Basic()),
    page=Page(
        host="fourth.example.com",
        admin=Account(id=1, email="admin@fourth.example.com", password="admin-password", token="fourth-token"),
        records=(Group(id=1, name="Day shift"), Agent(id=2, name="Ann", email="ann@fourth.example.com")),
        examples=1,
    ),
    agreement=Agreement(
        create_group=lambda name, members: Ask("POST", "/teams", {"name": name, "people": members}),
        group_made=lambda answer: answer["id"],
        groups=Listing("/teams?size=100", teams, lambda answer: answer["total"]),
        one_group=lambda id: Ask("GET", f"/teams/{id}"),
        members=lambda answer: [one["id"] for one in answer["people"]],
        lists=("/teams", "/teams?size=1&page=2"),
    ),
    losses={},
    demotions={},
    ids_in_query={},
    ids_in_body={"POST /teams": {"people": lambda id: {"name": "x", "people": [1, id]}}},
    finds=(),
    day=None,
    cached=frozenset({"GET /teams"}),
    pieces=(("group", team_piece),),
    crowds=lambda last: f"/teams?size=100&page={last}",
    writer=writes,
    looks={"group": Look("/teams/{}", lambda told: View(told["name"], ids(told["people"])))},
)  # fmt: skip
