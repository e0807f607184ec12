"""Udesk ServiceGo v1. What it covers and where it decides between two readings: README.md."""

from pathlib import Path

from deskroster.dialect import Dialect
from deskroster.dialect.credentials import SignedQuery
from deskroster.dialects.servicego.auth import PARAMETERS, account, authenticate
from deskroster.dialects.servicego.problems import Refusal, render
from deskroster.dialects.servicego.routes import ROUTES
from deskroster.texts import said

SIGNED = SignedQuery(parts=("email", "token", "timestamp"))
SIGNED_BEFORE_JUNE_2021 = SignedQuery(parts=("email", "token", "timestamp"), digest="SHA-1")

DIALECT = Dialect(
    name="servicego",
    title="Udesk ServiceGo v1",
    vendor="ServiceGo",
    about=said(
        "Every call is signed: by `email`, `timestamp` (Unix seconds) and `sign`, the SHA-256 of "
        "`email&token&timestamp`, as parameters of the query. The company is the one whose credentials they are. "
        "`code` is the status."
    ),
    prefix="/api",
    routes=ROUTES,
    authenticate=authenticate,
    credentials=SIGNED,
    example="/v1/user?pageSize=2",
    account=account,
    render=render,
    signature=frozenset(PARAMETERS),
    refusal=Refusal,
    examples=Path(__file__).with_name("examples.json"),
    security={name: {"type": "apiKey", "in": "query", "name": name} for name in PARAMETERS},
    requires=(PARAMETERS,),
)
