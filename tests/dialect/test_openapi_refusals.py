"""The refusals in the OpenAPI documents: each operation names what it can be refused with, as it is answered."""

import re
from typing import NamedTuple

import pytest

from deskroster.core.access import Permission
from deskroster.core.problems import Reason
from deskroster.dialect import refusals
from deskroster.dialect.openapi import resolved
from tests.calls import CALLS, ROUTES, name_of
from tests.contracts import CONTRACTS
from tests.dialect.test_openapi import assert_matches
from tests.dialect.test_openapi import document as document_of
from tests.world import AGENT

pytestmark = pytest.mark.once

OF_ROUTE = [pytest.param(dialect, route, id=name_of(dialect, route)) for dialect, route in ROUTES]
WITH_BODY = [one for one in OF_ROUTE if one.values[1].body]
DOCUMENTED_HEADERS = {"location", "retry-after", "www-authenticate", "allow"}


def responses_of(desk, dialect, route):
    found = document_of(desk, dialect)
    return found, found["paths"][route.path][route.method.lower()]["responses"]


def check_refusal(desk, dialect, route, response):
    """Assert that a refusal is one of those that the document shows for its status."""
    found, described = responses_of(desk, dialect, route)
    answer = described[str(response.status_code)]
    [(media, content)] = answer["content"].items()

    assert media == response.headers["content-type"].partition(";")[0]
    assert_matches(found, answer, response.json())
    examples = [one["value"] for one in content["examples"].values()]
    assert any(one.items() <= response.json().items() for one in examples), "beside more of a detail"
    assert DOCUMENTED_HEADERS & {*response.headers} == {name.lower() for name in answer.get("headers", {})}


def send(client, dialect, route, *, prefix="", **how):
    call = CALLS[name_of(dialect, route)]
    return client.request(route.method, prefix + call.path, **{"json": call.body, **how})


# ── who asks ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("dialect", "route"), [one for one in OF_ROUTE if one.values[1].needs])
def test_a_call_without_credentials(quiet_desk, dialect, route):
    response = send(quiet_desk.plain(), dialect, route, prefix=dialect.prefix)

    check_refusal(quiet_desk, dialect, route, response)


@pytest.mark.parametrize(
    ("dialect", "route"), [one for one in OF_ROUTE if CALLS[name_of(*one.values)].level in ("reader", "admin")]
)
def test_a_call_of_an_agent_who_may_not(quiet_desk, dialect, route):
    response = send(getattr(quiet_desk.of(AGENT), dialect.name), dialect, route)

    check_refusal(quiet_desk, dialect, route, response)


@pytest.mark.parametrize(("dialect", "route"), OF_ROUTE)
def test_a_call_to_an_ill_formed_host(quiet_desk, dialect, route):
    response = send(getattr(quiet_desk, dialect.name), dialect, route, headers={"Host": "a b"})

    check_refusal(quiet_desk, dialect, route, response)


# ── what is sent ─────────────────────────────────────────────────────────────────────────────────────────────────────


class Bytes(NamedTuple):
    """A body that is refused before it is read."""

    content: bytes
    headers: tuple[tuple[str, str], ...] = ()


BODIES = {
    "no JSON": Bytes(b"{"),
    "another media type": Bytes(b"<a/>", (("Content-Type", "text/xml"),)),
    "an encoding": Bytes(b"{}", (("Content-Encoding", "gzip"),)),
    "too large": Bytes(b" " * (2**20 + 1)),
}


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize(("dialect", "route"), WITH_BODY)
def test_a_body_that_cannot_be_read(quiet_desk, dialect, route, body):
    sent = BODIES[body]
    headers = {"Content-Type": "application/json", **dict(sent.headers)}

    response = send(getattr(quiet_desk, dialect.name), dialect, route, json=None, content=sent.content, headers=headers)

    check_refusal(quiet_desk, dialect, route, response)


@pytest.mark.parametrize(("dialect", "route"), OF_ROUTE)
def test_a_query_that_is_no_utf_8(quiet_desk, dialect, route):
    path = CALLS[name_of(dialect, route)].path
    client = getattr(quiet_desk, dialect.name)

    response = client.request(route.method, f"{path}{'&' if '?' in path else '?'}x=%FF")

    check_refusal(quiet_desk, dialect, route, response)


@pytest.mark.parametrize(("dialect", "route"), [one for one in OF_ROUTE if one.values[1].creates])
def test_an_idempotency_key_that_is_too_long(quiet_desk, dialect, route):
    headers = {"Idempotency-Key": "k" * 256}

    check_refusal(quiet_desk, dialect, route, send(getattr(quiet_desk, dialect.name), dialect, route, headers=headers))


@pytest.mark.parametrize(
    ("dialect", "route"), [one for one in OF_ROUTE if "{" in one.values[1].path and one.values[1].most_ids == 1]
)
def test_an_id_that_nothing_has(quiet_desk, dialect, route):
    call = CALLS[name_of(dialect, route)]
    path = re.sub(r"\{\w+\}", str(refusals.NOBODY), route.path)

    response = getattr(quiet_desk, dialect.name).request(route.method, path, json=call.body)

    assert route.finds is not None
    check_refusal(quiet_desk, dialect, route, response)


# ── and nothing else ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("dialect", "route"), OF_ROUTE)
def test_no_operation_names_a_refusal_that_it_cannot_give(quiet_desk, dialect, route):
    _, described = responses_of(quiet_desk, dialect, route)

    assert described.keys().isdisjoint({"404", "405"} if route.finds is None and not dialect.prefix else {"405"})
    if route.body is None:
        assert described.keys().isdisjoint({"408", "413", "415"})
    if route.needs is Permission.READ:
        assert "403" not in described
    if not route.creates and not route.conflicts:
        assert "409" not in described
    assert {"400", "500", "503"} <= described.keys()


@pytest.mark.parametrize(("dialect", "route"), OF_ROUTE)
def test_refusals_are_told_apart(quiet_desk, dialect, route):
    _, described = responses_of(quiet_desk, dialect, route)

    for answer in described.values():
        for content in answer["content"].values():
            values = [str(one["value"]) for one in content["examples"].values()]
            assert len(values) == len(set(values))
            assert all(one.get("summary", "x") for one in content["examples"].values())


@pytest.mark.parametrize(
    ("dialect", "route"),
    [one for one in OF_ROUTE if CONTRACTS[one.values[0].name].answers.refusals["invalid"][0] == one.values[1].status],
)
def test_codes_in_a_success_stand_in_a_table(quiet_desk, dialect, route):
    found = document_of(quiet_desk, dialect)
    operation = found["paths"][route.path][route.method.lower()]
    examples = operation["responses"][str(route.status)]["content"]["application/json"]["examples"]
    codes = {one["value"]["code"] for name, one in examples.items() if name != "success"}

    assert codes
    for code in codes:
        assert f"| `{code}` |" in operation["description"]


def test_a_control_of_the_last_administrator_is_named_where_one_can_be_lost():
    """The contracts know by which calls an agent may cease to be an administrator."""
    lacking = [
        name_of(dialect, route)
        for dialect, route in ROUTES
        for demotion, one in CONTRACTS[dialect.name].demotions.items()
        if one.refused is None
        and one.ask(6).method == route.method
        and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", route.path), one.ask(6).path)
        and Reason.LAST_ADMINISTRATOR not in route.conflicts
    ]

    assert [] == lacking


# ── how schemas are joined ───────────────────────────────────────────────────────────────────────────────────────────


def test_what_stands_beside_a_reference_is_added_to_it():
    schemas = {"A": {"properties": {"x": {"type": "string", "maxLength": 5}}, "required": ["x"]}}
    beside = {"$ref": "#/components/schemas/A", "required": ["y"], "properties": {"x": {"minLength": 1}}}

    assert {
        "properties": {"x": {"type": "string", "maxLength": 5, "minLength": 1}},
        "required": ["x", "y"],
    } == resolved(beside, schemas)
