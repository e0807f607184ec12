"""Finding agents by part of their name, e-mail or mobile."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from deskroster.core import agents
from deskroster.core.access import OPERATOR
from deskroster.core.changes import Change, created, deleted
from deskroster.core.problems import NotFound
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
    digits = "".join(filter(str.isdigit, part)) if set(part) <= set("0123456789+-(). ") else ""
    return [
        one.id
        for one in roster.agents
        if part in one.name.casefold()
        or part in one.email.lower()
        or part in one.mobile
        or (len(digits) > 2 and digits in "".join(filter(str.isdigit, one.mobile)))
    ]


def company(names: dict[int, str]) -> Roster:
    roster = Roster(world.COMPANY)
    for id, name in names.items():
        roster.apply(created(Agent(id=id, name=name, email=f"a{id}@test.cn", mobile=f"1380000{id}")))
    return roster


@settings(max_examples=40, deadline=None)
@given(random=st.randoms(use_true_random=False), part=st.text("aAeE@.cn13-三ß", max_size=4))
def test_what_is_found_is_what_holds_the_text_after_whatever_changes(random, part):
    roster = filled()
    for _ in range(10):
        assert expected(roster, part) == found(roster, part)
        for change in attempt(random, roster):
            roster.apply(change)
    assert expected(roster, part) == found(roster, part)


@pytest.mark.parametrize("part", ["(", ".*", "[a-z]+", "\\d", "^", "a|b", "\x1e1", "\x1f", "a\nb", "\0", "x" * 1_000])
def test_a_search_has_no_wildcards(part):
    assert [] == found(company({1: "abc", 2: "bcd"}), part)


def test_a_search_does_not_match_ids():
    assert [2] == found(company({77: "abc", 2: "bc 77"}), "c 77")


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


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("Ａｎｎａ", "anna"), ("Anna", "ＡＮＮＡ"), ("ﬁnn", "finn"), ("Cafe\u0301", "café"), ("㈱山田", "(株)山田"),
        ("①班", "1班"), ("ｶﾞﾗｽ", "ガラス"), ("張", " 張\u200e\r\n"), ("ß", "SS"),
    ],
)  # fmt: skip
def test_width_composition_and_ends_do_not_count(name, part):
    assert [1] == found(company({1: name, 2: "别人"}), part)


@pytest.mark.parametrize(
    ("mobile", "part", "is_found"),
    [
        ("+86 138-1234-5678", "13812345678", True), ("13812345678", "+86 138", False), ("1 3 8", "138", True),
        ("13812345678", "(138) 1234.5678", True), ("13812345678", "1-3-8", True), ("13812345678", "138 1234", True),
        ("+86 138", "61", False), ("+86 138", "8613", True), ("1381234", "138x", False), ("1381234", "１３８ １", True),
    ],
)  # fmt: skip
def test_a_phone_is_found_by_its_digits_where_nothing_else_is_asked_for(mobile, part, is_found):
    roster = Roster(world.COMPANY)
    roster.apply(created(Agent(id=1, name="a", email="a@test.cn", mobile=mobile)))

    assert ([1] if is_found else []) == found(roster, part)


def test_digits_with_signs_between_them_are_not_sought_in_names_and_emails():
    roster = company({1: "room 977", 2: "b"})

    assert [1] == found(roster, "977")
    assert [] == found(roster, "9-7-7")


def test_an_email_is_looked_up_by_itself_and_not_by_what_it_looks_like():
    roster = company({1: "a"})

    assert 1 == agents.with_email(roster, OPERATOR, " A1@test.cn\r\n").id
    with pytest.raises(NotFound):
        agents.with_email(roster, OPERATOR, "ａ1@test.cn")
