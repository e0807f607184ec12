"""Refusals in KF5's words: an `error` with a `code`, and the `fields` that broke a rule."""

from typing import Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

from deskroster.core.problems import (
    Busy,
    Conflict,
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

Code = Literal[
    "bad_request", "unauthorized", "forbidden", "not_found", "method_not_allowed", "conflict", "too_large",
    "unsupported_media_type", "invalid", "too_many_requests", "server_error", "unavailable",
]  # fmt: skip
CHALLENGE = ("WWW-Authenticate", 'Basic realm="KF5", charset="UTF-8"')


class Error(Struct, frozen=True):
    """What was refused and why; `fields`, by name, when values break rules."""

    code: Code
    message: str
    fields: dict[str, str] | UnsetType = UNSET


class Refusal(Struct, frozen=True):
    """The body of every refusal."""

    error: Error


def render(request: Request, problem: Problem | AnyRejection) -> Reply:
    """Return a refusal as KF5 words it."""
    message = words.of(request.language, problem)
    match problem:
        case Invalid():
            return _invalid(request, problem)
        case NotFound() | UnknownPath():
            return _refuse(404, "not_found", message)
        case Conflict():
            return _refuse(409, "conflict", message)
        case Forbidden():
            return _refuse(403, "forbidden", message)
        case Unauthenticated() | UnknownCompany():
            return _refuse(401, "unauthorized", message, CHALLENGE)
        case Malformed() | BadHost():
            return _refuse(400, "bad_request", message)
        case MethodNotAllowed(allow=allow):
            return _refuse(405, "method_not_allowed", message, ("Allow", allow))
        case TooLarge(status=status):
            return _refuse(status, "too_large", message)
        case TooSlow():
            return _refuse(408, "bad_request", message)
        case MediaType():
            return _refuse(415, "unsupported_media_type", message)
        case TooMany(seconds=seconds):
            return _refuse(429, "too_many_requests", message, ("Retry-After", str(seconds)))
        case Busy() | Unknown():
            return _refuse(503, "unavailable", message, ("Retry-After", "1"))
        case Incident():
            return _refuse(500, "server_error", message)


def _invalid(request: Request, problem: Invalid) -> Reply:
    """Name the field as KF5 does: without the `group` or `user` around it, and without the place in a list."""
    field = problem.field.rpartition(".")[2].partition("[")[0]
    field = request.route.names.get(field, field)
    broken = words.of_rule(request.language, problem)
    return _reply(422, Error("invalid", f"{field} {broken}", {field: broken}))


def _refuse(status: int, code: Code, message: str, *headers: tuple[str, str]) -> Reply:
    return _reply(status, Error(code, message), *headers)


def _reply(status: int, error: Error, *headers: tuple[str, str]) -> Reply:
    return Reply(status, msgspec.json.encode(Refusal(error)), headers)
