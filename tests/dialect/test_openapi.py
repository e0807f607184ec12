"""The OpenAPI documents: valid, true to what is answered, and shown without the internet."""

import re

import jsonschema
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from deskroster.dialects import DIALECTS
from tests.calls import CALLS, ROUTES, name_of
from tests.contracts import CONTRACTS

pytestmark = pytest.mark.once

OF_DIALECT = [pytest.param(dialect, id=dialect.name) for dialect in DIALECTS]
OF_ROUTE = [pytest.param(dialect, route, id=name_of(dialect, route)) for dialect, route in ROUTES]
LINK = re.compile(r"""(?:src|href|url)\s*[=:(]\s*["']?([^"'\s>)]+)""")


def document(desk, dialect):
    return desk.plain().get(f"/docs/{dialect.name}/openapi.json").json()


@pytest.mark.parametrize("dialect", OF_DIALECT)
def test_a_document_is_valid(quiet_desk, dialect):
    found = document(quiet_desk, dialect)

    assert "3.1.0" == found["openapi"]
    assert [] == list(OpenAPIV31SpecValidator(found).iter_errors())


@pytest.mark.parametrize("dialect", OF_DIALECT)
def test_a_document_has_every_route_once(quiet_desk, dialect):
    found = document(quiet_desk, dialect)
    described = {(method.upper(), path) for path, methods in found["paths"].items() for method in methods}
    names = [operation["operationId"] for methods in found["paths"].values() for operation in methods.values()]

    assert {(route.method, route.path) for route in dialect.routes} == described
    assert len(names) == len(set(names))


@pytest.mark.parametrize(("dialect", "route"), OF_ROUTE)
def test_a_document_says_by_what_a_call_is_signed(quiet_desk, dialect, route):
    """Else no client that is made of it, and not the page either, would send credentials."""
    found = document(quiet_desk, dialect)
    alternatives = found["paths"][route.path][route.method.lower()]["security"]

    assert bool(route.needs) == bool(alternatives)
    for names in alternatives:
        assert set(names) <= set(found["components"]["securitySchemes"])


@pytest.mark.parametrize(("dialect", "route"), OF_ROUTE)
def test_an_answer_is_as_the_document_says(desk, dialect, route):
    found, call = document(desk, dialect), CALLS[name_of(dialect, route)]
    response = call.send(dialect, route, getattr(desk, dialect.name))
    answers = found["paths"][route.path][route.method.lower()]["responses"]

    assert str(response.status_code) in answers
    assert_matches(found, answers[str(response.status_code)], response.json())


@pytest.mark.parametrize(("dialect", "route"), [one for one in OF_ROUTE if one.values[1].body])
def test_a_good_body_is_as_the_document_says(quiet_desk, dialect, route):
    found = document(quiet_desk, dialect)
    described = found["paths"][route.path][route.method.lower()]["requestBody"]

    assert_matches(found, described, CALLS[name_of(dialect, route)].body)


@pytest.mark.parametrize(("dialect", "route"), [one for one in OF_ROUTE if one.values[1].body])
def test_what_a_body_must_have_is_in_the_document(desk, dialect, route):
    found, call = document(desk, dialect), CALLS[name_of(dialect, route)]
    described = found["paths"][route.path][route.method.lower()]["requestBody"]

    for body in lacking_one(call.body):
        response = call._replace(body=body).send(dialect, route, getattr(desk, dialect.name))
        if re.search(CONTRACTS[dialect.name].answers.required, response.text):
            assert not matches(found, described, body), body


@pytest.mark.parametrize("dialect", OF_DIALECT)
def test_the_page_of_a_dialect_and_all_that_it_loads_come_from_here(quiet_desk, dialect):
    client = quiet_desk.plain()
    page = client.get(f"/docs/{dialect.name}")
    assert 200 == page.status_code
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]

    links = LINK.findall(page.text)

    assert len(links) > len(DIALECTS)
    for link in links:
        assert not re.match(r"(?:[a-z]+:)?//", link), link
        assert link.startswith("data:") or 200 == client.get(link).status_code, link
    assert f"/docs/{dialect.name}/openapi.json" in page.text or "openapi.json" in scripts(client, links)


def test_docs_lead_to_the_first_dialect_and_to_no_unknown_one(quiet_desk):
    client = quiet_desk.plain()

    assert f"/docs/{DIALECTS[0].name}" == client.get("/docs").headers["location"]
    assert 404 == client.get("/docs/unknown").status_code
    assert 404 == client.get("/docs/unknown/openapi.json").status_code
    assert 404 == client.get("/docs/assets/../../app.py").status_code


def scripts(client, links) -> str:
    return "".join(client.get(link).text for link in links if link.endswith("reference.js"))


def lacking_one(body):
    """Yield a body without each of its fields, those of the object in it too."""
    for name, value in body.items():
        yield {other: kept for other, kept in body.items() if other != name}
        if isinstance(value, dict):
            yield from ({**body, name: less} for less in lacking_one(value))


def assert_matches(found, described, value) -> None:
    assert [] == [f"{error.json_path}: {error.message}" for error in validator(found, described).iter_errors(value)]


def matches(found, described, value) -> bool:
    return validator(found, described).is_valid(value)


def validator(found, described):
    content = next(iter(described["content"].values()))
    whole = {**content["schema"], "components": found["components"]}
    jsonschema.Draft202012Validator.check_schema(whole)
    return jsonschema.Draft202012Validator(whole)
