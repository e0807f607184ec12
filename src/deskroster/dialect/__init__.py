"""What a dialect is: one outside language, as a value. `app` runs it; `openapi` describes it."""

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from deskroster.core.access import Permission
from deskroster.core.problems import Problem, Reason
from deskroster.core.records import Kind
from deskroster.core.roster import Roster
from deskroster.desk import Desk, Proof
from deskroster.dialect.credentials import Credentials
from deskroster.dialect.problems import AnyRejection
from deskroster.dialect.request import FORM, JSON, PageReply, Reply, Request
from deskroster.texts import Text

__all__ = ["FORM", "JSON", "Dialect", "Handler", "PageReply", "Reply", "Request", "Route"]

Handler = Callable[[Request, Desk], Reply | Awaitable[Reply]]


_UNTOLD = Text("")  # of what is in no document


class Route(Struct, frozen=True, kw_only=True):
    """One call: what it is, who may make it, what it reads and what it answers."""

    method: str
    path: str  # below the dialect's prefix; `{id}` stands for a part that varies
    handler: Handler
    summary: Text = _UNTOLD  # for who reads the OpenAPI document, as the next two
    description: Text = _UNTOLD
    tag: Text = _UNTOLD  # of calls that belong together
    needs: Permission | None  # None: anyone, unsigned
    query: type[Struct] | None = None
    body: type[Struct] | None = None
    empty_body: bool = False  # may the body be left out
    names: Mapping[str, str] = {}  # the core's name of a field → the dialect's, where they differ
    reply: type[Struct] | None = None  # of a success
    status: int = 200
    creates: bool = False  # and so takes an Idempotency-Key
    finds: Kind | None = None  # the record that path or query name: the call is refused where there is none
    most_ids: int = 1  # that the last part of the path may list, with commas between them
    conflicts: tuple[Reason, ...] = ()  # that the call can meet, beside a used Idempotency-Key


class Dialect(Struct, frozen=True, kw_only=True):
    """One outside language. Its folder holds routes, shapes, auth, problems, and a README of what it covers."""

    name: str
    title: str
    about: Text = _UNTOLD  # how its calls are made, for who reads the OpenAPI document
    vendor: str = ""  # the product whose API it is; empty: our own
    prefix: str
    routes: tuple[Route, ...]
    authenticate: Callable[[Request, Roster, int], Proof]
    render: Callable[[Request, Problem | AnyRejection], Reply]
    suffix: str = ""  # that every path ends with
    credentials: Credentials | None = None  # how its clients prove who they are; None: it has no clients but our own
    example: str = ""  # a list below the prefix, to be shown with its credentials
    account: Callable[[Request], str] | None = None  # the e-mail by which the company is found, instead of the host
    signature: frozenset[str] = frozenset()  # parameters that sign a request and select nothing
    signs_in_body: bool = False  # whether these may stand at the top level of the body instead of the query
    media: tuple[str, ...] = (JSON,)  # of the bodies that it reads
    lenient: bool = True  # whether scalars in a body are read as the vendors' stacks read them
    counted: bool = False  # against the company's limit of calls a minute
    passwords: bool = False  # whether a login password may stand in the credentials of a call: guesses are limited
    examples: Path | None = None  # a good call of each route, and its answer, on the demo's company (`make examples`)
    security: dict[str, Any] = {}  # OpenAPI security schemes; their descriptions are Texts
    requires: tuple[tuple[str, ...], ...] = ()  # alternatives; each names the schemes that it takes together
    refusal: type[Struct] | None = None  # the body of a refusal
