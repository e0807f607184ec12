"""Udesk ServiceGo v1. What it covers and where it decides between two readings: README.md."""

from deskroster.dialect import Dialect
from deskroster.dialects.servicego.auth import PARAMETERS, account, authenticate
from deskroster.dialects.servicego.problems import Refusal, render
from deskroster.dialects.servicego.routes import ROUTES

DIALECT = Dialect(
    name="servicego",
    title="Udesk ServiceGo v1",
    prefix="/api",
    routes=ROUTES,
    authenticate=authenticate,
    account=account,
    render=render,
    signature=frozenset(PARAMETERS),
    refusal=Refusal,
    security={name: {"type": "apiKey", "in": "query", "name": name} for name in PARAMETERS},
    requires=(PARAMETERS,),
)
