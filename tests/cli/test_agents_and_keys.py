"""`agent`, `password` and `key`."""

from datetime import datetime

import pytest

from deskroster.dialects import DIALECTS

pytestmark = pytest.mark.any_engine


def test_an_agent_is_found_by_id_and_by_e_mail(command):
    assert command("agent", "show", "1", "--json").json == command("agent", "show", "ADMIN@acme.com", "--json").json
    assert 3 == command("agent", "show", "nobody@acme.com").code
    assert 3 == command("agent", "show", "7").code


def test_the_last_administrator_cannot_become_an_agent(command):
    refused = command("agent", "level", "admin@acme.com", "agent")

    assert 4 == refused.code
    assert "last enabled administrator" in refused.err


def test_a_level_that_is_none_is_a_usage_error(command):
    assert 2 == command("agent", "level", "1", "god").code


def test_a_sip_account_is_set_and_its_password_never_shown(command):
    set_ = command("agent", "sip", "1", "--number", "6001", "--password", "--json", stdin="dial-tone\n")

    assert "6001" == set_.json["sip_number"]
    assert "dial-tone" not in set_.out + command("agent", "show", "1", "--json").out
    assert 2 == command("agent", "sip", "1").code


def test_a_password_comes_from_standard_input_and_has_8_characters(command):
    short, none, right = (command("password", "1", stdin=text) for text in ("1234567\n", "", "12345678\n"))

    assert (1, 2, 0) == (short.code, none.code, right.code)
    assert "12345678" not in right.out + right.err


def test_a_key_is_created_with_its_secret_shown_once_then_listed_and_revoked(command):
    key = command("key", "create", "1", "--name", "import", "--access", "read", "--dialect", "kf5", "--json").json
    listed = command("key", "list", "--json")
    revoked = command("key", "revoke", str(key["id"]))

    assert ("read", ["kf5"], "live") == (key["access"], key["dialects"], key["state"])
    assert key["secret"] not in listed.out
    assert 0 == revoked.code
    assert ["live", "revoked"] == [one["state"] for one in command("key", "list", "--json").json]
    assert 3 == command("key", "revoke", "9").code


def test_for_people_the_secret_stands_alone_in_its_line(command):
    sentence, secret, rest = command("key", "create", "admin@acme.com").out.split("\n")

    assert "not shown again" in sentence
    assert (36, "") == (len(secret), rest)


def test_a_key_ends_after_a_time_or_at_one(command):
    def ends(when):
        key = command("key", "create", "1", "--expires", when, "--json").json
        return datetime.fromisoformat(key["expires_at"]) - datetime.fromisoformat(key["created_at"])

    assert 90 == round(ends("90d").total_seconds() / 86_400)
    assert 12 == round(ends("12h").total_seconds() / 3_600)
    assert ends("2999-01-31T00:00:00+08:00").days > 300_000
    assert 2 == command("key", "create", "1", "--expires", "soon").code
    assert 1 == command("key", "create", "1", "--expires", "2001-01-01").code


def test_a_dialect_that_is_none_is_a_usage_error_that_lists_them(command):
    refused = command("key", "create", "1", "--dialect", "morse")

    assert 2 == refused.code
    assert ", ".join(dialect.name for dialect in DIALECTS) in refused.err
