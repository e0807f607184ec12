"""An account's clients, one for each dialect, and the ways in which they prove who asks."""

from collections.abc import Callable, Generator, Mapping
from urllib.parse import quote
from uuid import uuid4

import httpx2
from msgspec import Struct

from deskroster.clocks import Wall
from deskroster.core.records import SignatureForm
from deskroster.dialect.credentials import Credentials, Proof
from deskroster.dialects import DIALECTS, servicego, udesk
from deskroster.testing.clocks import time_of_test

Form = SignatureForm  # of Udesk


class DirectTransport(httpx2.HTTPTransport):
    """Sends requests over the network, also where a test mocks `httpx2.HTTPTransport`."""

    handle_request = httpx2.HTTPTransport.handle_request  # as it is now


class Account(Struct, frozen=True, kw_only=True):
    """An agent's id and credentials. The token signs for Udesk and ServiceGo, and is a KF5 token."""

    id: int
    email: str
    password: str
    token: str


class Signature(httpx2.Auth):
    """Proves who asks in the way of a dialect, at the time of a clock, with a fresh nonce for each request."""

    requires_request_body = False

    def __init__(self, account: Account, credentials: Credentials, clock: Wall = time_of_test) -> None:
        self._account = account
        self._credentials = credentials
        self._clock = clock

    def parameters(self) -> dict[str, str]:
        """Return the parameters that sign one request."""
        return dict(self._prove().parameters)

    def auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:
        """Add what proves who asks to the query and the headers."""
        proof = self._prove()
        add_to_query(request, proof.parameters)
        request.headers.update(proof.headers)
        yield request

    def _prove(self) -> Proof:
        return self._credentials.prove(self._account.email, self._account.token, int(self._clock()), uuid4().hex)


class UdeskSignature(Signature):
    """Signs in one of the three forms of the Udesk Open API, with a fresh nonce where the form has one."""

    def __init__(self, account: Account, clock: Wall = time_of_test, form: Form = "A") -> None:
        super().__init__(account, udesk.FORMS[form], clock)


class ServiceGoSignature(Signature):
    """Signs as ServiceGo wants it; tenants older than June 2021 with SHA-1."""

    def __init__(self, account: Account, clock: Wall = time_of_test, *, old: bool = False) -> None:
        super().__init__(account, servicego.SIGNED_BEFORE_JUNE_2021 if old else servicego.SIGNED, clock)


class KF5Token(httpx2.BasicAuth):
    """HTTP Basic with `email/token` and the API token."""

    def __init__(self, account: Account) -> None:
        super().__init__(f"{account.email}/token", account.token)


class KF5Password(httpx2.BasicAuth):
    """HTTP Basic with the e-mail and the login password."""

    def __init__(self, account: Account) -> None:
        super().__init__(account.email, account.password)


class Clients:
    """One account's clients, one for each dialect: `clients.kf5.get("/groups.json")`. Each signs what it sends."""

    udesk: httpx2.Client
    kf5: httpx2.Client
    servicego: httpx2.Client
    own: httpx2.Client

    def __init__(
        self,
        url: str,
        account: Account,
        clock: Wall = time_of_test,
        transport: Callable[[], httpx2.BaseTransport] = DirectTransport,
    ) -> None:
        self._all = {
            dialect.name: httpx2.Client(
                base_url=url + dialect.prefix,
                auth=Signature(account, dialect.credentials, clock),
                transport=transport(),
                trust_env=False,
            )
            for dialect in DIALECTS
            if dialect.credentials is not None
        }
        vars(self).update(self._all)

    def close(self) -> None:
        """Close the connections."""
        for client in self._all.values():
            client.close()


def add_to_query(request: httpx2.Request, parameters: Mapping[str, str]) -> None:
    """Add parameters after those that a request has, and leave the bytes of these as they are."""
    if not parameters:
        return
    added = "&".join(f"{name}={quote(value, safe='')}" for name, value in parameters.items()).encode()
    query = request.url.query
    request.url = request.url.copy_with(query=query + b"&" + added if query else added)
    target = request.extensions.get("target")
    if target is not None:
        request.extensions["target"] = target + (b"&" if b"?" in target else b"?") + added
