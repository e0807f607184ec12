"""What kept answers take in memory: their bodies, their names, and all around them."""

import itertools
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from deskroster.core import answers as core
from deskroster.core.answers import MAX_ANSWERS, MAX_BYTES, MAX_NAME, Answers
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


def _long_name(answers: Answers, at: int) -> None:
    answers.keep(("http", "demo.example.com", "/apiv2/groups.json", b"x=%01500d" % at), b"{}", 2, (("group", (1,)),))


def _wide_name(answers: Answers, at: int) -> None:
    answers.keep(("/agents", "😀" * 400 + str(at), None), b"{}", 2, (("group", (1,)),))


def _short_name(answers: Answers, at: int) -> None:
    answers.keep(("/agents", str(at), None), b"%d" % at, 8, (("group", (1,)),))


def _many_stamps(answers: Answers, at: int) -> None:
    shown = range(5_000, 1_605_000, 16_000)
    answers.keep(("/agents", str(at), None), b"%d" % at, 8, (("agent", shown),))
    answers.touch("agent", shown)  # so that what was seen is held by this answer alone


def _bodies(answers: Answers, at: int) -> None:
    answers.keep(("/agents", str(at), None), b"%08d" % at * 1_000, 8_000, (("agent", range(1, 100)),))


@pytest.mark.parametrize("keep", [_long_name, _wide_name, _short_name, _many_stamps, _bodies])
def test_kept_answers_take_no_more_memory_than_their_limit_says(keep, monkeypatch):
    monkeypatch.setattr(core, "MAX_BYTES", FEW)
    answers = Answers()

    with taken() as grown:
        for at in range(TIMES // 6 if keep is _many_stamps else TIMES):
            keep(answers, at + 1_000_000)

    assert answers._held > FEW * 0.9  # it was full
    assert answers._held <= FEW
    assert FEW / 3 < grown[0] < FEW * 1.1


@pytest.mark.parametrize(
    ("keep", "uncounted"),
    [(_long_name, {"_size": lambda name: 0}), (_many_stamps, {"_STAMP": 0})],
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
        answers.keep(at, "", 0, (("group", (1,)),))

    assert MAX_ANSWERS == len(answers._kept)
    assert answers._held < MAX_BYTES
    assert [None, ""] == [answers.get(at) for at in (99, 100)]  # the oldest went


def test_an_answer_with_a_very_long_name_is_given_and_not_kept():
    answers = Answers()

    answers.keep(("a", "b" * MAX_NAME), "", 0, (("group", (1,)),))

    assert ({}, 0) == (answers._kept, answers._held)


def test_an_answer_that_is_kept_again_counts_once():
    answers = Answers()

    for size in (5, 500, 50):
        answers.keep("a", "", size, (("group", (1,)),))
    alone = Answers()
    alone.keep("a", "", 50, (("group", (1,)),))

    assert alone._held == answers._held


@pytest.mark.parametrize("dialect", CONTRACTS)
def test_the_answer_cache_stays_within_its_limit_for_ever_new_queries(quiet_desk, dialect):
    """Of a query that may have 8 KiB of anything, what a name may hold is counted, and more than that is not kept."""
    path = CONTRACTS[dialect].named.lists
    answers = quiet_desk.roster().answers
    numbers = itertools.count()
    for length in (1, 500, 7_000):
        for name in ("x", "page", "pageNum", "per_page", "pageSize"):
            asked = {name: f"{next(numbers):0{length}d}"}
            assert 200 == getattr(quiet_desk.of(world.ADMIN), dialect).get(path, params=asked).status_code

    assert answers._held == sum(kept.size for kept in answers._kept.values())
    for name, kept in answers._kept.items():
        assert core._size(name) <= MAX_NAME
        assert kept.size > core._size(name) + len(kept.answer.body)


def test_a_reference_in_profiles_is_dropped_from_the_index_with_the_last_profile():
    roster = Roster(world.COMPANY)
    roster.fill("agent", [Agent(id=1, name="a", email="a@test.cn")])
    roster.fill("profile_field", [ProfileField(id=1, api_name="boss", label="b", type="staff")])
    records = [ProfileRecord(id=id, values=((1, "1"),)) for id in (1, 2)]
    roster.apply_all(map(created, records))
    assert {("agent", 1): {1, 2}} == roster.mentions

    roster.apply_all(map(deleted, records))

    assert {} == roster.mentions
