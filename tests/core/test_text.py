"""What text may hold."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deskroster.core import text
from deskroster.core.problems import Invalid, Rule
from tests.bad_inputs import EMAILS, NAMES, READ_AS

pytestmark = pytest.mark.once

WHITE = [  # White_Space of Unicode 15.1 (PropList.txt)
    *range(0x9, 0xE), 0x20, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000,
]  # fmt: skip
MARKS = [
    0xAD, 0x61C, 0x180E, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2065), *range(0x2066, 0x2070),
    0xFEFF,
]  # fmt: skip
TRIMMED = [chr(point) for point in [*WHITE, *MARKS]]
IGNORABLE = [  # Default_Ignorable_Code_Point of Unicode 15.1 (DerivedCoreProperties.txt), without what is refused
    0xAD, 0x34F, 0x61C, 0x115F, 0x1160, 0x17B4, 0x17B5, *range(0x180B, 0x1810), *range(0x200B, 0x2010),
    *range(0x2060, 0x2066), *range(0x206A, 0x2070), 0x3164, *range(0xFE00, 0xFE10), 0xFEFF, 0xFFA0,
    *range(0xFFF0, 0xFFF9), *range(0x1BCA0, 0x1BCA4), *range(0x1D173, 0x1D17B), *range(0xE0000, 0xE1000),
]  # fmt: skip
BLANK = [0x2800, 0x1D159, 0x13441, 0x13442]  # symbols and letters that are drawn as nothing
REFUSED = [
    "\x00", "\x08", "\x0e", "\x1c", "\x1f", "\x7f", "\x80", "\x9f", "\ufdd0", "\ufdef", "\ufffe", "\uffff",
    "\U0001fffe", "\U0010ffff", "\ud800", "\udfff",
]  # fmt: skip
REFUSED_INSIDE = [  # at the ends they are white space or marks
    *"\t\n\v\f\r\x85\u2028\u2029\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069",
]


@pytest.mark.parametrize("end", TRIMMED, ids=ascii)
def test_white_space_and_marks_at_the_ends_of_a_line_are_removed_and_inside_it_kept(end):
    assert "a" == text.name("name", f"{end} {end}a{end}{end}")
    if end not in REFUSED_INSIDE:
        assert f"a{end}b" == text.name("name", f"{end}a{end}b{end}")


@pytest.mark.parametrize("kept", ["\ufe0f", "\U000e0067", "\u20e3", "\u0301"], ids=ascii)
def test_what_an_emoji_or_a_letter_ends_with_is_kept(kept):
    assert f"a{kept}" == text.name("name", f" a{kept} ")


@pytest.mark.parametrize("character", REFUSED, ids=ascii)
@pytest.mark.parametrize("place", ["{}a", "a{}b", "a{}", "{}"])
def test_a_forbidden_character_is_refused_wherever_it_stands(character, place):
    with pytest.raises(Invalid) as refused:
        text.name("name", place.format(character))

    assert Rule.CHARACTERS is refused.value.rule


@pytest.mark.parametrize("character", REFUSED_INSIDE, ids=ascii)
def test_what_ends_may_have_is_refused_inside(character):
    with pytest.raises(Invalid) as refused:
        text.name("name", f"a{character}b")

    assert Rule.CHARACTERS is refused.value.rule


@pytest.mark.parametrize("mark", list(map(chr, MARKS)), ids=ascii)
def test_a_phone_and_a_job_number_lose_marks_wherever_they_stand(mark):
    assert "133 1" == text.number("mobile", f"{mark}133{mark} {mark}1{mark}", 5)


@pytest.mark.parametrize("forbidden", ["1\t2", "1\x002", "1\u20282"])
def test_a_phone_is_one_line(forbidden):
    with pytest.raises(Invalid) as refused:
        text.number("mobile", forbidden, 32)

    assert Rule.CHARACTERS is refused.value.rule


@pytest.mark.parametrize("end", TRIMMED, ids=ascii)
def test_longer_text_loses_the_same_at_its_end_and_marks_at_its_start(end):
    start = "" if ord(end) in MARKS else end

    assert f"{start}a" == text.text("notes", f"{end}a{end}\r\n")


@pytest.mark.parametrize("character", sorted({"\x00", "\ud800"}), ids=ascii)
def test_longer_text_refuses_nul_and_lone_surrogates_only(character):
    assert "  a\n\tb\u202ec\x1f" == text.text("notes", "  a\n\tb\u202ec\x1f")
    with pytest.raises(Invalid):
        text.text("notes", f"a{character}")


@pytest.mark.parametrize("domain", ["corp.local", "x.test", "localhost", "LOCALHOST", "sub.localhost", "x.invalid"])
def test_an_address_at_a_special_use_domain_is_one_like_others(domain):
    assert f"a@{domain}" == text.email("email", f"a@{domain}")


@pytest.mark.parametrize(
    "address", ["a@intranet", "a@-x.test", "a@..local", "a@x_y.test", "a@xlocalhost", "@localhost"]
)
def test_a_domain_without_a_dot_or_of_another_form_is_none(address):
    with pytest.raises(Invalid) as refused:
        text.email("email", address)

    assert Rule.EMAIL is refused.value.rule


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
        judged = "ok" if READ_AS.get(value, value) == text.name("name", value) else "another"
    except Invalid:
        judged = "invalid"

    assert judged == ("invalid" if expected == "syntax" else expected)


@pytest.mark.parametrize(("value", "expected"), [case[1:] for case in EMAILS if isinstance(case[1], str)])
def test_emails_are_judged_as_the_list_of_bad_inputs_says(value, expected):
    try:
        judged = "ok" if READ_AS.get(value, value) == text.email("email", value) else "another"
    except Invalid:
        judged = "invalid"

    assert judged == ("ok" if expected == "conflict" else expected)


def test_no_character_that_unicode_ignores_makes_a_name():
    for character in map(chr, [*IGNORABLE, *BLANK]):
        assert "" == named(character * 3), f"U+{ord(character):04X}"
        kept = "CHARACTERS" if character in REFUSED_INSIDE else f"a{character}b"
        assert kept == named(f"a{character}b"), f"U+{ord(character):04X}"


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
    assert once == once.strip("".join(TRIMMED))
    assert once in value


@given(st.text())
def test_longer_text_that_is_accepted_is_accepted_again_and_stays_the_same(value):
    try:
        once = text.text("notes", value)
    except Invalid:
        return

    assert once == text.text("notes", once)
    assert once in value
