"""A server on PostgreSQL ends when it is told to, also while the database thinks about something for it."""

import time

import pytest

from deskroster.ledger.engines.postgresql.engine import MAX_LONG
from tests.cli.conftest import nowhere, shared_acme  # noqa: F401 - fixtures
from tests.cli.program import Program, started

pytestmark = [pytest.mark.proof, pytest.mark.once]

GRACE = 30.0  # seconds that a request may take to end
AFTER = 45.0  # seconds for all that comes then, on a busy machine


def test_sigterm_ends_a_server_whose_checks_wait_for_the_database(shared_acme, nowhere, databases, database):  # noqa: F811
    with Program("serve", "--data", str(nowhere.data), "--port", "0", "--json") as server:
        with databases.connect(database) as other:
            other.execute("BEGIN; LOCK TABLE changes IN ACCESS EXCLUSIVE MODE")
            doctors = [started("doctor", "--data", str(nowhere.data)) for _ in range(MAX_LONG)]
            while len(other.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchall()) < MAX_LONG:
                time.sleep(0.05)
            began = time.monotonic()
            ended = server.stop()
            took = time.monotonic() - began
            other.execute("ROLLBACK")
        for doctor in doctors:
            doctor.communicate()

    assert 0 == ended.code, ended
    assert took < GRACE + AFTER
