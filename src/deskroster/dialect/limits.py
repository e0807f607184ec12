"""The core's limits, as OpenAPI shows them. The core enforces them and refuses in its own words, so `reading` does not.

`msgspec` passes over what `extra_json_schema` says. Lengths are counted after the ends of a text are cleaned.
"""

from typing import Annotated, Any

from msgspec import Meta

from deskroster.core import text
from deskroster.core.agents import MAX_CHAT_SKILL
from deskroster.core.table import MAX_IDS
from deskroster.dialect.reading import Reference

CLAMPED = "x-clamped"
"""In the schema of a number in a query: out of range it is read as the nearest bound, and not refused."""


def lengths(most: int, least: int = 0) -> Meta:
    """Return what a schema says of text, in code points."""
    return Meta(extra_json_schema={**({"minLength": least} if least else {}), "maxLength": most})


def paged(default: int, most: int, **more: Any) -> Meta:
    """Return what a schema says of how many records a page has."""
    return Meta(extra_json_schema={"minimum": 1, "maximum": most, "default": default, **more})


Name = Annotated[str, lengths(text.MAX_NAME, 1)]
Line = Annotated[str, lengths(text.MAX_NAME)]
Phone = Annotated[str, lengths(text.MAX_PHONE)]
JobNumber = Annotated[str, lengths(text.MAX_JOB_NUMBER)]
Url = Annotated[str, lengths(text.MAX_URL)]
Prose = Annotated[str, lengths(text.MAX_TEXT)]
Password = Annotated[str, lengths(text.MAX_PASSWORD, text.MIN_PASSWORD)]
AnyPassword = Annotated[str, lengths(text.MAX_PASSWORD, 1)]  # of vendors who name no minimum
PasswordOrNone = Annotated[str, lengths(text.MAX_PASSWORD)]  # where an empty one counts as none
Email = Annotated[str, Meta(extra_json_schema={"format": "email", "minLength": 1, "maxLength": text.MAX_EMAIL})]
Skill = Annotated[int, Meta(extra_json_schema={"minimum": 0, "maximum": MAX_CHAT_SKILL})]

Id = Annotated[int, Meta(extra_json_schema={"minimum": 1, "format": "int64"})]
IdOrNone = Annotated[int, Meta(extra_json_schema={"minimum": 0, "format": "int64"})]  # 0 is none
Ids = Annotated[list[Id], Meta(extra_json_schema={"maxItems": MAX_IDS})]
References = Annotated[list[Reference], Meta(extra_json_schema={"maxItems": MAX_IDS})]

PageNumber = Annotated[int, Meta(extra_json_schema={"minimum": 1, "default": 1, "format": "int64", CLAMPED: True})]
