"""Promise 6: a stranger who guesses locks nobody out, for as long as it goes on; by a moved clock, without waiting."""

import itertools
import json

import pytest
from msgspec.structs import replace

from deskroster.core.problems import Unauthenticated
from deskroster.desk import Desk
from deskroster.passwords import CACHE_SECONDS, KNOWN_SECONDS, MAX_ADDRESSES, MAX_FAILURES, MAX_MISSES, network
from deskroster.testing import KF5Token
from tests.answers import check
from tests.proofs.identity import guarded
from tests.proofs.identity.guarded import DISABLED, KNOWN, STRANGER, WRONG, basic
from tests.proofs.identity.sampling import get, post, shares, take, told_apart
from tests.world import ADMIN, password_hash

pytestmark = pytest.mark.any_engine

HOME, ELSEWHERE = "10.1.1.1", "10.2.2.2"
MINUTES = [pytest.param(7, id="7 minutes"), pytest.param(30, id="half an hour", marks=pytest.mark.proof)]
EACH_MINUTE = 30  # wrong tries
SIGNS_IN_AT = 50  # seconds past the minute: guesses at the account wait by then
TOLERANCE = 0.03

TWO = [f"192.0.2.{n}" for n in range(2)]
MANY = [f"198.51.{n >> 8}.{n & 255}" for n in range(900)]


def kf5(desk, address, password=ADMIN.password):
    desk.address = address
    return desk.plain().get("/apiv2/groups.json", auth=(ADMIN.email, password))


def log_in(desk, address, password=ADMIN.password):
    desk.address = address
    return desk.plain().post("/open_api_v1/log_in", json={"email": ADMIN.email, "password": password})


def token(desk, address):
    desk.address = address
    return desk.plain().get("/apiv2/groups.json", auth=KF5Token(replace(ADMIN, token=WRONG)))


def key(desk, address):
    desk.address = address
    return desk.plain().get("/deskroster/v1/roles", auth=(ADMIN.email, WRONG))


TRIES = {
    "wrong tokens": token,
    "wrong keys": key,
    "wrong passwords in KF5": lambda desk, address: kf5(desk, address, WRONG),
    "wrong passwords at log_in": lambda desk, address: log_in(desk, address, WRONG),
}
WAYS = {"kf5": kf5, "udesk": log_in}


def besieged(desk, tried, addresses, minutes) -> list[str]:
    """Let strangers try for so long; tell when and how who signs in once a minute was not let in."""
    refused, strangers = [], itertools.cycle(addresses)
    for minute in range(minutes):
        for second in range(0, 60, 60 // EACH_MINUTE):
            if second == SIGNS_IN_AT:
                refused += [f"{minute} {dialect} {problem}" for dialect, problem in not_let_in(desk)]
            TRIES[tried](desk, next(strangers))
            desk.clock.now += 60 // EACH_MINUTE
    return refused


def not_let_in(desk):
    for dialect, way in WAYS.items():
        response = way(desk, HOME)
        if response.status_code != 200 or (dialect == "udesk" and response.json()["code"] != 1000):
            yield dialect, response.status_code


@pytest.mark.parametrize("addresses", [TWO, MANY], ids=["two addresses", "many"])
@pytest.mark.parametrize("tried", TRIES)
@pytest.mark.parametrize("minutes", MINUTES)
def test_who_has_signed_in_from_an_address_keeps_a_way_in_from_there(desk, tried, addresses, minutes):
    check("kf5", kf5(desk, HOME), "ok")

    assert [] == besieged(desk, tried, addresses, minutes)


@pytest.mark.parametrize("tried", ["wrong tokens", "wrong keys"])
@pytest.mark.parametrize("minutes", MINUTES)
def test_wrong_tokens_lock_no_password_out_not_even_where_it_comes_for_the_first_time(desk, tried, minutes):
    assert [] == besieged(desk, tried, TWO, minutes)


def test_control_tokens_that_are_counted_with_passwords_are_noticed(desk, monkeypatch):
    whole = Desk.authenticate

    def counting(self, prove, asked):
        try:
            prove(asked, self.roster, self.now())
        except Unauthenticated:
            account = self._account(ADMIN.email)
            self._passwords.failed(account, asked.address, self._clock.steady())
        return whole(self, prove, asked)

    monkeypatch.setattr(Desk, "authenticate", counting)

    assert 2 * 7 == len(besieged(desk, "wrong tokens", TWO, 7))


@pytest.mark.parametrize("tried", ["wrong passwords in KF5", "wrong passwords at log_in"])
def test_control_a_way_in_that_is_kept_for_five_minutes_only_is_noticed(desk, tried, monkeypatch):
    monkeypatch.setattr("deskroster.passwords.KNOWN_SECONDS", CACHE_SECONDS)
    check("kf5", kf5(desk, HOME), "ok")

    refused = besieged(desk, tried, TWO, 7)

    assert ["5 kf5 429", "5 udesk 429", "6 kf5 429", "6 udesk 429"] == refused


@pytest.mark.parametrize("way", WAYS)
def test_a_right_password_from_where_it_never_came_waits_while_others_guess(desk, way):
    check("kf5", kf5(desk, HOME), "ok")
    for address in MANY[:MAX_FAILURES]:
        kf5(desk, address, WRONG)

    check(way, WAYS[way](desk, ELSEWHERE), "toomany")
    check(way, WAYS[way](desk, HOME), "ok")


def test_guesses_are_slowed_though_the_right_password_is_remembered_from_elsewhere(desk):
    """Else a guess would be judged at any rate while its owner is at work: 429 or 200."""
    check("kf5", kf5(desk, HOME), "ok")
    for address in MANY[:MAX_FAILURES]:
        kf5(desk, address, WRONG)

    assert {429} == {kf5(desk, address).status_code for address in MANY[100:120]}


def test_who_guesses_at_the_very_address_gets_so_many_guesses_and_others_their_way_in(desk):
    check("kf5", kf5(desk, HOME), "ok")
    for _ in range(MAX_FAILURES):
        check("kf5", kf5(desk, HOME, WRONG), "unauth")
    for _ in range(MAX_MISSES - 1):
        check("kf5", kf5(desk, HOME, WRONG), "toomany")
    check("kf5", kf5(desk, HOME), "ok")
    check("kf5", kf5(desk, HOME, WRONG), "toomany")

    check("kf5", kf5(desk, HOME), "toomany")
    check("kf5", desk.kf5.get("/groups.json"), "ok")
    desk.clock.now += 60
    check("kf5", kf5(desk, HOME), "ok")


def test_a_changed_password_and_a_disabled_agent_keep_no_way_in(desk):
    check("kf5", kf5(desk, HOME), "ok")
    desk.own.put("/v1/agents/1/password", json={"password": "another one"}).raise_for_status()
    for address in MANY[:MAX_FAILURES]:
        kf5(desk, address, WRONG)

    check("kf5", kf5(desk, HOME), "toomany")
    check("kf5", kf5(desk, HOME, "another one"), "toomany")


def test_a_way_in_is_kept_for_a_week_and_no_longer(desk):
    check("kf5", kf5(desk, HOME), "ok")
    for later, outcome in ((KNOWN_SECONDS - 120, "ok"), (KNOWN_SECONDS, "toomany")):
        desk.clock.now += later
        for address in MANY[:MAX_FAILURES]:
            kf5(desk, address, WRONG)
        check("kf5", kf5(desk, HOME), outcome)


def test_an_account_keeps_a_way_in_from_so_many_addresses_and_takes_none_from_others(desk):
    check("kf5", kf5(desk, HOME), "ok")
    for address in MANY[: 2 * MAX_ADDRESSES]:
        check("kf5", kf5(desk, address), "ok")

    (sign_ins,) = desk.app.passwords._cache.values()

    assert MAX_ADDRESSES == len(sign_ins)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("fe80::1%eth0", "fe80::1%eth1", True),
        ("::ffff:192.0.2.7", "192.0.2.7", True),
        ("192.0.2.7", "192.0.2.8", False),
        ("testclient", "testclient", True),
        ("x" * 10_000, "x" * 20_000, True),
    ],
)
def test_an_address_of_ipv6_is_counted_by_its_first_64_bits(one, other, same):
    assert same == (network(one) == network(other))
    assert 64 >= len(network(one))


# ── and nobody learns who has an account ─────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def limited(tmp_path_factory):
    """Give a company of look-alikes, behind one address: one has signed in from it, and it has guessed too often."""
    opened = guarded.opened(tmp_path_factory.mktemp("limited"), password_hash)
    desk = next(opened)
    assert 200 == desk.run(take(desk, asked("kf5 password", KNOWN, KNOWN.password)))[1]
    for _ in range(MAX_FAILURES):
        desk.run(take(desk, asked("kf5 password", STRANGER, WRONG)))
    yield desk
    opened.close()


WHO = {
    "who has signed in from here": (KNOWN, WRONG),
    "an unknown account": (STRANGER, WRONG),
    "a disabled agent": (DISABLED, DISABLED.password),
}


def asked(way, account, password):
    if way == "kf5 password":
        return get("/apiv2/groups.json", "", basic(account.email, password))
    return post("/open_api_v1/log_in", json.dumps({"email": account.email, "password": password}).encode())


@pytest.mark.once
@pytest.mark.parametrize("way", ["kf5 password", "udesk log_in"])
def test_where_guesses_wait_nobody_sees_who_has_signed_in_from_there(limited, way):
    seen = {}
    for name, who in WHO.items():
        _, status, headers, body = limited.run(take(limited, asked(way, *who)))
        seen[name] = status, tuple(headers), body

    assert 1 == len(set(seen.values())), seen
    assert {429} == {status for status, _, _ in seen.values()}


@pytest.mark.proof
@pytest.mark.once
@pytest.mark.parametrize("way", ["kf5 password", "udesk log_in"])
def test_where_guesses_wait_it_costs_the_same_who_has_signed_in_from_there(limited, way):
    calls = {name: asked(way, account, WRONG) for name, (account, _) in WHO.items()}

    assert {} == told_apart(lambda: shares(limited, calls, 3_000), TOLERANCE)
