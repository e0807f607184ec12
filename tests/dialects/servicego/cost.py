"""The calls of ServiceGo that cost most."""

from typing import Any

from tests.proofs.load.cases import BODY, GONE, LONG, MEMBERS, OPTIONS, QUERIES, QUERY, Case, listed, pages, texts
from tests.proofs.load.company import AGENTS, CROWDED, SHARED

_BY_CITY = "/v1/data?objectApiName=userInfo&uniqueFieldApiName=city&uniqueFieldValue="
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
_THOUSANDS = (*range(52_001, 60_000, 2_000), *range(80_001, 100_000, 2_000))


def _record(values: dict[str, str], **more: Any) -> dict[str, Any]:
    listed = [{"fieldApiName": name, "fieldValue": value} for name, value in values.items()]
    return {"objectApiName": "userInfo", "fieldDataList": listed, **more}


def _records(path: str, **more: Any) -> list[Case]:
    return [
        Case("repeated e-mails", path, _record({"emails": _PARTS}, **more)),
        Case("e-mails", path, _record({"emails": _EMAILS}, **more)),
        Case("telephones", path, _record({"telephones": _PHONES}, **more)),
        Case("choices", path, _record({"choices": ",".join(OPTIONS)}, **more)),
        Case("unknown fields", path, _record(dict.fromkeys(OPTIONS[:20_000], ""), **more)),
        *(Case(f"text: {what}", path, _record({"bio": text}, **more)) for what, text in LONG.items()),
    ]


WORST: dict[str, list[Case]] = {
    "POST /v1/user": [
        *texts("/v1/user", _STAFF, "realname", "email", "mobile"),
        Case("all groups", "/v1/user", {**_STAFF, "email": "g@test.cn", "userGroupList": list(range(1, 1_001))}),
        Case("roles", "/v1/user", {**_STAFF, "roleList": [{"id": 1}] * 90_000}),
    ],
    "PUT /v1/user/{id}": [
        *texts("/v1/user/80", {"realname": ""}, "realname", "mobile"),
        Case("a profile", "/v1/user/80", {"userInfo": {"id": 1}}, swept=True),
    ],
    "GET /v1/user/{id}": [Case("with a profile", "/v1/user/90")],
    "DELETE /v1/user/{id}": [
        Case("a thousand", f"/v1/user/{listed(50_001, 1_000)}", swept=True,
             again=tuple(f"/v1/user/{listed(first, 1_000)}" for first in _THOUSANDS)),
        Case("the same again", f"/v1/user/{listed(50_001, 1_000)}"),
        Case("one a thousand times", "/v1/user/" + ",".join(["100"] * 1_000)),
        Case("a thousand of the crowd", f"/v1/user/{listed(60_000, 1_000, 10)}", swept=True,
             again=tuple(f"/v1/user/{listed(first, 1_000, 10)}" for first in (70_000, 40_000, 10_010))),
    ],
    "GET /v1/user": [
        *pages("/v1/user", "pageNum", "pageSize", AGENTS),
        *pages("/v1/user", "pageNum", "pageSize", AGENTS, f"&positionId={SHARED}"),
        *(Case(f"query: {what}", f"/v1/user?{query}") for what, query in QUERIES.items()),
    ],
    "GET /v2/user": [
        Case("an e-mail", f"/v2/user?type=2&value=agent{AGENTS}@example.com"),
        Case("a mobile", "/v2/user?type=3&value=" + "1" * QUERY),
        Case("a job number", f"/v2/user?type=4&value=J{AGENTS}"),
    ],
    "POST /v1/userGroup": [
        *texts("/v1/userGroup", {"name": ""}, "name"),
        Case("a crowd", "/v1/userGroup", {"name": "Crowd", "userList": [{"id": i} for i in MEMBERS]}, swept=True),
    ],
    "PUT /v1/userGroup/{id}": [
        Case("a crowd", "/v1/userGroup/4", {"userList": [{"id": i + 20_000} for i in MEMBERS]}, swept=True,
             undo={"userList": []}),
        Case("no one", "/v1/userGroup/4", {"userList": []}, swept=True,
             undo={"userList": [{"id": i + 20_000} for i in MEMBERS]}),
        Case("more than may be", "/v1/userGroup/4", {"userList": [{"id": 1}] * 90_000}),
    ],
    "GET /v1/userGroup/{id}": [Case("a crowd", f"/v1/userGroup/{CROWDED}")],
    "DELETE /v1/userGroup/{id}": [
        Case("a crowd", "/v1/userGroup/1002", swept=True),
        Case("more than may be moved at once", f"/v1/userGroup/{listed(400, 500)}", swept=True),
        Case("as many as may be moved at once", f"/v1/userGroup/{listed(400, 180)}", swept=True,
             again=(f"/v1/userGroup/{listed(600, 180)}", f"/v1/userGroup/{listed(800, 180)}")),
        Case("a thousand that are none", f"/v1/userGroup/{listed(GONE, 1_000)}"),
    ],
    "GET /v1/userGroup": [*pages("/v1/userGroup", "pageNum", "pageSize", 1_000)],
    "GET /v1/position": [Case("all", "/v1/position?pageSize=100")],
    "GET /v1/role": [Case("all", "/v1/role?pageSize=100")],
    "GET /v1/authorizationSet": [Case("all", "/v1/authorizationSet?pageSize=100")],
    "GET /v1/fields": [Case("all", "/v1/fields?objectApiName=userInfo")],
    "GET /v1/data": [
        Case("one", "/v1/data?objectApiName=userInfo&id=1"),
        Case("by a value", f"{_BY_CITY}%E4%B8%8A%E6%B5%B7 7".replace(" ", "%20")),
        Case("by a value that nothing has", f"{_BY_CITY}{'a' * (QUERY // 2)}"),
    ],
    "POST /v1/data": _records("/v1/data"),
    "PUT /v1/data": [
        *_records("/v1/data", id=1),
        Case("names of others", "/v1/data", {"id": 1, "fieldDataList": [
            {"fieldApiName": f"f{number}", "foreignDataName": f"n{number}"} for number in range(10_000)]}),
    ],
    "DELETE /v1/data": [Case("in use", "/v1/data?objectApiName=userInfo&id=2")],
}  # fmt: skip
