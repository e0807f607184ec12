"""`doctor`, `backup` and `restore` of an installation on PostgreSQL."""

import pytest

from deskroster.ledger import location
from tests.cli.served_by_workers import workers

pytestmark = pytest.mark.once


def test_the_doctor_tells_that_a_role_is_above_row_security(nowhere, shared_acme, databases, database):
    url = location.url_of(nowhere.data)
    (nowhere.data / location.ELSEWHERE).write_text(url.replace("deskroster@", "postgres@") + "\n")

    report = nowhere("doctor", "--json")

    assert 1 == report.code
    assert [("row_security", False)] == [
        (check["what"], check["ok"]) for check in report.json["checks"] if not check["ok"]
    ]
    assert "postgres" in next(check["detail"] for check in report.json["checks"] if not check["ok"])


@pytest.mark.proof
def test_a_backup_of_postgresql_is_restored_into_sqlite(nowhere, shared_acme, tmp_path):
    nowhere("position", "add", "质检")
    with workers(nowhere.data, 2):
        made = nowhere("backup", str(tmp_path / "backup"), "--json")
    restored = str(tmp_path / "restored")
    done = nowhere(
        *("restore", str(tmp_path / "backup"), "--data", restored, "--key-file", str(nowhere.data / "key"), "--json")
    )

    assert (0, 0) == (made.code, done.code)
    assert made.json["manifest"] == done.json
    assert (tmp_path / "restored" / "deskroster.db").exists()
    assert "质检" == nowhere("position", "list", "--data", restored, "--json").json[-1]["name"]
    assert 0 == nowhere("doctor", "--data", restored).code
