"""A good call of each route with its answer, from a dialect's `examples.json`: it works on the company of the demo.

`make examples` writes the answers as the demo gives them; a test sends every call and compares.
"""

from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from deskroster.dialect import Dialect, Route


class Example(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A call and its answer. A secret in either is replaced by what stands in its place here."""

    path: dict[str, Any] = {}  # parts of the path, by name
    query: dict[str, Any] = {}
    body: Any | UnsetType = UNSET
    answer: Any = None
    location: str | UnsetType = UNSET  # the header of that name


def key_of(route: Route) -> str:
    """Return under which key the example of a route stands."""
    return f"{route.method} {route.path}"


def of(dialect: Dialect) -> dict[str, Example]:
    """Return the examples of a dialect, by method and path."""
    if dialect.examples is None:
        return {}
    return msgspec.json.decode(dialect.examples.read_bytes(), type=dict[str, Example])
