"""Refusals in the words of ServiceGo: HTTP status and `code` are the same."""

import msgspec
from msgspec import Struct

from deskroster.core.problems import (
    Busy,
    Conflict,
    Doubt,
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
from deskroster.dialects.servicego.envelope import MISSING

MAX_FIELD = 64  # characters of a field's name, which may be the client's own, in a message

_DOUBTS: dict[Doubt, tuple[str, str]] = {
    Doubt.MISSING: ("缺少 email, timestamp 或 sign", "email, timestamp or sign is missing"),
    Doubt.TIMESTAMP: ("timestamp 格式错误", "timestamp is malformed"),
    Doubt.SKEW: ("timestamp 与服务器时间相差过大", "timestamp is too far from the server's clock"),
}


class Refusal(Struct, frozen=True):
    """Every refusal. `visible` says that the message is about what the user of the client entered."""

    code: int
    message: str
    visible: bool


def render(request: Request, problem: Problem | AnyRejection) -> Reply:
    """Return a refusal as ServiceGo words it."""
    sentence = words.of(request.language, problem)
    match problem:
        case Invalid(field=field):
            return _refuse(400, f"{_wire_name(request, field)} {words.of_rule(request.language, problem)}", True)
        case Conflict(field=field):
            return _refuse(409, f"{_wire_name(request, field)} {sentence}".lstrip(), True)
        case NotFound(kind=kind):
            return _refuse(404, MISSING.get(kind, sentence) if request.language == "zh" else sentence)
        case Unauthenticated():
            return _refuse(401, _doubt(request, problem))
        case UnknownCompany():
            return _refuse(401, sentence)
        case Forbidden():
            return _refuse(403, sentence)
        case UnknownPath():
            return _refuse(404, sentence)
        case MethodNotAllowed(allow=allow):
            return _refuse(405, sentence, False, ("Allow", allow))
        case Malformed() | BadHost():
            return _refuse(400, sentence)
        case TooLarge(status=status):
            return _refuse(status, sentence)
        case TooSlow():
            return _refuse(408, sentence)
        case MediaType():
            return _refuse(415, sentence)
        case TooMany(seconds=seconds):
            return _refuse(429, sentence, False, ("Retry-After", str(seconds)))
        case Incident():
            return _refuse(500, sentence)
        case Busy() | Unknown():
            return _refuse(503, sentence, False, ("Retry-After", "1"))


def _doubt(request: Request, problem: Unauthenticated) -> str:
    zh, en = _DOUBTS.get(problem.doubt, ("签名错误", "the signature is wrong"))
    said = zh if request.language == "zh" else en
    detail = words.explanation(request.language, problem)
    return f"{said} ({detail})" if detail else said


def _wire_name(request: Request, field: str) -> str:
    return request.route.names.get(field, field)[:MAX_FIELD]


def _refuse(status: int, message: str, visible: bool = False, *headers: tuple[str, str]) -> Reply:
    return Reply(status, msgspec.json.encode(Refusal(status, message, visible)), headers)
