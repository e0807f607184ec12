"""Udesk ServiceGo v1. What it covers and where it decides between two readings: README.md."""

from deskroster.dialect import Dialect
from deskroster.dialect.credentials import SignedQuery
from deskroster.dialects.servicego.auth import PARAMETERS, account, authenticate
from deskroster.dialects.servicego.problems import Refusal, render
from deskroster.dialects.servicego.routes import ROUTES

SIGNED = SignedQuery(parts=("email", "token", "timestamp"))
SIGNED_BEFORE_JUNE_2021 = SignedQuery(parts=("email", "token", "timestamp"), digest="SHA-1")

DIALECT = Dialect(
    name="servicego",
    title="Udesk ServiceGo v1",
    vendor="ServiceGo",
    prefix="/api",
    routes=ROUTES,
    authenticate=authenticate,
    credentials=SIGNED,
    example="/v1/user?pageSize=2",
    account=account,
    render=render,
    signature=frozenset(PARAMETERS),
    refusal=Refusal,
    security={name: {"type": "apiKey", "in": "query", "name": name} for name in PARAMETERS},
    requires=(PARAMETERS,),
)
