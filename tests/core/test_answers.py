"""How much memory the cache of answers takes: bodies, keys and the objects around them."""

import itertools
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from deskroster.core import answers as core
from deskroster.core.answers import MAX_ANSWERS, MAX_BYTES, MAX_KEY, Answers
from deskroster.core.changes import created, deleted
from deskroster.core.records import Agent, ProfileField, ProfileRecord
from deskroster.core.roster import Roster
from tests import world
from tests.contracts import CONTRACTS

pytestmark = pytest.mark.once

FEW = 1 << 20  # bytes: what is counted is the same in a smaller cache
TIMES = 2_500
Keep = Callable[[Answers, int], None]


@contextmanager
def taken() -> Iterator[list[int]]:
    """Give a list that holds, at the end of the block, by how many bytes memory has grown in it."""
    grown: list[int] = []
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        yield grown
        grown.append(tracemalloc.get_traced_memory()[0] - before)
    finally:
        tracemalloc.stop()


def _long_key(answers: Answers, at: int) -> None:
    answers.put(("http", "demo.example.com", "/apiv2/groups.json", b"x=%01500d" % at), b"{}", 2, (("group", (1,)),))


def _wide_key(answers: Answers, at: int) -> None:
    answers.put(("/agents", "😀" * 400 + str(at), None), b"{}", 2, (("group", (1,)),))


def _short_key(answers: Answers, at: int) -> None:
    answers.put(("/agents", str(at), None), b"%d" % at, 8, (("group", (1,)),))


def _many_stamps(answers: Answers, at: int) -> None:
    shown = range(5_000, 1_605_000, 16_000)
    answers.put(("/agents", str(at), None), b"%d" % at, 8, (("agent", shown),))
    answers.invalidate("agent", shown)  # so that no other answer shares its stamps


def _bodies(answers: Answers, at: int) -> None:
    answers.put(("/agents", str(at), None), b"%08d" % at * 1_000, 8_000, (("agent", range(1, 100)),))


@pytest.mark.parametrize("keep", [_long_key, _wide_key, _short_key, _many_stamps, _bodies])
def test_cached_answers_take_no_more_memory_than_the_limit(keep, monkeypatch):
    monkeypatch.setattr(core, "MAX_BYTES", FEW)
    answers = Answers()

    with taken() as grown:
        for at in range(TIMES // 6 if keep is _many_stamps else TIMES):
            keep(answers, at + 1_000_000)

    assert answers._bytes > FEW * 0.9  # it was full
    assert answers._bytes <= FEW
    assert FEW / 3 < grown[0] < FEW * 1.1


@pytest.mark.parametrize(
    ("keep", "uncounted"),
    [(_long_key, {"_size": lambda key: 0}), (_many_stamps, {"_STAMP_BYTES": 0})],
)
def test_control_uncounted_memory_of_the_answer_cache_is_noticed(keep: Keep, uncounted: dict[str, Any], monkeypatch):
    monkeypatch.setattr(core, "MAX_BYTES", FEW)
    for name, nothing in uncounted.items():
        monkeypatch.setattr(core, name, nothing)
    answers = Answers()

    with taken() as grown:
        for at in range(TIMES // 6 if keep is _many_stamps else TIMES):
            keep(answers, at + 1_000_000)

    assert grown[0] > FEW * 1.1


def test_the_number_of_cached_answers_is_limited():
    answers = Answers()

    for at in range(MAX_ANSWERS + 100):
        answers.put(at, "", 0, (("group", (1,)),))

    assert MAX_ANSWERS == len(answers._entries)
    assert answers._bytes < MAX_BYTES
    assert [None, ""] == [answers.get(at) for at in (99, 100)]  # the oldest went


def test_an_answer_with_a_very_long_key_is_not_cached():
    answers = Answers()

    answers.put(("a", "b" * MAX_KEY), "", 0, (("group", (1,)),))

    assert ({}, 0) == (answers._entries, answers._bytes)


def test_an_answer_that_is_put_again_counts_once():
    answers = Answers()

    for size in (5, 500, 50):
        answers.put("a", "", size, (("group", (1,)),))
    alone = Answers()
    alone.put("a", "", 50, (("group", (1,)),))

    assert alone._bytes == answers._bytes


@pytest.mark.parametrize("dialect", CONTRACTS)
def test_the_answer_cache_stays_within_its_limit_for_ever_new_queries(quiet_desk, dialect):
    """A query may have 8 KiB of anything. What a key may hold of it is counted, and a longer one is not cached."""
    path = CONTRACTS[dialect].named.lists
    answers = quiet_desk.roster().answers
    numbers = itertools.count()
    for length in (1, 500, 7_000):
        for name in ("x", "page", "pageNum", "per_page", "pageSize"):
            asked = {name: f"{next(numbers):0{length}d}"}
            assert 200 == getattr(quiet_desk.of(world.ADMIN), dialect).get(path, params=asked).status_code

    assert answers._bytes == sum(entry.size for entry in answers._entries.values())
    for key, entry in answers._entries.items():
        assert core._size(key) <= MAX_KEY
        assert entry.size > core._size(key) + len(entry.answer.body)


def test_a_reference_in_profiles_is_dropped_from_the_index_with_the_last_profile():
    roster = Roster(world.COMPANY)
    roster.fill("agent", [Agent(id=1, name="a", email="a@test.cn")])
    roster.fill("profile_field", [ProfileField(id=1, api_name="boss", label="b", type="staff")])
    records = [ProfileRecord(id=id, values=((1, "1"),)) for id in (1, 2)]
    roster.apply_all(map(created, records))
    assert {("agent", 1): {1, 2}} == roster.mentions

    roster.apply_all(map(deleted, records))

    assert {} == roster.mentions
