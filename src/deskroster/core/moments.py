"""Moments: Unix seconds that can be shown as a date, which are those of the years 1 to 9999."""

import re
from datetime import UTC, datetime

FIRST = -62_135_596_800  # 0001-01-01T00:00:00Z
LAST = 253_402_300_799  # 9999-12-31T23:59:59Z

_FORM = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.\d+)?(?:[Zz]|([+-])([01]\d|2[0-3]):([0-5]\d))", re.ASCII
)
_EPOCH = 719_163  # the ordinal of 1970-01-01


def utc(at: int) -> datetime:
    """Return a moment in UTC, clamped to the first and the last."""
    return datetime.fromtimestamp(min(max(at, FIRST), LAST), UTC)


def shown(at: int) -> str:
    """Return a moment in the form of RFC 3339, in UTC."""
    return utc(at).isoformat()[:19] + "Z"


def parsed(text: str) -> int:
    """Return the moment that a text in the form of RFC 3339 names, without its fraction; it may lie after `LAST`.

    Raises ValueError, also for a leap second.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise ValueError(text)
    year, month, day, hour, minute, second = map(int, match.groups()[:6])
    sign, hours, minutes = match.groups()[6:]
    days = datetime(year, month, day, hour, minute, second, tzinfo=UTC).toordinal() - _EPOCH
    offset = 0 if sign is None else int(f"{sign}1") * (int(hours) * 3_600 + int(minutes) * 60)
    return days * 86_400 + hour * 3_600 + minute * 60 + second - offset
