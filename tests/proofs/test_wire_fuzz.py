"""Whatever is on the wire, found by machines: the short form of `make fuzz`."""

from collections import Counter

import pytest
from msgspec.structs import replace

from deskroster.dialects import DIALECTS
from tests.fuzz import runs

pytestmark = pytest.mark.proof

SECONDS = 15  # a dialect
KINDS = 3  # of answers
ATTEMPTS = 5  # each twice as long: however few cases a busy machine has time for, in one of them these answers come
SECONDS_OF_A_READER = 5
SECONDS_OF_THE_CONTROL = 120  # at most: it ends when something is found
ATTEMPTS_OF_THE_CONTROL = 4  # of a fuzzer, which begins at random


@pytest.mark.parametrize("dialect", [dialect.name for dialect in DIALECTS])
def test_every_case_that_is_made_from_a_document_is_answered_as_it_says(dialect):
    answers = Counter()
    for attempt in range(ATTEMPTS):
        answers += runs.schema(dialect, SECONDS << attempt)
        if len(answers) >= KINDS:
            break

    print(dict(sorted(answers.items())))
    assert 0 == sum(many for status, many in answers.items() if status >= 500 and status != 503)
    assert answers[200] > 0
    assert len(answers) >= KINDS


@pytest.mark.once
def test_a_document_that_is_not_true_is_noticed():
    untrue = [replace(dialect, refusal=None) for dialect in DIALECTS]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("deskroster.app.DIALECTS", untrue)
        with pytest.raises(runs.Found, match="Response violates schema"):
            runs.schema("udesk", SECONDS_OF_THE_CONTROL)


@pytest.mark.once
def test_a_failure_of_the_server_is_noticed():
    def fails(*_: object) -> None:
        raise ZeroDivisionError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("deskroster.core.groups.find", fails)
        with pytest.raises(runs.Found, match="no_failure_but_busy"):
            runs.schema("kf5", SECONDS_OF_THE_CONTROL)


@pytest.mark.once
def test_control_a_wrong_parser_is_noticed():
    """The standard library's decoder as it comes: most often within seconds, and else in one of several attempts."""

    def attempts() -> None:
        for _ in range(ATTEMPTS_OF_THE_CONTROL):
            runs.coverage("decoder-control", SECONDS_OF_THE_CONTROL // ATTEMPTS_OF_THE_CONTROL)

    with pytest.raises(runs.Found, match="AssertionError"):
        attempts()


@pytest.mark.once
@pytest.mark.parametrize("target", runs.TARGETS)
def test_each_parser_agrees_with_a_simple_parser_on_fuzzed_input(target):
    inputs = runs.coverage(target, SECONDS_OF_A_READER)

    print(f"{inputs:,} inputs")
    assert inputs > 100
