"""Where values go in and come out again: the fields of every dialect that a bad input may be sent to."""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple
from uuid import uuid4

import httpx2

from tests.world import AGENT

Flavour = Literal["name", "line", "text"]


class Place(NamedTuple):
    """A field that a call writes."""

    dialect: str
    method: str
    path: str
    field: str  # as a refusal names it
    body: Callable[[Any], Any]
    shown: Callable[[Any, dict[str, Any]], Any]  # from the clients and the answer to the write
    flavour: Flavour = "name"
    limit: int = 255
    nullable: bool = False

    @property
    def id(self) -> str:
        return f"{self.dialect} {self.method} {self.path} {self.field}"

    def write(self, clients: Any, value: Any) -> httpx2.Response:
        """Send a value, and keep lone surrogates in it as JSON escapes."""
        return send_json(getattr(clients, self.dialect), self.method, self.path, self.body(value))


def send_json(client: httpx2.Client, method: str, path: str, body: Any) -> httpx2.Response:
    import json

    return client.request(method, path, content=json.dumps(body), headers={"Content-Type": "application/json"})


def _email() -> str:
    return f"{uuid4().hex}@test.cn"


def _udesk_agent(field: str) -> Callable[[Any], Any]:
    new = {"email": "", "password": "p", "nick_name": "新"}
    return lambda value: {"agent": {**new, "email": _email(), field: value}}


def _staff(field: str) -> Callable[[Any], Any]:
    new = {"password": "long-enough", "realname": "新", "position": {"id": 1}, "roleList": [{"id": 1}]}
    return lambda value: {**new, "email": _email(), field: value}


def _kf5_user(field: str) -> Callable[[Any], Any]:
    return lambda value: {"user": {"name": "新", "email": _email(), field: value}}


def _group_of_udesk(clients: Any, answer: dict[str, Any]) -> Any:
    return clients.kf5.get(f"/groups/{answer['id']}.json").json()["group"]["name"]


def _department(clients: Any, answer: dict[str, Any]) -> Any:
    found = clients.udesk.get("/departments").json()["departments"]
    return next(one["name"] for one in found if one["id"] == answer["id"])


def _staff_shown(field: str, id: int | None = None) -> Callable[[Any, dict[str, Any]], Any]:
    def shown(clients: Any, answer: dict[str, Any]) -> Any:
        found = clients.servicego.get(f"/v1/user/{id or answer['data']['id']}").json()["data"]
        return found.get(field, "")

    return shown


def _record_shown(clients: Any, answer: dict[str, Any]) -> Any:
    id = answer["data"]["id"]
    found = clients.servicego.get("/v1/data", params={"objectApiName": "userInfo", "id": id}).json()["data"]
    return next((one["fieldValue"] for one in found["fieldDataList"] if "fieldValue" in one), "")


def _record(api_name: str) -> Callable[[Any], Any]:
    return lambda value: {
        "objectApiName": "userInfo",
        "fieldDataList": [{"fieldApiName": api_name, "fieldValue": value}],
    }


def _inside(*path: str) -> Callable[[Any, dict[str, Any]], Any]:
    def shown(clients: Any, answer: dict[str, Any]) -> Any:
        for part in path:
            answer = answer[part]
        return answer

    return shown


ID = AGENT.id

NAMES = [
    Place("udesk", "POST", "/user_groups", "name", lambda v: {"name": v}, _group_of_udesk),
    Place("udesk", "PUT", "/user_groups/3", "name", lambda v: {"name": v}, _inside("user_group", "name")),
    Place("udesk", "POST", "/agents", "nick_name", _udesk_agent("nick_name"), _inside("agent", "nick_name")),
    Place("udesk", "PUT", f"/agents/{ID}", "nick_name", lambda v: {"agent": {"nick_name": v}},
          _inside("agent", "nick_name")),
    Place("udesk", "POST", "/agents", "aliase", _udesk_agent("aliase"), _inside("agent", "aliase"), "line",
          nullable=True),
    Place("udesk", "PUT", f"/agents/{ID}", "aliase", lambda v: {"agent": {"aliase": v}}, _inside("agent", "aliase"),
          "line", nullable=True),
    Place("udesk", "PUT", f"/agents/{ID}", "cellphone", lambda v: {"agent": {"cellphone": v}},
          _inside("agent", "cellphone"), "line", 32, nullable=True),
    Place("udesk", "PUT", f"/agents/{ID}", "work_id", lambda v: {"agent": {"work_id": v}}, _inside("agent", "work_id"),
          "line", 64, nullable=True),
    Place("udesk", "PUT", f"/agents/{ID}", "avatar", lambda v: {"agent": {"avatar": v}}, _inside("agent", "avatar"),
          "line", 2048, nullable=True),
    Place("udesk", "PUT", f"/agents/{ID}", "im_welcomes", lambda v: {"agent": {"im_welcomes": v}},
          _inside("agent", "im_welcomes"), "text", 10_000, nullable=True),
    Place("udesk", "POST", "/departments", "name", lambda v: {"name": v}, _department),
    Place("kf5", "POST", "/groups.json", "name", lambda v: {"group": {"name": v}}, _inside("group", "name")),
    Place("kf5", "PUT", "/groups/3.json", "name", lambda v: {"group": {"name": v}}, _inside("group", "name")),
    Place("kf5", "POST", "/users.json", "name", _kf5_user("name"), _inside("user", "name")),
    Place("kf5", "PUT", f"/users/{ID}.json", "name", lambda v: {"user": {"name": v}}, _inside("user", "name")),
    Place("kf5", "PUT", f"/users/{ID}.json", "remark_name", lambda v: {"user": {"remark_name": v}},
          _inside("user", "remark_name"), "line", nullable=True),
    Place("kf5", "POST", "/users.json", "agent_display_name", _kf5_user("agent_display_name"),
          _inside("user", "agent_display_name"), "line", nullable=True),
    Place("kf5", "PUT", f"/users/{ID}.json", "phone", lambda v: {"user": {"phone": v}}, _inside("user", "phone"),
          "line", 32, nullable=True),
    Place("kf5", "PUT", f"/users/{ID}.json", "landline", lambda v: {"user": {"landline": v}},
          _inside("user", "landline"), "line", 32, nullable=True),
    Place("kf5", "PUT", f"/users/{ID}.json", "photo", lambda v: {"user": {"photo": v}}, _inside("user", "photo"),
          "line", 2048, nullable=True),
    Place("kf5", "PUT", f"/users/{ID}.json", "signature", lambda v: {"user": {"signature": v}},
          _inside("user", "signature"), "text", 10_000, nullable=True),
    Place("kf5", "PUT", f"/users/{ID}.json", "details", lambda v: {"user": {"details": v}}, _inside("user", "details"),
          "text", 10_000, nullable=True),
    Place("kf5", "POST", "/users.json", "notes", _kf5_user("notes"), _inside("user", "notes"), "text", 10_000,
          nullable=True),
    Place("servicego", "POST", "/v1/user", "realname", _staff("realname"), _inside("data", "realname"), limit=32),
    Place("servicego", "PUT", f"/v1/user/{ID}", "realname", lambda v: {"realname": v}, _staff_shown("realname", ID),
          limit=32),
    Place("servicego", "POST", "/v1/userGroup", "name", lambda v: {"name": v}, _inside("data", "name")),
    Place("servicego", "PUT", "/v1/userGroup/3", "name", lambda v: {"name": v},
          lambda clients, _: clients.servicego.get("/v1/userGroup/3").json()["data"]["name"]),
    Place("servicego", "POST", "/v1/data", "sysusername", _record("sysusername"), _record_shown, "line",
          nullable=True),
    Place("servicego", "POST", "/v1/data", "bio", _record("bio"), _record_shown, "text", 10_000, nullable=True),
]  # fmt: skip

EMAILS = [
    Place("udesk", "POST", "/agents", "email", _udesk_agent("email"), _inside("agent", "email")),
    Place("udesk", "PUT", f"/agents/{ID}", "email", lambda v: {"agent": {"email": v}}, _inside("agent", "email")),
    Place("kf5", "POST", "/users.json", "email", _kf5_user("email"), _inside("user", "email")),
    Place("kf5", "PUT", f"/users/{ID}.json", "email", lambda v: {"user": {"email": v}}, _inside("user", "email")),
    Place("servicego", "POST", "/v1/user", "email", _staff("email"), _inside("data", "email")),
]

STRICT_MOBILES = [
    Place("servicego", "POST", "/v1/user", "mobile", _staff("mobile"), _inside("data", "mobile")),
    Place("servicego", "PUT", f"/v1/user/{ID}", "mobile", lambda v: {"mobile": v}, _staff_shown("mobile", ID)),
]
LOOSE_MOBILES = [place for place in NAMES if place.field in ("cellphone", "phone")]
