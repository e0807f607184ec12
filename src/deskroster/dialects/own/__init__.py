"""Our own API: what no vendor's call can do. What it covers: README.md."""

from collections.abc import Iterable
from pathlib import Path

from msgspec.structs import replace

from deskroster.dialect import Dialect
from deskroster.dialect.credentials import Basic
from deskroster.dialects.own.auth import NAME, SECURITY, authenticate
from deskroster.dialects.own.problems import Refusal, refused, render
from deskroster.dialects.own.routes import agents, fields, keys, reference
from deskroster.texts import said

__all__ = ["NAME", "Refusal", "authenticate", "dialect", "refused", "render"]


def dialect(others: Iterable[str]) -> Dialect:
    """Return our own dialect, which stands beside the others: a key can be confined to any of them."""
    routes = (*reference.ROUTES, *fields.ROUTES, *agents.ROUTES, *keys.routes({NAME, *others}))
    return Dialect(
        name=NAME,
        title="Deskroster API v1",
        about=said(
            "What no vendor's call can do, for who operates the installation. Every call has HTTP Basic credentials: "
            "an agent's e-mail, and one of its keys. Unlike in the vendors' dialects, a number is no text here and "
            "text no number. Refusals are problem details (RFC 9457)."
        ),
        prefix="/deskroster",
        routes=tuple(replace(route, path=f"/v1{route.path}") for route in routes),
        authenticate=authenticate,
        credentials=Basic(),
        lenient=False,
        example="/v1/agents?per_page=2",
        render=render,
        refusal=Refusal,
        examples=Path(__file__).with_name("examples.json"),
        security=SECURITY,
        requires=(("key",),),
    )
