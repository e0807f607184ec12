"""The calls of KF5 that cost most."""

from tests.proofs.load.cases import MEMBERS, QUERIES, QUERY, Case, pages, paths, texts
from tests.proofs.load.company import AGENTS, CROWDED

_USER = {"name": "n", "email": "*@test.cn", "role": "agent"}


def _searches() -> list[Case]:
    asked = {
        "what all have": "e", "what none has": "zzzz", "nothing": "", "a digit": "1", "nearly": "example.con",
        "a run": "a" * 127 + "b", "a long run": "a" * QUERY, "percent": "%E4%B8%AD" * (QUERY // 9),
        "one": "agent99999@", "a pattern": "(a%2B)%2B%24" * 100, "a separator": "%1E", "repeated": "a&query=b",
    }  # fmt: skip
    return [Case(what, f"/users/search.json?query={query}") for what, query in asked.items()] + [
        Case("the last page", "/users/search.json?query=e&page=1000")
    ]


WORST: dict[str, list[Case]] = {
    "GET /groups.json": [*pages("/groups.json", "page", "per_page", 1_000)],
    "POST /groups.json": [
        *texts("/groups.json", {"group": {"name": ""}}, "name"),
        Case("a crowd", "/groups.json", {"group": {"name": "Crowd", "agents": MEMBERS}}, swept=True),
        Case("a crowd in another order", "/groups.json", {"group": {"name": "Crowd", "agents": MEMBERS[::-1]}}),
        Case("more than may be", "/groups.json", {"group": {"name": "Crowd", "agents": [1] * 400_000}}),
    ],
    "GET /groups/{id}.json": [Case("a crowd", f"/groups/{CROWDED}.json")],
    "PUT /groups/{id}.json": [
        *texts("/groups/2.json", {"group": {"name": "n"}}, "name"),
        Case("a crowd comes", "/groups/3.json", {"group": {"agents": [i + 50_000 for i in MEMBERS]}}, swept=True,
             undo={"group": {"agents": []}}),
        Case("another crowd comes", "/groups/3.json", {"group": {"agents": [i + 80_000 for i in MEMBERS]}}, swept=True,
             undo={"group": {"agents": [i + 50_000 for i in MEMBERS]}}),
        Case("the crowd stays", "/groups/3.json", {"group": {"agents": [i + 80_000 for i in MEMBERS]}}),
        Case("the crowd leaves", "/groups/3.json", {"group": {"agents": []}}, swept=True,
             undo={"group": {"agents": [i + 80_000 for i in MEMBERS]}}),
    ],
    "DELETE /groups/{id}.json": [Case("a crowd", "/groups/1001.json", swept=True)],
    "GET /users.json": [
        *pages("/users.json", "page", "per_page", AGENTS),
        *pages("/users.json", "page", "per_page", AGENTS, "&role=agent"),
        *pages("/users.json", "page", "per_page", AGENTS, "&role=admin"),
        *pages("/users.json", "page", "per_page", AGENTS, "&created_start=0&updated_order=desc"),
        Case("nobody in time", "/users.json?updated_start=2090-01-01"),
        Case("roles", "/users.json?role=" + "agent,admin," * (QUERY // 12) + "agent"),
        *(Case(f"query: {what}", f"/users.json?{query}") for what, query in QUERIES.items()),
        Case("languages", "/users.json?role=x", headers={"Accept-Language": "zh;q=0.1," * 1_500}),
    ],
    "POST /users.json": [
        *texts("/users.json", {"user": _USER | {"name": ""}}, "name", "signature", "notes", "email"),
        Case("again", "/users.json", {"user": {**_USER, "x": "a" * 900_000}},
             headers={"Idempotency-Key": "k" * 255}),
    ],
    "GET /users/me.json": [Case("me", "/users/me.json")],
    "GET /users/show_many.json": [
        Case("a hundred", "/users/show_many.json?ids=" + ",".join(str(AGENTS - 10 * i) for i in range(100))),
        Case("too many", "/users/show_many.json?ids=" + "1," * (QUERY // 2) + "1"),
        Case("a long one", "/users/show_many.json?ids=" + "1" * QUERY),
    ],
    "GET /users/search.json": _searches(),
    "GET /users/{id}.json": [Case("of the crowd", "/users/50.json")],
    "PUT /users/{id}.json": [
        *texts("/users/60.json", {"user": {"name": "n"}}, "name", "details"),
        Case("of the crowd", "/users/60.json", {"user": {"name": "x"}}, swept=True),
    ],
    "DELETE /users/{id}.json": [
        Case("of the crowd", "/users/70.json", swept=True, again=paths("/users/{}.json", 2_070, 10))
    ],
    "GET /users/{id}/groups.json": [Case("all", "/users/30/groups.json")],
}  # fmt: skip
