"""The calls that cost most: for every route of every dialect the worst arguments that it takes."""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple
from uuid import uuid4

from tests.proofs.load.company import AGENTS, CROWD, CROWDED, SHARED

BODY = 1_000_000  # bytes, a little less than a body may have
QUERY = 7_000  # characters; a signature comes after them
LAST = 2**63 - 1
TRIES = 20  # measurements at most
MEMBERS = list(range(1, CROWD + 1))
GONE = AGENTS + 10_000_000

_LONG = {
    "ascii": "a" * (BODY - 1_000),
    "chinese": "中" * (BODY // 3 - 1_000),
    "emoji": "😀" * (BODY // 4 - 1_000),
    "folding to three": "ΐ" * (BODY // 2 - 1_000),
    "space": " " * (BODY - 1_000),
    "ideographic space": "\u3000" * (BODY // 3 - 1_000),
    "refused at the end": "b" * (BODY - 1_000) + "\x07",
}
_NAMES = {
    "ascii": "A" * 255,
    "chinese": "中" * 255,
    "emoji": "😀" * 255,
    "folding to three": "ΐ" * 255,
    "combining": "a" + "\u0301" * 254,
    "quotes": '"' * 255,
    "in spaces": "\u2003" * 5_000 + "a" + "\u2003" * 5_000,
}

HOSTILE: dict[str, bytes] = {
    "nothing but opening": b'{"a":' * (BODY // 5),
    "opened lists": b'{"a":' + b"[" * BODY,
    "empty objects": b'{"a":[' + b"{}," * (BODY // 3) + b"{}]}",
    "empty lists, in levels": b'{"a":[' + (b"[" * 60 + b"]" * 60 + b",") * (BODY // 121) + b"0]}",
    "keys": json.dumps({f"{i:x}": 0 for i in range(BODY // 11)}).encode(),
    "the same key": b"{" + b'"a":0,' * (BODY // 6) + b'"a":0}',
    "one number": b'{"a":' + b"1" * BODY + b"}",
    "one fraction": b'{"a":0.' + b"1" * BODY + b"}",
    "long numbers": b'{"a":[' + b"999999999999999999," * (BODY // 19) + b"0]}",
    "fractions": b'{"a":[' + (b"1." + b"9" * 30 + b"e300,") * (BODY // 37) + b"0]}",
    "digits in a string": b'{"a":"' + b"123456789012345678x" * (BODY // 19) + b'"}',
    "escapes": b'{"a":"' + b"\\u4e2d" * (BODY // 6) + b'"}',
    "pairs of escapes": b'{"a":"' + b"\\ud83d\\ude00" * (BODY // 12) + b'"}',
    "no UTF-8 at the end": b'{"a":"' + b"a" * BODY + b'\xff"}',
}

MOST_HOSTILE = ("keys", "long numbers")

QUERIES = {
    "names": "a=1&" * (QUERY // 4),
    "repeats": "page=1&" * (QUERY // 7),
    "percent": "page=" + "%39" * (QUERY // 3),
    "digits": "page=" + "9" * QUERY,
    "plus": "page=" + "+" * QUERY,
    "the last page": f"page={LAST}&per_page=1000&pageNum={LAST}&pageSize=100",
}


class Case(NamedTuple):
    """A request at its worst. `swept`: with as many pieces as are ever held; else there are none."""

    what: str
    path: str
    body: Any = None  # bytes are sent as they are
    swept: bool = False
    headers: Mapping[str, str] = MappingProxyType({})
    again: tuple[str, ...] = ()  # paths for when it is measured again, where the first is used up
    undo: Any = None  # the body that is sent first when it is measured again, so that there is as much to do


def _texts(path: str, body: Any, *fields: str) -> list[Case]:
    """Return the case of each hostile text in each of these fields of a body; `*` in its strings is a new text."""
    cases = []
    for field in fields:
        for what, text in {**_LONG, **_NAMES}.items():
            cases.append(Case(f"{field}: {what}", path, _with(body, field, text)))
    return cases


def _with(body: Any, field: str, text: str) -> Any:
    if isinstance(body, dict):
        inner = {name: _with(value, field, text) for name, value in body.items()}
        outermost = not any(isinstance(value, dict) for value in body.values())
        return {**inner, field: text} if outermost else inner
    return body.replace("*", uuid4().hex) if isinstance(body, str) else body


def _pages(path: str, page: str, size: str, last: int, more: str = "") -> list[Case]:
    """Return the first, the middle and the last page, with as many records as it may have."""
    most = {"per_page": 100, "pageSize": 100}[size]
    return [
        Case(f"page {number}", f"{path}?{page}={number}&{size}={most}{more}")
        for number in (1, last // most // 2, -(-last // most), LAST)
    ]


_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_EMAIL = "a" * 60 + "*@" + ".".join(["b" * 50] * 3) + ".cn"
_AGENT = {"agent": {"email": "*@test.cn", "nick_name": "新", "password": "p"}}
_STAFF = {
    "email": "*@test.cn",
    "password": "long-enough",
    "realname": "新",
    "position": {"id": 1},
    "roleList": [{"id": 1}],
}
_PARTS = ("a@b.co,x@y.cn," * (BODY // 14))[:-1]
_EMAILS = ",".join(f"{i:x}@b.cn" for i in range(BODY // 12))
_PHONES = ",".join(f"{i:06}" for i in range(BODY // 8))
_OPTIONS = [f"{i:x}" for i in range(BODY // 9)]


def _listed(first: int, number: int, step: int = 1) -> str:
    return ",".join(str(first + i * step) for i in range(number))


def _paths(path: str, first: int, step: int = 1) -> tuple[str, ...]:
    """Return the paths of as many others."""
    return tuple(path.format(first + step * at) for at in range(TRIES))


def _record(values: dict[str, str], **more: Any) -> dict[str, Any]:
    listed = [{"fieldApiName": name, "fieldValue": value} for name, value in values.items()]
    return {"objectApiName": "userInfo", "fieldDataList": listed, **more}


def _records(path: str, **more: Any) -> list[Case]:
    return [
        Case("repeated e-mails", path, _record({"emails": _PARTS}, **more)),
        Case("e-mails", path, _record({"emails": _EMAILS}, **more)),
        Case("telephones", path, _record({"telephones": _PHONES}, **more)),
        Case("choices", path, _record({"choices": ",".join(_OPTIONS)}, **more)),
        Case("unknown fields", path, _record(dict.fromkeys(_OPTIONS[:20_000], ""), **more)),
        *(Case(f"text: {what}", path, _record({"bio": text}, **more)) for what, text in _LONG.items()),
    ]


def _searches() -> list[Case]:
    asked = {
        "what all have": "e", "what none has": "zzzz", "nothing": "", "a digit": "1", "nearly": "example.con",
        "a run": "a" * 127 + "b", "a long run": "a" * QUERY, "percent": "%E4%B8%AD" * (QUERY // 9),
        "one": "agent99999@", "a pattern": "(a%2B)%2B%24" * 100, "a separator": "%1E", "repeated": "a&query=b",
    }  # fmt: skip
    return [Case(what, f"/users/search.json?query={query}") for what, query in asked.items()] + [
        Case("the last page", "/users/search.json?query=e&page=1000")
    ]


_THOUSANDS = (*range(52_001, 60_000, 2_000), *range(80_001, 100_000, 2_000))
_REFERENCE = {
    "positions": "position",
    "roles": "role",
    "permission-sets": "permission_set",
    "departments": "department",
}

WORST: dict[str, list[Case]] = {
    "udesk GET /user_groups": [*_pages("/user_groups", "page", "per_page", 1_000)],
    "udesk POST /user_groups": _texts("/user_groups", {"name": ""}, "name"),
    "udesk PUT /user_groups/{id}": [
        *_texts("/user_groups/1", {"name": ""}, "name"),
        Case("a crowd", f"/user_groups/{CROWDED}", {"name": "Crowd"}, swept=True),
    ],
    "udesk DELETE /user_groups/{id}": [
        Case("a hundred in it", "/user_groups/300", swept=True, again=_paths("/user_groups/{}", 301))
    ],
    "udesk GET /user_groups/{id}/agents": [
        *_pages(f"/user_groups/{CROWDED}/agents", "page", "per_page", CROWD),
    ],
    "udesk GET /agents": [
        *_pages("/agents", "page", "per_page", AGENTS),
        *_pages("/agents", "page", "per_page", AGENTS, "&with_disabled=true"),
    ],
    "udesk GET /agents/get_agent": [
        Case("an e-mail", "/agents/get_agent?type=email&content=" + "a" * QUERY),
        Case("an id", f"/agents/get_agent?type=id&content={AGENTS}"),
    ],
    "udesk POST /agents": [
        *_texts("/agents", _AGENT, "nick_name", "aliase", "im_welcomes", "avatar", "email", "cellphone", "duty"),
        Case("a long e-mail", "/agents", {"agent": {**_AGENT["agent"], "email": _EMAIL}}),
        Case("all groups", "/agents", {"agent": {**_AGENT["agent"], "user_group_ids": list(range(1, 1_001))}}),
        Case("ids", "/agents", {"agent": {**_AGENT["agent"], "agent_role_ids": [1] * 400_000}}),
        Case("ids as they may be", "/agents", {"agent": {**_AGENT["agent"], "agent_role_ids": [1] * 10_000}}),
    ],
    "udesk PUT /agents/{id}": [
        *_texts("/agents/30", {"agent": {"nick_name": "n"}}, "nick_name", "im_welcomes"),
        Case("all groups", "/agents/30", {"agent": {"user_group_ids": list(range(1, 1_001))}}, swept=True,
             undo={"agent": {"user_group_ids": []}}),
        Case("no group", "/agents/30", {"agent": {"user_group_ids": []}}, swept=True,
             undo={"agent": {"user_group_ids": list(range(1, 1_001))}}),
    ],
    "udesk DELETE /agents/{id}": [
        Case("of the crowd", "/agents/40", swept=True, again=_paths("/agents/{}", 1_040, 10)),
        Case("none", f"/agents/{GONE}"),
    ],
    "udesk GET /agent_roles": [Case("all", "/agent_roles")],
    "udesk GET /departments": [Case("all", "/departments")],
    "udesk POST /departments": _texts("/departments", {"name": ""}, "name"),
    "udesk POST /log_in": [
        Case("a stranger", "/log_in", {"email": "a" * 900_000, "password": "p"}),
        Case("a password", "/log_in", {"email": "agent2@example.com", "password": "p" * 900_000}),
        Case("a form", "/log_in", b"a=%41&" * (BODY // 6), headers=_FORM),
        Case("a form as large as may be", "/log_in", b"a=%41&" * 10_000, headers=_FORM),
    ],
    "kf5 GET /groups.json": [*_pages("/groups.json", "page", "per_page", 1_000)],
    "kf5 POST /groups.json": [
        *_texts("/groups.json", {"group": {"name": ""}}, "name"),
        Case("a crowd", "/groups.json", {"group": {"name": "Crowd", "agents": MEMBERS}}, swept=True),
        Case("a crowd in another order", "/groups.json", {"group": {"name": "Crowd", "agents": MEMBERS[::-1]}}),
        Case("more than may be", "/groups.json", {"group": {"name": "Crowd", "agents": [1] * 400_000}}),
    ],
    "kf5 GET /groups/{id}.json": [Case("a crowd", f"/groups/{CROWDED}.json")],
    "kf5 PUT /groups/{id}.json": [
        *_texts("/groups/2.json", {"group": {"name": "n"}}, "name"),
        Case("a crowd comes", "/groups/3.json", {"group": {"agents": [i + 50_000 for i in MEMBERS]}}, swept=True,
             undo={"group": {"agents": []}}),
        Case("another crowd comes", "/groups/3.json", {"group": {"agents": [i + 80_000 for i in MEMBERS]}}, swept=True,
             undo={"group": {"agents": [i + 50_000 for i in MEMBERS]}}),
        Case("the crowd stays", "/groups/3.json", {"group": {"agents": [i + 80_000 for i in MEMBERS]}}),
        Case("the crowd leaves", "/groups/3.json", {"group": {"agents": []}}, swept=True,
             undo={"group": {"agents": [i + 80_000 for i in MEMBERS]}}),
    ],
    "kf5 DELETE /groups/{id}.json": [Case("a crowd", "/groups/1001.json", swept=True)],
    "kf5 GET /users.json": [
        *_pages("/users.json", "page", "per_page", AGENTS),
        *_pages("/users.json", "page", "per_page", AGENTS, "&role=agent"),
        *_pages("/users.json", "page", "per_page", AGENTS, "&role=admin"),
        Case("roles", "/users.json?role=" + "agent,admin," * (QUERY // 12) + "agent"),
        *(Case(f"query: {what}", f"/users.json?{query}") for what, query in QUERIES.items()),
        Case("languages", "/users.json?role=x", headers={"Accept-Language": "zh;q=0.1," * 1_500}),
    ],
    "kf5 POST /users.json": [
        *_texts("/users.json", {"user": {"name": "", "email": "*@test.cn"}}, "name", "signature", "notes", "email"),
        Case("again", "/users.json", {"user": {"name": "n", "email": "*@test.cn", "x": "a" * 900_000}},
             headers={"Idempotency-Key": "k" * 255}),
    ],
    "kf5 GET /users/me.json": [Case("me", "/users/me.json")],
    "kf5 GET /users/show_many.json": [
        Case("a hundred", "/users/show_many.json?ids=" + ",".join(str(AGENTS - 10 * i) for i in range(100))),
        Case("too many", "/users/show_many.json?ids=" + "1," * (QUERY // 2) + "1"),
        Case("a long one", "/users/show_many.json?ids=" + "1" * QUERY),
    ],
    "kf5 GET /users/search.json": _searches(),
    "kf5 GET /users/{id}.json": [Case("of the crowd", "/users/50.json")],
    "kf5 PUT /users/{id}.json": [
        *_texts("/users/60.json", {"user": {"name": "n"}}, "name", "details"),
        Case("of the crowd", "/users/60.json", {"user": {"name": "x"}}, swept=True),
    ],
    "kf5 DELETE /users/{id}.json": [
        Case("of the crowd", "/users/70.json", swept=True, again=_paths("/users/{}.json", 2_070, 10))
    ],
    "kf5 GET /users/{id}/groups.json": [Case("all", "/users/30/groups.json")],
    "servicego POST /v1/user": [
        *_texts("/v1/user", _STAFF, "realname", "email", "mobile"),
        Case("all groups", "/v1/user", {**_STAFF, "email": "g@test.cn", "userGroupList": list(range(1, 1_001))}),
        Case("roles", "/v1/user", {**_STAFF, "roleList": [{"id": 1}] * 90_000}),
    ],
    "servicego PUT /v1/user/{id}": [
        *_texts("/v1/user/80", {"realname": ""}, "realname", "mobile"),
        Case("a profile", "/v1/user/80", {"userInfo": {"id": 1}}, swept=True),
    ],
    "servicego GET /v1/user/{id}": [Case("with a profile", "/v1/user/90")],
    "servicego DELETE /v1/user/{id}": [
        Case("a thousand", f"/v1/user/{_listed(50_001, 1_000)}", swept=True,
             again=tuple(f"/v1/user/{_listed(first, 1_000)}" for first in _THOUSANDS)),
        Case("the same again", f"/v1/user/{_listed(50_001, 1_000)}"),
        Case("one a thousand times", "/v1/user/" + ",".join(["100"] * 1_000)),
        Case("a thousand of the crowd", f"/v1/user/{_listed(60_000, 1_000, 10)}", swept=True,
             again=tuple(f"/v1/user/{_listed(first, 1_000, 10)}" for first in (70_000, 40_000, 10_010))),
    ],
    "servicego GET /v1/user": [
        *_pages("/v1/user", "pageNum", "pageSize", AGENTS),
        *_pages("/v1/user", "pageNum", "pageSize", AGENTS, f"&positionId={SHARED}"),
        *(Case(f"query: {what}", f"/v1/user?{query}") for what, query in QUERIES.items()),
    ],
    "servicego GET /v2/user": [
        Case("an e-mail", f"/v2/user?type=2&value=agent{AGENTS}@example.com"),
        Case("a mobile", "/v2/user?type=3&value=" + "1" * QUERY),
        Case("a job number", f"/v2/user?type=4&value=J{AGENTS}"),
    ],
    "servicego POST /v1/userGroup": [
        *_texts("/v1/userGroup", {"name": ""}, "name"),
        Case("a crowd", "/v1/userGroup", {"name": "Crowd", "userList": [{"id": i} for i in MEMBERS]}, swept=True),
    ],
    "servicego PUT /v1/userGroup/{id}": [
        Case("a crowd", "/v1/userGroup/4", {"userList": [{"id": i + 20_000} for i in MEMBERS]}, swept=True,
             undo={"userList": []}),
        Case("no one", "/v1/userGroup/4", {"userList": []}, swept=True,
             undo={"userList": [{"id": i + 20_000} for i in MEMBERS]}),
        Case("more than may be", "/v1/userGroup/4", {"userList": [{"id": 1}] * 90_000}),
    ],
    "servicego GET /v1/userGroup/{id}": [Case("a crowd", f"/v1/userGroup/{CROWDED}")],
    "servicego DELETE /v1/userGroup/{id}": [
        Case("a crowd", "/v1/userGroup/1002", swept=True),
        Case("more than may be moved at once", f"/v1/userGroup/{_listed(400, 500)}", swept=True),
        Case("as many as may be moved at once", f"/v1/userGroup/{_listed(400, 180)}", swept=True,
             again=(f"/v1/userGroup/{_listed(600, 180)}", f"/v1/userGroup/{_listed(800, 180)}")),
        Case("a thousand that are none", f"/v1/userGroup/{_listed(GONE, 1_000)}"),
    ],
    "servicego GET /v1/userGroup": [*_pages("/v1/userGroup", "pageNum", "pageSize", 1_000)],
    "servicego GET /v1/position": [Case("all", "/v1/position?pageSize=100")],
    "servicego GET /v1/role": [Case("all", "/v1/role?pageSize=100")],
    "servicego GET /v1/authorizationSet": [Case("all", "/v1/authorizationSet?pageSize=100")],
    "servicego GET /v1/fields": [Case("all", "/v1/fields?objectApiName=userInfo")],
    "servicego GET /v1/data": [Case("one", "/v1/data?objectApiName=userInfo&id=1")],
    "servicego POST /v1/data": _records("/v1/data"),
    "servicego PUT /v1/data": _records("/v1/data", id=1),
    "servicego DELETE /v1/data": [Case("in use", "/v1/data?objectApiName=userInfo&id=2")],
    **{f"own GET /v1/{path}": [Case("a thousand", f"/v1/{path}?per_page=1000")] for path in _REFERENCE},
    **{f"own POST /v1/{path}": _texts(f"/v1/{path}", {"name": ""}, "name") for path in _REFERENCE},
    **{
        f"own PATCH /v1/{path}/{{id}}": [
            *_texts(f"/v1/{path}/2", {"name": ""}, "name"),
            Case("what everyone has", f"/v1/{path}/{SHARED}", {"name": "Other"}, swept=True),
            Case("what everyone has, again", f"/v1/{path}/{SHARED}", {"name": "Another"}, swept=True),
        ]
        for path in _REFERENCE
    },
    **{
        f"own DELETE /v1/{path}/{{id}}": [
            Case("what everyone has", f"/v1/{path}/{SHARED}"),
            Case("one", f"/v1/{path}/8"),
        ]
        for path in _REFERENCE
    },
    "own GET /v1/profile-fields": [Case("all", "/v1/profile-fields?per_page=1000")],
    "own POST /v1/profile-fields": [
        *_texts("/v1/profile-fields", {"api_name": "a", "label": ""}, "label", "api_name"),
        Case("options", "/v1/profile-fields",
             {"api_name": "b", "label": "b", "type": "single_listbox", "options": _OPTIONS}),
        Case("the same option", "/v1/profile-fields",
             {"api_name": "c", "label": "c", "type": "single_listbox", "options": ["a"] * (BODY // 5)}),
    ],
    "own PATCH /v1/profile-fields/{id}": [
        Case("of all records", "/v1/profile-fields/1", {"label": "Town"}, swept=True),
    ],
    "own DELETE /v1/profile-fields/{id}": [
        Case("of all records", "/v1/profile-fields/2"),
        Case("of none", "/v1/profile-fields/3"),
    ],
    "own GET /v1/agents": [
        Case("first", "/v1/agents?per_page=1000"),
        Case("last", "/v1/agents?per_page=1000&page=100"),
        Case("an e-mail", "/v1/agents?email=" + "a" * QUERY),
    ],
    "own GET /v1/agents/{id}": [Case("one", "/v1/agents/110")],
    "own PATCH /v1/agents/{id}": _texts("/v1/agents/120", {"sip_number": "8"}, "sip_number", "sip_password"),
    "own PUT /v1/agents/{id}/password": [
        *_texts("/v1/agents/2/password", {"password": ""}, "password"),
    ],
    "own GET /v1/keys": [Case("all", "/v1/keys?per_page=1000")],
    "own POST /v1/keys": [
        *_texts("/v1/keys", {"agent_id": 2, "name": "", "dialects": []}, "name"),
        Case("dialects", "/v1/keys", {"agent_id": 2, "name": "n", "dialects": ["kf5"] * (BODY // 8)}),
    ],
    "own DELETE /v1/keys/{id}": [Case("one", "/v1/keys/3")],
}  # fmt: skip
