"""The roster after random changes: it can be taken back, made anew, and its pieces are never stale."""

from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from deskroster.core import profiles
from deskroster.core.answers import MAX_BYTES
from deskroster.core.changes import Change, Commit, Origin
from deskroster.core.records import Agent, Group, ProfileRecord
from deskroster.core.roster import Roster
from deskroster.core.table import Window
from tests.random_verbs import attempt, filled, reloaded, state

pytestmark = pytest.mark.once

RANDOM = st.integers(0, 2**32 - 1).map(Random)
STEPS = 40


def copied(roster: Roster) -> dict[str, Any]:
    return state(reloaded(roster))


@settings(max_examples=60, deadline=None)
@given(RANDOM)
def test_the_inverse_of_a_change_restores_the_roster_exactly(random):
    roster = filled()
    for _ in range(STEPS):
        before = copied(roster)
        next_ids = dict(roster.next_ids)
        changes = attempt(random, roster)
        for change in changes:
            roster.apply(change)

        for change in reversed(changes):
            roster.apply(change.inverse())

        assert {**before, "next_ids": roster.next_ids} == state(roster)
        assert all(roster.next_ids[kind] >= next_ids[kind] for kind in next_ids)
        for change in changes:
            roster.apply(change)


@settings(max_examples=60, deadline=None)
@given(RANDOM)
def test_indexes_kept_up_equal_indexes_made_anew(random):
    roster = filled()
    for _ in range(STEPS):
        for change in attempt(random, roster):
            roster.apply(change)

        assert copied(roster) == state(roster)


@settings(max_examples=40, deadline=None)
@given(RANDOM)
def test_a_rehearsal_leaves_no_trace(random):
    roster = filled()
    before = copied(roster)

    with roster.rehearsal() as perform:
        for _ in range(STEPS):
            perform(attempt(random, roster))

    assert before == state(roster)


@settings(max_examples=60, deadline=None)
@given(RANDOM)
def test_a_cached_piece_equals_a_fresh_encoding(random):
    roster = filled()
    for _ in range(STEPS):
        for kind, shape in SHAPES.items():
            roster.pieces.join(kind, shape, list(roster.table(kind).ids))
        for change in attempt(random, roster):
            roster.apply(change)

        for kind, shape in SHAPES.items():
            for record in roster.table(kind):
                assert shape(roster, record) == roster.pieces.get(kind, shape, record.id)


@settings(max_examples=60, deadline=None)
@given(RANDOM)
def test_a_cached_answer_is_valid_or_gone(random):
    roster = filled()
    answers = roster.answers
    for _ in range(STEPS):
        for kind, shape in SHAPES.items():
            ids = list(roster.table(kind).ids)
            answers.put(kind, roster.pieces.join(kind, shape, ids), 100, ((kind, ids),))
        for change in attempt(random, roster):
            roster.apply(change)

        for kind, shape in SHAPES.items():
            fresh = b",".join(shape(roster, record) for record in roster.table(kind))
            assert answers.get(kind) in (None, fresh)


def test_a_change_leaves_the_answers_that_show_nothing_of_it():
    roster = Roster(filled().company)
    roster.fill("group", [Group(id=id, name=f"g{id}") for id in range(1, 1_000)])
    for at in (1, 500):
        roster.answers.put(at, f"from {at}", 10, (("group", range(at, at + 20)),))
    third = roster.groups[3]

    roster.apply(Change("group", 3, third, replace(third, name="甲")))

    assert [None, "from 500"] == [roster.answers.get(at) for at in (1, 500)]


def test_answers_outlive_a_rehearsal_and_not_what_follows_it():
    roster = filled()
    answers = roster.answers
    group = next(iter(roster.groups))
    renamed = Change("group", group.id, group, replace(group, name="甲"))
    answers.put("kept", "before", 10, (("group", (group.id,)),))

    with roster.rehearsal() as perform:
        perform([renamed])
    assert "before" == answers.get("kept")

    roster.apply(renamed)
    assert answers.get("kept") is None


def test_answers_are_bounded_whoever_asks_for_what():
    roster = filled()
    answers = roster.answers

    for at in range(100):
        answers.put(at, at, MAX_BYTES // 10, (("group", (1,)),))

    assert 99 == answers.get(99)
    assert sum(answers.get(at) is not None for at in range(100)) < 10


@settings(max_examples=30, deadline=None)
@given(RANDOM)
def test_memberships_agree_on_both_ends(random):
    roster = filled()
    for _ in range(STEPS):
        for change in attempt(random, roster):
            roster.apply(change)

        from_groups = {(agent_id, group.id) for group in roster.groups for agent_id in group.member_ids}
        from_agents = {(agent.id, group_id) for agent in roster.agents for group_id in agent.group_ids}
        assert from_groups == from_agents


@settings(max_examples=30, deadline=None)
@given(RANDOM)
def test_an_administrator_is_always_left(random):
    roster = filled()
    for _ in range(3 * STEPS):
        for change in attempt(random, roster):
            roster.apply(change)

        assert any(roster.agents[id].active for id in roster.administrators)


@settings(max_examples=30, deadline=None)
@given(RANDOM)
def test_an_id_is_never_used_again(random):
    roster = filled()
    gone: set[tuple[str, int]] = set()
    for _ in range(3 * STEPS):
        for change in attempt(random, roster):
            assert change.before is not None or (change.kind, change.id) not in gone
            roster.apply(change)
            if change.after is None:
                gone.add((change.kind, change.id))


def test_a_commit_counts_once_and_a_gap_is_an_error():
    roster = filled()
    group = roster.groups[3]
    origin = Origin(None, "cli", "", "1")
    first = Commit(roster.number + 1, 0, origin, [Change("group", 3, group, replace(group, name="甲"))])
    roster.advance(first)
    roster.advance(first)

    assert "甲" == roster.groups[3].name
    with pytest.raises(RuntimeError, match="cannot follow"):
        roster.advance(first._replace(number=first.number + 2))


def test_a_change_to_the_company_drops_every_piece():
    roster = filled()
    shown = roster.pieces.get("group", _group_and_company, 3)
    after = replace(roster.company, name="新名")

    roster.apply(Change("company", 1, roster.company, after))

    assert shown != roster.pieces.get("group", _group_and_company, 3)


@pytest.mark.parametrize(
    ("window", "expected"),
    [
        (Window(0, 2), [1, 2]),
        (Window(2, 2), [3]),
        (Window(3, 2), []),
        (Window(2**80, 2), []),
        (Window(0, 2, newest_first=True), [3, 2]),
        (Window(2, 2, newest_first=True), [1]),
        (Window(0, 100, newest_first=True), [3, 2, 1]),
    ],
)
def test_a_window_shows_its_part_of_a_list(window, expected):
    roster = filled()

    page = roster.groups.page(window)

    assert (expected, 3) == (page.ids, page.total)
    assert page == roster.groups.page(window, [1, 2, 3])


def _agent(roster: Roster, agent: Agent) -> bytes:
    """Read as far as a shape may: the record and the names of its neighbours."""
    names = [
        *(roster.groups[i].name for i in agent.group_ids),
        *(roster.roles[i].name for i in agent.role_ids),
        *(roster.departments[i].name for i in agent.department_ids),
        *(roster.permission_sets[i].name for i in agent.permission_set_ids),
        roster.positions[agent.position_id].name if agent.position_id else "",
    ]
    return repr((agent, names)).encode()


def _group(roster: Roster, group: Group) -> bytes:
    return repr((group, [(roster.agents[i].name, roster.agents[i].email) for i in group.member_ids])).encode()


def _profile(roster: Roster, record: ProfileRecord) -> bytes:
    told = []
    for field_id, value in record.values:
        field = roster.profile_fields[field_id]
        if field.type == "staff":
            agent = roster.agents.get(int(value))
            value = agent.email if agent else ""
        elif field.type == "lookup":
            found = roster.profile_records.get(int(value))
            value = profiles.title(roster, found) if found else ""
        told.append((field.api_name, field.label, value))
    return repr(told).encode()


def _group_and_company(roster: Roster, group: Group) -> bytes:
    return f"{group.name} {roster.company.name}".encode()


SHAPES = {"agent": _agent, "group": _group, "profile_record": _profile}


@settings(max_examples=60, deadline=None)
@given(RANDOM)
def test_changes_together_come_to_the_same_as_one_after_the_other(random):
    roster, other = filled(), filled()
    for _ in range(5):
        changes = [change for _ in range(random.randint(1, 5)) for change in attempt_and_apply(random, roster)]
        other.apply_all(changes)

        assert state(roster) == state(other)


def attempt_and_apply(random, roster):
    changes = attempt(random, roster)
    for change in changes:
        roster.apply(change)
    return changes
