"""Keys in our own API."""

from datetime import UTC, datetime

import pytest

from deskroster.testing import Account
from tests.world import ADMIN, AGENT

pytestmark = pytest.mark.any_engine


def created(desk, **wanted):
    """Create a key for the administrator; return it and the account that signs with it."""
    answer = desk.own.post("/v1/keys", json={"agent_id": ADMIN.id, "name": "程序", **wanted})
    assert 201 == answer.status_code, answer.text
    key = answer.json()
    return key, Account(id=ADMIN.id, email=ADMIN.email, password="", token=key["secret"])


def test_the_secret_of_a_key_is_shown_once(desk):
    key, _ = created(desk)

    listed = desk.own.get("/v1/keys")

    assert key["secret"] not in listed.text
    assert {name: value for name, value in key.items() if name != "secret"} == listed.json()["items"][-1]


def test_a_key_signs_in_every_dialect(desk):
    _, account = created(desk)

    clients = desk.of(account)

    assert 1000 == clients.udesk.get("/user_groups").json()["code"]
    assert 200 == clients.kf5.get("/groups.json").status_code
    assert 200 == clients.servicego.get("/v1/user").status_code
    assert 200 == clients.own.get("/v1/keys").status_code


def test_a_key_can_be_confined_to_a_dialect(desk):
    _, account = created(desk, dialects=["kf5"])

    clients = desk.of(account)

    assert 200 == clients.kf5.get("/groups.json").status_code
    assert 2059 == clients.udesk.get("/user_groups").json()["code"]
    assert 401 == clients.own.get("/v1/positions").status_code


def test_a_key_can_be_for_reading_only(desk):
    _, account = created(desk, access="read")

    clients = desk.of(account)

    assert 1000 == clients.udesk.get("/user_groups").json()["code"]
    assert 2015 == clients.udesk.post("/user_groups", json={"name": "x"}).json()["code"]
    assert 403 == clients.own.get("/v1/keys").status_code


def test_a_key_expires(desk, clock):
    ends = datetime.fromtimestamp(clock.now + 60, UTC)
    _, account = created(desk, expires_at=ends.isoformat())
    before = desk.of(account).kf5.get("/groups.json").status_code

    clock.now += 60

    assert (200, 401) == (before, desk.of(account).kf5.get("/groups.json").status_code)
    assert "expired" == desk.own.get("/v1/keys").json()["items"][-1]["state"]
    naive = {"agent_id": ADMIN.id, "name": "x", "expires_at": "2030-01-01T00:00:00"}
    assert 422 == desk.own.post("/v1/keys", json=naive).status_code


def test_a_revoked_key_is_refused_at_once_and_stays_listed(desk):
    key, account = created(desk)
    before = desk.of(account).kf5.get("/groups.json").status_code

    revoked = desk.own.delete(f"/v1/keys/{key['id']}")

    assert (200, "revoked") == (before, revoked.json()["state"])
    assert 401 == desk.of(account).kf5.get("/groups.json").status_code
    assert key["id"] == desk.own.get("/v1/keys").json()["items"][-1]["id"]


def test_the_list_tells_when_and_by_which_form_a_key_was_last_used(desk, clock):
    key, account = created(desk)
    unused = desk.own.get("/v1/keys").json()["items"][-1]

    desk.of(account).udesk.get("/user_groups")
    used = desk.own.get("/v1/keys").json()["items"][-1]

    assert key["id"] == used["id"]
    assert (None, "") == (unused["last_used_at"], unused["last_form"])
    assert (datetime.fromtimestamp(clock.now, UTC).isoformat()[:19], "A") == (
        used["last_used_at"][:19],
        used["last_form"],
    )


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"dialects": ["morse"]}, "dialects"),
        ({"access": "all"}, "access"),
        ({"name": ""}, "name"),
        ({"expires_at": "2001-01-01T00:00:00Z"}, "expires_at"),
    ],
)
def test_a_key_that_cannot_be_is_refused(quiet_desk, wanted, field):
    refused = quiet_desk.own.post("/v1/keys", json={"agent_id": ADMIN.id, "name": "x", **wanted})

    assert (422, field) == (refused.status_code, refused.json()["field"])


def test_a_key_for_nobody_is_refused(quiet_desk):
    refused = quiet_desk.own.post("/v1/keys", json={"agent_id": 99, "name": "x"})

    assert (422, "agent_id", "unknown") == (refused.status_code, refused.json()["field"], refused.json()["reason"])


def test_a_create_that_is_sent_again_gets_the_same_key(desk):
    wanted = {"agent_id": AGENT.id, "name": "程序"}

    first, again = (
        desk.own.post("/v1/keys", json=wanted, headers={"Idempotency-Key": "once"}).json() for _ in range(2)
    )

    assert first == again
