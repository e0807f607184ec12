"""The check itself: it notices what it is there for."""

import shutil

import pytest

from tests.ha import desks
from tests.ha.checker import compared
from tests.ha.desks import Desk, first_group
from tests.ha.rounds import Round
from tests.proofs.durability import image
from tests.proofs.durability.image import Image
from tests.proofs.durability.world import Agent, Group
from tests.proofs.durability.writers import Outcome, Writer

NOTHING = Image(frozenset(), frozenset(), 0)


def test_control_two_servers_with_a_database_each_are_noticed(place):
    first, second = place / "alone" / "data", place / "apart" / "data"
    account = desks.installed(first)
    shutil.copytree(first.parent, second.parent)
    both = Desk(first), Desk(second)
    for desk in both:
        first_group(desk, account)
    before = image.taken(first)
    round = Round("apart", both, account)
    with round.under_way():
        round.break_(lambda: lambda: True)
    round.replay_all()
    found = round.report(image.taken(first), before, 0).found
    for desk in both:
        desk.kill()

    assert {"stale reads", "replays taken", "lost writes"} <= set(found), found


def writer() -> Writer:
    """Return one that has made an agent and a group with it, was told to try a third call later, and has no doubts."""
    made = Writer("kf5", "w-", 0)
    made.outcomes = [Outcome.DONE, Outcome.DONE, Outcome.BUSY]
    made.world.agents[1] = "w-1@test.cn", "w-1"
    made.world.groups[1] = "w-2"
    made.world.joined.add((1, 1))
    return made


AGENT = Agent("w-1@test.cn", "w-1", frozenset({"w-2"}))
GROUP = Group("w-2", frozenset({"w-1@test.cn"}))


@pytest.mark.parametrize(
    ("there", "found"),
    [
        ({AGENT, GROUP}, {}),
        ({GROUP}, {"lost writes": 1}),
        ({AGENT, GROUP, Group("w-1", frozenset())}, {"lost writes": 1}),
        ({AGENT, GROUP, Group("w-3", frozenset())}, {"phantom writes": 1}),
        ({AGENT, GROUP, Group("w-4", frozenset())}, {"phantom writes": 1}),
        ({AGENT, GROUP, Group("somebody's", frozenset())}, {"phantom writes": 1}),
        ({AGENT, Group("w-2", frozenset())}, {"half writes": 1}),
    ],
    ids=["all", "lost", "undone", "busy", "not-tried", "strange", "half"],
)
def test_what_is_there_is_compared_with_what_was_answered(there, found):
    now = Image(frozenset(there), frozenset(there), 1)

    assert found == compared(now, NOTHING, [writer()])


def test_tables_that_are_not_what_the_log_says_are_noticed():
    now = Image(frozenset({AGENT, GROUP}), frozenset({AGENT}), 1)

    assert {"half writes": 1} == compared(now, NOTHING, [writer()])
