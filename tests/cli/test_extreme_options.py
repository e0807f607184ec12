"""Dates and numbers of the command line at the ends of their range: taken, or refused in one line."""

import pytest

from tests.dialect.test_moments_and_numbers import MOMENTS

pytestmark = pytest.mark.once

MORE = [
    *MOMENTS,
    "0d",
    "1d",
    "99999d",
    "99999h",
    "-1d",
    "d",
    "1e3d",
    "٣d",
    "1.5d",
    "9" * 400 + "d",
    "0001-01-01",
    "9999-12-31T23:59:59",
]
NUMBERS = ["0", "-1", "1", str(2**31), str(2**63 - 1), str(2**63), "9" * 400, "1.5", "1e3", "x", ""]


def test_every_end_of_a_key_is_taken_or_refused(command):
    codes = {ends: refused_or_done(command, "key", "create", "1", f"--expires={ends}") for ends in MORE}

    assert (0, 0) == (codes["1d"], codes["99999d"])
    assert 0 == codes["9999-12-31T23:59:59Z"]
    assert 0 not in (codes["9999-12-31T23:59:59-23:59"], codes["0001-01-01"], codes["0001-01-01T00:00:00+23:59"])


@pytest.mark.parametrize(
    "arguments",
    [
        ("key", "revoke", "{}"),
        ("position", "remove", "{}"),
        ("agent", "level", "{}", "agent"),
        ("key", "create", "{}"),
        ("company", "set", "acme", "--calls-per-minute={}"),
        pytest.param(("serve", "--port={}", "--host", "192.0.2.1"), marks=pytest.mark.proof),
        pytest.param(("serve", "--workers={}", "--host", "192.0.2.1"), marks=pytest.mark.proof),
    ],
    ids=" ".join,
)
def test_every_number_is_taken_or_refused(command, arguments):
    for number in NUMBERS:
        refused_or_done(command, *(part.format(number) for part in arguments))


def refused_or_done(command, *arguments) -> int:
    """Run a command; return its exit code, which says that it knew what it did."""
    result = command(*arguments)
    assert "Traceback" not in result.err, arguments
    assert result.code in range(5), (arguments, result.err)
    assert 0 == result.code or result.err
    return result.code
