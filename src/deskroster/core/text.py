"""What text may hold: the characters, lengths and addresses that every field is checked for."""

import re
import unicodedata

from email_validator import EmailNotValidError, validate_email

from deskroster.core.problems import Invalid, Rule

MAX_NAME = 255  # code points, as every limit on text
MAX_PHONE = 32
MAX_JOB_NUMBER = 64
MAX_URL = 2_048
MAX_TEXT = 10_000
MAX_EMAIL = 254
MIN_PASSWORD, MAX_PASSWORD = 8, 128  # of a login password; two vendors name no minimum
MAX_AROUND = 4_096  # white space around a line; with more it is refused without looking at it

_WHITE = " \xa0\u1680" + "".join(map(chr, range(0x2000, 0x200C))) + "\u202f\u205f\u3000\ufeff"
_REFUSED_IN_LINE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufdd0-\ufdef\ud800-\udfff"
    + "".join(chr(plane << 16 | low) for plane in range(17) for low in (0xFFFE, 0xFFFF))
    + "]"
)
_INVISIBLE_CATEGORIES = frozenset(("Zs", "Zl", "Zp", "Cc", "Cf", "Cs", "Mn", "Me"))
_INVISIBLE = frozenset(
    "\u115f\u1160\u3164\uffa0"  # Hangul fillers: letters that are drawn as nothing
    "\u2800"  # Braille pattern without a dot
    "\U0001d159"  # musical null notehead
    "\U00013441\U00013442"  # Egyptian blanks
    "\u2065\ufff0\ufff1\ufff2\ufff3\ufff4\ufff5\ufff6\ufff7\ufff8"  # unassigned, and default-ignorable in Unicode
)
_IGNORED_PLANE = range(0xE0000, 0xE1000)  # tags and variation selectors, assigned or not
_REFUSED_IN_TEXT = re.compile("[\x00\ud800-\udfff]")


def line(field: str, value: str, limit: int = MAX_NAME) -> str:
    """Return single-line text, trimmed; empty if nothing of it can be seen. Raises Invalid: CHARACTERS, TOO_LONG.

    What is far too long is refused by its length: searching 1 MB for a character would block the event loop.
    """
    if len(value) > limit + MAX_AROUND:
        raise Invalid(field, Rule.TOO_LONG, limit)
    if not (value.isascii() and value.isprintable()) and _REFUSED_IN_LINE.search(value):
        raise Invalid(field, Rule.CHARACTERS)
    value = value.strip(_WHITE)
    if len(value) > limit:
        raise Invalid(field, Rule.TOO_LONG, limit)
    return value if value.isascii() or any(map(_visible, value)) else ""


def name(field: str, value: str, limit: int = MAX_NAME) -> str:
    """Return a name: single-line text of which something can be seen. Raises Invalid: CHARACTERS, EMPTY, TOO_LONG."""
    value = line(field, value, limit)
    if not value:
        raise Invalid(field, Rule.EMPTY)
    return value


def text(field: str, value: str, limit: int = MAX_TEXT) -> str:
    """Return text of any number of lines, as it was given. Raises Invalid: TOO_LONG, else CHARACTERS."""
    if len(value) > limit:
        raise Invalid(field, Rule.TOO_LONG, limit)
    if _REFUSED_IN_TEXT.search(value):
        raise Invalid(field, Rule.CHARACTERS)
    return value


def password(value: str, least: int = MIN_PASSWORD) -> str:
    """Return a login password, as it was given. Raises Invalid: TOO_SHORT, TOO_LONG, else CHARACTERS."""
    if len(value) < least:
        raise Invalid("password", Rule.TOO_SHORT, least)
    return text("password", value, MAX_PASSWORD)


def email(field: str, value: str) -> str:
    """Return an e-mail address in the letter case it was given. Raises Invalid: EMPTY, EMAIL.

    ASCII only; the local part at most 64 and the whole at most 254 characters (RFC 5321, section 4.5.3.1).
    """
    if not value:
        raise Invalid(field, Rule.EMPTY)
    if not may_be_email(value):
        raise Invalid(field, Rule.EMAIL)
    try:
        validate_email(value, allow_smtputf8=False, strict=True, check_deliverability=False)
    except EmailNotValidError:
        raise Invalid(field, Rule.EMAIL) from None
    return value


def may_be_email(value: str) -> bool:
    """Return whether an agent can have this address: ASCII, at most 254 characters."""
    return len(value) <= MAX_EMAIL and value.isascii()


def _visible(character: str) -> bool:
    """Return whether a character is drawn by itself: not white space, a format control, a mark on another, or a filler.

    By Unicode's categories and its property Default_Ignorable_Code_Point. What this Python's Unicode does not know yet
    counts as visible.
    """
    if unicodedata.category(character) in _INVISIBLE_CATEGORIES or character in _INVISIBLE:
        return False
    return ord(character) not in _IGNORED_PLANE
