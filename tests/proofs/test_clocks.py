"""Promise: whatever the clocks are set to, nobody waits longer for it, and nothing that was used is good again."""

from datetime import datetime
from math import ceil

import pytest

from deskroster.clocks import ForwardTime
from deskroster.core import company, keys
from deskroster.core.company import CompanyFields
from deskroster.core.records import Secret
from deskroster.ledger.engines import MINUTE
from deskroster.ledger.engines.postgresql.nonces import EvenClock
from deskroster.ledger.engines.sqlite.call_limit import LastMinute
from deskroster.ledger.engines.sqlite.nonce_file import LIFETIME
from deskroster.passwords import MAX_FAILURES
from deskroster.testing import KF5Password, StillClock
from tests.answers import check
from tests.in_process import InProcess, answer, signed
from tests.world import ADMIN, AGENT, COMPANY, records

HOURS, DAY = 8 * 3_600, 86_400
NOW = 1_700_000_000


def both(seconds):
    """Set the clock of our machine, on which the database is too."""
    return lambda desk: desk.clock.set_by(seconds)


def ours(seconds):
    def jump(desk):
        desk.clock.set_by(seconds)
        desk.database_ahead -= seconds

    return jump


def theirs(seconds):
    def jump(desk):
        desk.database_ahead += seconds

    return jump


def suspended(desk):
    desk.clock.now += HOURS


SETTINGS = {
    "both set back": both(-HOURS), "both set ahead": both(HOURS), "both set back by years": both(-400 * DAY),
    "ours set back": ours(-HOURS), "ours set ahead": ours(HOURS),
    "the database's set back": theirs(-HOURS), "the database's set ahead": theirs(HOURS),
}  # fmt: skip
JUMPS = SETTINGS | {"suspended": suspended}
every_jump = pytest.mark.parametrize("jump", JUMPS.values(), ids=JUMPS)
every_setting = pytest.mark.parametrize("jump", SETTINGS.values(), ids=SETTINGS)


def upkeep(desk):
    desk.run(desk.app.store.upkeep.run_once())


# ── nobody waits longer ──────────────────────────────────────────────────────────────────────────────────────────────


def waits_for_calls(desk, jump) -> int:
    """Use up the calls of a minute, let the clock jump, and return for how long calls are refused then."""
    desk.operate(lambda roster, caller: company.update(roster, caller, CompanyFields(calls_per_minute=3)))
    for _ in range(3):
        check("udesk", desk.udesk.get("/agent_roles"), "ok")
    jump(desk)
    return until_let_in(desk, "udesk", lambda: desk.udesk.get("/agent_roles"))


def waits_for_guesses(desk, jump) -> int:
    for n in range(MAX_FAILURES):
        desk.address = f"10.0.0.{n}"
        desk.plain().get("/apiv2/groups.json", auth=(AGENT.email, "wrong"))
    jump(desk)
    desk.address = "10.0.1.1"
    return until_let_in(desk, "kf5", lambda: desk.plain().get("/apiv2/groups.json", auth=KF5Password(AGENT)))


def until_let_in(desk, dialect, ask) -> int:
    """Return what a refusal says how long it will be, 0 without one; and see that it is true."""
    response = ask()
    if response.status_code != 429:
        check(dialect, response, "ok")
        return 0
    seconds = int(response.headers["retry-after"])
    desk.clock.now += seconds
    check(dialect, ask(), "ok")
    return seconds


@every_jump
@pytest.mark.parametrize("waits", [waits_for_calls, waits_for_guesses], ids=["calls", "guesses"])
def test_a_rate_limited_caller_waits_at_most_a_minute(desk, waits, jump):
    assert waits(desk, jump) <= 60


@pytest.mark.parametrize("waits", [waits_for_calls, waits_for_guesses], ids=["calls", "guesses"])
def test_a_limit_goes_on_when_the_clock_is_set_and_ends_with_the_minute(desk, waits):
    assert 60 == waits(desk, both(-HOURS))


@pytest.mark.once
@pytest.mark.parametrize("waits", [waits_for_calls, waits_for_guesses], ids=["calls", "guesses"])
def test_control_a_limit_by_the_time_of_day_is_noticed(desk, waits, monkeypatch):
    def count(self, now, limit):
        times = self.__dict__.setdefault("times", [])
        times[:] = [at for at in times if now - at < MINUTE]
        if len(times) >= limit:
            return ceil(times[0] + MINUTE - now)
        times.append(now)
        return 0

    monkeypatch.setattr(LastMinute, "count", count)
    monkeypatch.setattr(StillClock, "steady", lambda clock: clock.now)

    assert HOURS + 60 == waits(desk, both(-HOURS))


# ── nothing that was used is good again, nothing is forgotten too early ──────────────────────────────────────────────


def replayed(desk, jump, back) -> bool:
    """Tell whether a request that was answered is answered again, after the clocks jumped and jumped back."""
    request = signed(desk.udesk, "GET", "/agent_roles")
    check("udesk", desk.run(answer(desk, request)), "ok")
    jump(desk)
    for _ in range(3):
        desk.run(answer(desk, signed(desk.udesk, "GET", "/agent_roles")))
        upkeep(desk)
        desk.clock.now += 60
    desk.restart()
    back(desk)
    response = desk.run(answer(desk, request)).json()
    assert response["code"] in (1000, 20623), response
    return response["code"] == 1000


BACK = {name: JUMPS[name.replace("ahead", "BACK").replace("back", "ahead").replace("BACK", "back")] for name in SETTINGS
        if "years" not in name}  # fmt: skip


@pytest.mark.parametrize("name", BACK)
def test_a_captured_request_cannot_be_replayed_after_clocks_are_set_wrong_and_right(desk, name):
    assert not replayed(desk, JUMPS[name], BACK[name])


def test_control_nonces_that_are_forgotten_by_the_time_of_day_are_noticed(desk, monkeypatch):
    monkeypatch.setattr(StillClock, "steady", lambda clock: clock.now)
    monkeypatch.setattr(StillClock, "boot", "")
    monkeypatch.setattr(EvenClock, "may_delete", lambda *_: True)

    assert replayed(desk, both(HOURS), both(-HOURS))


@pytest.mark.parametrize("name", SETTINGS)
def test_a_nonce_stays_used_for_its_lifetime_unless_all_clocks_say_that_it_is_over(desk, name):
    store, nonce = desk.app.store, "n"
    ledger = desk.run(store.load(1))

    def spend() -> bool:
        unused = store.fresh(ledger, nonce)
        return unused if isinstance(unused, bool) else desk.run(unused)

    # Where both clocks are ahead, no signature of before is of now.
    over = store._engine.shared and name == "both set ahead"
    assert spend()
    SETTINGS[name](desk)
    assert over == spend()
    desk.clock.now += LIFETIME - 1
    assert not spend()
    desk.clock.now += 1
    if not store._engine.shared:
        assert spend()


@every_setting
def test_an_idempotency_key_is_kept_for_a_day_whatever_the_clock_is_set_to(desk, jump):
    headers = {"Idempotency-Key": "k"}

    def create():
        return desk.kf5.post("/groups.json", json={"group": {"name": "售前"}}, headers=headers).json()["group"]["id"]

    first = create()
    desk.clock.now += 12 * 3_600
    jump(desk)
    upkeep(desk)
    assert first == create()

    desk.clock.now += 2 * DAY
    desk.database_ahead = 0
    upkeep(desk)
    assert first < create()


def test_control_first_answers_that_are_kept_by_the_time_of_day_are_noticed(desk, monkeypatch):
    monkeypatch.setattr(ForwardTime, "__call__", lambda forward: forward._clock())
    with pytest.raises(AssertionError):
        test_an_idempotency_key_is_kept_for_a_day_whatever_the_clock_is_set_to(desk, both(2 * DAY))


# ── when a key was last used, and when it expires ────────────────────────────────────────────────────────────────────


def last_used(desk) -> int:
    found = desk.own.get("/v1/keys").json()["items"]
    (mine,) = [one for one in found if one["name"] == "reader"]
    return int(datetime.fromisoformat(mine["last_used_at"]).timestamp())


def use(desk):
    check("udesk", desk.of(READER).udesk.get("/agent_roles"), "ok")


READER = ADMIN.__class__(id=1, email=ADMIN.email, password="", token="read-only-token")


def test_a_key_that_is_used_after_the_clock_was_set_back_says_so_and_is_saved(desk):
    use(desk)
    upkeep(desk)
    desk.clock.set_by(-HOURS)
    use(desk)
    assert NOW - HOURS == last_used(desk)

    upkeep(desk)
    desk.restart()

    assert NOW - HOURS == last_used(desk)


def test_a_last_use_in_the_future_is_shown_as_now(desk):
    desk.clock.set_by(HOURS)
    use(desk)
    upkeep(desk)
    desk.clock.set_by(-HOURS)
    desk.restart()
    assert NOW == last_used(desk)

    upkeep(desk)
    desk.clock.now += 600
    desk.restart()

    assert NOW == last_used(desk)


def test_a_key_expires_by_the_time_of_day(desk):
    desk.operate(lambda roster, caller: keys.create(roster, caller, 2, "k", Secret("k"), NOW, expires_at=NOW + 60))

    def status() -> int:
        return desk.plain().get("/apiv2/groups.json", auth=(f"{AGENT.email}/token", "k")).status_code

    desk.clock.set_by(60)
    assert 401 == status()
    desk.clock.set_by(-60)
    assert 200 == status()


def test_a_folder_that_is_opened_while_its_clock_is_years_behind_is_served(tmp_path):
    clock = StillClock(0)  # a machine without a battery, before it has asked the network
    desk = InProcess(tmp_path / "data", clock)
    desk.add_company(COMPANY, records())
    clock.set_by(NOW)

    check("udesk", desk.udesk.get("/agent_roles"), "ok")
    check("kf5", desk.plain().get("/apiv2/groups.json", auth=KF5Password(ADMIN)), "ok")
    desk.restart()
    check("udesk", desk.udesk.get("/agent_roles"), "ok")
    desk.close()
    assert [] == desk.incidents
