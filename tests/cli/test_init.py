"""`init` of an installation whose data is in a database elsewhere."""

import pytest

from deskroster.ledger import location

pytestmark = pytest.mark.once


def init(command, url):
    return command(
        *("init", "--label", "acme", "--name", "Acme", "--email", "admin@acme.com", "--database", url, "--json")
    )


def test_an_installation_on_postgresql_has_its_key_and_its_address_in_the_folder_and_no_data(
    nowhere, shared_acme, databases
):
    assert {"database", "key", "lock", ".gitignore"} == {path.name for path in nowhere.data.iterdir()}
    assert 0o600 == (nowhere.data / location.ELSEWHERE).stat().st_mode & 0o777
    assert 0 == nowhere("doctor").code


def test_a_folder_whose_data_is_in_a_database_is_not_given_another(nowhere, shared_acme, databases, database):
    other = databases.create(f"{database}_other")
    noted = location.url_of(nowhere.data)

    again, elsewhere = init(nowhere, noted), init(nowhere, other)
    databases.drop(f"{database}_other")

    assert (4, 4) == (again.code, elsewhere.code)
    assert noted == location.url_of(nowhere.data)


def test_a_database_where_no_table_may_be_made_is_told(nowhere, databases):
    refused = init(nowhere, databases.url("template1"))

    assert 5 == refused.code
    assert "permission denied" in refused.err


def test_an_address_where_no_database_answers_is_told(nowhere, tmp_path):
    nothing = init(nowhere, f"postgresql://nobody@/none?host={tmp_path}")
    nonsense = init(nowhere, "nonsense")

    assert (5, 1) == (nothing.code, nonsense.code)
    assert "Traceback" not in nothing.err + nonsense.err
    assert not (nowhere.data / location.ELSEWHERE).exists()
