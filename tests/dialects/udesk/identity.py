"""What the proofs of identity need to know of Udesk: who loses what by which call, where ids stand, what is secret."""

from typing import TYPE_CHECKING

from deskroster.testing import Account, UdeskSignature
from tests.contract import IN_OTHER, Ask, Demotion, Find, Loss
from tests.world import SECOND_ADMIN

if TYPE_CHECKING:
    from tests.proofs.identity.life import Life

EMAIL = "new@test.cn"
WHO = SECOND_ADMIN.id


LOSSES = {
    "the password, in Udesk": Loss("PUT", f"/agents/{WHO}", {"agent": {"password": "new"}}, "password"),
    "the state, in Udesk": Loss("PUT", f"/agents/{WHO}", {"agent": {"disable_status": "disable"}}, "all"),
    "the account, in Udesk": Loss("DELETE", f"/agents/{WHO}", None, "all"),
}
DEMOTIONS = {
    "deleted in Udesk": Demotion(lambda id: Ask("DELETE", f"/agents/{id}")),
    "disabled in Udesk": Demotion(lambda id: Ask("PUT", f"/agents/{id}", {"agent": {"disable_status": "disable"}})),
}
PROMOTIONS = {
    "enabled in Udesk": lambda id: Ask("PUT", f"/agents/{id}", {"agent": {"disable_status": "enable"}}),
}

_NEW = {"email": EMAIL, "password": "p", "nick_name": "x"}
_LISTS = ("agent_role_ids", "user_group_ids", "department_ids")
_OBJECTS = ("agent_roles", "user_groups", "departments")
IDS_IN_QUERY = {
    "GET /agents/get_agent": lambda id: f"type=id&content={id}",
    "GET /callcenter_analysis/agents_of_group": lambda id: f"group_id={id}",
}
IDS_IN_BODY = {
    "POST /agents": {
        **{name: lambda id, name=name: {"agent": {**_NEW, name: [id]}} for name in _LISTS},
        **{name: lambda id, name=name: {"agent": {**_NEW, name: [{"id": id}]}} for name in _OBJECTS},
    },
    "PUT /agents/{id}": {
        **{name: lambda id, name=name: {"agent": {name: [1, id]}} for name in _LISTS},
        **{name: lambda id, name=name: {"agent": {name: [{"id": 1}, {"id": id}]}} for name in _OBJECTS},
    },
    "DELETE /agents/{id}": {
        "owner_id": lambda id: {"owner_id": id}, "owner_group_id": lambda id: {"owner_group_id": id},
    },
    "POST /departments": {"parent_id": lambda id: {"name": "x", "parent_id": id}},
}  # fmt: skip
FINDS = (Find("/agents/get_agent?type=email&content={}", *IN_OTHER),)


def day(life: "Life", admin: Account) -> None:
    """Set passwords, show those of a SIP account, log in, and be refused with secrets in hand."""
    clients = life.of(admin)
    agent = {"nick_name": "u", "email": "u@life.cn", "password": life.secret("udesk's first password")}
    other = life.ask(clients.udesk, "POST", "/agents", json={"agent": agent}).json()["id"]
    life.ask(clients.udesk, "PUT", f"/agents/{other}", json={"agent": {"password": life.secret("udesk's second")}})
    for name in ("the SIP password", "the next SIP password"):
        body = {"sip_number": "8001", "sip_password": life.secret(name)}
        life.ask(clients.own, "PATCH", "/v1/agents/2", json=body)
    life.ask(clients.udesk, "GET", "/agents/get_agent?type=id&content=2")
    life.shown.add(("the next SIP password", life.last))  # of a Udesk agent `number` and `password` (contract)
    login = {"email": admin.email, "password": admin.password}
    for how in ({"json": login}, {"data": login}):
        life.ask(life.plain(), "POST", "/open_api_v1/log_in", **how)
        life.shown.add(("the administrator's token", life.last))
    signed = UdeskSignature(admin).parameters()
    life.secrets["a signature in a body"] = signed["sign"]
    life.ask(life.plain(), "POST", "/open_api_v1/user_groups", json={"name": "x", **signed})
    for id in (2, 99):
        life.ask(clients.udesk, "PUT", f"/agents/{id}", json={"agent": {"password": life.secret("long") * 40}})
