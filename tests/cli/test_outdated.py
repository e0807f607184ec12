"""A server whose installation key is changed beside it, though it has the data open."""

from contextlib import closing

import httpx2
import pytest

from deskroster.ledger import location, rotate_key
from deskroster.ledger.engines.postgresql import advisory_lock
from tests.cli.program import Program
from tests.cli.served_by_workers import clients, copied
from tests.cli.test_workers import wait_for

pytestmark = pytest.mark.once


@pytest.mark.proof
def test_a_server_of_the_past_says_in_ready_and_in_its_log_why_it_answers_nothing(
    nowhere, shared_acme, tmp_path, monkeypatch
):
    elsewhere = copied(nowhere.data, tmp_path / "elsewhere")
    with (
        Program("serve", "--data", str(nowhere.data), "--port", "0", "--json", "--workers", "2") as program,
        clients(program, shared_acme) as served,
    ):
        before = served.kf5.post("/groups.json", json={"group": {"name": "before"}})
        with monkeypatch.context() as patch:  # as if no lock had been left of theirs
            patch.setattr(advisory_lock.LockHolder, "lock_exclusively", lambda self: None)
            rotate_key(elsewhere)
        after = [served.kf5.post("/groups.json", json={"group": {"name": "after"}}) for _ in range(6)]
        read = served.kf5.get("/groups.json")
        ready = httpx2.get(f"{program.ready['url']}/ready", trust_env=False)
        ended = program.stop()

    assert (201, {503}) == (before.status_code, {one.status_code for one in (*after, read)})
    assert (503, False) == (ready.status_code, ready.json()["ready"])
    assert "start it again" in ready.json()["why"]
    assert 0 == ended.code
    assert 1 <= ended.err.count('"event": "outdated"') <= 2
    assert "damaged" not in ended.err
    with (
        Program("serve", "--data", str(elsewhere), "--port", "0", "--json") as program,
        clients(program, shared_acme) as anew,
    ):
        assert ["before"] == [group["name"] for group in anew.kf5.get("/groups.json").json()["groups"]]
    assert 0 == nowhere("doctor", "--data", str(elsewhere)).code


@pytest.mark.proof
def test_a_server_whose_every_session_was_ended_still_keeps_the_key_from_being_changed(
    nowhere, shared_acme, databases, database, tmp_path
):
    elsewhere = copied(nowhere.data, tmp_path / "elsewhere")
    with (
        Program("serve", "--data", str(nowhere.data), "--port", "0", "--json"),
        closing(databases.connect(database)) as raw,
    ):
        databases.end_all_but(raw)
        key = advisory_lock.ADVISORY_LOCK
        locks = f"SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND classid = {key} AND objid = 0"
        wait_for(lambda: raw.execute(locks).fetchall())
        refused = nowhere("rotate-installation-key", "--data", str(elsewhere))

    assert 5 == refused.code
    assert location.noted_in(elsewhere) == location.noted_in(nowhere.data)
    assert 0 == nowhere("rotate-installation-key", "--data", str(elsewhere)).code
