"""Promise 6: who is not let in cannot learn from the answer, or from how long it takes, why not."""

import json
import sys

import pytest
from msgspec.structs import replace
from pwdlib.hashers.argon2 import Argon2Hasher

from deskroster.core import keys
from deskroster.core.access import Identity
from deskroster.core.problems import Doubt, Unauthenticated
from deskroster.core.records import Agent, Company, Key, Secret
from deskroster.desk import Desk, Signed
from deskroster.dialect import basic_auth
from deskroster.dialects import DIALECTS, kf5
from deskroster.testing import Account
from tests.calls import CALLS, ROUTES, name_of
from tests.contracts import CONTRACTS
from tests.proofs.identity import guarded
from tests.proofs.identity.guarded import (
    DEPARTED,
    DISABLED,
    ELSEWHERE,
    EXPIRED,
    HERE,
    KEYLESS,
    KNOWN,
    LOG_INS,
    NOW,
    REVIEWED,
    REVOKED,
    STRANGER,
    WAYS,
    WRONG,
    log_in,
    passwords,
    read,
    speak,
)
from tests.proofs.identity.sampling import shares, take, told_apart
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
@pytest.mark.parametrize("dialect", LOG_INS)
def test_whoever_is_refused_by_password_costs_the_same(costly_desk, dialect):
    asked = {name: log_in(dialect, *who, costly_desk.clock) for name, who in BY_PASSWORD.items()}

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
    people = {name: BY_PASSWORD[name] for name in ("a wrong password", "an unknown account")}
    asked = {name: log_in("kf5", *who, costly_desk.clock) for name, who in people.items()}

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
    ways = [way for way in WAYS if way.startswith(dialect.name)] if route.needs else []
    people = {way: {**WHO, **EMPTY} for way in ways}
    if dialect.name in LOG_INS and bool(route.needs) == bool(passwords(dialect.name)):
        people[f"{dialect.name} {LOG_INS[dialect.name]}"] = BY_PASSWORD
    assert people or not route.needs
    for way, who in people.items():
        seen = {name: asked(desk, dialect, route, way, *one) for name, one in who.items()}

        assert 1 == len(set(seen.values())), seen
        desk.clock.now += 61


def asked(desk, dialect, route, way, account, secret):
    """Return all that is answered to a call of a route."""
    call = CALLS[name_of(dialect, route)]
    made = read(way, account, secret, desk.clock) if route.needs else log_in(dialect.name, account, secret, desk.clock)
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


FOR_ALL_COMPANIES = [dialect.name for dialect in DIALECTS if dialect.account]


@pytest.mark.parametrize("late", [0, 301])
@pytest.mark.parametrize("dialect", FOR_ALL_COMPANIES)
def test_where_the_credentials_name_the_company_a_stranger_sees_the_same(two_companies, dialect, late):
    desk, way = two_companies, next(way for way in WAYS if way.startswith(dialect))
    asked = calls(desk, way, WHO)
    desk.clock.now += late

    seen = {name: desk.run(take(desk, one))[1:] for name, one in asked.items()}

    assert 1 == len({(status, body) for status, _, body in seen.values()}), seen


@pytest.mark.proof
@pytest.mark.parametrize("dialect", FOR_ALL_COMPANIES)
def test_where_the_credentials_name_the_company_a_stranger_costs_the_same(two_companies, dialect):
    desk, way = two_companies, next(way for way in WAYS if way.startswith(dialect))

    assert {} == told_apart(lambda: shares(desk, calls(desk, way, WHO), SAMPLES), TOLERANCE)


# ── how secrets are compared ─────────────────────────────────────────────────────────────────────────────────────


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
        name, secret = basic_auth.credentials(request)
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
    right, wrong = read(way, KNOWN, KNOWN.token, desk.clock), read(way, KNOWN, WRONG, desk.clock)
    assert let_in(desk, way, right)
    assert not let_in(desk, way, wrong)
    compare(monkeypatch, lambda *_: False)
    refused = not let_in(desk, way, read(way, KNOWN, KNOWN.token, desk.clock))
    compare(monkeypatch, lambda *_: True)
    return refused and let_in(desk, way, wrong)


def compare(monkeypatch, comparison) -> None:
    """Have the dialects compare secrets in another way."""
    by_hand = {dialect.authenticate.__module__ for dialect in DIALECTS}
    comparing = [
        module
        for name, module in sys.modules.items()
        if (name in by_hand or name.startswith("deskroster.dialect.")) and hasattr(module, "compare_digest")
    ]
    assert comparing
    for module in comparing:
        monkeypatch.setattr(module, "compare_digest", comparison)


def let_in(desk, way: str, scope) -> bool:
    _, status, _, body = desk.run(take(desk, scope))
    success = CONTRACTS[way.split()[0]].answers.success
    return status == 200 and json.loads(body).get("code") == success


def test_no_credentials_match_the_dummy_secret(desk):
    for way in WAYS:
        for account in (STRANGER, *HERE):
            assert not let_in(desk, way, read(way, account, "0" * 36, desk.clock)), (way, account)


def test_all_dialects_are_sampled():
    assert {dialect.name for dialect in DIALECTS} == {way.split()[0] for way in WAYS}
    assert NOW
