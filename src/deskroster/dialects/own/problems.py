"""Refusals as problem details (RFC 9457), with what a program needs beside the sentence."""

from typing import assert_never

import msgspec
from msgspec import UNSET, Struct, UnsetType

from deskroster.core.problems import (
    Busy,
    Conflict,
    Damaged,
    Forbidden,
    Invalid,
    NotFound,
    Problem,
    Unauthenticated,
    Unknown,
)
from deskroster.dialect import Reply, Request, words
from deskroster.dialect.problems import (
    AnyRejection,
    BadHost,
    Incident,
    Malformed,
    MediaType,
    MethodNotAllowed,
    TooLarge,
    TooMany,
    TooSlow,
    UnknownCompany,
    UnknownPath,
)

MEDIA = b"application/problem+json"
_TYPE = "urn:deskroster:problem:"


class Refusal(Struct, frozen=True, kw_only=True):
    """Why nothing was done. `type` and `status` are for programs, `title` and `detail` for people."""

    type: str
    title: str
    status: int
    detail: str
    field: str | UnsetType = UNSET  # whose value breaks a rule
    reason: str | UnsetType = UNSET  # which rule, or what it would clash with
    incident: str | UnsetType = UNSET  # under which the log tells more


def render(request: Request, problem: Problem | AnyRejection) -> Reply:
    """Return a refusal."""
    status, name, headers = _facts(problem)
    detail = words.of(request.language, problem)
    match problem:
        case Invalid(field=field, rule=rule):
            return refused(status, name, detail, headers, field=field, reason=rule.name.lower())
        case Conflict(field=field, reason=reason):
            return refused(status, name, detail, headers, field=field or UNSET, reason=reason.name.lower())
        case Incident(id=id):
            return refused(status, name, detail, headers, incident=id)
        case _:
            return refused(status, name, detail, headers)


def refused(
    status: int, name: str, detail: str, headers: tuple[tuple[str, str], ...] = (), **more: str | UnsetType
) -> Reply:
    """Return a refusal with this name and sentence, and what else is known of it."""
    title = name.replace("-", " ").capitalize()
    refusal = Refusal(type=_TYPE + name, title=title, status=status, detail=detail, **more)
    return Reply(status, msgspec.json.encode(refusal), headers, MEDIA)


def _facts(problem: Problem | AnyRejection) -> tuple[int, str, tuple[tuple[str, str], ...]]:
    """Return the HTTP status, the name of the problem and the headers that go with it."""
    match problem:
        case NotFound():
            return 404, "not-found", ()
        case Invalid():
            return 422, "invalid", ()
        case Conflict():
            return 409, "conflict", ()
        case Forbidden():
            return 403, "forbidden", ()
        case Unauthenticated():
            return 401, "unauthenticated", (("WWW-Authenticate", 'Basic realm="Deskroster", charset="UTF-8"'),)
        case Damaged():
            return 503, "damaged", (("Retry-After", "1"),)
        case Busy():
            return 503, "busy", (("Retry-After", "1"),)
        case Unknown():
            return 503, "outcome-unknown", (("Retry-After", "1"),)
        case UnknownPath():
            return 404, "unknown-path", ()
        case UnknownCompany():
            return 404, "unknown-company", ()
        case MethodNotAllowed(allow=allow):
            return 405, "method-not-allowed", (("Allow", allow),)
        case BadHost():
            return 400, "bad-host", ()
        case Malformed():
            return 400, "malformed", ()
        case TooLarge(status=status):
            return status, "too-large", ()
        case TooSlow():
            return 408, "too-slow", ()
        case MediaType():
            return 415, "media-type", ()
        case TooMany(seconds=seconds):
            return 429, "too-many", (("Retry-After", str(seconds)),)
        case Incident():
            return 500, "incident", ()
        case _:
            assert_never(problem)
