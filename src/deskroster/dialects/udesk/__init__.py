"""The Udesk Open API v2. What it covers and where it decides between two readings: README.md."""

from pathlib import Path

from deskroster.core.records import SignatureForm
from deskroster.dialect import FORM, JSON, Dialect
from deskroster.dialect.credentials import SignedQuery
from deskroster.dialects.udesk.auth import PARAMETERS, authenticate
from deskroster.dialects.udesk.problems import Refusal, render
from deskroster.dialects.udesk.routes import ROUTES
from deskroster.texts import said

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
    about=said(
        "Every call but `POST /log_in` is signed: by `email`, `timestamp` (Unix seconds), `nonce`, `sign_version=v2` "
        "and `sign`, the SHA-256 of `email&token&timestamp&nonce&sign_version`, as parameters of the query. "
        "Refusals have the status 200 where the API has judged the call: look at `code`, which is 1000 for a success."
    ),
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
    examples=Path(__file__).with_name("examples.json"),
    security={name: {"type": "apiKey", "in": "query", "name": name} for name in PARAMETERS},
    requires=(PARAMETERS, ("email", "timestamp", "sign")),
)
