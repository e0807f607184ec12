"""KF5 apiv2. What it covers and where it decides between two readings: README.md."""

from pathlib import Path

from deskroster.dialect import FORM, JSON, Dialect
from deskroster.dialect.credentials import Basic
from deskroster.dialects.kf5.auth import authenticate
from deskroster.dialects.kf5.problems import Refusal, render
from deskroster.dialects.kf5.routes import ROUTES
from deskroster.dialects.kf5.shapes import PREFIX
from deskroster.texts import said

DIALECT = Dialect(
    name="kf5",
    title="KF5 apiv2",
    vendor="KF5",
    about=said(
        "Every call has HTTP Basic credentials: `email/token` and an API token, or the e-mail and the login password. "
        "Agents may read; administrators may also write."
    ),
    prefix=PREFIX,
    suffix=".json",
    routes=ROUTES,
    authenticate=authenticate,
    credentials=Basic(suffix="/token"),
    example="/groups.json",
    render=render,
    media=(JSON, FORM),
    refusal=Refusal,
    passwords=True,
    examples=Path(__file__).with_name("examples.json"),
    security={
        "basic": {
            "type": "http",
            "scheme": "basic",
            "description": said("The e-mail and a password, or `email/token` and an API token."),
        }
    },
    requires=(("basic",),),
)
