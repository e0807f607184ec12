"""The Udesk Open API v2. What it covers and where it decides between two readings: README.md."""

from deskroster.dialect import Dialect
from deskroster.dialects.udesk.auth import PARAMETERS, authenticate
from deskroster.dialects.udesk.problems import Refusal, render
from deskroster.dialects.udesk.routes import ROUTES

DIALECT = Dialect(
    name="udesk",
    title="Udesk Open API v2",
    prefix="/open_api_v1",
    routes=ROUTES,
    authenticate=authenticate,
    render=render,
    signature=frozenset(PARAMETERS),
    signs_in_body=True,
    counted=True,
    refusal=Refusal,
    refuses_in_success=True,
    security={name: {"type": "apiKey", "in": "query", "name": name} for name in PARAMETERS},
    requires=(PARAMETERS, ("email", "timestamp", "sign")),
)
