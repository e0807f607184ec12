"""What is secret in our own API."""

from typing import TYPE_CHECKING

import httpx2

from deskroster.testing import Account

if TYPE_CHECKING:
    from tests.proofs.identity.life import Life


def day(life: "Life", admin: Account) -> None:
    """Make keys, of which each is shown once; set a password; and be refused with secrets in hand."""
    own = life.of(admin).own
    life.ask(own, "PUT", "/v1/agents/2/password", json={"password": life.secret("our own")})
    for number, agent_id in enumerate((1, 2, 2)):
        key = {"agent_id": agent_id, "name": "x"}
        made = life.ask(own, "POST", "/v1/keys", json=key, headers={"Idempotency-Key": f"k{number}"}).json()
        life.secrets[f"token {number}"] = made["secret"]
        life.shown.add((f"token {number}", life.last))
    again = {"agent_id": 2, "name": "x"}
    life.ask(own, "POST", "/v1/keys", json=again, headers={"Idempotency-Key": "k2"})
    life.shown.add(("token 2", life.last))
    life.ask(own, "DELETE", f"/v1/keys/{made['id']}")
    life.ask(own, "GET", "/v1/keys")
    for id in (2, 99):
        life.ask(own, "PUT", f"/v1/agents/{id}/password", json={"password": life.secret("long too") * 40})
        life.ask(own, "PATCH", f"/v1/agents/{id}", json={"sip_password": {"is": life.secret("no text")}})
    stranger = httpx2.BasicAuth("x" * 20_000, life.secret("with a long name"))
    life.ask(life.by(stranger), "GET", "/deskroster/v1/roles")
