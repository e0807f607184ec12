"""One good call for each route of every dialect, on the company of `world`, and who may make it."""

from typing import Any, Literal, NamedTuple

import httpx2

from deskroster.dialect import Dialect, Route
from deskroster.dialects import DIALECTS
from tests.world import ADMIN

Level = Literal["anyone", "agent", "reader", "admin"]
"""Who at least: anyone unsigned; an agent; an administrator, if only with a read-only key; or one who may write."""


class Call(NamedTuple):
    """A request that an administrator may make, with what it needs to be answered well."""

    level: Level
    path: str
    body: Any = None

    def send(self, dialect: Dialect, route: Route, client: httpx2.Client, prefix: str = "") -> httpx2.Response:
        return client.request(route.method, prefix + self.path, json=self.body)


_EMAIL = "new@test.cn"
_STAFF = {"email": _EMAIL, "password": "long-enough", "realname": "新", "position": {"id": 1}, "roleList": [{"id": 1}]}
_RECORD = {"objectApiName": "userInfo", "fieldDataList": [{"fieldApiName": "sysusername", "fieldValue": "新"}]}
_LOGIN = {"email": ADMIN.email, "password": ADMIN.password}

CALLS: dict[str, Call] = {
    "udesk GET /user_groups": Call("reader", "/user_groups?per_page=2"),
    "udesk POST /user_groups": Call("admin", "/user_groups", {"name": "新"}),
    "udesk PUT /user_groups/{id}": Call("admin", "/user_groups/1", {"name": "新"}),
    "udesk DELETE /user_groups/{id}": Call("admin", "/user_groups/1"),
    "udesk GET /user_groups/{id}/agents": Call("reader", "/user_groups/1/agents"),
    "udesk GET /agents": Call("reader", "/agents?with_disabled=true"),
    "udesk GET /agents/get_agent": Call("reader", "/agents/get_agent?type=id&content=2"),
    "udesk POST /agents": Call("admin", "/agents", {"agent": {"email": _EMAIL, "password": "p", "nick_name": "新"}}),
    "udesk PUT /agents/{id}": Call("admin", "/agents/2", {"agent": {"nick_name": "新"}}),
    "udesk DELETE /agents/{id}": Call("admin", "/agents/2", {"owner_id": 1, "owner_group_id": 1}),
    "udesk GET /agent_roles": Call("reader", "/agent_roles"),
    "udesk GET /departments": Call("reader", "/departments"),
    "udesk POST /departments": Call("admin", "/departments", {"name": "新", "parent_id": 1}),
    "udesk POST /log_in": Call("anyone", "/log_in", _LOGIN),
    "kf5 GET /groups.json": Call("agent", "/groups.json?per_page=2"),
    "kf5 POST /groups.json": Call("admin", "/groups.json", {"group": {"name": "新", "agents": [1]}}),
    "kf5 GET /groups/{id}.json": Call("agent", "/groups/1.json"),
    "kf5 PUT /groups/{id}.json": Call("admin", "/groups/1.json", {"group": {"name": "新"}}),
    "kf5 DELETE /groups/{id}.json": Call("admin", "/groups/1.json"),
    "kf5 GET /users.json": Call("agent", "/users.json"),
    "kf5 POST /users.json": Call("admin", "/users.json", {"user": {"name": "新", "email": _EMAIL}}),
    "kf5 GET /users/me.json": Call("agent", "/users/me.json"),
    "kf5 GET /users/show_many.json": Call("agent", "/users/show_many.json?ids=1,2"),
    "kf5 GET /users/search.json": Call("agent", "/users/search.json?query=udesk"),
    "kf5 GET /users/{id}.json": Call("agent", "/users/2.json"),
    "kf5 PUT /users/{id}.json": Call("admin", "/users/2.json", {"user": {"name": "新"}}),
    "kf5 DELETE /users/{id}.json": Call("admin", "/users/2.json"),
    "kf5 GET /users/{id}/groups.json": Call("agent", "/users/2/groups.json"),
    "servicego POST /v1/user": Call("admin", "/v1/user", _STAFF),
    "servicego PUT /v1/user/{id}": Call("admin", "/v1/user/2", {"realname": "新"}),
    "servicego GET /v1/user/{id}": Call("reader", "/v1/user/2"),
    "servicego DELETE /v1/user/{id}": Call("admin", "/v1/user/1,2,99"),
    "servicego GET /v1/user": Call("reader", "/v1/user"),
    "servicego GET /v2/user": Call("reader", "/v2/user?type=1&value=2"),
    "servicego POST /v1/userGroup": Call("admin", "/v1/userGroup", {"name": "新", "userList": [{"id": 1}]}),
    "servicego PUT /v1/userGroup/{id}": Call("admin", "/v1/userGroup/1", {"name": "新"}),
    "servicego GET /v1/userGroup/{id}": Call("reader", "/v1/userGroup/1"),
    "servicego DELETE /v1/userGroup/{id}": Call("admin", "/v1/userGroup/1,99"),
    "servicego GET /v1/userGroup": Call("reader", "/v1/userGroup"),
    "servicego GET /v1/position": Call("reader", "/v1/position"),
    "servicego GET /v1/role": Call("reader", "/v1/role"),
    "servicego GET /v1/authorizationSet": Call("reader", "/v1/authorizationSet"),
    "servicego GET /v1/fields": Call("reader", "/v1/fields?objectApiName=userInfo"),
    "servicego GET /v1/data": Call("reader", "/v1/data?objectApiName=userInfo&id=1"),
    "servicego POST /v1/data": Call("admin", "/v1/data", _RECORD),
    "servicego PUT /v1/data": Call("admin", "/v1/data", {**_RECORD, "id": 1}),
    "servicego DELETE /v1/data": Call("admin", "/v1/data?objectApiName=userInfo&id=2"),
    **{
        f"own GET /v1/{kind}": Call("agent", f"/v1/{kind}")
        for kind in ("positions", "roles", "permission-sets", "departments", "profile-fields", "agents")
    },
    **{
        f"own POST /v1/{kind}": Call("admin", f"/v1/{kind}", {"name": "新"})
        for kind in ("positions", "roles", "permission-sets", "departments")
    },
    **{
        f"own PATCH /v1/{kind}/{{id}}": Call("admin", f"/v1/{kind}/1", {"name": "新"})
        for kind in ("positions", "roles", "permission-sets", "departments")
    },
    "own DELETE /v1/positions/{id}": Call("admin", "/v1/positions/3"),
    "own DELETE /v1/roles/{id}": Call("admin", "/v1/roles/3"),
    "own DELETE /v1/permission-sets/{id}": Call("admin", "/v1/permission-sets/2"),
    "own DELETE /v1/departments/{id}": Call("admin", "/v1/departments/2"),
    "own POST /v1/profile-fields": Call("admin", "/v1/profile-fields", {"api_name": "xin", "label": "新"}),
    "own PATCH /v1/profile-fields/{id}": Call("admin", "/v1/profile-fields/1", {"label": "新"}),
    "own DELETE /v1/profile-fields/{id}": Call("admin", "/v1/profile-fields/17"),
    "own GET /v1/agents/{id}": Call("agent", "/v1/agents/2"),
    "own PATCH /v1/agents/{id}": Call("admin", "/v1/agents/2", {"sip_number": "8001", "sip_password": "secret"}),
    "own PUT /v1/agents/{id}/password": Call("admin", "/v1/agents/2/password", {"password": "long-enough"}),
    "own GET /v1/keys": Call("admin", "/v1/keys"),
    "own POST /v1/keys": Call("admin", "/v1/keys", {"agent_id": 2, "name": "新", "dialects": ["kf5"]}),
    "own DELETE /v1/keys/{id}": Call("admin", "/v1/keys/2"),
}


def name_of(dialect: Dialect, route: Route) -> str:
    return f"{dialect.name} {route.method} {route.path}"


ROUTES = [(dialect, route) for dialect in DIALECTS for route in dialect.routes]
