"""What text may hold: the characters, lengths and addresses that every field is checked for."""

import re
import unicodedata

from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email

from deskroster.core.problems import Invalid, Rule

MAX_NAME = 255  # code points, as every limit on text
MAX_PHONE = 32
MAX_JOB_NUMBER = 64
MAX_URL = 2_048
MAX_TEXT = 10_000
MAX_EMAIL = 254
MIN_PASSWORD, MAX_PASSWORD = 8, 128  # of a login password; two vendors name no minimum
MAX_UNCLEANED = 4  # times its limit: what is longer is too long before anything else of it is looked at

_WHITE = "\t\n\v\f\r \x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"
"""Unicode's property White_Space. U+001C to U+001F, which Python strips as well, are control characters here."""
_MARKS = "".join(map(chr, (
    0xAD, 0x61C, 0x180E, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2065),
    *range(0x2066, 0x2070), 0xFEFF,
)))  # fmt: skip
"""Invisible marks that come along when text is copied. Not variation selectors and tags: emoji end with them."""
_ENDS = _WHITE + _MARKS
_WITHOUT_MARKS = dict.fromkeys(map(ord, _MARKS))
_REFUSED_IN_LINE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufdd0-\ufdef\ud800-\udfff"
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
_SPECIAL_USE = re.compile(f"[@.](?:{'|'.join(map(re.escape, SPECIAL_USE_DOMAIN_NAMES))})$", re.IGNORECASE)
"""The end of an address at a special-use domain (RFC 6761)."""


def trimmed(value: str, limit: int) -> str:
    """Return text without white space and invisible marks at its ends; as it is where it is far too long.

    That is told by its length: searching 1 MB for a character would block the event loop.
    """
    return value if len(value) > MAX_UNCLEANED * limit else value.strip(_ENDS)


def without_marks(value: str, limit: int) -> str:
    """Return a number without invisible marks, and without white space at its ends; as it is where it is far too long.

    Phones and job numbers are compared so, and stored so.
    """
    value = trimmed(value, limit)
    return value if value.isascii() or len(value) > MAX_UNCLEANED * limit else value.translate(_WITHOUT_MARKS)


def line(field: str, value: str, limit: int = MAX_NAME) -> str:
    """Return single-line text, cleaned; empty if nothing of it can be seen. Raises Invalid: TOO_LONG, CHARACTERS."""
    return _checked(field, trimmed(value, limit), limit)


def number(field: str, value: str, limit: int) -> str:
    """Return a phone or job number: a line without invisible marks, wherever they stand. Raises Invalid as `line`."""
    return _checked(field, without_marks(value, limit), limit)


def name(field: str, value: str, limit: int = MAX_NAME) -> str:
    """Return a name: single-line text of which something can be seen. Raises Invalid: CHARACTERS, EMPTY, TOO_LONG."""
    value = line(field, value, limit)
    if not value:
        raise Invalid(field, Rule.EMPTY)
    return value


def text(field: str, value: str, limit: int = MAX_TEXT) -> str:
    """Return text of any number of lines, cleaned but for white space at its start.

    Raises Invalid: TOO_LONG, else CHARACTERS.
    """
    if len(value) <= MAX_UNCLEANED * limit:
        value = value.rstrip(_ENDS).lstrip(_MARKS)
    if len(value) > limit:
        raise Invalid(field, Rule.TOO_LONG, limit)
    if _REFUSED_IN_TEXT.search(value):
        raise Invalid(field, Rule.CHARACTERS)
    return value


def password(value: str, least: int = MIN_PASSWORD) -> str:
    """Return a login password, as it was given. Raises Invalid: TOO_SHORT, TOO_LONG, else CHARACTERS."""
    if len(value) < least:
        raise Invalid("password", Rule.TOO_SHORT, least)
    if len(value) > MAX_PASSWORD:
        raise Invalid("password", Rule.TOO_LONG, MAX_PASSWORD)
    if _REFUSED_IN_TEXT.search(value):
        raise Invalid("password", Rule.CHARACTERS)
    return value


def email(field: str, value: str) -> str:
    """Return an e-mail address in the letter case it was given, its ends cleaned. Raises Invalid: EMPTY, EMAIL.

    ASCII only; the local part at most 64 and the whole at most 254 characters (RFC 5321, section 4.5.3.1). A domain has
    a dot, unless it is a special-use one such as `localhost`: companies have addresses at such domains.
    """
    value = trimmed(value, MAX_EMAIL)
    if not value:
        raise Invalid(field, Rule.EMPTY)
    if not may_be_email(value):
        raise Invalid(field, Rule.EMAIL)
    try:
        ordinary = _SPECIAL_USE.sub(lambda domain: re.sub("[^.@]", "x", domain[0]), value)  # refused as such otherwise
        validate_email(
            ordinary,
            allow_smtputf8=False,
            strict=True,
            check_deliverability=False,
            globally_deliverable=ordinary == value,
        )
    except EmailNotValidError:
        raise Invalid(field, Rule.EMAIL) from None
    return value


def may_be_email(value: str) -> bool:
    """Return whether an agent can have this address: ASCII, at most 254 characters."""
    return len(value) <= MAX_EMAIL and value.isascii()


def _checked(field: str, value: str, limit: int) -> str:
    """Return a line that has been cleaned; empty if nothing of it can be seen. Raises Invalid: TOO_LONG, CHARACTERS."""
    if len(value) > MAX_UNCLEANED * limit:
        raise Invalid(field, Rule.TOO_LONG, limit)
    if not (value.isascii() and value.isprintable()) and _REFUSED_IN_LINE.search(value):
        raise Invalid(field, Rule.CHARACTERS)
    if len(value) > limit:
        raise Invalid(field, Rule.TOO_LONG, limit)
    return value if value.isascii() or any(map(_visible, value)) else ""


def _visible(character: str) -> bool:
    """Return whether a character is drawn by itself: not white space, a format control, a mark on another, or a filler.

    By Unicode's categories and its property Default_Ignorable_Code_Point. What this Python's Unicode does not know yet
    counts as visible.
    """
    if unicodedata.category(character) in _INVISIBLE_CATEGORIES or character in _INVISIBLE:
        return False
    return ord(character) not in _IGNORED_PLANE
