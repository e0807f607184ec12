"""The interactive reference of each dialect at `/docs/<dialect>`: Swagger UI from its package, no internet needed."""

from collections.abc import Iterable
from html import escape
from importlib.resources import files

import msgspec
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from deskroster.dialect import Dialect
from deskroster.dialect.openapi import document

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; frame-ancestors 'none'"
)


def routes(dialects: Iterable[Dialect]) -> list[BaseRoute]:
    """Return the routes of the reference pages, of their assets and of the OpenAPI documents."""
    known = {dialect.name: dialect for dialect in dialects}
    documents: dict[str, bytes] = {}  # made when first asked for: to make them takes as long as to open a folder

    def first(request: Request) -> Response:
        return RedirectResponse(f"/docs/{next(iter(known))}")

    def page(request: Request) -> Response:
        dialect = known.get(request.path_params["dialect"])
        if dialect is None:
            return Response(status_code=404)
        return HTMLResponse(_page(dialect, known.values()), headers={"Content-Security-Policy": _POLICY})

    def openapi(request: Request) -> Response:
        name = request.path_params["dialect"]
        if name not in known:
            return Response(status_code=404)
        if name not in documents:
            documents[name] = msgspec.json.encode(document(known[name]))
        return Response(documents[name], media_type="application/json")

    return [
        Route("/", first),
        Route("/docs", first),
        Mount("/docs/assets", StaticFiles(packages=[("swagger_ui", "static")])),
        Mount("/docs/page", StaticFiles(packages=[("deskroster.dialect", "assets")])),
        Route("/docs/{dialect}", page),
        Route("/docs/{dialect}/openapi.json", openapi),
    ]


def _page(dialect: Dialect, dialects: Iterable[Dialect]) -> str:
    links = "".join(
        f'<a href="/docs/{one.name}"{" aria-current=page" if one is dialect else ""}>{escape(one.title)}</a>'
        for one in dialects
    )
    template = files("deskroster.dialect").joinpath("assets/reference.html").read_text("utf-8")
    return template.format(
        title=escape(dialect.title), name=dialect.name, signing=escape(_signing(dialect)), links=links
    )


def _signing(dialect: Dialect) -> str:
    """Return as JSON what the page signs calls with, `null` where Swagger UI sends the credentials itself."""
    return msgspec.json.encode(dialect.credentials and dialect.credentials.for_page).decode()
