"""Moments: Unix seconds that can be shown as a date, which are those of the years 1 to 9999."""

from datetime import UTC, datetime

FIRST = -62_135_596_800  # 0001-01-01T00:00:00Z
LAST = 253_402_300_799  # 9999-12-31T23:59:59Z


def utc(at: int) -> datetime:
    """Return a moment in UTC; what lies before the first or after the last one as that."""
    return datetime.fromtimestamp(min(max(at, FIRST), LAST), UTC)
