"""What text may hold."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deskroster.core import text
from deskroster.core.problems import Invalid, Rule
from tests.bad_inputs import EMAILS, NAMES

pytestmark = pytest.mark.once

TRIMMED = [" ", "\xa0", "\u1680", "\u2000", "\u200a", "\u200b", "\u202f", "\u205f", "\u3000", "\ufeff"]
REFUSED = [
    "\x00", "\t", "\n", "\r", "\x1f", "\x7f", "\x80", "\x85", "\x9f", "\u2028", "\u2029", "\u202a", "\u202e", "\u2066",
    "\u2069", "\ufdd0", "\ufdef", "\ufffe", "\uffff", "\U0001fffe", "\U0010ffff", "\ud800", "\udfff",
]  # fmt: skip


@pytest.mark.parametrize("white", TRIMMED)
def test_white_space_around_a_line_is_removed_and_inside_it_kept(white):
    assert f"a{white}b" == text.name("name", f"{white}{white}a{white}b{white}")


@pytest.mark.parametrize("character", REFUSED)
@pytest.mark.parametrize("place", ["{}a", "a{}b", "a{}", "{}"])
def test_a_forbidden_character_is_refused_wherever_it_stands(character, place):
    with pytest.raises(Invalid) as refused:
        text.name("name", place.format(character))

    assert Rule.CHARACTERS is refused.value.rule


@pytest.mark.parametrize("character", sorted({"\x00", "\ud800"}))
def test_longer_text_refuses_nul_and_lone_surrogates_only(character):
    assert "a\n\tb\u202e " == text.text("notes", "a\n\tb\u202e ")
    with pytest.raises(Invalid):
        text.text("notes", f"a{character}")


def test_a_limit_counts_code_points_after_trimming():
    assert "😀" * 255 == text.name("name", " " + "😀" * 255 + " ")
    with pytest.raises(Invalid) as refused:
        text.name("name", "😀" * 256)
    assert (Rule.TOO_LONG, 255) == (refused.value.rule, refused.value.limit)


@pytest.mark.parametrize(("value", "expected"), [case[1:] for case in NAMES if isinstance(case[1], str)])
def test_names_are_judged_as_the_list_of_bad_inputs_says(value, expected):
    try:
        judged = "ok" if value == text.name("name", value) else "trimmed"
    except Invalid:
        judged = "invalid"

    assert judged == ("invalid" if expected == "syntax" else expected)


@pytest.mark.parametrize(("value", "expected"), [case[1:] for case in EMAILS if isinstance(case[1], str)])
def test_emails_are_judged_as_the_list_of_bad_inputs_says(value, expected):
    try:
        judged = "ok" if value == text.email("email", value) else "changed"
    except Invalid:
        judged = "invalid"

    assert judged == ("ok" if expected == "conflict" else expected)


@given(st.text())
def test_a_line_that_is_accepted_is_accepted_again_and_stays_the_same(value):
    try:
        once = text.line("name", value)
    except Invalid:
        return

    assert once == text.line("name", once)
    assert once == once.strip()
    assert once in value
