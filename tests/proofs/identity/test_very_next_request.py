"""Promise 6: what a caller has lost is lost at the very next request, also for what waits in the queue already."""

import asyncio
from datetime import UTC, datetime
from functools import partial

import httpx2
import pytest
from msgspec.structs import replace

from deskroster.core.access import OF_ADMINISTRATORS, Caller
from deskroster.passwords import Passwords
from deskroster.testing import Signature
from tests.answers import check
from tests.calls import CALLS
from tests.contracts import CONTRACTS
from tests.in_process import answer, signed
from tests.world import ADMIN, SECOND_ADMIN

WHO = SECOND_ADMIN
LIFETIME = 100  # seconds, of the key that expires

# How the caller proves who it is: dialect, and whether by a password.
WAYS = {name: (name, None) for name in CONTRACTS} | {
    f"{name} by password": (name, contract.log_in.by)
    for name, contract in CONTRACTS.items()
    if contract.log_in is not None and contract.log_in.by is not None
}
BY_PASSWORD = {way for way, (_, by) in WAYS.items() if by is not None}
BY_KEY = set(WAYS) - BY_PASSWORD
CLOSES = {"key": BY_KEY, "password": BY_PASSWORD, "all": set(WAYS)}
ADMINISTRATORS_ONLY = {  # also to read
    way for way, (name, _) in WAYS.items() if CALLS[f"{name} GET {CONTRACTS[name].named.lists}"].level != "agent"
}
LOSSES = {what: (name, loss) for name, contract in CONTRACTS.items() for what, loss in contract.losses.items()}


def request(desk, way, account=WHO, *, write=False):
    """Return a request by which the caller proves who it is in this way, signed now."""
    dialect, by = WAYS[way]
    client = getattr(desk.of(account), dialect)
    if by is not None:
        client = httpx2.Client(
            base_url=client.base_url, auth=Signature(replace(account, token=account.password), by, desk.clock)
        )
    named = CONTRACTS[dialect].named
    if write:
        return signed(client, "POST", named.creates, json=named.body("x"))
    return signed(client, "GET", named.lists)


def ask(desk, way, account=WHO, **how):
    return desk.run(answer(desk, request(desk, way, account, **how)))


def losing(desk, loss):
    dialect, (method, path, body, *_) = LOSSES[loss]
    client = getattr(desk.of(ADMIN), dialect)
    return signed(client, method, path, **({} if body is None else {"json": body}))


def is_refused(response, way, cls) -> bool:
    try:
        check(WAYS[way][0], response, cls)
    except AssertionError:
        return False
    return True


@pytest.mark.parametrize("loss", LOSSES)
def test_a_revoked_right_takes_effect_at_the_next_request(desk, loss):
    assert set() == let_in_wrongly(desk, loss)


def let_in_wrongly(desk, loss) -> set[tuple[str, str]]:
    """Let the caller lose something; return the reads and writes that the next requests got all the same."""
    dialect, (*_, closes, cls) = LOSSES[loss]
    closed = CLOSES[closes]
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

    assert {(way, what) for way in BY_PASSWORD for what in ("read", "write")} == found


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
def test_a_revoked_right_takes_effect_for_queued_verbs(desk, loss, way):
    dialect, (*_, closes, cls) = LOSSES[loss]
    closed = CLOSES[closes]
    check(WAYS[way][0], ask(desk, way), "ok")

    lost, written = queued_behind(desk, losing(desk, loss), request(desk, way, write=True))

    check(dialect, lost, "ok")
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
    kinds = {contract.named.kind for contract in CONTRACTS.values()}
    return {record.name for kind in kinds for record in desk.roster().table(kind)}


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

        engine.lock = gated
        try:
            answers = [asyncio.create_task(answer(desk, first))]
            await asyncio.wait_for(entered.wait(), 60)
            for number, one in enumerate(requests, 1):
                answers.append(asyncio.create_task(answer(desk, one)))
                await asyncio.wait_for(until(partial(waiting, number)), 60)
            desk.clock.now += later
        finally:
            del engine.lock
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
