"""Ids against a plain sorted list."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deskroster.core import ids
from deskroster.core.ids import Ids

pytestmark = pytest.mark.once

NUMBERS = st.integers(1, 60)
STEPS = st.lists(st.tuples(st.sampled_from(["add", "discard", "window", "in"]), NUMBERS, NUMBERS), max_size=120)


@settings(max_examples=200, deadline=None)
@given(st.sets(NUMBERS), STEPS)
def test_ids_behave_as_a_sorted_list(first, steps):
    with _small_chunks():
        found, expected = Ids(sorted(first)), set(first)
        for step, one, other in steps:
            if step == "add":
                found.add(one)
                expected.add(one)
            elif step == "discard":
                found.discard(one)
                expected.discard(one)
            plain = sorted(expected)

            assert plain == list(found)
            assert plain[one : one + other] == found.window(one, other)
            assert (one in expected) == (one in found)
            assert (len(plain), bool(plain), plain[0] if plain else None) == (len(found), bool(found), found.first())


def test_windows_are_right_where_chunks_meet():
    numbers = list(range(1, 10_001))
    found = Ids()
    for number in numbers:
        found.add(number)

    for start in (0, 1_000, 2_047, 2_048, 2_049, 5_000, 9_990, 10_000, 10_001):
        assert numbers[start : start + 100] == found.window(start, 100)
    assert numbers == found.window(0, 10_000)
    assert [] == found.window(5, 0)


def test_an_id_below_the_first_chunk_comes_first():
    found = Ids(range(5_000, 10_000))

    found.add(1)

    assert [1, 5_000] == found.window(0, 2)
    assert 0 not in found
    assert 10_000 not in found


class _small_chunks:
    """Chunks of four, so that a short example has several."""

    def __enter__(self) -> None:
        self._most = ids._MOST_IN_CHUNK
        ids._MOST_IN_CHUNK = 4

    def __exit__(self, *_: object) -> None:
        ids._MOST_IN_CHUNK = self._most
