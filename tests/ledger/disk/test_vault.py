"""The installation key, and what is sealed with it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deskroster.ledger import (
    Store,
    Vault,
    WrongKey,
)
from deskroster.ledger.disk.vault import parse_key

pytestmark = pytest.mark.once


def test_a_key_that_others_may_read_is_refused(tmp_path):
    Store.open(tmp_path)._engine.close()
    (tmp_path / "key").chmod(0o644)
    with pytest.raises(WrongKey, match="0600"):
        Store.open(tmp_path)


def test_the_key_may_come_from_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("DESKROSTER_KEY", "00" * 32)
    Store.open(tmp_path)._engine.close()
    assert not (tmp_path / "key").exists()
    monkeypatch.setenv("DESKROSTER_KEY", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
    Store.open(tmp_path)._engine.close()


@pytest.mark.parametrize("text", ["", "00", "zz" * 32, "00" * 33, "键"])
def test_an_ill_formed_key_is_refused(text):
    with pytest.raises(WrongKey):
        parse_key(text)


@given(st.binary(max_size=64), st.text(max_size=20))
def test_what_was_sealed_opens_only_in_its_own_place(value, place):
    vault = Vault(bytes(32))
    sealed = vault.seal(value, place)

    assert value == vault.open(sealed, place)
    for wrong, where in ((sealed, place + "x"), (sealed[:-1], place), (b"", place)):
        with pytest.raises(WrongKey):
            vault.open(wrong, where)


def test_parts_of_a_digest_do_not_run_together():
    vault = Vault(bytes(32))
    assert vault.digest("p", "ab", "c") != vault.digest("p", "a", "bc")
    assert vault.derive("demo", 16) == Vault(bytes(32)).derive("demo", 16) != vault.derive("else", 16)
