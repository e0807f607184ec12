"""Promise 6: who is not let in cannot learn from the answer, or from how long it takes, why not."""

import json

import pytest
from msgspec.structs import replace
from pwdlib.hashers.argon2 import Argon2Hasher

from deskroster.core import keys
from deskroster.core.access import Identity
from deskroster.core.problems import Doubt, Unauthenticated
from deskroster.core.records import Agent, Company, Key, Secret
from deskroster.desk import Desk, Signed
from deskroster.dialects import DIALECTS, kf5
from deskroster.testing import Account
from tests.calls import CALLS, ROUTES, name_of
from tests.proofs.identity import guarded
from tests.proofs.identity.guarded import (
    DEPARTED,
    DISABLED,
    ELSEWHERE,
    EXPIRED,
    HERE,
    KEYLESS,
    KNOWN,
    NOW,
    REVIEWED,
    REVOKED,
    STRANGER,
    WAYS,
    WRONG,
    basic,
    read,
    signature,
    speak,
)
from tests.proofs.identity.sampling import get, post, shares, take, told_apart
from tests.world import password_hash

pytestmark = pytest.mark.once

SAMPLES = 5_000  # of each signature and token
HASHES = 60  # of each password
TOLERANCE = 0.03  # of the time of an answer: one hash more or less is 6 % and above
TOLERANCE_OF_HASHES = 0.2

WHO = {
    "a wrong secret": (KNOWN, WRONG),
    "an unknown account": (STRANGER, WRONG),
    "a disabled agent": (DISABLED, DISABLED.token),
    "a departed agent": (DEPARTED, DEPARTED.token),
    "an agent in review": (REVIEWED, REVIEWED.token),
    "an agent without a key": (KEYLESS, WRONG),
    "a revoked key": (REVOKED, REVOKED.token),
    "an expired key": (EXPIRED, EXPIRED.token),
    "a key for another dialect": (ELSEWHERE, ELSEWHERE.token),
}
EMPTY = {f"{who}, an empty secret": (account, "") for who, (account, _) in WHO.items()}
BY_PASSWORD = {
    "a wrong password": (KNOWN, WRONG),
    "an empty password": (KNOWN, ""),
    "an unknown account": (STRANGER, WRONG),
    "a disabled agent": (DISABLED, DISABLED.password),
    "a departed agent": (DEPARTED, DEPARTED.password),
    "an agent without a password": (KEYLESS, WRONG),
}


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    yield from guarded.opened(tmp_path_factory.mktemp("guarded"), password_hash)


@pytest.fixture(scope="module")
def costly_desk(tmp_path_factory):
    """Give a company whose passwords take milliseconds to hash: much more than all else about an answer."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("deskroster.passwords.Argon2Hasher", costly_hasher)
        yield from guarded.opened(tmp_path_factory.mktemp("costly"), lambda one: Secret(costly_hasher().hash(one)))


def costly_hasher() -> Argon2Hasher:
    return Argon2Hasher(time_cost=1, memory_cost=8 * 1024, parallelism=1)


def logged_in(way: str, account: Account, password: str):
    if way == "kf5 password":
        return get("/apiv2/groups.json", "", basic(account.email, password))
    return post("/open_api_v1/log_in", json.dumps({"email": account.email, "password": password}).encode())


def calls(desk, way: str, who):
    return {name: read(way, account, secret, desk.clock) for name, (account, secret) in who.items()}


@pytest.mark.proof
@pytest.mark.parametrize("who", [WHO, EMPTY], ids=["a secret", "an empty secret"])
@pytest.mark.parametrize("way", WAYS)
def test_whoever_is_refused_by_signature_or_token_costs_the_same(desk, way, who):
    assert {} == told_apart(lambda: shares(desk, calls(desk, way, who), SAMPLES), TOLERANCE)


@pytest.mark.proof
@pytest.mark.parametrize("way", WAYS)
def test_control_an_authenticate_that_returns_early_is_told_apart(desk, way, monkeypatch):
    monkeypatch.setattr(keys, "tried", early)
    who = {name: WHO[name] for name in ("a wrong secret", "an unknown account", "a disabled agent", "a revoked key")}

    found = told_apart(lambda: shares(desk, calls(desk, way, who), SAMPLES // 2), TOLERANCE)

    assert {"an unknown account", "a disabled agent"} <= set(found)


def early(roster, email, dialect, now):
    """Return the keys to try; for whom there are none, at once."""
    id = roster.by_email.get(email.lower())
    return keys.live(roster, id, dialect, now) if id is not None and roster.agents[id].active else []


@pytest.mark.proof
@pytest.mark.parametrize("way", ["kf5 password", "udesk log_in"])
def test_whoever_is_refused_by_password_costs_the_same(costly_desk, way):
    asked = {name: logged_in(way, account, password) for name, (account, password) in BY_PASSWORD.items()}

    found = told_apart(lambda: shares(costly_desk, asked, HASHES, unlimited(costly_desk)), TOLERANCE_OF_HASHES)

    assert {} == found


@pytest.mark.proof
def test_control_a_log_in_that_returns_early_is_told_apart(costly_desk, monkeypatch):
    whole = Desk.log_in

    async def early(desk, login, address):
        if login.email not in desk.roster.by_email:
            raise Unauthenticated(Doubt.WRONG)
        return await whole(desk, login, address)

    monkeypatch.setattr(Desk, "log_in", early)
    asked = {name: logged_in("kf5 password", *BY_PASSWORD[name]) for name in ("a wrong password", "an unknown account")}

    found = told_apart(lambda: shares(costly_desk, asked, 10, unlimited(costly_desk)), TOLERANCE_OF_HASHES)

    assert {"an unknown account"} == set(found)


def unlimited(desk):
    """Return what lets so much time pass between two guesses that none is too many."""

    def pass_time():
        desk.clock.now += 4

    return pass_time


# ── what is seen ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("dialect", "route"), [pytest.param(*one, id=name_of(*one)) for one in ROUTES])
def test_whoever_is_refused_sees_the_same(desk, dialect, route):
    ways = [way for way in (*WAYS, "kf5 password") if way.startswith(dialect.name)]
    ways = ways if route.needs else ["udesk log_in"]
    for way in ways:
        people = {**BY_PASSWORD} if "password" in way or "log_in" in way else {**WHO, **EMPTY}

        seen = {name: asked(desk, dialect, route, way, *who) for name, who in people.items()}

        assert 1 == len(set(seen.values())), seen
        desk.clock.now += 61


def asked(desk, dialect, route, way, account, secret):
    """Return all that is answered to a call of a route."""
    call = CALLS[name_of(dialect, route)]
    made = logged_in(way, account, secret) if way == "udesk log_in" else read(way, account, secret, desk.clock)
    path, _, query = call.path.partition("?")
    if route.needs:
        path = dialect.prefix + path
        made = {**made, "path": path, "raw_path": path.encode(), "method": route.method}
        made["query_string"] = b"&".join(filter(None, (query.encode(), made["query_string"])))
        made["body"] = json.dumps(call.body).encode() if call.body else b""
    _, status, headers, body = desk.run(take(desk, made))
    return status, tuple(headers), body


@pytest.fixture
def two_companies(tmp_path):
    desk = next(opened := guarded.opened(tmp_path, password_hash))
    foreign = Account(id=1, email="foreign@udesk.cn", password="", token="f" * 36)
    there = [Agent(id=1, name="x", email=foreign.email, level="admin"),
             Key(id=1, agent_id=1, name="k", secret=Secret(foreign.token))]  # fmt: skip
    desk.add_company(Company(id=1, label="other", name="y"), there)
    yield desk
    opened.close()


@pytest.mark.parametrize("late", [0, 301])
def test_where_the_credentials_name_the_company_a_stranger_sees_the_same(two_companies, late):
    desk = two_companies
    queries = {name: signature("servicego", who, secret, desk.clock) for name, (who, secret) in WHO.items()}
    desk.clock.now += late

    seen = {name: desk.run(take(desk, get("/api/v1/userGroup", query)))[1:] for name, query in queries.items()}

    assert 1 == len({(status, body) for status, _, body in seen.values()}), seen


@pytest.mark.proof
def test_where_the_credentials_name_the_company_a_stranger_costs_the_same(two_companies):
    desk = two_companies
    asked = calls(desk, "servicego SHA-256", WHO)

    assert {} == told_apart(lambda: shares(desk, asked, SAMPLES), TOLERANCE)


# ── how secrets are compared ─────────────────────────────────────────────────────────────────────────────────────

COMPARING = {
    "udesk": "deskroster.dialect.signing", "servicego": "deskroster.dialect.signing",
    "kf5": "deskroster.dialects.kf5.auth", "own": "deskroster.dialects.own.auth",
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_a_secret_is_right_when_the_comparison_in_constant_time_says_so(desk, way, monkeypatch):
    assert decided_by_comparison(desk, way, monkeypatch)


def test_a_remembered_password_is_right_when_the_comparison_in_constant_time_says_so(desk, monkeypatch):
    right = read("kf5 password", KNOWN, KNOWN.password, desk.clock)
    verified = []
    whole = desk.app.passwords._verify_hash

    async def counted(*arguments):
        verified.append(arguments)
        return await whole(*arguments)

    monkeypatch.setattr(desk.app.passwords, "_verify_hash", counted)
    assert 200 == desk.run(take(desk, right))[1]
    assert 200 == desk.run(take(desk, right))[1]
    assert 1 == len(verified)

    monkeypatch.setattr("deskroster.passwords.compare_digest", lambda *_: False)

    assert 200 == desk.run(take(desk, right))[1]
    assert 2 == len(verified)


def test_control_a_comparison_of_another_kind_is_noticed(desk, monkeypatch):
    def naive(request, roster, now):
        name, secret = kf5.auth._credentials(request)
        found = [key for key in keys.tried(roster, name.removesuffix("/token"), "kf5", now)
                 if key.secret.reveal() == secret]  # fmt: skip
        if not found:
            raise Unauthenticated(Doubt.WRONG)
        return Signed(Identity(agent_id=found[0].agent_id, key_id=found[0].id))

    monkeypatch.setitem(desk.app._dialects, b"apiv2", desk.app._dialects[b"apiv2"])  # to be put back
    speak(desk, replace(kf5.DIALECT, authenticate=naive))

    assert not decided_by_comparison(desk, "kf5 token", monkeypatch)


def decided_by_comparison(desk, way, monkeypatch) -> bool:
    """Tell whether it is `compare_digest` alone that tells a right secret from a wrong one."""
    comparing = COMPARING[way.split()[0]] + ".compare_digest"
    right, wrong = read(way, KNOWN, KNOWN.token, desk.clock), read(way, KNOWN, WRONG, desk.clock)
    assert let_in(desk, right)
    assert not let_in(desk, wrong)
    monkeypatch.setattr(comparing, lambda *_: False)
    refused = not let_in(desk, read(way, KNOWN, KNOWN.token, desk.clock))
    monkeypatch.setattr(comparing, lambda *_: True)
    return refused and let_in(desk, wrong)


def let_in(desk, scope) -> bool:
    _, status, _, body = desk.run(take(desk, scope))
    return status == 200 and json.loads(body).get("code") in (None, 200, 1000)


def test_nobody_is_the_stand_in(desk):
    for way in WAYS:
        for account in (STRANGER, *HERE):
            assert not let_in(desk, read(way, account, "0" * 36, desk.clock)), (way, account)


def test_all_dialects_are_sampled():
    assert {dialect.name for dialect in DIALECTS} == {way.split()[0] for way in WAYS}
    assert NOW
