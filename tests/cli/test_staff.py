"""Workers that cannot be started, that load for long, or that end before they serve."""

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest

from tests.cli.program import PATIENCE, environment

pytestmark = pytest.mark.once


@contextmanager
def staffed(case):
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.cli.staffed", case],
        env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=PATIENCE)


def started_until_ready(process):
    """Return the process ids of the workers by their numbers."""
    lines = [process.stdout.readline() for _ in range(3)]
    assert "ready\n" in lines, process.communicate(timeout=PATIENCE)
    return dict(line.split() for line in lines if line != "ready\n")


def stopped(process):
    process.terminate()
    _, err = process.communicate(timeout=PATIENCE)
    return process.returncode, err.splitlines()


def test_a_worker_that_cannot_be_replaced_at_once_is_replaced_later_and_the_others_go_on():
    with staffed("fork fails later") as process:
        before = started_until_ready(process)
        os.kill(int(before["1"]), signal.SIGKILL)
        number, pid = process.stdout.readline().split()
        os.kill(int(before["0"]), 0)  # it is there
        code, told = stopped(process)

    assert ("1", True) == (number, pid != before["1"])
    assert 0 == code
    assert [("worker not started", "warning", "Resource temporarily unavailable")] == [
        (line["event"], line["level"], line["why"]) for line in map(json.loads, told)
    ]


@pytest.mark.proof
def test_a_worker_that_cannot_be_started_at_first_is_told_in_a_sentence_and_leaves_no_other_behind():
    with staffed("fork fails at the start") as process:
        out, err = process.communicate(timeout=PATIENCE)  # until no worker holds the pipe any more

    assert 5 == process.returncode
    assert "ready" not in out
    assert ["Error: 2 workers cannot be started: Resource temporarily unavailable"] == err.splitlines()


def test_workers_may_load_for_hours():
    with staffed("an hour goes by whenever the clock is looked at") as process:
        started_until_ready(process)

        assert (0, []) == stopped(process)


def test_why_a_worker_ended_is_not_hidden_by_those_that_were_then_told_to_stop():
    with staffed("one is damaged while the other loads") as process:
        _, err = process.communicate(timeout=PATIENCE)

    assert (7, ["Error: the data is damaged"]) == (process.returncode, err.splitlines())


@pytest.mark.proof
def test_a_worker_that_is_killed_before_it_serves_is_told_in_a_sentence():
    with staffed("both are waited for while the other loads") as process:
        _, pid = process.stdout.readline().split()
        os.kill(int(pid), signal.SIGKILL)
        _, err = process.communicate(timeout=PATIENCE)

    assert (5, ["Error: a worker was ended before it could serve"]) == (process.returncode, err.splitlines())
