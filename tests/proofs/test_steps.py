"""Every command of several steps is killed before each of them and given again: it finishes, and nothing is lost.

A step is a system call that makes, writes, syncs, names or removes a file, or a COMMIT that is sent to PostgreSQL.
"""

import itertools
import time

import pytest

from tests.faults.disk import FOREVER, Calls, Disk, Fault
from tests.faults.forks import PATIENCE, Forks
from tests.proofs.steps import CASES, Ground, at_most_one, in_one_place

pytestmark = pytest.mark.once

_names = itertools.count()
ON_THE_SERVER_ALONE = {"company add on PostgreSQL", "upgrade on PostgreSQL"}  # they write nothing in the folder
EVERY = [
    pytest.param(24, id="some steps", marks=pytest.mark.proof),
    pytest.param(1, id="every step", marks=pytest.mark.torture),
]


@pytest.fixture(scope="module")
def forks(library, tmp_path_factory):
    """Give the program, ready to be forked, on a disk that does as it is told."""
    folder = tmp_path_factory.mktemp("steps")
    (folder / "ground").mkdir()
    with Forks(Disk(library, folder / "faults", folder / "ground"), folder) as ready:
        yield ready


@pytest.fixture
def ground(forks, request, tmp_path):
    """Give a place where a case stands as it begins, as often as it is wanted."""

    def prepared(name):
        case = CASES[name]
        databases = request.getfixturevalue("databases") if case.on_postgresql else None
        made = Ground(forks, tmp_path / "base", databases, f"steps_{next(_names)}")
        request.addfinalizer(made.remove)
        case.prepare(made)
        made.keep()
        return case, made

    return prepared


def killed_at(case, ground, step, altered=""):
    """Kill a command before a step, give it again, and look whether all is well; tell whether there was such a step."""
    if not killed(case, ground, step, altered):
        return False
    case.between(ground)
    finished(case, ground, altered)
    return True


def killed(case, ground, step, altered=""):
    """Kill a command before a step; tell whether there was such a step."""
    ground.reset()
    ground.disk.fail(Fault.KILL, step, calls=Calls.STEPS)
    ended = ground.forks.run(*case.command(ground), altered=altered or case.altered)
    ground.disk.mend()
    assert ended.killed or 0 == ended.code, ended
    return ended.killed


def finished(case, ground, altered=""):
    """Give a command again, and look whether all is well."""
    again = given(ground, case.command(ground), altered or case.altered)
    assert case.well(again), again
    case.after(ground)


def given(ground, command, altered=""):
    """Give a command, as often as it says that it was not begun."""
    until = time.monotonic() + PATIENCE
    while (ended := ground.forks.run(*command, altered=altered)).code == 5:
        assert time.monotonic() < until, ended  # a database notices late that who was killed is gone
        time.sleep(0.05)
    return ended


def opposed_at(case, ground, step, altered=""):
    """Kill a move before a step, give the opposite one, and the same again where that is asked for; look as above."""
    if not killed(case, ground, step, altered):
        return False
    opposite = given(ground, case.opposite(ground), altered)
    at_most_one(ground)
    if "give that move again" in opposite.err:
        finished(case, ground, altered)
    else:
        assert opposite.code == 0 or "there already" in opposite.err, opposite
    in_one_place(ground)
    return True


def steps_of(case, ground):
    """Count the steps of a command."""
    ground.reset()
    ground.disk.fail(Fault.KILL, times=0, calls=Calls.STEPS)
    assert 0 == ground.forks.run(*case.command(ground), altered=case.altered).code
    counted = ground.disk.counted
    ground.disk.mend()
    return counted


@pytest.mark.parametrize("name", ["init", "rotate"])
def test_a_command_that_is_killed_somewhere_is_finished_when_it_is_given_again(ground, name):
    case, here = ground(name)
    steps = steps_of(case, here)

    assert steps > 8
    assert all(killed_at(case, here, step) for step in (steps // 3, steps - 4))


@pytest.mark.parametrize("every", EVERY)
@pytest.mark.parametrize("name", CASES)
def test_a_command_that_is_killed_before_any_step_is_finished_when_it_is_given_again(ground, name, every):
    case, here = ground(name)
    steps = steps_of(case, here)

    print(f"{name}: killed before each of {steps} steps")
    assert steps > (6 if name == "upgrade on PostgreSQL" else 8)
    assert all(killed_at(case, here, step) for step in range(0, steps, every))
    assert not killed_at(case, here, steps)


@pytest.mark.parametrize("every", EVERY)
@pytest.mark.parametrize("name", [name for name in CASES if CASES[name].opposite])
def test_a_move_that_is_killed_before_any_step_is_finished_or_taken_back_after_the_opposite_command(
    ground, name, every
):
    case, here = ground(name)
    steps = steps_of(case, here)

    print(f"{name}: killed before each of {steps} steps")
    assert all(opposed_at(case, here, step) for step in range(steps % every, steps, every))


@pytest.mark.parametrize("every", EVERY)
@pytest.mark.parametrize("name", CASES)
def test_a_command_that_a_full_disk_stops_leaves_nothing_in_the_way(ground, name, every):
    case, here = ground(name)
    stopped = 0
    for step in range(0, steps_of(case, here), 2 * every):
        here.reset()
        here.disk.fail(Fault.ENOSPC, step, FOREVER, Calls.STEPS)
        ended = here.forks.run(*case.command(here), altered=case.altered)
        here.disk.mend()
        assert "Traceback" not in ended.err, ended.err
        if ended.code:
            stopped += 1
            case.failed(here)
        finished(case, here)

    print(f"{name}: stopped {stopped} times")
    assert stopped or name in ON_THE_SERVER_ALONE


@pytest.mark.torture
@pytest.mark.parametrize(
    ("name", "altered"),
    [
        ("rotate", "key_first"),
        ("init", "key_in_place"),
        ("init on PostgreSQL", "note_last"),
        ("move to PostgreSQL", "place_first"),
        ("move to SQLite", "place_first"),
        ("upgrade", "later_in_two_steps"),
    ],
)
def test_control_a_command_that_writes_in_another_order_is_noticed(ground, name, altered):
    case, here = ground(name)

    with pytest.raises(AssertionError):
        all(killed_at(case, here, step, altered) for step in range(steps_of(case, here)))


@pytest.mark.torture
@pytest.mark.parametrize("name", ["move to PostgreSQL", "move to SQLite"])
def test_control_a_move_that_puts_the_old_place_away_unseen_is_noticed(ground, name):
    case, here = ground(name)

    with pytest.raises(AssertionError):
        all(opposed_at(case, here, step, "unseen") for step in range(steps_of(case, here)))
