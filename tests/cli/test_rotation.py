"""`rotate-installation-key` of an installation on PostgreSQL."""

import pytest

from tests.cli.program import Program
from tests.cli.served_by_workers import clients, copied, workers

pytestmark = pytest.mark.once


@pytest.mark.proof
def test_the_installation_key_is_changed_where_nobody_else_has_it_open(
    nowhere, shared_acme, databases, database, tmp_path
):
    def sealed():
        with databases.connect(database) as raw:
            raw.execute("SELECT set_config('deskroster.company', '1', false)")
            return raw.execute("SELECT sealed FROM secrets ORDER BY kind, record_id, field").fetchall()

    old, before = (nowhere.data / "key").read_bytes(), sealed()
    elsewhere = copied(nowhere.data, tmp_path / "elsewhere")
    with Program("serve", "--data", str(elsewhere), "--port", "0", "--json"):
        refused = nowhere("rotate-installation-key")
        assert (5, old, before) == (refused.code, (nowhere.data / "key").read_bytes(), sealed())

    rotated = nowhere("rotate-installation-key")
    with workers(nowhere.data, 2) as program, clients(program, shared_acme) as served:
        answered = served.udesk.get("/agent_roles").json()["code"]
    left_behind = nowhere("doctor", "--data", str(elsewhere))

    assert (0, 1000) == (rotated.code, answered)
    assert old != (nowhere.data / "key").read_bytes()
    assert not set(before) & set(sealed())
    assert 0 == nowhere("doctor").code
    assert 1 == left_behind.code
