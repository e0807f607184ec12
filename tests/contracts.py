"""The contract of each dialect, found by its name: every suite that runs over all dialects is made of these."""

import re
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import get_args

from msgspec import NODEFAULT

from deskroster.dialect import Dialect, Route
from deskroster.dialect.credentials import Credentials
from deskroster.dialects import DIALECTS
from tests.contract import Class, Contract

HERE = Path(__file__).parent / "dialects"
HOW_TO = "docs/how-to/add-a-vendor.md says what to write."
_DEFAULTS = dict(zip(reversed(Contract.__struct_fields__), reversed(Contract.__struct_defaults__), strict=False))
REQUIRED = [name for name in Contract.__struct_fields__ if _DEFAULTS.get(name, NODEFAULT) is NODEFAULT]
MAY_BE_LEFT_OUT = {"host"}  # see Answers.of


class Missing(Exception):
    """A dialect brings less than the suites need."""


def contract_of(dialect: Dialect) -> Contract:
    """Return the contract of a dialect. Raises Missing, which says what it lacks."""
    name = f"tests.dialects.{dialect.name}.contract"
    try:
        found: Contract = import_module(name).CONTRACT
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise
        path = name.replace(".", "/")
        raise Missing(f"The dialect {dialect.name} brings nothing to the suites: write {path}.py. {HOW_TO}") from None
    if lacking := [*lacks(dialect, found)]:
        raise Missing(f"The contract of {dialect.name} lacks {'; '.join(lacking)}. {HOW_TO}")
    return found


def lacks(dialect: Dialect, contract: Contract) -> Iterator[str]:
    """Yield what a contract lacks."""
    for field in REQUIRED:
        if bool(getattr(contract, field)) == (field in contract.none_of):
            yield f"either `{field}` or a reason in `none_of` why it has none of them"
    routes, called = {of_route(route) for route in dialect.routes}, set(contract.calls)
    if routes - called:
        yield f"a good call (`calls`) of {', '.join(sorted(routes - called))}"
    if called - routes:
        yield f"the routes {', '.join(sorted(called - routes))}, of which it has a call"
    left_out = MAY_BE_LEFT_OUT | ({"nocompany"} if dialect.account else set())
    if unworded := set(get_args(Class)) - set(contract.answers.refusals) - left_out:
        yield f"how it answers (`answers.refusals`) {', '.join(sorted(unworded))}"
    if not any((place.method, place.path) == ("POST", contract.named.creates) for place in contract.texts):
        yield "the name that `named` creates, among its `texts`"
    if contract.page and not transcripts_of(dialect):
        yield "transcripts/*.http in the same folder, for the company of its `page`"
    if not (HERE / dialect.name / "cost.py").exists():
        yield "cost.py in the same folder, with the calls that cost most"


def of_route(route: Route) -> str:
    return f"{route.method} {route.path}"


def serves(dialect: Dialect, route: Route, method: str, path: str) -> bool:
    """Tell whether a request is of a route; its path is whole and has no query."""
    pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(route.path))
    return method == route.method and re.fullmatch(re.escape(dialect.prefix) + pattern, path) is not None


def transcripts_of(dialect: Dialect) -> list[Path]:
    return sorted((HERE / dialect.name / "transcripts").glob("*.http"))


def readme_of(dialect: Dialect) -> Path:
    """Return the page of a dialect, which lies beside its code."""
    return Path(sys.modules[dialect.authenticate.__module__].__file__ or "").with_name("README.md")


BY_NAME = {dialect.name: dialect for dialect in DIALECTS}
CONTRACTS = {dialect.name: contract_of(dialect) for dialect in DIALECTS}


def lists(name: str) -> str:
    """Return the whole path of the list that a dialect is read by."""
    return BY_NAME[name].prefix + CONTRACTS[name].named.lists


def creates(name: str) -> str:
    """Return the whole path of the create that takes a name alone."""
    return BY_NAME[name].prefix + CONTRACTS[name].named.creates


def has_nonce(form: Credentials) -> bool:
    """Tell whether what proves one request proves no other."""
    return form.prove("", "", 0, "one") != form.prove("", "", 0, "another")
