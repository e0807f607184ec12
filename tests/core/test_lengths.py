"""What is far beyond its limit is refused by its length, before anything reads it."""

import time
from collections.abc import Callable
from contextlib import suppress

import pytest

from deskroster.core import agents, keys, profiles, text
from deskroster.core.access import OPERATOR
from deskroster.core.problems import Invalid, Rule
from deskroster.core.records import ProfileField
from deskroster.core.roster import Roster
from deskroster.dialect.query import parse_id
from deskroster.dialect.signing import check_time, signer
from tests import world

pytestmark = pytest.mark.once

SHORT, LONG = 20_000, 800_000  # characters, both far beyond the limit of a text
TRIES = 15

Use = Callable[[str], object]


def company() -> Roster:
    roster = Roster(world.COMPANY)
    for kind in ("role", "position", "department", "permission_set", "profile_field", "agent", "key"):
        roster.fill(kind, [one for one in world.records() if type(one).__name__.lower() == kind.replace("_", "")])
    return roster


ROSTER = company()


def profile_value(type: str) -> Use:
    field = ProfileField(id=90, api_name="x", label="x", type=type, options=("a",) * (type in profiles.WITH_OPTIONS))
    roster = Roster(world.COMPANY)
    roster.fill("profile_field", [field])
    return lambda value: profiles.create(roster, OPERATOR, {"x": value})


USES: dict[str, Use] = {
    "a name": lambda value: text.name("name", value),
    "a line": lambda value: text.line("mobile", value, text.MAX_PHONE),
    "a text": lambda value: text.text("notes", value),
    "an e-mail": lambda value: text.email("email", value),
    "a password that is set": text.password,
    "whose e-mail": lambda value: agents.with_email(ROSTER, OPERATOR, value),
    "whose keys": lambda value: keys.tried(ROSTER, value, "udesk", 0),
    "the e-mail of a signature": lambda value: signer(ROSTER, "udesk", value, "1", "0" * 64, 0),
    "a signature": lambda value: signer(ROSTER, "udesk", "a@b.cn", "1", value, 0),
    "a timestamp": lambda value: check_time(value, 0),
    "an id": lambda value: parse_id("agent", value),
    "the label of an option": lambda value: profiles.create_field(
        ROSTER, OPERATOR, "long", "l", "single_listbox", options=iter([value])
    ),
    "the name of a field": lambda value: profiles.create_field(ROSTER, OPERATOR, value, "l", "single_line"),
    **{
        f"a value of {type}": profile_value(type)
        for type in ("single_line", "multi_line", "date", "date_time", "numeric", "telephone", "email",
                     "single_listbox", "multi_listbox", "lookup", "staff")
    },
}  # fmt: skip
FILLED = {"ascii": "1{}\x07", "wide": "中{}\x07", "white": "{}\u3000"}


def took(use: Use, value: str) -> float:
    began = time.thread_time_ns()
    with suppress(Exception):  # how it is refused, other tests say
        use(value)
    return time.thread_time_ns() - began


def is_read(use: Use, fill: str) -> bool:
    """Tell whether a value of forty times the length costs much more: if it is read, forty times as much.

    In each of so many comparisons of what is done at the same moment, so that no busy neighbour decides it.
    """
    short, long = (fill.format(fill[0] * size) for size in (SHORT, LONG))
    return all(took(use, long) > 10 * max(took(use, short), 2_000) for _ in range(TRIES))


@pytest.mark.parametrize("fill", FILLED.values(), ids=FILLED)
@pytest.mark.parametrize("what", USES)
def test_what_is_far_too_long_is_refused_unread(what, fill):
    assert not is_read(USES[what], fill)


def test_control_a_value_that_is_read_before_its_length_is_noticed():
    def line(value: str) -> None:
        if text._REFUSED_IN_LINE.search(value):
            raise Invalid("name", Rule.CHARACTERS)

    assert is_read(line, FILLED["ascii"])
    assert is_read(str.lower, FILLED["wide"])
    assert is_read(str.lower, FILLED["white"])


def test_a_long_value_with_a_forbidden_character_is_too_long():
    for check, limit in ((text.name, text.MAX_NAME), (text.text, text.MAX_TEXT)):
        with pytest.raises(Invalid) as refused:
            check("name", "a" * 1_000_000 + "\x00")

        assert (Rule.TOO_LONG, limit) == (refused.value.rule, refused.value.limit)


def test_text_may_be_four_times_its_limit_before_it_is_cleaned():
    limit = text.MAX_NAME
    assert "a" * limit == text.name("name", "a" * limit + " " * 3 * limit)
    with pytest.raises(Invalid) as refused:
        text.name("name", "a" + " " * 4 * limit)

    assert Rule.TOO_LONG is refused.value.rule


def test_a_field_that_no_company_has_is_named_in_brief():
    with pytest.raises(Invalid) as refused:
        profiles.create(ROSTER, OPERATOR, {"x" * 900_000: "y"})

    assert ("x" * 64, Rule.UNKNOWN) == (refused.value.field, refused.value.rule)
