"""A day in the life of a company, in which every kind of secret is made, used, changed, mistaken and refused."""

import secrets
from base64 import b64decode
from functools import cache
from typing import Any

import httpx2

from deskroster.testing import Account, KF5Password, KF5Token, ServiceGoSignature, UdeskSignature
from tests.in_process import signed

PATIENCE = 120.0  # seconds that a busy machine may take

Made = dict[str, str]


def password(what: str) -> str:
    """Return a password that looks different in every encoding."""
    return f"{what}+Pä ss/w&=rd?密:{secrets.token_hex(4)}"


class Life:
    """What was made and what was answered. `clients` gives an account's clients, `plain` one that signs nothing."""

    def __init__(self, clients: Any, plain: Any) -> None:
        self._clients = cache(clients)
        self._plain = plain
        self._open: list[Any] = []
        self.secrets: Made = {}
        self.answers: dict[str, bytes] = {}
        self.statuses: set[int] = set()
        self.shown: set[tuple[str, str]] = set()  # secret, and the answer that it may stand in

    def live(self, admin: Account) -> None:
        """Do all that there is to do."""
        self.secrets |= {"the administrator's password": admin.password, "the administrator's token": admin.token}
        self.make_passwords(admin)
        self.make_tokens(admin)
        self.make_sip_passwords(admin)
        self.come_in(admin)
        self.be_refused(admin)
        self.be_mistaken(admin)

    def ask(self, client: httpx2.Client, method: str, path: str, **how: Any) -> httpx2.Response:
        """Make a request; keep what it proves itself by, and what is answered."""
        request = (
            client.build_request(method, path, **how) if client.auth is None else signed(client, method, path, **how)
        )
        self._keep(request)
        request.extensions["timeout"] = dict.fromkeys(("connect", "read", "write", "pool"), PATIENCE)
        response = client.send(request, auth=None)
        name = f"answer {len(self.answers)} to {method} {path[:60]}"
        self.answers[name] = repr(response.headers.raw).encode() + response.content
        self.statuses.add(response.status_code)
        self.last = name
        return response

    def _keep(self, request: httpx2.Request) -> None:
        number = len(self.answers)
        if sign := request.url.params.get("sign"):
            self.secrets[f"signature {number}"] = sign
        if header := request.headers.get("authorization"):
            self.secrets[f"credentials {number}"] = b64decode(header.partition(" ")[2]).decode()
            self.secrets[f"credentials {number}, encoded"] = header.partition(" ")[2]

    def make_passwords(self, admin: Account) -> None:
        first = {name: self.secret(f"{name}'s first password") for name in ("kf5", "udesk", "servicego")}
        kf5, udesk, servicego, own = self.of(admin)
        user = {"name": "k", "email": "k@life.cn", "role": "admin", "password": first["kf5"]}
        id = self.ask(kf5, "POST", "/users.json", json={"user": user}).json()["user"]["id"]
        agent = {"nick_name": "u", "email": "u@life.cn", "password": first["udesk"]}
        other = self.ask(udesk, "POST", "/agents", json={"agent": agent}).json()["id"]
        staff = {"realname": "s", "email": "s@life.cn", "password": first["servicego"], "position": {"id": 1},
                 "roleList": [{"id": 1}]}  # fmt: skip
        self.ask(servicego, "POST", "/v1/user", json=staff, headers={"Idempotency-Key": "one"})
        self.ask(kf5, "PUT", f"/users/{id}.json", json={"user": {"password": self.secret("kf5's second password")}})
        self.ask(udesk, "PUT", f"/agents/{other}", json={"agent": {"password": self.secret("udesk's second")}})
        self.ask(own, "PUT", f"/v1/agents/{id}/password", json={"password": self.secret("our own")})

    def make_tokens(self, admin: Account) -> None:
        *_, own = self.of(admin)
        for number, agent_id in enumerate((1, 2, 2)):
            key = {"agent_id": agent_id, "name": "x"}
            made = self.ask(own, "POST", "/v1/keys", json=key, headers={"Idempotency-Key": f"k{number}"}).json()
            self.secrets[f"token {number}"] = made["secret"]
            self.shown.add((f"token {number}", self.last))
        again = {"agent_id": 2, "name": "x"}
        self.ask(own, "POST", "/v1/keys", json=again, headers={"Idempotency-Key": "k2"})
        self.shown.add(("token 2", self.last))
        self.ask(own, "DELETE", f"/v1/keys/{made['id']}")
        self.ask(own, "GET", "/v1/keys")

    def make_sip_passwords(self, admin: Account) -> None:
        _, udesk, _, own = self.of(admin)
        for name in ("the SIP password", "the next SIP password"):
            self.ask(own, "PATCH", "/v1/agents/2", json={"sip_number": "8001", "sip_password": self.secret(name)})
        self.ask(udesk, "GET", "/agents/get_agent?type=id&content=2")
        self.shown.add(("the next SIP password", self.last))  # of a Udesk agent `number` and `password` (contract)

    def come_in(self, admin: Account) -> None:
        """Come in by every way that there is."""
        for form in ("A", "B", "C"):
            self.ask(self.by(UdeskSignature(admin, form=form)), "GET", "/open_api_v1/user_groups")
        for old in (False, True):
            self.ask(self.by(ServiceGoSignature(admin, old=old)), "GET", "/api/v1/user")
        for auth in (KF5Token(admin), KF5Password(admin), KF5Password(admin)):
            self.ask(self.by(auth), "GET", "/apiv2/users/me.json")
        login = {"email": admin.email, "password": admin.password}
        for how in ({"json": login}, {"data": login}):
            self.ask(self.plain(), "POST", "/open_api_v1/log_in", **how)
            self.shown.add(("the administrator's token", self.last))
        inside = UdeskSignature(admin).parameters()
        self.secrets["a signature in a body"] = inside["sign"]
        self.ask(self.plain(), "POST", "/open_api_v1/user_groups", json={"name": "x", **inside})

    def be_refused(self, admin: Account) -> None:
        """Be refused in every way, with secrets in hand."""
        kf5, udesk, servicego, own = self.of(admin)
        wrong = Account(id=1, email=admin.email, password=self.secret("a guess"), token=self.secret("a guessed token"))
        for auth, path in (
            (UdeskSignature(wrong), "/open_api_v1/user_groups"), (ServiceGoSignature(wrong), "/api/v1/user"),
            (KF5Token(wrong), "/apiv2/groups.json"), (KF5Password(wrong), "/apiv2/groups.json"),
            (httpx2.BasicAuth(admin.email, wrong.token), "/deskroster/v1/roles"),
        ):  # fmt: skip
            self.ask(self.by(auth), "GET", path)
        login = {"email": admin.email, "password": wrong.password}
        self.ask(self.plain(), "POST", "/open_api_v1/log_in", json=login)
        for client, path in ((udesk, "/nowhere"), (kf5, "/nowhere"), (servicego, "/nowhere"), (own, "/v1/nowhere")):
            self.ask(client, "GET", path)  # with the credentials that it would take
        for client, path in (
            (udesk, "/user_groups"),
            (kf5, "/groups.json"),
            (servicego, "/v1/user"),
            (own, "/v1/roles"),
        ):
            self.ask(client, "PATCH", path)
            self.ask(client, "POST", path, content=b'{"password":"' + self.secret("in broken JSON").encode())
            self.ask(client, "POST", path, content=b"x" * 1_100_000)
            self.ask(client, "POST", path, content=b"x", headers={"Content-Type": "text/plain"})
            self.ask(client, "POST", path, json={"password": [self.secret("of a wrong type")]})
        for id in (2, 99):
            user = {"password": self.secret("too long") * 40, "email": "admin"}
            self.ask(kf5, "PUT", f"/users/{id}.json", json={"user": user})
            self.ask(udesk, "PUT", f"/agents/{id}", json={"agent": {"password": self.secret("long") * 40}})
            self.ask(own, "PUT", f"/v1/agents/{id}/password", json={"password": self.secret("long too") * 40})
            self.ask(own, "PATCH", f"/v1/agents/{id}", json={"sip_password": {"is": self.secret("no text")}})
        self.ask(kf5, "DELETE", "/users/1.json")
        self.ask(
            self.by(httpx2.BasicAuth("x" * 20_000, self.secret("with a long name"))), "GET", "/deskroster/v1/roles"
        )
        for _ in range(25):
            self.ask(self.plain(), "POST", "/open_api_v1/log_in", json=login)

    def be_mistaken(self, admin: Account) -> None:
        """Put what is secret where it should not be, as a broken client does."""
        sign = UdeskSignature(admin).parameters()
        self.secrets["a signature in a path"] = sign["sign"]
        query = "&".join(f"{name}={value}" for name, value in sign.items())
        for prefix in ("/open_api_v1/user_groups", "/api/v1/user", "/apiv2/groups.json", "/nowhere"):
            for mark in ("%3F", "&", ";", "%26", "/"):
                self.ask(self.plain(), "GET", f"{prefix}{mark}{query}")

    def secret(self, what: str) -> str:
        made = password(what.replace(" ", "-").replace("'", ""))
        self.secrets[f"{what} ({len(self.secrets)})"] = made
        if what in ("the SIP password", "the next SIP password"):
            self.secrets[what] = self.secrets.pop([*self.secrets][-1])
        return made

    def of(self, account: Account) -> tuple[httpx2.Client, ...]:
        clients = self._clients(account)
        self._open.append(clients)
        return clients.kf5, clients.udesk, clients.servicego, clients.own

    def plain(self) -> httpx2.Client:
        client = self._plain()
        self._open.append(client)
        return client

    def close(self) -> None:
        """Close the connections."""
        for clients in self._open:
            clients.close()

    def by(self, auth: httpx2.Auth) -> httpx2.Client:
        client = self.plain()
        client.auth = auth
        return client

    def leaked(self, leaks) -> list[Any]:
        """Return the leaks but for what an answer is there to show."""
        return [leak for leak in leaks if (leak.secret, leak.place) not in self.shown]
