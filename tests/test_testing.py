"""The emulator that programs are tested with."""

import httpx2
import pytest

from deskroster.dialects import DIALECTS
from deskroster.ledger import FolderInUse
from deskroster.testing import Account, Emulator, StillClock, UdeskSignature
from tests.answers import check

pytest_plugins = ["pytester"]


@pytest.fixture(scope="module")
def emulator():
    with Emulator() as running:
        yield running


def test_it_serves_the_company_of_the_demo_in_every_dialect(emulator):
    for dialect in DIALECTS:
        check(dialect.name, getattr(emulator, dialect.name).get(dialect.example), "ok")
    assert emulator.kf5.get("/users.json").json()["count"] > 50


def test_it_has_no_client_of_a_dialect_that_there_is_not(emulator):
    with pytest.raises(AttributeError, match="unknown"):
        _ = emulator.unknown


def test_its_agent_is_no_administrator(emulator):
    clients = emulator.of(emulator.agent)

    assert 200 == clients.kf5.get("/groups.json").status_code
    assert 2015 == clients.udesk.get("/user_groups").json()["code"]


def test_what_was_written_is_there_after_a_restart_at_the_same_address(emulator):
    url = emulator.url
    id = emulator.kf5.post("/groups.json", json={"group": {"name": "售前"}}).json()["group"]["id"]

    emulator.restart()

    assert url == emulator.url
    assert "售前" == emulator.kf5.get(f"/groups/{id}.json").json()["group"]["name"]


def test_its_clock_can_be_moved(emulator):
    auth = UdeskSignature(emulator.admin)
    with httpx2.Client(base_url=f"{emulator.url}/open_api_v1", auth=auth, trust_env=False) as late:
        assert 1000 == late.get("/agent_roles").json()["code"]

        emulator.clock.ahead += 301

        assert 20622 == late.get("/agent_roles").json()["code"]
        assert 1000 == emulator.udesk.get("/agent_roles").json()["code"]
    emulator.clock.ahead = 0


def test_a_folder_is_kept_with_its_credentials(tmp_path):
    with Emulator(empty=True, data=tmp_path / "data") as first:
        admin = first.admin
        first.udesk.post("/user_groups", json={"name": "售前"})

    with Emulator(empty=True, data=tmp_path / "data") as second:
        assert admin == second.admin
        assert None is second.agent
        assert 1 == second.kf5.get("/groups.json").json()["count"]


@pytest.mark.once
def test_a_folder_that_another_serves_is_refused(tmp_path):
    second = Emulator(empty=True, data=tmp_path / "data")

    with Emulator(empty=True, data=tmp_path / "data"), pytest.raises(FolderInUse):
        second.__enter__()


def test_a_still_clock_moves_when_told():
    clock = StillClock(1_700_000_000)
    account = Account(id=1, email="a@b.cn", password="", token="t")
    first = UdeskSignature(account, clock).parameters()
    clock.now += 1

    assert ("1700000000", "1700000001") == (
        first["timestamp"],
        UdeskSignature(account, clock).parameters()["timestamp"],
    )


def test_pytest_finds_the_fixture(pytester):
    pytester.makeconftest('pytest_plugins = ["deskroster.testing"]')
    pytester.makepyfile(
        """
        def test_a_group(deskroster):
            assert deskroster.udesk.post("/user_groups", json={"name": "a"}).json() == {"code": 1000, "id": 1}
        """
    )

    assert 0 == pytester.runpytest_subprocess("-p", "no:cacheprovider").ret
