"""Our own API: what no vendor's call can do. What it covers: README.md."""

from collections.abc import Iterable

from msgspec.structs import replace

from deskroster.dialect import Dialect
from deskroster.dialect.credentials import Basic
from deskroster.dialects.own.auth import NAME, SECURITY, authenticate
from deskroster.dialects.own.problems import Refusal, refused, render
from deskroster.dialects.own.routes import agents, fields, keys, reference

__all__ = ["NAME", "Refusal", "authenticate", "dialect", "refused", "render"]


def dialect(others: Iterable[str]) -> Dialect:
    """Return our own dialect, which stands beside the others: a key can be confined to any of them."""
    routes = (*reference.ROUTES, *fields.ROUTES, *agents.ROUTES, *keys.routes({NAME, *others}))
    return Dialect(
        name=NAME,
        title="Deskroster API v1",
        prefix="/deskroster",
        routes=tuple(replace(route, path=f"/v1{route.path}") for route in routes),
        authenticate=authenticate,
        credentials=Basic(),
        lenient=False,
        example="/v1/agents?per_page=2",
        render=render,
        refusal=Refusal,
        refusal_media="application/problem+json",
        security=SECURITY,
        requires=(("key",),),
    )
