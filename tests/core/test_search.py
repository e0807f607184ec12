"""Finding agents by part of their name, e-mail or mobile."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from deskroster.core import agents
from deskroster.core.access import OPERATOR
from deskroster.core.changes import Change, created, deleted
from deskroster.core.records import Agent
from deskroster.core.roster import Roster
from deskroster.core.table import Page, Window
from tests import world
from tests.random_verbs import attempt, filled

pytestmark = pytest.mark.once

ALL = Window(0, 1_000)


def found(roster: Roster, part: str) -> list[int]:
    return finished(agents.search(roster, OPERATOR, part, ALL)).ids


def finished(steps) -> Page:
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def expected(roster: Roster, part: str) -> list[int]:
    part = part.casefold()
    return [
        one.id
        for one in roster.agents
        if part in one.name.casefold() or part in one.email.lower() or part in one.mobile
    ]


def company(names: dict[int, str]) -> Roster:
    roster = Roster(world.COMPANY)
    for id, name in names.items():
        roster.apply(created(Agent(id=id, name=name, email=f"a{id}@test.cn", mobile=f"1380000{id}")))
    return roster


@settings(max_examples=40, deadline=None)
@given(random=st.randoms(use_true_random=False), part=st.text("aAeE@.cn1三ß", max_size=3))
def test_what_is_found_is_what_holds_the_text_after_whatever_changes(random, part):
    roster = filled()
    for _ in range(10):
        assert expected(roster, part) == found(roster, part)
        for change in attempt(random, roster):
            roster.apply(change)
    assert expected(roster, part) == found(roster, part)


@pytest.mark.parametrize("part", ["(", ".*", "[a-z]+", "\\d", "^", "a|b", "\x1e1", "\x1f", "\n", "\0", "x" * 1_000])
def test_a_search_has_no_wildcards(part):
    assert [] == found(company({1: "abc", 2: "bcd"}), part)


def test_a_search_does_not_match_ids():
    assert [2] == found(company({77: "abc", 2: "bc 77"}), " 77")


def test_case_is_folded_as_unicode_has_it():
    assert [1, 5_000] == found(company({1: "Straße", 5_000: "STRASSE", 9_000: "Strase"}), "strasse")


def test_a_search_includes_changes_made_between_its_steps():
    roster = company({1: "abc", 2_000: "x", 4_000: "abc"})
    steps = agents.search(roster, OPERATOR, "abc", ALL)
    next(steps)
    for id, name in ((1, "x"), (2_000, "abc")):
        before = roster.agents[id]
        roster.apply(Change("agent", id, before, replace(before, name=name)))
    roster.apply(deleted(roster.agents[4_000]))
    roster.apply(created(Agent(id=8_000, name="abc", email="a8000@test.cn")))

    assert [2_000, 8_000] == finished(steps).ids
