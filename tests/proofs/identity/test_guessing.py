"""Promise 6: guessing a password is slow, for the guesser alone."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from msgspec.structs import replace
from pwdlib.hashers.argon2 import Argon2Hasher

from deskroster.passwords import MAX_FAILURES, MAX_HASHES, WINDOW, Passwords, TooManyGuesses
from deskroster.testing import KF5Password, KF5Token
from tests.answers import check
from tests.contracts import CONTRACTS
from tests.in_process import InProcess, answer, signed
from tests.proofs.identity import guarded
from tests.proofs.identity.guarded import KNOWN, LOG_INS, STRANGER, WRONG
from tests.world import ADMIN, AGENT, password_hash

pytestmark = pytest.mark.any_engine

DIALECTS = list(LOG_INS)
TURNS = 10
LONGEST = 0.1  # seconds of CPU time of the loop between two reads meanwhile; all of these hashes take longer


class Watched(Argon2Hasher):
    """Real hashing, of a cost that can be felt; it notes in which threads it runs and how many at once."""

    running, most, threads, count = 0, 0, set[int](), 0
    _lock = threading.Lock()

    def __init__(self) -> None:
        super().__init__(time_cost=2, memory_cost=32 * 1024, parallelism=1)

    def _watched(self, work, *arguments):
        with self._lock:
            Watched.running += 1
            Watched.count += 1
            Watched.most = max(Watched.most, Watched.running)
            Watched.threads.add(threading.get_ident())
        try:
            return work(*arguments)
        finally:
            with self._lock:
                Watched.running -= 1

    def hash(self, password, **how):
        return self._watched(super().hash, password)

    def verify(self, password, hash):
        return self._watched(super().verify, password, hash)


@pytest.fixture
def watched_desk(tmp_path, monkeypatch):
    monkeypatch.setattr("deskroster.passwords.Argon2Hasher", Watched)
    Watched.running, Watched.most, Watched.threads, Watched.count = 0, 0, set(), 0
    yield from guarded.opened(tmp_path, password_hash)


@pytest.mark.proof
def test_at_most_two_passwords_are_hashed_at_once_and_off_the_loop(watched_desk):
    wait = hash_many(watched_desk)

    assert 2 == MAX_HASHES == Watched.most
    assert threading.get_ident() not in Watched.threads
    assert wait < LONGEST


@pytest.mark.proof
def test_control_hashing_in_more_threads_or_on_the_loop_is_noticed(watched_desk, monkeypatch):
    passwords = watched_desk.app.passwords
    with ThreadPoolExecutor(8) as crowd, monkeypatch.context() as patch:
        patch.setattr(passwords, "_thread_pool", crowd)
        patch.setattr(passwords, "_semaphore", asyncio.Semaphore(8))
        hash_many(watched_desk)
        assert Watched.most > 2

    async def on_the_loop(work, *arguments):
        return work(*arguments)

    monkeypatch.setattr(passwords, "_in_thread", on_the_loop)
    wait = hash_many(watched_desk)

    assert threading.get_ident() in Watched.threads
    assert wait > LONGEST


def hash_many(desk: InProcess) -> float:
    """Guess and set passwords, twelve at once; return the most CPU time of the loop between two reads meanwhile.

    The least of several times: the garbage collector may run, but not always.
    """

    async def at_once(turn: int) -> float:
        longest, last = 0.0, time.thread_time()
        hashing = [asyncio.create_task(answer(desk, one)) for one in requests(turn)]
        while not all(task.done() for task in hashing):
            await asyncio.sleep(0.001)
            check("kf5", await answer(desk, signed(desk.of(KNOWN).kf5, "GET", "/groups.json")), "ok")
            longest, last = max(longest, time.thread_time() - last), time.thread_time()
        await asyncio.gather(*hashing)
        return longest

    def requests(turn: int):
        desk.clock.now += WINDOW
        login = {"email": KNOWN.email, "password": WRONG}
        for one in range(4):
            user = {"user": {"name": "n", "email": f"n{turn}-{one}@{id(desk)}.cn", "role": "agent", "password": "p"}}
            yield signed(client(desk, KF5Password(STRANGER)), "GET", "/apiv2/groups.json")
            yield client(desk).build_request("POST", "/open_api_v1/log_in", json=login)
            yield signed(desk.of(KNOWN).kf5, "POST", "/users.json", json=user)

    least = desk.run(at_once(0))
    for turn in range(1, TURNS):
        if least < LONGEST:
            break
        least = min(least, desk.run(at_once(turn)))
    return least


def client(desk, auth=None):
    plain = desk.plain()
    if auth is not None:
        plain.auth = auth
    return plain


# ── slowed down ──────────────────────────────────────────────────────────────────────────────────────────────────


def guess(desk, dialect, account=ADMIN, password=WRONG, address=None):
    """Try a password, from an address of its own if none is given."""
    guess.made = getattr(guess, "made", 0) + 1
    desk.address = address or f"10.{guess.made >> 16 & 255}.{guess.made >> 8 & 255}.{guess.made & 255}"
    return guarded.sent(desk, guarded.log_in(dialect, account, password, desk.clock))


def refused(dialect, response):
    check(dialect, response, CONTRACTS[dialect].log_in.wrong)


def anyone(number):
    return ADMIN.__class__(id=0, email=f"anyone-{number}@udesk.cn", password="", token="")


@pytest.mark.parametrize("who", [ADMIN, anyone(0)], ids=["an agent", "nobody"])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_guesses_at_one_account_are_slowed_wherever_they_come_from(desk, dialect, who):
    for _ in range(MAX_FAILURES):
        refused(dialect, guess(desk, dialect, who))
        desk.clock.now += 1

    response = guess(desk, dialect, who)

    check(dialect, response, "toomany")
    assert WINDOW - MAX_FAILURES == int(response.headers["retry-after"])
    desk.clock.now += int(response.headers["retry-after"]) - 1
    check(dialect, guess(desk, dialect, who), "toomany")
    check(dialect, guess(desk, dialect, who, who.password), "toomany")
    desk.clock.now += 1
    if who is ADMIN:
        check(dialect, guess(desk, dialect, who, who.password), "ok")
    refused(dialect, guess(desk, dialect, who))


@pytest.mark.parametrize("dialect", DIALECTS)
def test_guesses_from_one_address_are_slowed_whomever_they_are_at(desk, dialect):
    for number in range(MAX_FAILURES):
        refused(dialect, guess(desk, dialect, anyone(number), address="10.9.9.9"))

    check(dialect, guess(desk, dialect, anyone(99), address="10.9.9.9"), "toomany")
    check(dialect, guess(desk, dialect, AGENT, AGENT.password, address="10.9.9.9"), "toomany")
    refused(dialect, guess(desk, dialect, anyone(99), address="10.9.9.8"))
    check(dialect, guess(desk, dialect, ADMIN, ADMIN.password, address="10.9.9.8"), "ok")


def test_guesses_in_one_dialect_count_in_the_other(desk):
    for number in range(MAX_FAILURES):
        dialect = DIALECTS[number % len(DIALECTS)]
        refused(dialect, guess(desk, dialect))

    for dialect in DIALECTS:
        check(dialect, guess(desk, dialect), "toomany")


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("address", [None, "10.8.0.1"], ids=["from anywhere", "from the same address"])
def test_wrong_tokens_are_counted_apart_from_passwords(desk, dialect, address):
    for _ in range(MAX_FAILURES + 5):
        desk.address = address or f"10.8.0.{_}"
        check("kf5", desk.plain().get("/apiv2/groups.json", auth=KF5Token(replace(ADMIN, token=WRONG))), "unauth")
        check("own", desk.plain().get("/deskroster/v1/roles", auth=(ADMIN.email, WRONG)), "unauth")

    check(dialect, guess(desk, dialect, ADMIN, ADMIN.password, address), "ok")


@pytest.mark.parametrize("dialect", DIALECTS)
def test_guesses_all_at_once_are_slowed_too(desk, dialect):
    assert judged_of_sixty(desk, dialect) <= MAX_FAILURES + MAX_HASHES - 1


def test_control_a_limit_that_looks_only_before_the_wait_is_noticed(desk, monkeypatch):
    monkeypatch.setattr(desk.app.passwords, "_semaphore", asyncio.Semaphore(1_000))

    assert judged_of_sixty(desk, "kf5") > MAX_FAILURES + MAX_HASHES - 1


def judged_of_sixty(desk, dialect) -> int:
    guesses = [guarded.log_in(dialect, ADMIN, WRONG, desk.clock) for _ in range(60)]
    requests = [guarded.request(desk, one) for one in guesses]
    answers = desk.together(*requests)
    assert {200, 401, 429} >= {one.status_code for one in answers}
    return sum(one.status_code != 429 for one in answers)


def test_a_right_password_sent_many_times_at_once_is_let_in_each_time(desk):
    many = [signed(client(desk, KF5Password(ADMIN)), "GET", "/apiv2/groups.json") for _ in range(60)]

    for response in desk.together(*many):
        check("kf5", response, "ok")


# ── and nobody is locked out ─────────────────────────────────────────────────────────────────────────────────────


def served(desk, dialect) -> dict[str, bool]:
    """Slow down the administrator's account and address; tell who of those that are known is served meanwhile."""
    check("kf5", guess(desk, "kf5", ADMIN, ADMIN.password, "10.1.1.1"), "ok")
    for _ in range(MAX_FAILURES):
        refused(dialect, guess(desk, dialect, ADMIN, WRONG, "10.1.1.1"))
    check(dialect, guess(desk, dialect, ADMIN, WRONG, "10.1.1.1"), "toomany")
    known = {f"a remembered password in {one}": guess(desk, one, ADMIN, ADMIN.password, "10.1.1.1") for one in DIALECTS}
    signed = {f"who signs in {one}": getattr(desk, one).get(CONTRACTS[one].named.lists) for one in CONTRACTS}
    other = {"another account from elsewhere": guess(desk, "kf5", AGENT, AGENT.password, "10.2.2.2")}
    return {
        who: response.status_code == 200 and response.json().get("code") == CONTRACTS[who.split()[-1]].answers.success
        for who, response in (known | signed).items()
    } | {who: response.status_code == 200 for who, response in other.items()}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_stranger_locks_nobody_out(desk, dialect):
    assert set() == {who for who, let_in in served(desk, dialect).items() if not let_in}


def test_control_a_limit_before_what_is_remembered_is_noticed(desk, monkeypatch):
    whole = Passwords.verify

    async def strict(passwords, account, password, stored, address, now):
        passwords._check_rate(account, address, now)
        return await whole(passwords, account, password, stored, address, now)

    monkeypatch.setattr(Passwords, "verify", strict)

    found = served(desk, "kf5")

    assert {f"a remembered password in {one}" for one in DIALECTS} == {
        who for who, let_in in found.items() if not let_in
    }


def test_one_address_cannot_make_the_counts_of_others_forgotten(desk, monkeypatch):
    monkeypatch.setattr("deskroster.passwords.MAX_COUNTERS", 100)

    assert slowed_after_a_flood(desk)


def test_control_counting_every_account_of_one_address_is_noticed(desk, monkeypatch):
    monkeypatch.setattr("deskroster.passwords.MAX_COUNTERS", 100)

    def slow_down(passwords, account, address, now):
        if seconds := passwords._seconds_to_wait(account, now):
            raise TooManyGuesses(seconds)

    def failed(passwords, account, address, now):
        for key in (account, ("address", address)):
            passwords._count(key, now)

    monkeypatch.setattr(Passwords, "_check_rate", slow_down)
    monkeypatch.setattr(Passwords, "failed", failed)

    assert not slowed_after_a_flood(desk)


def slowed_after_a_flood(desk) -> bool:
    for _ in range(MAX_FAILURES):
        refused("kf5", guess(desk, "kf5"))
    for number in range(300):
        assert guess(desk, "kf5", anyone(number), address="10.7.7.7").status_code in (401, 429)
    return guess(desk, "kf5").status_code == 429


def test_a_long_account_name_is_truncated_in_the_failure_counts(desk):
    long = "a" * 500_000

    refused("udesk", guess(desk, "udesk", ADMIN.__class__(id=0, email=long, password="", token="")))
    check("own", desk.plain().get("/deskroster/v1/roles", auth=(long[:60_000], "x")), "unauth")

    assert 1_000 > max(len(str(key)) for key in desk.app.passwords._failures)
