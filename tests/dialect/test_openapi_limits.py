"""Each bound in the OpenAPI documents is sent, and what is one beyond it: the one is accepted, the other refused."""

import itertools
import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

import pytest
from msgspec import UNSET

from deskroster.dialect.limits import CLAMPED
from deskroster.dialect.openapi import document, resolved
from deskroster.dialect.refusals import leaves, non_null
from deskroster.dialects import DIALECTS
from tests.calls import CALLS, ROUTES, name_of
from tests.contracts import CONTRACTS
from tests.dialect.test_openapi import matches
from tests.world import new_email

pytestmark = pytest.mark.once

MOST = 2**63 - 1  # of `int64`
LISTED = re.compile(r"\(,[^()]*\)\{0,(\d+)\}\$$")  # in the pattern of a list with commas, how many follow the first
NONSENSE = "\u00d7"  # no choice, and of no pattern
OF_ANOTHER_FIELD = re.compile("is required|does not apply")  # where two fields go together
DOCUMENTS = {dialect.name: document(dialect) for dialect in DIALECTS}
_numbers = itertools.count()


def operation_of(dialect, route):
    return DOCUMENTS[dialect.name]["paths"][route.path][route.method.lower()]


def body_of(dialect, route) -> dict[str, Any]:
    """Return the schema of a body, without references."""
    content = operation_of(dialect, route)["requestBody"]["content"]
    return resolved(content["application/json"]["schema"], DOCUMENTS[dialect.name]["components"]["schemas"])


IN_BODIES = [
    pytest.param(dialect, route, leaf, id=f"{name_of(dialect, route)} {'.'.join(leaf.path)}")
    for dialect, route in ROUTES
    if route.body is not None
    for leaf in leaves(body_of(dialect, route))
]
IN_QUERIES = [
    pytest.param(dialect, route, one, id=f"{name_of(dialect, route)} ?{one['name']}")
    for dialect, route in ROUTES
    for one in operation_of(dialect, route)["parameters"]
    if one["in"] == "query"
]
WITH_ID = [pytest.param(*one, id=name_of(*one)) for one in ROUTES if "{" in one[1].path]
CREATING = [pytest.param(*one, id=name_of(*one)) for one in ROUTES if one[1].creates]


# ── bodies ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("dialect", "route", "leaf"), IN_BODIES)
def test_a_value_in_a_body(desk, dialect, route, leaf):
    for value in beyond(leaf.schema):
        response = write(desk, dialect, route, leaf, value)
        assert not is_success(dialect, route, response), (value, response.text)

    for value in within(leaf.schema):
        response = write(desk, dialect, route, leaf, value)
        assert is_success(dialect, route, response) or OF_ANOTHER_FIELD.search(response.text), (value, response.text)
        if route.method == "DELETE":
            return  # it is gone


@pytest.mark.parametrize(("dialect", "route", "leaf"), IN_BODIES)
def test_null_in_a_body(desk, dialect, route, leaf):
    """On a create, and in the body of a deletion, null may count as absent, which no schema says."""
    body = body_with(dialect, route, leaf, None)
    allowed = matches(DOCUMENTS[dialect.name], operation_of(dialect, route)["requestBody"], body)

    response = CALLS[name_of(dialect, route)]._replace(body=body).send(dialect, route, getattr(desk, dialect.name))

    if allowed or leaf.required or route.method not in ("POST", "DELETE"):
        assert allowed == is_success(dialect, route, response), response.text


def write(desk, dialect, route, leaf, value):
    """Make the good call of a route with another value."""
    body = body_with(dialect, route, leaf, value)
    return CALLS[name_of(dialect, route)]._replace(body=body).send(dialect, route, getattr(desk, dialect.name))


def body_with(dialect, route, leaf, value):
    """Return the body of the good call of a route with another value, and nothing else of that name."""
    body = deepcopy(CALLS[name_of(dialect, route)].body or {})
    for one in leaves(body_of(dialect, route)):
        if one.schema.get("format") == "email" and route.method == "POST":
            put(body, one.path, new_email())
        elif one.required and "pattern" in one.schema:
            put(body, one.path, f"x{next(_numbers)}")
        elif one.path[-1] == leaf.path[-1]:
            put(body, one.path, UNSET)
    put(body, leaf.path, value)
    return body


def put(body: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    *outer, last = path
    for name in outer:
        if name not in body and value is UNSET:
            return
        body = body.setdefault(name, {})
    if value is UNSET:
        body.pop(last, None)
    else:
        body[last] = value


def is_success(dialect, route, response) -> bool:
    code = CONTRACTS[dialect.name].answers.success
    return response.status_code == route.status and response.json().get("code") == code


def is_not_found(dialect, answer) -> bool:
    """Tell whether an answer says that there is no such record."""
    status, code = CONTRACTS[dialect.name].answers.refusals["notfound"]
    return any(str(one) in answer for one in (status, code))


# ── what a schema allows and what not ────────────────────────────────────────────────────────────────────────────────


def within(schema: Mapping[str, Any]) -> Iterator[Any]:
    """Yield the bounds of a value."""
    schema = non_null(schema)
    yield from schema.get("enum", ())
    if "enum" in schema:
        return
    if most := LISTED.search(schema.get("pattern", "")):
        yield ",".join("1" * (int(most[1]) + 1))
    for bound in ("minLength", "maxLength"):
        if bound in schema and "pattern" not in schema:
            yield text(schema, max(schema[bound], 6 if schema.get("format") == "email" else 0))
    for bound in ("minimum", "maximum"):
        if bound in schema:
            yield schema[bound]
    for bound in ("minItems", "maxItems"):
        if bound in schema:
            yield items(schema["items"], schema[bound])


def beyond(schema: Mapping[str, Any]) -> Iterator[Any]:
    """Yield what is one beyond a bound of a value."""
    schema = non_null(schema)
    if "enum" in schema:
        yield NONSENSE if isinstance(schema["enum"][0], str) else max(schema["enum"]) + 1
    if "pattern" in schema:
        most = LISTED.search(schema["pattern"])
        yield NONSENSE if most is None else ",".join("1" * (int(most[1]) + 2))
    if schema.get("minLength"):
        yield text(schema, schema["minLength"] - 1)
    if "maxLength" in schema:
        yield text(schema, schema["maxLength"] + 1)
    if "minimum" in schema:
        yield schema["minimum"] - 1
    if "maximum" in schema:
        yield schema["maximum"] + 1
    elif schema.get("format") == "int64":
        yield MOST + 1
    if "minItems" in schema:
        yield items(schema["items"], schema["minItems"] - 1)
    if "maxItems" in schema:
        yield items(schema["items"], schema["maxItems"] + 1)


def text(schema: Mapping[str, Any], length: int) -> str:
    if schema.get("format") != "email" or length < 6:
        return "x" * length
    local = f"u{next(_numbers)}"[: length - 5]
    rest = length - len(local) - 4
    return f"{local}@{'.'.join(['a' * 60] * (rest // 61))}{'.' if rest > 61 else ''}{'b' * (rest % 61)}.cn"


def items(schema: Mapping[str, Any], count: int) -> list[Any]:
    """Return as many elements: of ids one and the same, which counts each time; of names different ones."""
    one = next(iter(schema.get("anyOf", (schema,))))
    if one.get("type") == "integer":
        return [1] * count
    if "properties" in one:
        return [{"id": 1}] * count
    return [f"o{number}" for number in range(count)]


# ── queries, paths and headers ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("dialect", "route", "parameter"), IN_QUERIES)
def test_a_value_in_a_query(quiet_desk, dialect, route, parameter):
    name, schema = parameter["name"], parameter["schema"]
    ask = asker(quiet_desk, dialect, route, name)

    if schema.get(CLAMPED):
        assert ask(0) == ask(-1) == ask(1)
        bound = schema.get("maximum", MOST)
        assert ask(bound + 1) == ask(bound)
        assert "maximum" not in schema or ask(bound) == ask(10 * bound)
        return
    for value in beyond(schema):
        assert not ask(value)[0], value
    if route.method == "GET":
        for value in within(schema):
            assert ask(value)[0] or is_not_found(dialect, ask(value)[1]), value


@pytest.mark.parametrize(("dialect", "route", "parameter"), IN_QUERIES)
def test_a_default_in_a_query(quiet_desk, dialect, route, parameter):
    if "default" not in parameter["schema"]:
        return
    ask = asker(quiet_desk, dialect, route, parameter["name"])

    assert ask(None) == ask(parameter["schema"]["default"])


def asker(desk, dialect, route, name):
    """Return what makes the good call with another value of a parameter: whether it succeeds, and its answer."""
    path, _, query = CALLS[name_of(dialect, route)].path.partition("?")
    others = [one for one in query.split("&") if one and one.partition("=")[0] != name]

    def ask(value):
        sent = [*others, *([] if value is None else [f"{name}={value}"])]
        response = getattr(desk, dialect.name).request(route.method, f"{path}?{'&'.join(sent)}")
        # addresses of further pages repeat what was sent
        return is_success(dialect, route, response), re.sub(rf"\??&?{name}=-?\d*", "", response.text)

    return ask


@pytest.mark.parametrize(("dialect", "route"), WITH_ID)
def test_an_id_in_a_path(quiet_desk, dialect, route):
    [schema] = [one["schema"] for one in operation_of(dialect, route)["parameters"] if one["in"] == "path"]
    call = CALLS[name_of(dialect, route)]

    def ask(sent):
        path = re.sub(r"\{\w+\}", str(sent), route.path)
        response = getattr(quiet_desk, dialect.name).request(route.method, path, json=call.body)
        return is_success(dialect, route, response)

    if route.most_ids == 1:
        assert (1, "int64") == (schema["minimum"], schema["format"])
        assert [False] * 3 == [ask(schema["minimum"] - 1), ask(-1), ask(MOST + 1)]
        return
    for sent, allowed in ((["9999"] * route.most_ids, True), (["9999"] * (route.most_ids + 1), False), (["0"], False)):
        assert allowed == bool(re.search(schema["pattern"], ",".join(sent)))
        assert allowed == ask(",".join(sent))


@pytest.mark.parametrize(("dialect", "route"), CREATING)
def test_an_idempotency_key(desk, dialect, route):
    [schema] = [one["schema"] for one in operation_of(dialect, route)["parameters"] if one["in"] == "header"]
    call = CALLS[name_of(dialect, route)]

    def ask(length):
        headers = {"Idempotency-Key": "k" * length}
        client = getattr(desk, dialect.name)
        return is_success(dialect, route, client.request(route.method, call.path, json=call.body, headers=headers))

    assert not ask(schema["minLength"] - 1)
    assert not ask(schema["maxLength"] + 1)
    assert ask(schema["maxLength"])


# ── controls ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_control_there_are_many_bounds():
    bounded = [one for one in IN_BODIES if any(True for _ in beyond(one.values[2].schema))]

    assert len(bounded) > 100
    assert all(any(one.values[0] is dialect for one in bounded) for dialect in DIALECTS)


def test_control_a_bound_that_is_not_the_enforced_one_is_noticed(desk):
    dialect, route, leaf = next(one.values for one in IN_BODIES if one.values[2].schema.get("maxLength") == 255)
    too_low = leaf._replace(schema={**leaf.schema, "maxLength": 254})
    too_high = leaf._replace(schema={**leaf.schema, "maxLength": 256})

    with pytest.raises(AssertionError):
        test_a_value_in_a_body(desk, dialect, route, too_low)
    with pytest.raises(AssertionError):
        test_a_value_in_a_body(desk, dialect, route, too_high)
