"""KF5 apiv2. What it covers and where it decides between two readings: README.md."""

from deskroster.dialect import FORM, JSON, Dialect
from deskroster.dialect.credentials import Basic
from deskroster.dialects.kf5.auth import authenticate
from deskroster.dialects.kf5.problems import Refusal, render
from deskroster.dialects.kf5.routes import ROUTES
from deskroster.dialects.kf5.shapes import PREFIX

DIALECT = Dialect(
    name="kf5",
    title="KF5 apiv2",
    vendor="KF5",
    prefix=PREFIX,
    suffix=".json",
    routes=ROUTES,
    authenticate=authenticate,
    credentials=Basic(suffix="/token"),
    example="/groups.json",
    render=render,
    media=(JSON, FORM),
    refusal=Refusal,
    security={
        "basic": {
            "type": "http",
            "scheme": "basic",
            "description": "`email` and password, or `email/token` and an API token.",
        }
    },
    requires=(("basic",),),
)
