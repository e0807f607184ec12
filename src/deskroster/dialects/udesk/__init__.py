"""The Udesk Open API v2. What it covers and where it decides between two readings: README.md."""

from deskroster.core.records import SignatureForm
from deskroster.dialect import FORM, JSON, Dialect
from deskroster.dialect.credentials import SignedQuery
from deskroster.dialects.udesk.auth import PARAMETERS, authenticate
from deskroster.dialects.udesk.problems import Refusal, render
from deskroster.dialects.udesk.routes import ROUTES

_WITH_NONCE = ("email", "token", "timestamp", "nonce", "sign_version")
FORMS: dict[SignatureForm, SignedQuery] = {
    "A": SignedQuery(parts=_WITH_NONCE, fixed={"sign_version": "v2"}),
    "B": SignedQuery(parts=_WITH_NONCE, fixed={"sign_version": "v2"}, digest="SHA-1"),
    "C": SignedQuery(parts=("email", "token", "timestamp"), digest="SHA-1"),
}
"""README.md says where each comes from."""

DIALECT = Dialect(
    name="udesk",
    title="Udesk Open API v2",
    vendor="Udesk",
    prefix="/open_api_v1",
    routes=ROUTES,
    authenticate=authenticate,
    credentials=FORMS["A"],
    example="/user_groups?per_page=2",
    render=render,
    media=(JSON, FORM),
    signature=frozenset(PARAMETERS),
    signs_in_body=True,
    counted=True,
    refusal=Refusal,
    refuses_in_success=True,
    security={name: {"type": "apiKey", "in": "query", "name": name} for name in PARAMETERS},
    requires=(PARAMETERS, ("email", "timestamp", "sign")),
)
