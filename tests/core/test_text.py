"""What text may hold."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deskroster.core import text
from deskroster.core.problems import Invalid, Rule
from tests.bad_inputs import EMAILS, NAMES

pytestmark = pytest.mark.once

TRIMMED = [" ", "\xa0", "\u1680", "\u2000", "\u200a", "\u200b", "\u202f", "\u205f", "\u3000", "\ufeff"]
IGNORABLE = [  # Default_Ignorable_Code_Point of Unicode 15.1 (DerivedCoreProperties.txt), without what is refused
    0xAD, 0x34F, 0x61C, 0x115F, 0x1160, 0x17B4, 0x17B5, *range(0x180B, 0x1810), *range(0x200B, 0x2010),
    *range(0x2060, 0x2066), *range(0x206A, 0x2070), 0x3164, *range(0xFE00, 0xFE10), 0xFEFF, 0xFFA0,
    *range(0xFFF0, 0xFFF9), *range(0x1BCA0, 0x1BCA4), *range(0x1D173, 0x1D17B), *range(0xE0000, 0xE1000),
]  # fmt: skip
BLANK = [0x2800, 0x1D159, 0x13441, 0x13442]  # symbols and letters that are drawn as nothing
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


def named(value: str) -> str:
    """Return a value as a name; empty if it is refused as empty."""
    try:
        return text.name("name", value)
    except Invalid as refused:
        return "" if refused.rule is Rule.EMPTY else refused.rule.name


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


def test_no_character_that_unicode_ignores_makes_a_name():
    for character in map(chr, [*IGNORABLE, *BLANK]):
        assert "" == named(character * 3), f"U+{ord(character):04X}"
        assert f"a{character}b" == named(f"a{character}b"), f"U+{ord(character):04X}"


@given(st.characters(categories=["L", "N", "P", "S", "Mc", "Co"]))
def test_any_other_character_makes_one(character):
    assert named(character) == ("" if ord(character) in {*IGNORABLE, *BLANK, 0x1680} else character)


def test_a_script_that_this_unicode_does_not_know_makes_one():
    assert "\U0001fbff" == named("\U0001fbff")


@pytest.mark.parametrize("broken", [lambda character: True, lambda character: character != "\u200d"])
def test_control_a_rule_that_treats_invisible_characters_as_text_is_noticed(monkeypatch, broken):
    monkeypatch.setattr(text, "_visible", broken)

    with pytest.raises(AssertionError):
        test_no_character_that_unicode_ignores_makes_a_name()


@given(st.text())
def test_a_line_that_is_accepted_is_accepted_again_and_stays_the_same(value):
    try:
        once = text.line("name", value)
    except Invalid:
        return

    assert once == text.line("name", once)
    assert once == once.strip()
    assert once in value
