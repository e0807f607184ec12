"""Which refusals each route can answer with, and how its dialect words them: for the OpenAPI documents.

What a route needs, reads, names and creates says by which of the two closed sets of problems it can be refused.
"""

from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from typing import Any, NamedTuple, cast

from deskroster.core.access import Permission
from deskroster.core.problems import (
    Busy,
    Conflict,
    Damaged,
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
from deskroster.core.records import Language
from deskroster.dialect import Dialect, Reply, Request, Route, words
from deskroster.dialect.limits import CLAMPED
from deskroster.dialect.problems import (
    AnyRejection,
    BadHost,
    Incident,
    Malformed,
    MediaType,
    TooLarge,
    TooMany,
    TooSlow,
    UnknownCompany,
)
from deskroster.texts import said

NOBODY = 999_999  # the id of a record that there is not
_SECONDS = 30  # to wait, in the example
_INCIDENT = "0123456789abcdef01234567"
_FIELDS = {
    Reason.EMAIL_TAKEN: "email", Reason.NAME_TAKEN: "api_name", Reason.RECORDS_EXIST: "required",
    Reason.HAS_LEFT: "state",
}  # fmt: skip
"""Which field the core names with a conflict."""
_DOUBTS = {
    "timestamp": (Doubt.TIMESTAMP, Doubt.SKEW),
    "nonce": (Doubt.NONCE_MISSING, Doubt.NONCE_USED),
}
"""What can be wrong with a parameter of a signature."""
_TOLD = {
    Doubt.MISSING: said("no credentials"),
    Doubt.WRONG: said("the credentials are wrong"),
    Doubt.TIMESTAMP: said("the timestamp is malformed"),
    Doubt.SKEW: said("the timestamp is too far from the server's clock"),
    Doubt.NONCE_MISSING: said("the nonce is empty"),
    Doubt.NONCE_USED: said("the nonce has been used"),
}


class Refused(NamedTuple):
    """One refusal: a name for it, what it means, and the answer."""

    name: str
    meaning: str
    reply: Reply


def of(
    dialect: Dialect, route: Route, query: Mapping[str, Any], body: Mapping[str, Any], language: Language
) -> dict[int, list[Refused]]:
    """Return the refusals of a route by status. `query` and `body`: schemas of what it reads."""
    request = _request(dialect, route, language)
    found: dict[int, dict[bytes, Refused]] = {}
    problems = [*_of_the_request(dialect, route), *_of_the_caller(dialect, route)]
    problems += [*_of_values(query, body), *_of_the_roster(route), *_of_the_server(route)]
    for name, problem in problems:
        reply = dialect.render(request, problem)
        meaning = _meaning(problem, language)
        found.setdefault(reply.status, {}).setdefault(reply.body, Refused(name, meaning, reply))
    return {status: list(found[status].values()) for status in sorted(found)}


def _meaning(problem: Problem | AnyRejection, language: Language) -> str:
    told = _TOLD.get(problem.doubt) if isinstance(problem, Unauthenticated) else None
    return words.of(language, cast("Problem", problem)) if told is None else told.of(language)


_Named = tuple[str, Problem | AnyRejection]


def _name(fact: Enum) -> str:
    return fact.name.lower().replace("_", "-")


def _request(dialect: Dialect, route: Route, language: Language) -> Request:
    headers = [(b"accept-language", language.encode())]
    path = (dialect.prefix + route.path).encode()
    request = Request({"raw_path": path, "method": route.method, "query_string": b"", "headers": headers}, dialect.name)
    request.route = route
    return request


def _of_the_request(dialect: Dialect, route: Route) -> Iterator[_Named]:
    yield "bad-host", BadHost()
    yield "malformed-query", Malformed("query")
    if route.body is not None:
        yield "malformed-body", Malformed("body")
        yield "too-slow", TooSlow()
        yield "body-too-large", TooLarge("body")
        yield "media-type", MediaType(dialect.media)
        yield "content-encoding", MediaType(dialect.media, encoding="gzip")
    yield "query-too-long", TooLarge("query")
    yield "head-too-large", TooLarge("head")
    if route.creates:
        yield "malformed-idempotency-key", Malformed("Idempotency-Key")
    if dialect.account is None:
        yield "unknown-company", UnknownCompany()


def _of_the_caller(dialect: Dialect, route: Route) -> Iterator[_Named]:
    yield "unauthenticated", Unauthenticated(Doubt.WRONG)
    if route.needs is not None:
        yield "credentials-missing", Unauthenticated(Doubt.MISSING)
        for part in getattr(dialect.credentials, "parts", ()):
            yield from ((_name(doubt), Unauthenticated(doubt)) for doubt in _DOUBTS.get(part, ()))
    if route.needs is not Permission.READ:
        yield "forbidden", Forbidden()
    if route.needs is None or dialect.counted or dialect.passwords:
        yield "too-many-calls", TooMany(_SECONDS)


def _of_values(query: Mapping[str, Any], body: Mapping[str, Any]) -> Iterator[_Named]:
    """Yield for each rule the first value that can break it."""
    for schema in (query, body):
        rules: dict[Rule, Invalid] = {}
        for rule, problem in _broken(leaves(schema)):
            rules.setdefault(rule, problem)
        yield from ((_name(rule), problem) for rule, problem in rules.items())


class Leaf(NamedTuple):
    """A value in a query or a body."""

    path: tuple[str, ...]
    schema: Mapping[str, Any]
    required: bool


def leaves(schema: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[Leaf]:
    """Yield the values of an object, those of objects in it too. The schema has no references."""
    for name, inner in schema.get("properties", {}).items():
        inner = non_null(inner)
        if "properties" in inner:
            yield from leaves(inner, (*path, name))
        else:
            yield Leaf((*path, name), inner, name in schema.get("required", ()))


def non_null(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a value is that may be null as well."""
    others = [one for one in schema.get("anyOf", ()) if one.get("type") != "null"]
    return {**schema, **others[0]} if others else schema


def _broken(found: Iterable[Leaf]) -> Iterator[tuple[Rule, Invalid]]:
    """Yield each rule that a value can break, with one that breaks it."""
    for leaf in found:
        name, schema = leaf.path[-1], leaf.schema
        if leaf.required:
            yield Rule.REQUIRED, Invalid(name, Rule.REQUIRED)
        if "maxLength" in schema and schema.get("format") != "email":
            yield Rule.TOO_LONG, Invalid(name, Rule.TOO_LONG, schema["maxLength"])
        if "maxItems" in schema:
            yield Rule.TOO_MANY, Invalid(name, Rule.TOO_MANY, schema["maxItems"])
        if "enum" in schema:
            yield Rule.CHOICE, Invalid(name, Rule.CHOICE)
        if "pattern" in schema:
            yield Rule.FORM, Invalid(name, Rule.FORM)
        if not {"minimum", "maximum"}.isdisjoint(schema) and not schema.get(CLAMPED):
            yield Rule.RANGE, Invalid(name, Rule.RANGE)


def _of_the_roster(route: Route) -> Iterator[_Named]:
    if route.finds is not None:
        yield "not-found", NotFound(route.finds, NOBODY)
    if route.most_ids > 1:
        yield "too-many-ids", Invalid("ids", Rule.TOO_MANY, route.most_ids)
    for reason in (*route.conflicts, *((Reason.IDEMPOTENCY_KEY,) if route.creates else ())):
        yield _name(reason), Conflict(reason, _FIELDS.get(reason, ""))


def _of_the_server(route: Route) -> Iterator[_Named]:
    yield "incident", Incident(_INCIDENT)
    yield "busy", Busy()
    if route.method != "GET":
        yield "outcome-unknown", Unknown()
        yield "damaged", Damaged()
