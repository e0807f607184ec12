"""A nonce is spent when its call is let in: what is refused as surely not done can be sent again as it is."""

import pytest

from deskroster.core import company
from deskroster.core.company import CompanyFields
from deskroster.core.problems import Busy
from deskroster.ledger.engines.sqlite.nonce_file import Nonces
from deskroster.testing import StillClock, UdeskSignature
from tests.answers import check
from tests.conftest import NOW
from tests.world import ADMIN, AGENT

pytestmark = pytest.mark.any_engine


def signed(desk, account=ADMIN):
    return UdeskSignature(account, desk.clock).parameters()


def create(desk, parameters):
    return desk.plain().post("/open_api_v1/user_groups", params=parameters, json={"name": "x"})


def limit(desk, calls):
    desk.operate(lambda roster, caller: company.update(roster, caller, CompanyFields(calls_per_minute=calls)))


def test_a_call_over_the_limit_can_be_sent_again_as_it_is(desk):
    limit(desk, 1)
    check("udesk", create(desk, signed(desk)), "ok")
    same = signed(desk)

    for _ in range(3):
        check("udesk", create(desk, same), "toomany")
    limit(desk, 0)

    check("udesk", create(desk, same), "ok")
    assert 20623 == check("udesk", create(desk, same), "unauth")["code"]


def test_a_call_that_is_busy_can_be_sent_again_as_it_is(desk, monkeypatch):
    same = signed(desk)

    async def busy(*arguments, **more):
        raise Busy

    with monkeypatch.context() as full:
        full.setattr("deskroster.desk.Desk.submit", busy)
        refused = create(desk, same)

    assert (503, "busy") == (refused.status_code, refused.json()["message"][:4])
    check("udesk", create(desk, same), "ok")
    assert 20623 == check("udesk", create(desk, same), "unauth")["code"]


@pytest.mark.parametrize(
    ("account", "query", "cls"), [(AGENT, {}, "forbidden"), (ADMIN, {"type": "id", "content": "9"}, "notfound")]
)
def test_a_call_that_was_let_in_and_refused_for_another_reason_has_spent_its_nonce(desk, account, query, cls):
    path, parameters = "/open_api_v1/agents/get_agent", {**query, **signed(desk, account)}

    first, again = (desk.plain().get(path, params=parameters) for _ in range(2))

    check("udesk", first, cls)
    assert 20623 == check("udesk", again, "unauth")["code"]


def test_a_nonce_that_was_released_is_so_after_a_restart_too(desk):
    limit(desk, 1)
    check("udesk", create(desk, signed(desk)), "ok")
    same, kept = signed(desk), signed(desk)
    check("udesk", create(desk, same), "toomany")
    limit(desk, 0)
    check("udesk", create(desk, kept), "ok")

    desk.restart()

    check("udesk", create(desk, same), "ok")
    for spent in (same, kept):
        assert 20623 == check("udesk", create(desk, spent), "unauth")["code"]


@pytest.mark.once
def test_only_the_entry_of_the_nonce_is_released_in_the_file(tmp_path):
    clock = StillClock(NOW)
    nonces = Nonces(tmp_path / "nonces", clock)
    for number in range(50):
        assert nonces.spend(1, f"n{number}")
    nonces.release(1, "n7")
    nonces.release(1, "never")
    nonces.release(2, "n8")
    nonces.close()

    again = Nonces(tmp_path / "nonces", clock)
    assert [7] == [number for number in range(50) if again.spend(1, f"n{number}")]
    again.close()


@pytest.mark.once
def test_a_nonce_that_was_released_and_spent_again_is_spent(tmp_path):
    nonces = Nonces(tmp_path / "nonces", StillClock(NOW))
    for _ in range(3):
        assert nonces.spend(1, "n")
        nonces.release(1, "n")
    assert nonces.spend(1, "n")
    nonces.close()
    again = Nonces(tmp_path / "nonces", StillClock(NOW))
    assert not again.spend(1, "n")
    again.close()
