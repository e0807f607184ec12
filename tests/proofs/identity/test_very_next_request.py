"""Promise 6: what a caller has lost is lost at the very next request, also for what waits in the queue already."""

import asyncio
from datetime import UTC, datetime
from functools import partial

import pytest
from msgspec.structs import replace

from deskroster.core.access import OF_ADMINISTRATORS, Caller
from deskroster.passwords import Passwords
from deskroster.testing import KF5Password
from tests.answers import check
from tests.in_process import answer, signed
from tests.world import ADMIN, SECOND_ADMIN

WHO = SECOND_ADMIN
LIFETIME = 100  # seconds, of the key that expires

# How the caller proves who it is → dialect, a read, a write.
WAYS = {
    "a Udesk signature": ("udesk", "/open_api_v1/user_groups", ("/open_api_v1/user_groups", {"name": "x"})),
    "a ServiceGo signature": ("servicego", "/api/v1/user", ("/api/v1/userGroup", {"name": "x"})),
    "a KF5 token": ("kf5", "/apiv2/groups.json", ("/apiv2/groups.json", {"group": {"name": "x"}})),
    "a KF5 password": ("kf5", "/apiv2/groups.json", ("/apiv2/groups.json", {"group": {"name": "x"}})),
    "a key of our own API": ("own", "/deskroster/v1/roles", ("/deskroster/v1/roles", {"name": "x"})),
}
BY_KEY, BY_PASSWORD = set(WAYS) - {"a KF5 password"}, {"a KF5 password"}
ADMINISTRATORS_ONLY = {"a Udesk signature", "a ServiceGo signature"}  # also to read

# What is lost → how it comes about, the ways that are closed by it, and how they are refused.
LOSSES = {
    "the password, in KF5": (
        "kf5", "PUT", f"/users/{WHO.id}.json", {"user": {"password": "new"}}, BY_PASSWORD, "unauth",
    ),
    "the password, in Udesk": (
        "udesk", "PUT", f"/agents/{WHO.id}", {"agent": {"password": "new"}}, BY_PASSWORD, "unauth",
    ),
    "the password, in our own API": (
        "own", "PUT", f"/v1/agents/{WHO.id}/password", {"password": "new-password"}, BY_PASSWORD, "unauth",
    ),
    "the key": ("own", "DELETE", "/v1/keys/6", None, BY_KEY, "unauth"),
    "the level, in KF5": ("kf5", "PUT", f"/users/{WHO.id}.json", {"user": {"role": "agent"}}, set(WAYS), "forbidden"),
    "the level, in our own API": ("own", "PATCH", f"/v1/agents/{WHO.id}", {"level": "agent"}, set(WAYS), "forbidden"),
    "the state, in Udesk": (
        "udesk", "PUT", f"/agents/{WHO.id}", {"agent": {"disable_status": "disable"}}, set(WAYS), "unauth",
    ),
    "the state, in ServiceGo": ("servicego", "PUT", f"/v1/user/{WHO.id}", {"status": 2}, set(WAYS), "unauth"),
    "the state, to a review": ("servicego", "PUT", f"/v1/user/{WHO.id}", {"status": 3}, set(WAYS), "unauth"),
    "the job": ("servicego", "PUT", f"/v1/user/{WHO.id}", {"jobStatus": 0}, set(WAYS), "unauth"),
    "the account, in Udesk": ("udesk", "DELETE", f"/agents/{WHO.id}", None, set(WAYS), "unauth"),
    "the account, in KF5": ("kf5", "DELETE", f"/users/{WHO.id}.json", None, set(WAYS), "unauth"),
    "the account, in ServiceGo": ("servicego", "DELETE", f"/v1/user/{WHO.id}", None, set(WAYS), "unauth"),
}  # fmt: skip


def request(desk, way, account=WHO, *, write=False):
    """Return a request by which the caller proves who it is in this way, signed now."""
    dialect, path, (write_path, body) = WAYS[way]
    client = desk.plain()
    client.auth = KF5Password(account) if way == "a KF5 password" else getattr(desk.of(account), dialect).auth
    how = {"json": body} if write else {}
    return signed(client, "POST" if write else "GET", write_path if write else path, **how)


def ask(desk, way, account=WHO, **how):
    return desk.run(answer(desk, request(desk, way, account, **how)))


def losing(desk, loss):
    dialect, method, path, body, *_ = LOSSES[loss]
    client = getattr(desk.of(ADMIN), dialect)
    return signed(client, method, path, **({} if body is None else {"json": body}))


def is_refused(response, way, cls) -> bool:
    try:
        check(WAYS[way][0], response, cls)
    except AssertionError:
        return False
    return True


@pytest.mark.parametrize("loss", LOSSES)
def test_what_is_lost_counts_at_the_very_next_request(desk, loss):
    assert set() == let_in_wrongly(desk, loss)


def let_in_wrongly(desk, loss) -> set[tuple[str, str]]:
    """Let the caller lose something; return the reads and writes that the next requests got all the same."""
    dialect, *_, closed, cls = LOSSES[loss]
    for way in WAYS:
        check(WAYS[way][0], ask(desk, way), "ok")
    check(dialect, desk.run(answer(desk, losing(desk, loss))), "ok")

    wrong = set()
    for way in WAYS:
        reading = cls if way in closed and (cls == "unauth" or way in ADMINISTRATORS_ONLY) else "ok"
        writing = cls if way in closed else "ok"
        if not is_refused(ask(desk, way), way, reading):
            wrong.add((way, "read"))
        if not is_refused(ask(desk, way, write=True), way, writing):
            wrong.add((way, "write"))
    return wrong


def test_control_a_password_remembered_without_its_hash_is_noticed(desk, monkeypatch):
    monkeypatch.setattr(Passwords, "_digest", lambda _, password, stored: password.encode())

    found = let_in_wrongly(desk, "the password, in KF5")

    assert {("a KF5 password", "read"), ("a KF5 password", "write")} == found


def test_an_expired_key_counts_at_the_very_next_request(desk):
    account = with_expiring_key(desk)
    for way in BY_KEY:
        check(WAYS[way][0], ask(desk, way, account), "ok")

    desk.clock.now += LIFETIME - 1
    for way in BY_KEY:
        check(WAYS[way][0], ask(desk, way, account), "ok")
    desk.clock.now += 1
    for way in BY_KEY:
        check(WAYS[way][0], ask(desk, way, account), "unauth")


def with_expiring_key(desk):
    """Give the caller a key that is good for a while; return the account with it."""
    ends = datetime.fromtimestamp(desk.clock.now + LIFETIME, UTC).isoformat()
    key = {"agent_id": WHO.id, "name": "x", "expires_at": ends}
    made = check("own", desk.of(ADMIN).own.post("/v1/keys", json=key), "ok")
    return replace(WHO, token=made["secret"])


# ── what waits in the queue ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.once  # it looks into the queue, where on PostgreSQL a request comes after a question
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("loss", LOSSES)
def test_what_is_lost_counts_for_what_is_queued_already(desk, loss, way):
    *_, closed, cls = LOSSES[loss]
    check(WAYS[way][0], ask(desk, way), "ok")

    lost, written = queued_behind(desk, losing(desk, loss), request(desk, way, write=True))

    check(LOSSES[loss][0], lost, "ok")
    check(WAYS[way][0], written, cls if way in closed else "ok")
    assert (way not in closed) is ("x" in names(desk))


@pytest.mark.once  # it looks into the queue, where on PostgreSQL a request comes after a question
@pytest.mark.parametrize("way", sorted(BY_KEY))
def test_an_expired_key_counts_for_what_is_queued_already(desk, way):
    account = with_expiring_key(desk)

    (written,) = queued_behind(desk, request(desk, way, account, write=True), later=LIFETIME)

    check(WAYS[way][0], written, "unauth")
    assert "x" not in names(desk)


@pytest.mark.once  # it looks into the queue, where on PostgreSQL a request comes after a question
@pytest.mark.parametrize("way", WAYS)
def test_control_a_caller_that_is_not_resolved_again_is_noticed(desk, way, monkeypatch):
    def as_on_arrival(roster, identity, now):
        return Caller(agent_id=identity.agent_id, permissions=OF_ADMINISTRATORS)

    monkeypatch.setattr("deskroster.ledger.rehearsal.resolve", as_on_arrival)
    check(WAYS[way][0], ask(desk, way), "ok")

    _, written = queued_behind(desk, losing(desk, "the state, in ServiceGo"), request(desk, way, write=True))

    check(WAYS[way][0], written, "ok")
    assert "x" in names(desk)


def names(desk) -> set[str]:
    return {group.name for group in desk.roster().groups} | {role.name for role in desk.roster().roles}


def queued_behind(desk, *requests, later=0):
    """Hold a write in the store until these requests have been let in and wait behind it; return their answers."""
    ledger = desk.run(desk.app.store.load(1))
    engine, hold = ledger._engine, ledger._engine.lock
    first = signed(desk.of(ADMIN).kf5, "POST", "/groups.json", json={"group": {"name": "first"}})

    async def held():
        held, entered = asyncio.Event(), asyncio.Event()

        async def gated(company_id):
            turn = await hold(company_id)
            commit = turn.commit

            async def commit_later(job):
                entered.set()
                await held.wait()
                return await commit(job)

            turn.commit = commit_later
            return turn

        engine.hold = gated
        try:
            answers = [asyncio.create_task(answer(desk, first))]
            await asyncio.wait_for(entered.wait(), 60)
            for number, one in enumerate(requests, 1):
                answers.append(asyncio.create_task(answer(desk, one)))
                await asyncio.wait_for(until(partial(waiting, number)), 60)
            desk.clock.now += later
        finally:
            del engine.hold
            held.set()
        return await asyncio.gather(*answers)

    def waiting(number):
        return len(ledger._queue) == number

    done, *others = desk.run(held())
    check("kf5", done, "ok")
    return others


async def until(true):
    while not true():  # noqa: ASYNC110 - what it waits for is the product's, which tells nobody
        await asyncio.sleep(0.001)
