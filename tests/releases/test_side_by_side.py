"""Processes of ours and of a later version, in which records have fields more, on the same data. See later.py."""

import itertools

import pytest

from tests.releases import unpacked
from tests.releases.make import key_in
from tests.releases.worker import Worker

pytestmark = pytest.mark.once

_numbers = itertools.count()
both_engines = pytest.mark.parametrize("engine", ["sqlite", "postgresql"])


@pytest.fixture
def where(tmp_path, databases):
    """Give a function that makes folders of one installation: on PostgreSQL one for each process."""
    names = []

    def place(engine):
        url = None
        if engine == "postgresql":
            names.append(f"side_by_side_{next(_numbers)}")
            url = databases.create(names[-1])
        first = key_in(tmp_path / f"first {next(_numbers)}")

        def worker(version, seed=0, broken=""):
            folder = first if url is None else key_in(tmp_path / f"{version} {next(_numbers)}")
            return Worker(folder, url, version, seed, broken)

        return worker

    yield place
    for name in names:
        databases.drop(name)


def missing(grown, state):
    """Return what a later version has set and nobody finds again, of the records that are still there."""
    company, records, *_ = state
    found = {**records, "company 1": company}
    default = {"pronouns": "", "skills": [], "pin": None, "colour": None, "motto": ""}
    lost = {}
    for place, value in grown.items():
        record, _, name = place.rpartition(" ")
        if record in found and found[record].get(name, default[name]) != value:
            lost[place] = value
    return lost


def written_side_by_side(worker, first, count, broken=""):
    """Let both write at the same time; return what each holds in the end, what two more load, and all findings."""
    versions = {"ours": broken, "later": ""}
    if first == "later":
        versions = dict(reversed(versions.items()))
    states, findings = {}, []
    (one_is, its_fault), (other_is, others_fault) = versions.items()
    with worker(one_is, 1, its_fault) as one, worker(other_is, 2, others_fault) as other:
        names = dict(zip(versions, (one, other), strict=True))
        for each in (one, other):
            each.ask("write", count)
        grown = {version: each.answer() for version, each in names.items()}["later"]
        for name, each in names.items():
            states[name] = each.asked("state")
            findings += each.asked("check")
    for version in versions:
        try:
            with worker(version) as again:
                states[f"{version} again"] = again.asked("state")
                findings += again.asked("check")
        except AssertionError as error:
            findings.append(f"{version} does not load what was written: {error}")
    return grown, states, findings


def lost_nothing(grown, states, findings):
    ours = states["ours"]
    return [] == findings and all(state == ours for state in states.values()) and {} == missing(grown, ours)


@pytest.mark.proof
def test_ours_and_a_later_version_write_side_by_side_and_no_field_is_lost(where):
    grown, states, findings = written_side_by_side(where("postgresql"), "later", 30)

    assert [] == findings
    assert states["ours"] == states["later"] == states["ours again"] == states["later again"]
    assert {} == missing(grown, states["ours"])
    assert "pronouns" in str(states["ours"])


@pytest.mark.proof
@pytest.mark.parametrize("first", ["ours", "later"])
def test_whichever_starts_first_nothing_is_lost_under_load(where, first):
    grown, states, findings = written_side_by_side(where("postgresql"), first, 250)

    assert lost_nothing(grown, states, findings), (findings, missing(grown, states["ours"]))
    assert {"pronouns", "skills", "pin", "colour", "motto"} == {place.rpartition(" ")[2] for place in grown}


@pytest.mark.proof
def test_control_a_process_that_drops_what_it_does_not_know_is_noticed(where):
    found = written_side_by_side(where("postgresql"), "later", 100, "drops what it does not know")

    assert not lost_nothing(*found)


@pytest.mark.proof
@both_engines
def test_going_back_by_one_version_and_up_again_loses_nothing(where, engine):
    worker = where(engine)
    with worker("later", 1) as later:
        grown = later.asked("write", 30)
        before = later.asked("state")
    with worker("ours", 2) as ours:
        assert before == ours.asked("state")
        ours.asked("write", 30)
        assert [] == ours.asked("check")
        between = ours.asked("state")
    with worker("later", 3) as later:
        assert between == later.asked("state")
        assert [] == later.asked("check")

    assert before != between
    assert {} == missing(grown, between)


@pytest.mark.proof
@both_engines
def test_a_column_with_a_default_that_is_added_makes_no_row_look_damaged(where, engine):
    worker = where(engine)
    with worker("ours", 1) as ours:
        ours.asked("write", 10)
        before = ours.asked("state")
    with worker("column", 2) as later:
        assert before == later.asked("state")
        assert [] == later.asked("check")
        grown = later.asked("write", 20)
        after = later.asked("state")
    with worker("column", 3) as again:
        assert after == again.asked("state")
        assert [] == again.asked("check")

    assert grown
    assert {} == missing(grown, after)


@pytest.mark.proof
@both_engines
def test_control_a_checksum_that_covers_defaults_is_noticed(where, engine):
    worker = where(engine)
    with worker("ours", 1) as ours:
        ours.asked("write", 10)

    refused = worker("column", 2, "signs defaults")

    assert "not as it was written" in refused.answer()
    refused.close()


def test_data_of_a_release_gains_fields_that_a_later_version_adds(tmp_path):
    folder = unpacked.data_folder("0.1.0", tmp_path / "data")
    with Worker(folder, None, "later", 1) as later:
        grown = later.asked("write", 30)
        assert [] == later.asked("check")
        after = later.asked("state")
    with Worker(folder, None, "ours") as ours:
        assert after == ours.asked("state")

    assert {} == missing(grown, after)
