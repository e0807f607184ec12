"""Nonces on file: used once, whatever becomes of the process, and whatever the time of day is set to."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import deskroster
from deskroster.core.problems import Busy
from deskroster.ledger.engines.nonces import digest
from deskroster.ledger.engines.sqlite import nonce_file
from deskroster.ledger.engines.sqlite.nonce_file import LIFETIME, Nonces
from deskroster.testing import StillClock
from tests.ledger.support import NOW

pytestmark = pytest.mark.once


HOURS = 8 * 3_600


@pytest.fixture
def clock():
    return StillClock(NOW)


def test_a_nonce_is_used_once_and_free_again_after_its_lifetime(tmp_path, clock):
    spent = Nonces(tmp_path / "nonces", clock)

    assert spent.spend(1, "n")
    assert not spent.spend(1, "n")
    assert spent.spend(2, "n")
    clock.now += LIFETIME - 1
    assert not spent.spend(1, "n")
    clock.now += 1
    assert spent.spend(1, "n")
    assert not spent.spend(1, "n")


@pytest.mark.parametrize("seconds", [-HOURS, -30, 30, HOURS, 400 * 86_400])
def test_a_nonce_stays_used_when_the_clock_is_set(tmp_path, clock, seconds):
    spent = Nonces(tmp_path / "nonces", clock)
    spent.spend(1, "n")

    clock.set_by(seconds)
    assert not spent.spend(1, "n")
    clock.set_by(-seconds)
    assert not spent.spend(1, "n")


@pytest.mark.parametrize("ahead", [HOURS, 400 * 86_400])
def test_setting_the_clock_ahead_and_back_makes_no_nonce_valid_again(tmp_path, clock, ahead):
    """The replay that a clock set ahead and back again would allow: within ten minutes the nonce is still used."""
    assert not replayed(tmp_path, clock, ahead)


def test_control_nonces_that_are_forgotten_by_the_time_of_day_are_noticed(tmp_path, monkeypatch):
    class ByTimeOfDay(StillClock):
        boot = ""

        def steady(self):
            return self.now

    assert replayed(tmp_path, ByTimeOfDay(NOW), HOURS)


def replayed(folder, clock, ahead) -> bool:
    """Tell whether a nonce can be used again after the clock was ahead for a while, and the process was restarted."""
    spent = Nonces(folder / "nonces", clock)
    assert spent.spend(1, "captured")
    clock.set_by(ahead)
    for n in range(20):  # so that what has expired is forgotten
        clock.now += 5
        spent.spend(1, f"other {n}")
    spent.close()
    spent = Nonces(folder / "nonces", clock)
    clock.set_by(-ahead)
    return spent.spend(1, "captured")


def test_after_a_restart_a_nonce_expires_by_the_monotonic_clock(tmp_path, clock):
    Nonces(tmp_path / "nonces", clock).spend(1, "n")
    clock.set_by(-HOURS)
    clock.now += LIFETIME - 1
    assert not Nonces(tmp_path / "nonces", clock).spend(1, "n")
    clock.now += 1

    assert Nonces(tmp_path / "nonces", clock).spend(1, "n")


def test_after_a_reboot_a_nonce_expires_by_the_time_of_day(tmp_path, clock):
    spent = Nonces(tmp_path / "nonces", clock)
    spent.spend(1, "early")
    clock.set_by(HOURS)  # a machine that got the right time from the network
    spent.spend(1, "late")
    clock.reboot()
    clock.set_by(LIFETIME - 1)
    assert not Nonces(tmp_path / "nonces", clock).spend(1, "late")
    clock.reboot()
    clock.set_by(1)

    assert Nonces(tmp_path / "nonces", clock).spend(1, "late")


def test_another_boot_with_the_clock_set_back_keeps_a_nonce_for_a_lifetime_at_most(tmp_path, clock):
    Nonces(tmp_path / "nonces", clock).spend(1, "n")
    clock.reboot()
    clock.set_by(-HOURS)
    spent = Nonces(tmp_path / "nonces", clock)
    assert not spent.spend(1, "n")
    clock.now += LIFETIME

    assert spent.spend(1, "n")


def test_a_file_of_an_earlier_version_counts(tmp_path, clock):
    clock.reboot()  # so that the steady clock is not Unix time
    entry = nonce_file._ENTRY.pack(digest(1, "n"), NOW + 60)
    (tmp_path / "nonces").write_bytes(b"drnonce1" + bytes(24) + entry)
    spent = Nonces(tmp_path / "nonces", clock)
    assert not spent.spend(1, "n")
    clock.now += 60

    assert spent.spend(1, "n")


def test_nonces_survive_kill_9(tmp_path, clock):
    code = f"""
import os, signal
from pathlib import Path
from deskroster.ledger.engines.sqlite.nonce_file import Nonces
from deskroster.testing import StillClock
nonces = Nonces(Path({str(tmp_path / "nonces")!r}), StillClock({NOW}))
for n in range(40_000):
    assert nonces.spend(1, str(n))
os.kill(os.getpid(), signal.SIGKILL)
"""
    source = {"PYTHONPATH": str(Path(deskroster.__file__).parents[1])}
    ended = subprocess.run([sys.executable, "-c", code], env=os.environ | source, check=False)
    assert -signal.SIGKILL == ended.returncode

    clock.now += 1
    spent = Nonces(tmp_path / "nonces", clock)
    assert not any(spent.spend(1, str(n)) for n in range(40_000))
    assert spent.spend(1, "new")


def test_more_nonces_than_can_be_remembered_are_busy_and_none_is_forgotten(tmp_path, clock, monkeypatch):
    monkeypatch.setattr(nonce_file, "_SEGMENT", 4)
    monkeypatch.setattr(nonce_file, "MAX_NONCES", 16)
    spent = Nonces(tmp_path / "nonces", clock)
    for n in range(16):
        assert spent.spend(1, str(n))
        clock.now += 1
    with pytest.raises(Busy):
        spent.spend(1, "one more")
    assert not any(spent.spend(1, str(n)) for n in range(16))

    clock.now = NOW + LIFETIME + 3  # when all of a segment may be used again
    assert spent.spend(1, "one more")
    spent.close()
    assert not Nonces(tmp_path / "nonces", clock).spend(1, "one more")


STEPS = st.lists(
    st.tuples(
        st.integers(0, 9),
        st.integers(0, 400),
        st.sampled_from([0, 0, -HOURS, -1, 1, HOURS]),
        st.booleans(),
        st.booleans(),
    ),
    max_size=60,
)


@settings(deadline=None)  # each restart waits for the disk
@given(STEPS)
def test_nonces_behave_as_a_plain_dictionary_would(tmp_path_factory, steps):
    path = tmp_path_factory.mktemp("nonces") / "nonces"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nonce_file, "_SEGMENT", 2)
        clock = StillClock(NOW)
        now, model, spent = NOW, {}, Nonces(path, clock)
        for name, wait, set_by, restart, release in steps:
            now += wait
            clock.now += wait
            clock.set_by(set_by)
            if restart:
                spent.close()
                spent = Nonces(path, clock)
            free = model.get(name, 0) <= now
            assert free == spent.spend(1, str(name))
            if free:
                model[name] = now + LIFETIME
            if release:
                spent.release(1, str(name))
                model[name] = 0
        spent.close()


@pytest.mark.parametrize(
    "content",
    [
        b"x",
        b"drnonce1" + bytes(8),
        b"not ours" * 100,
        b"drnonce1" + bytes(24),
        b"drnonce1" + b"\xff" * 999,
        b"drnonce2" + b"\xff" * 999,
    ],
)
def test_a_torn_or_foreign_nonce_file_is_made_anew(tmp_path, clock, content):
    (tmp_path / "nonces").write_bytes(content)
    spent = Nonces(tmp_path / "nonces", clock)

    assert spent.spend(1, "n")
    assert not Nonces(tmp_path / "nonces", clock).spend(1, "n")


def test_a_torn_nonce_file_keeps_what_is_whole(tmp_path, clock):
    spent = Nonces(tmp_path / "nonces", clock)
    spent.spend(1, "n")
    spent.close()
    with (tmp_path / "nonces").open("rb+") as file:
        file.truncate(32 + 24 + 5)

    assert not Nonces(tmp_path / "nonces", clock).spend(1, "n")
