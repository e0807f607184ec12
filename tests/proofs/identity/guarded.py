"""A company of look-alikes: their e-mails are of one length, they differ in whether they may come in."""

import json
from base64 import b64encode
from collections.abc import Callable, Iterator
from copy import copy
from pathlib import Path
from urllib.parse import urlencode
from uuid import uuid4

import httpx2

from deskroster.core.records import Agent, AnyRecord, Company, Key, Secret
from deskroster.dialect import Dialect, identification
from deskroster.dialect.credentials import Credentials, Proof
from deskroster.dialect.hosts import Hosts
from deskroster.dialect.routing import Router
from deskroster.testing import Account, StillClock
from tests.contracts import BY_NAME, CONTRACTS, lists
from tests.in_process import InProcess, answer
from tests.proofs.identity.sampling import Scope, get, post

NOW = 1_700_000_000
WRONG = "w" * 36  # a token, and a password, that nobody has


def _account(id: int, name: str) -> Account:
    return Account(id=id, email=f"{name}@udesk.cn", password=f"{name} {id:027d}", token=f"{id:036d}")


KNOWN, DISABLED, DEPARTED, REVIEWED, KEYLESS, REVOKED, EXPIRED, ELSEWHERE = (
    _account(id, name)
    for id, name in enumerate(
        ("known-1", "disable", "departe", "review-", "keyless", "revoked", "expired", "another"), start=1
    )
)
STRANGER = _account(90, "strange")
HERE = (KNOWN, DISABLED, DEPARTED, REVIEWED, KEYLESS, REVOKED, EXPIRED, ELSEWHERE)


def records(hashed: Callable[[str], Secret]) -> list[AnyRecord]:
    """Return the look-alikes, each with a password and one key, but for who is named after having none."""
    states = {
        DISABLED.id: {"state": "disabled"}, DEPARTED.id: {"state": "disabled", "employed": False},
        REVIEWED.id: {"state": "review"}, KEYLESS.id: {"password": None},
    }  # fmt: skip
    ends = {
        REVOKED.id: {"revoked_at": NOW - 5},
        EXPIRED.id: {"expires_at": NOW - 5},
        ELSEWHERE.id: {"dialects": ("-",)},
    }
    agents: list[AnyRecord] = [
        Agent(id=one.id, name="x", email=one.email, level="admin",
              **({"password": hashed(one.password)} | states.get(one.id, {})))
        for one in HERE
    ]  # fmt: skip
    keys = [
        Key(id=one.id, agent_id=one.id, name="k", secret=Secret(one.token), **ends.get(one.id, {}))
        for one in HERE
        if one is not KEYLESS
    ]
    return agents + keys


def opened(folder: Path, hashed: Callable[[str], Secret]) -> Iterator[InProcess]:
    """Give an installation with the company of look-alikes."""
    desk = InProcess(folder / "data", StillClock(NOW), log_requests=False)
    desk.add_company(Company(id=1, label="demo", name="x", language="en"), records(hashed))
    yield desk
    desk.close()
    assert [] == desk.incidents


def basic(name: str, secret: str) -> tuple[bytes, bytes]:
    return b"authorization", b"Basic " + b64encode(f"{name}:{secret}".encode())


def prove(credentials: Credentials, account: Account, secret: str, clock: StillClock) -> Proof:
    """Return what proves who asks, with a secret that may be another's."""
    return credentials.prove(account.email, secret, int(clock()), uuid4().hex)


def read(way: str, account: Account, secret: str, clock: StillClock) -> Scope:
    """Return a read of a list with credentials given in one of the `WAYS`, or by a password."""
    dialect, _, form = way.partition(" ")
    proof = prove({**CONTRACTS[dialect].forms, **passwords(dialect)}[form], account, secret, clock)
    headers = [(name.lower().encode(), value.encode()) for name, value in proof.headers.items()]
    return get(lists(dialect), urlencode(proof.parameters), *headers)


def passwords(dialect: str) -> dict[str, Credentials]:
    """Return how a login password may stand where a token does."""
    log_in = CONTRACTS[dialect].log_in
    return {log_in.name: log_in.by} if log_in is not None and log_in.by is not None else {}


def log_in(dialect: str, account: Account, password: str, clock: StillClock) -> Scope:
    """Return a request that tries a login password."""
    how = CONTRACTS[dialect].log_in
    assert how is not None
    if how.ask is None:
        return read(f"{dialect} {how.name}", account, password, clock)
    ask = how.ask(account.email, password)
    assert "POST" == ask.method
    return post(BY_NAME[dialect].prefix + ask.path, json.dumps(ask.body).encode())


def request(desk: InProcess, scope: Scope) -> httpx2.Request:
    """Return a request as a client of no dialect would send it."""
    target = scope["raw_path"] + (b"?" + scope["query_string"] if scope["query_string"] else b"")
    headers = [(name, value) for name, value in scope["headers"] if name != b"host"]
    with desk.plain() as client:
        return client.build_request(
            scope["method"], "/", content=scope.get("body"), headers=headers, extensions={"target": target}
        )


def sent(desk: InProcess, scope: Scope) -> httpx2.Response:
    """Send such a request."""
    return desk.run(answer(desk, request(desk, scope)))


WAYS = tuple(f"{name} {form}" for name, contract in CONTRACTS.items() for form in contract.forms)
"""By a secret that is not a password."""

LOG_INS = {name: contract.log_in.name for name, contract in CONTRACTS.items() if contract.log_in is not None}
"""By a password: dialect, and how it is called there."""


def speak(desk: InProcess, dialect: Dialect) -> None:
    """Let an installation speak this instead of its own dialect of the same prefix: a control that is to be caught."""
    name = dialect.prefix[1:].encode()
    app = desk.app._dialects[name] = copy(desk.app._dialects[name])
    app._dialect, app._router = dialect, Router(dialect.routes, dialect.suffix)
    app._identification = identification.Credentials(dialect, desk.app.desks, Hosts())
