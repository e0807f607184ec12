"""Refusals in the words of the Udesk Open API: the "Code Error Code Description" of the vendor's page."""

import msgspec
from msgspec import UNSET, Struct, UnsetType

from deskroster.core.problems import (
    Busy,
    Conflict,
    Doubt,
    Forbidden,
    Invalid,
    NotFound,
    Problem,
    Reason,
    Rule,
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

_DOUBTS: dict[Doubt, tuple[int, str, str]] = {
    Doubt.TIMESTAMP: (20621, "timestamp 格式错误", "timestamp is malformed"),
    Doubt.SKEW: (20622, "timestamp 与服务器时间相差过大", "timestamp is too far from the server's clock"),
    Doubt.NONCE_USED: (20623, "nonce 已被使用", "nonce has been used"),
    Doubt.NONCE_MISSING: (20624, "nonce 不能为空", "nonce cannot be empty"),
}
_WHERE_GROUP = "[WHERE user_groups.company_id = ? AND user_groups.category = 'General customer service group']"


class Refusal(Struct, frozen=True):
    """Every refusal; `exception` is there when there is a detail."""

    code: int
    message: str
    code_message: str
    exception: str | UnsetType = UNSET


def render(request: Request, problem: Problem | AnyRejection) -> Reply:
    """Return a refusal as Udesk words it: HTTP 200 for all that the API has judged."""
    match problem:
        case NotFound():
            return _refuse(200, 2005, "Resource not found", _missing(request, problem))
        case Invalid(rule=Rule.REQUIRED):
            return _refuse(200, 2000, f"{_wire_name(request, problem.field)} cannot be empty")
        case Invalid():
            return _unknown(200, f"Validation failed: {_broken(request, problem)}")
        case Conflict(reason=Reason.EMAIL_TAKEN):
            return _unknown(200, "Validation failed: Email has already been taken")
        case Conflict():
            return _unknown(200, f"Validation failed: {words.of('en', problem)}")
        case Forbidden(foreign_page=True):
            return _refuse(200, 2015, "not an administrator", _sentence(request, problem))
        case Forbidden():
            return _refuse(200, 2015, "not an administrator")
        case Unauthenticated():
            return _unauthenticated(request, problem)
        case UnknownCompany():
            return _refuse(200, 2002, "invalid subdomain")
        case UnknownPath():
            return _refuse(404, 2005, "Resource not found", _sentence(request, problem))
        case MethodNotAllowed(allow=allow):
            return _unknown(405, _sentence(request, problem), ("Allow", allow))
        case MediaType():
            return _unknown(415, _sentence(request, problem))
        case Malformed() | BadHost():
            return _unknown(400, _sentence(request, problem))
        case Incident():
            return _unknown(500, _sentence(request, problem))
        case TooLarge(status=status):
            return _refuse(status, 2000, _sentence(request, problem))
        case TooSlow():
            return _refuse(408, 2000, _sentence(request, problem))
        case TooMany(seconds=seconds):
            return _refuse(429, 2000, _sentence(request, problem), None, ("Retry-After", str(seconds)))
        case Busy() | Unknown():
            return _refuse(503, 2000, _sentence(request, problem), None, ("Retry-After", "1"))


def _unauthenticated(request: Request, problem: Unauthenticated) -> Reply:
    if request.route.needs is None:
        return _refuse(200, 2005, "e-mail or password is wrong")
    detail = words.explanation(request.language, problem) or None
    if problem.doubt in _DOUBTS:
        code, zh, en = _DOUBTS[problem.doubt]
        return _refuse(200, code, zh if request.language == "zh" else en, detail)
    return _refuse(200, 2059, "open api签名不对", detail)


def _missing(request: Request, problem: NotFound) -> str:
    sent = str(problem.id)[:64]
    if problem.kind == "group":
        return f"Couldn't find UserGroup with id={sent} {_WHERE_GROUP}"
    by_email = request.route.path.endswith("/get_agent") and request.query.get("type") == "email"
    return f"Couldn't find Agent with {'email' if by_email else 'id'}={sent}"


def _broken(request: Request, problem: Invalid) -> str:
    name = _wire_name(request, problem.field)
    of_group = name == "name" and request.route.path.startswith("/user_groups")
    label = "Group name" if of_group else name.replace("_", " ").capitalize()
    if problem.rule is Rule.EMPTY:
        return f"{label} cannot be an empty string"
    return f"{label} {words.of_rule('en', problem)}"


def _wire_name(request: Request, field: str) -> str:
    return request.route.names.get(field, field)


def _sentence(request: Request, problem: Problem | AnyRejection) -> str:
    return words.of(request.language, problem)


def _unknown(status: int, exception: str, *headers: tuple[str, str]) -> Reply:
    return _refuse(status, 2000, "Unknown error", exception, *headers)


def _refuse(status: int, code: int, message: str, exception: str | None = None, *headers: tuple[str, str]) -> Reply:
    refusal = Refusal(code, message, message, UNSET if exception is None else exception)
    return Reply(status, msgspec.json.encode(refusal), headers)
