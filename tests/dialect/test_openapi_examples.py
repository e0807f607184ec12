"""The examples of the OpenAPI documents: each works on the company of the demo, and is answered as it stands there."""

import pytest

from deskroster.dialect.examples import of as examples_of
from deskroster.dialects import DIALECTS
from tests.calls import ROUTES, name_of
from tests.contracts import CONTRACTS, of_route
from tests.dialect.test_openapi import assert_matches
from tests.dialect.test_openapi import document as document_of
from tests.examples import Demo, shown

pytestmark = pytest.mark.once

OF_DIALECT = [pytest.param(dialect, id=dialect.name) for dialect in DIALECTS]
OF_ROUTE = [pytest.param(dialect, route, id=name_of(dialect, route)) for dialect, route in ROUTES]


@pytest.fixture(scope="module")
def company(tmp_path_factory):
    return Demo(tmp_path_factory.mktemp("demo") / "data")


@pytest.fixture(scope="module")
def quiet_demo(company):
    """Give the demo's company, for calls that change nothing."""
    with company.copied() as desk:
        yield desk


@pytest.mark.parametrize("dialect", OF_DIALECT)
def test_every_call_has_an_example_and_there_are_no_others(dialect):
    assert [of_route(route) for route in dialect.routes] == sorted(
        examples_of(dialect), key=[of_route(route) for route in dialect.routes].index
    )


@pytest.mark.parametrize(("dialect", "route"), OF_ROUTE)
def test_an_example_is_answered_by_the_demo_as_it_stands_in_the_document(company, quiet_demo, dialect, route):
    example = examples_of(dialect)[of_route(route)]
    if route.method == "GET":
        response = company.send(quiet_demo, dialect, route, example)
    else:
        with company.copied() as desk:
            response = company.send(desk, dialect, route, example)

    assert route.status == response.status_code
    assert CONTRACTS[dialect.name].answers.success == response.json().get("code")
    assert (example.answer, example.location) == shown(response), "make examples"


@pytest.mark.parametrize(("dialect", "route"), OF_ROUTE)
def test_an_example_stands_in_the_document_and_keeps_to_it(quiet_demo, dialect, route):
    found, example = document_of(quiet_demo, dialect), examples_of(dialect)[of_route(route)]
    operation = found["paths"][route.path][route.method.lower()]
    parameters = {one["name"]: one for one in operation["parameters"]}
    answer = operation["responses"][str(route.status)]

    assert {**example.path, **example.query} == {
        name: one["example"] for name, one in parameters.items() if "example" in one
    }
    for one in parameters.values():
        if "example" in one:
            assert_matches(found, {"content": {"": one}}, one["example"])
    for content in operation.get("requestBody", {}).get("content", {}).values():
        assert example.body == content["example"]
        assert_matches(found, {"content": {"": content}}, content["example"])
    [content] = answer["content"].values()
    for one in content["examples"].values():
        assert_matches(found, answer, one["value"])
    assert example.answer == content["examples"]["success"]["value"]
    assert ("Location" in answer.get("headers", {})) == (route.status == 201)


@pytest.mark.parametrize(("dialect", "route"), OF_ROUTE)
def test_a_required_parameter_has_an_example(quiet_demo, dialect, route):
    """Else the call that the page starts with would be refused."""
    operation = document_of(quiet_demo, dialect)["paths"][route.path][route.method.lower()]

    assert [] == [one["name"] for one in operation["parameters"] if one["required"] and "example" not in one]
    assert route.body is None or operation["requestBody"]["content"]
