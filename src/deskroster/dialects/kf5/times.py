"""The filters and orders of KF5 by time, which the vendor's SDK documents."""

import re
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

from deskroster.core import text
from deskroster.core.agents import Span, TimeOrder
from deskroster.core.problems import Invalid, Rule
from deskroster.core.roster import Roster
from deskroster.dialect import Request

Which = Literal["created", "updated"]

PARAMETERS = frozenset(f"{which}_{part}" for which in ("created", "updated") for part in ("start", "end", "order"))

_ORDERS: dict[str, Literal["created_at", "updated_at"]] = {
    "created_order": "created_at", "updated_order": "updated_at",
}  # fmt: skip
_SECONDS = re.compile(r"[0-9]{1,12}")
_LOCAL = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}( [0-9]{2}:[0-9]{2}:[0-9]{2})?")
FORM = f"{_SECONDS.pattern}|{_LOCAL.pattern}"
_MAX_TIME = 19  # characters


def span(request: Request, roster: Roster, which: Which) -> Span:
    """Return from when to when users were created or updated. Raises Invalid."""
    start, end = (_time(request, roster, f"{which}_{part}") for part in ("start", "end"))
    return Span(start, end)


def order(request: Request) -> TimeOrder | None:
    """Return by which time users are wanted; that of their creation goes first. Raises Invalid."""
    wanted: list[TimeOrder] = []
    for name, field in _ORDERS.items():
        sent = request.query.get(name)
        if sent is not None:
            if sent.lower() not in ("asc", "desc"):
                raise Invalid(name, Rule.CHOICE)
            wanted.append(TimeOrder(field, sent.lower() == "desc"))
    return wanted[0] if wanted else None


def _time(request: Request, roster: Roster, name: str) -> int | None:
    """Return a time in Unix seconds; one without a zone is of the company's. Raises Invalid."""
    sent = request.query.get(name)
    if sent is None:
        return None
    sent = text.trimmed(sent, _MAX_TIME)
    if _SECONDS.fullmatch(sent):
        return int(sent)
    if not _LOCAL.fullmatch(sent):
        raise Invalid(name, Rule.FORM)
    try:
        at = datetime.fromisoformat(sent)
    except ValueError:
        raise Invalid(name, Rule.FORM) from None
    return int(at.replace(tzinfo=ZoneInfo(roster.company.time_zone)).timestamp())
