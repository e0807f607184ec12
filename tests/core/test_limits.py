"""What keeps a verb from costing too much."""

import pytest

from deskroster.core import agents, groups, profiles, reference, values
from deskroster.core.access import OPERATOR
from deskroster.core.agents import AgentFields
from deskroster.core.changes import MAX_MOVES, check_size, created
from deskroster.core.ids import MANY
from deskroster.core.problems import Invalid, Rule
from deskroster.core.records import Agent
from deskroster.core.roster import Roster
from deskroster.core.table import MAX_IDS
from tests import world

pytestmark = pytest.mark.once

AT = 1_700_000_000


def company(size: int) -> Roster:
    roster = Roster(world.COMPANY)
    for id in range(1, size + 1):
        roster.apply(created(Agent(id=id, name="a", email=f"a{id}@test.cn", mobile="4008888888")))
    return roster


def done(roster, changes):
    roster.apply_all(changes)
    return changes[0].id


def refused(what) -> Rule:
    with pytest.raises(Invalid) as caught:
        what()
    return caught.value.rule


def test_the_member_limit_of_a_group_also_applies_to_changes_of_agents():
    roster = company(MAX_IDS + 1)
    full = done(roster, groups.create(roster, OPERATOR, "full", range(1, MAX_IDS + 1), AT))
    joining = AgentFields(group_ids=[full])

    assert Rule.TOO_MANY == refused(lambda: agents.update(roster, OPERATOR, MAX_IDS + 1, joining, AT))
    assert agents.update(roster, OPERATOR, 1, AgentFields(group_ids=[full], name="b"), AT)


def test_the_membership_limit_applies_to_batches_and_not_to_single_deletions():
    roster = company(7_000)
    for name in "abc":
        done(roster, groups.create(roster, OPERATOR, name, range(1, 7_001), AT))

    check_size(groups.delete_many(roster, OPERATOR, [1, 2]).changes)
    check_size(groups.delete(roster, OPERATOR, 3))
    assert MAX_MOVES < 3 * 7_000
    assert Rule.TOO_MANY == refused(lambda: check_size(groups.delete_many(roster, OPERATOR, [1, 2, 3]).changes))


def test_departments_stand_so_many_levels_deep():
    roster, parent = Roster(world.COMPANY), None
    for _ in range(reference.MAX_LEVELS):
        parent = done(roster, reference.create(roster, OPERATOR, "department", "d", parent_id=parent))

    below = parent
    assert Rule.TOO_MANY == refused(lambda: reference.create(roster, OPERATOR, "department", "d", parent_id=below))


def test_of_each_kind_of_reference_data_there_is_so_much(monkeypatch):
    monkeypatch.setattr(reference, "MAX_OF_A_KIND", 2)
    roster = Roster(world.COMPANY)
    for _ in range(2):
        done(roster, reference.create(roster, OPERATOR, "role", "r"))

    assert Rule.TOO_MANY == refused(lambda: reference.create(roster, OPERATOR, "role", "r"))
    assert reference.create(roster, OPERATOR, "position", "p")


def test_the_lists_of_one_write_have_so_many_parts_together():
    roster = Roster(world.COMPANY)
    for name in ("one", "two"):
        done(roster, profiles.create_field(roster, OPERATOR, name, name, "telephone"))
    half = ",".join(f"{i:06}" for i in range(values.MAX_PARTS // 2))

    assert profiles.create(roster, OPERATOR, {"one": half, "two": half})
    assert Rule.TOO_MANY == refused(lambda: profiles.create(roster, OPERATOR, {"one": half, "two": half + ",123"}))


def test_a_mobile_shared_by_many_agents_finds_the_lowest_id_until_all_are_deleted():
    roster = company(MANY + 5)

    for id in range(1, MANY + 5):
        assert id == agents.with_mobile(roster, OPERATOR, "4008888888").id
        roster.apply_all(agents.delete(roster, OPERATOR, id))
    roster.apply_all(agents.delete(roster, OPERATOR, MANY + 5))
    assert {} == roster.by_mobile
