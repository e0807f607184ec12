"""Promise 6: a stranger who guesses locks nobody out, for as long as it goes on; by a moved clock, without waiting."""

import itertools
from functools import partial

import pytest

from deskroster.core.problems import Unauthenticated
from deskroster.desk import Desk
from deskroster.passwords import CACHE_SECONDS, KNOWN_SECONDS, MAX_ADDRESSES, MAX_FAILURES, MAX_MISSES, network
from tests.answers import check
from tests.contracts import CONTRACTS
from tests.proofs.identity import guarded
from tests.proofs.identity.guarded import DISABLED, KNOWN, STRANGER, WRONG
from tests.proofs.identity.sampling import shares, take, told_apart
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
    return by_password(desk, "kf5", address, password)


def by_password(desk, dialect, address, password=ADMIN.password):
    desk.address = address
    return guarded.sent(desk, guarded.log_in(dialect, ADMIN, password, desk.clock))


def by_token(desk, way, address):
    desk.address = address
    return guarded.sent(desk, guarded.read(way, ADMIN, WRONG, desk.clock))


USUAL = {way.split()[0]: way for way in reversed(guarded.WAYS)}  # of each dialect
TRIES = {
    **{f"wrong tokens in {name}": partial(by_token, way=way) for name, way in USUAL.items()},
    **{f"wrong passwords in {name}": partial(by_password, dialect=name, password=WRONG) for name in guarded.LOG_INS},
}
WRONG_TOKENS, WRONG_PASSWORDS = ([name for name in TRIES if what in name] for what in ("tokens", "passwords"))


def besieged(desk, tried, addresses, minutes) -> list[str]:
    """Let strangers try for so long; tell when and how who signs in once a minute was not let in."""
    refused, strangers = [], itertools.cycle(addresses)
    for minute in range(minutes):
        for second in range(0, 60, 60 // EACH_MINUTE):
            if second == SIGNS_IN_AT:
                refused += [f"{minute} {dialect} {problem}" for dialect, problem in not_let_in(desk)]
            TRIES[tried](desk, address=next(strangers))
            desk.clock.now += 60 // EACH_MINUTE
    return refused


def not_let_in(desk):
    for dialect in guarded.LOG_INS:
        response = by_password(desk, dialect, HOME)
        if response.status_code != 200 or response.json().get("code") != CONTRACTS[dialect].answers.success:
            yield dialect, response.status_code


@pytest.mark.parametrize("addresses", [TWO, MANY], ids=["two addresses", "many"])
@pytest.mark.parametrize("tried", TRIES)
@pytest.mark.parametrize("minutes", MINUTES)
def test_an_account_can_still_log_in_from_a_known_address_during_an_attack(desk, tried, addresses, minutes):
    check("kf5", kf5(desk, HOME), "ok")

    assert [] == besieged(desk, tried, addresses, minutes)


@pytest.mark.parametrize("tried", WRONG_TOKENS)
@pytest.mark.parametrize("minutes", MINUTES)
def test_wrong_tokens_do_not_delay_a_password_even_from_a_new_address(desk, tried, minutes):
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

    assert len(guarded.LOG_INS) * 7 == len(besieged(desk, "wrong tokens in kf5", TWO, 7))


@pytest.mark.parametrize("tried", WRONG_PASSWORDS)
def test_control_a_known_address_that_expires_after_five_minutes_is_noticed(desk, tried, monkeypatch):
    monkeypatch.setattr("deskroster.passwords.KNOWN_SECONDS", CACHE_SECONDS)
    check("kf5", kf5(desk, HOME), "ok")

    refused = besieged(desk, tried, TWO, 7)

    assert [f"{minute} {dialect} 429" for minute in (5, 6) for dialect in guarded.LOG_INS] == refused


@pytest.mark.parametrize("way", guarded.LOG_INS)
def test_the_right_password_from_a_new_address_waits_during_an_attack(desk, way):
    check("kf5", kf5(desk, HOME), "ok")
    for address in MANY[:MAX_FAILURES]:
        kf5(desk, address, WRONG)

    check(way, by_password(desk, way, ELSEWHERE), "toomany")
    check(way, by_password(desk, way, HOME), "ok")


def test_guesses_are_slowed_though_the_right_password_is_remembered_from_elsewhere(desk):
    """Else a guess would be judged at any rate while its owner is at work: 429 or 200."""
    check("kf5", kf5(desk, HOME), "ok")
    for address in MANY[:MAX_FAILURES]:
        kf5(desk, address, WRONG)

    assert {429} == {kf5(desk, address).status_code for address in MANY[100:120]}


def test_an_attacker_at_a_known_address_is_limited_to_a_number_of_guesses(desk):
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


def test_a_known_address_expires_after_eight_days(desk):
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
    assert 200 == desk.run(take(desk, guarded.log_in("kf5", KNOWN, KNOWN.password, desk.clock)))[1]
    for _ in range(MAX_FAILURES):
        desk.run(take(desk, guarded.log_in("kf5", STRANGER, WRONG, desk.clock)))
    yield desk
    opened.close()


WHO = {
    "who has signed in from here": (KNOWN, WRONG),
    "an unknown account": (STRANGER, WRONG),
    "a disabled agent": (DISABLED, DISABLED.password),
}


@pytest.mark.once
@pytest.mark.parametrize("dialect", guarded.LOG_INS)
def test_where_guesses_wait_nobody_sees_who_has_signed_in_from_there(limited, dialect):
    seen = {}
    for name, who in WHO.items():
        _, status, headers, body = limited.run(take(limited, guarded.log_in(dialect, *who, limited.clock)))
        seen[name] = status, tuple(headers), body

    assert 1 == len(set(seen.values())), seen
    assert {429} == {status for status, _, _ in seen.values()}


@pytest.mark.proof
@pytest.mark.once
@pytest.mark.parametrize("dialect", guarded.LOG_INS)
def test_where_guesses_wait_it_costs_the_same_who_has_signed_in_from_there(limited, dialect):
    calls = {name: guarded.log_in(dialect, account, WRONG, limited.clock) for name, (account, _) in WHO.items()}

    assert {} == told_apart(lambda: shares(limited, calls, 3_000), TOLERANCE)
