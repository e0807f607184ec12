"""A company of look-alikes: their e-mails are of one length, they differ in whether they may come in."""

from base64 import b64encode
from collections.abc import Callable, Iterator
from copy import copy
from pathlib import Path
from urllib.parse import urlencode

from deskroster.core.records import Agent, AnyRecord, Company, Key, Secret
from deskroster.dialect import Dialect
from deskroster.dialect.routing import Router
from deskroster.testing import Account, ServiceGoSignature, StillClock, UdeskSignature
from tests.in_process import InProcess
from tests.proofs.identity.sampling import Scope, get

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


def signature(dialect: str, account: Account, token: str, clock: StillClock) -> str:
    """Return a query signed with a token that may be another's."""
    account = Account(id=0, email=account.email, password="", token=token)
    form, made = dialect.partition(" ")[2], UdeskSignature
    if dialect.startswith("servicego"):
        return urlencode(ServiceGoSignature(account, clock, old=form == "SHA-1").parameters())
    return urlencode(made(account, clock, form).parameters())  # type: ignore[arg-type]


def basic(name: str, secret: str) -> tuple[bytes, bytes]:
    return b"authorization", b"Basic " + b64encode(f"{name}:{secret}".encode())


def read(way: str, account: Account, secret: str, clock: StillClock) -> Scope:
    """Return a read with credentials given in one of the `WAYS`."""
    if way == "kf5 token":
        return get("/apiv2/groups.json", "", basic(f"{account.email}/token", secret))
    if way == "kf5 password":
        return get("/apiv2/groups.json", "", basic(account.email, secret))
    if way == "own key":
        return get("/deskroster/v1/positions", "", basic(account.email, secret))
    path = "/api/v1/userGroup" if way.startswith("servicego") else "/open_api_v1/user_groups"
    return get(path, signature(way, account, secret, clock))


WAYS = ("udesk A", "udesk B", "udesk C", "servicego SHA-256", "servicego SHA-1", "kf5 token", "own key")
"""By a secret that is not a password."""


def speak(desk: InProcess, dialect: Dialect) -> None:
    """Let an installation speak this instead of its own dialect of the same prefix: a control that is to be caught."""
    name = dialect.prefix[1:].encode()
    app = desk.app._dialects[name] = copy(desk.app._dialects[name])
    app._dialect, app._router = dialect, Router(dialect.routes, dialect.suffix)
