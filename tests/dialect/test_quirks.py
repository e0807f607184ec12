"""Each dialect's numbered quirks: counted without a gap, each with the test that shows it."""

import re
from pathlib import Path

import pytest

from deskroster.dialects import DIALECTS
from tests.contracts import readme_of

pytestmark = pytest.mark.once

TOP = Path(__file__).parents[2]
READMES = [pytest.param(readme_of(dialect), id=dialect.name) for dialect in DIALECTS]
TESTS = {
    name
    for path in (TOP / "tests").rglob("test_*.py")
    for name in re.findall(r"def (test_\w+)", path.read_text("utf-8"))
}
ROW = re.compile(r"^\| Q(\d+) \| (.+) \|$", re.MULTILINE)


@pytest.mark.parametrize("readme", READMES)
def test_each_quirk_has_its_number_and_a_test_that_shows_it(readme):
    quirks = ROW.findall(readme.read_text("utf-8"))

    assert [str(number) for number in range(1, len(quirks) + 1)] == [number for number, _ in quirks]
    for number, told in quirks:
        shown_by = re.findall(r"`(test_\w+)`", told)
        assert shown_by, f"Q{number} names no test"
        assert set(shown_by) <= TESTS, f"Q{number} names a test that there is not"
