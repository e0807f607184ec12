"""A day in the life of a company, in which every kind of secret is made, used, changed, mistaken and refused."""

import secrets
from base64 import b64decode
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import httpx2
from msgspec.structs import replace

from deskroster.testing import Account, Clients, Signature
from tests.contracts import BY_NAME, CONTRACTS, lists
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
        for part in (*self.parts(admin), lambda: self.be_mistaken(admin)):
            part()

    def parts(self, admin: Account) -> list[Callable[[], None]]:
        """Return the parts of a day: what each dialect does with secrets, and what is done in all of them."""
        days = [contract.day for contract in CONTRACTS.values() if contract.day is not None]
        return [
            *(partial(day, self, admin) for day in days),
            lambda: self.come_in(admin),
            lambda: self.be_refused(admin),
        ]

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

    def come_in(self, admin: Account) -> None:
        """Come in by every way that there is."""
        for name, contract in CONTRACTS.items():
            for how in contract.forms.values():
                self.ask(self.by(Signature(admin, how)), "GET", lists(name))
            for _ in range(2):  # the second time it is remembered
                self.try_password(name, admin, admin.password)
                self.shown.add(("the administrator's token", self.last))  # a log-in may be there to show it

    def try_password(self, name: str, admin: Account, password: str) -> None:
        log_in = CONTRACTS[name].log_in
        if log_in is None:
            return
        if log_in.by is not None:
            self.ask(self.by(Signature(replace(admin, token=password), log_in.by)), "GET", lists(name))
        else:
            ask = log_in.ask(admin.email, password)
            self.ask(self.plain(), ask.method, BY_NAME[name].prefix + ask.path, json=ask.body)

    def be_refused(self, admin: Account) -> None:
        """Be refused in every way, with secrets in hand."""
        wrong = Account(id=1, email=admin.email, password=self.secret("a guess"), token=self.secret("a guessed token"))
        for name, contract in CONTRACTS.items():
            for how in contract.forms.values():
                self.ask(self.by(Signature(wrong, how)), "GET", lists(name))
            self.try_password(name, admin, wrong.password)
            client, path = getattr(self.of(admin), name), contract.named.lists
            self.ask(client, "GET", "/nowhere")  # with the credentials that it would take
            self.ask(client, "PATCH", path)
            path = contract.named.creates
            self.ask(client, "POST", path, content=b'{"password":"' + self.secret("in broken JSON").encode())
            self.ask(client, "POST", path, content=b"x" * 1_100_000)
            self.ask(client, "POST", path, content=b"x", headers={"Content-Type": "text/plain"})
            self.ask(client, "POST", path, json={"password": [self.secret("of a wrong type")]})
        for name in CONTRACTS:
            for _ in range(25):
                self.try_password(name, admin, wrong.password)

    def be_mistaken(self, admin: Account) -> None:
        """Put what is secret where it should not be, as a broken client does."""
        prefixes = [*map(lists, CONTRACTS), "/nowhere"]
        for name, dialect in BY_NAME.items():
            signed = Signature(admin, dialect.credentials).parameters()
            if not signed:
                continue
            self.secrets[f"a signature of {name} in a path"] = signed["sign"]
            query = "&".join(f"{parameter}={value}" for parameter, value in signed.items())
            for prefix in prefixes:
                for mark in ("%3F", "&", ";", "%26", "/"):
                    self.ask(self.plain(), "GET", f"{prefix}{mark}{query}")

    def secret(self, what: str) -> str:
        made = password(what.replace(" ", "-").replace("'", ""))
        self.secrets[f"{what} ({len(self.secrets)})"] = made
        if what in ("the SIP password", "the next SIP password"):
            self.secrets[what] = self.secrets.pop([*self.secrets][-1])
        return made

    def of(self, account: Account) -> Clients:
        clients = self._clients(account)
        self._open.append(clients)
        return clients

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
