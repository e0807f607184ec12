"""The interactive reference of each dialect at `/docs/<dialect>`: Swagger UI from its package, no internet needed.

Page and document are in Chinese or English, as `lang` says or else `Accept-Language`. What Swagger UI itself says stays
English: it has no translation.
"""

from collections.abc import Iterable
from html import escape
from importlib.resources import files

import msgspec
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from deskroster.core.records import Language
from deskroster.dialect import Dialect, words
from deskroster.dialect.openapi import document
from deskroster.texts import said

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; frame-ancestors 'none'"
)
_LANGUAGES: dict[Language, str] = {"zh": "中文", "en": "English"}
_ROOT = "\0"  # in a document that is kept: the path below which a proxy shows this server; no text of it may have it

_TEXTS = {
    "email": said("e-mail"),
    "token": said("API token"),
    "signed": said("The page signs each call. The token itself is never sent."),
    "sent": said("The page sends them with each call."),
    "kept": said("Kept until this tab is closed."),
    "forget": said("Forget"),
    "insecure": said(
        "A browser signs only on https:// or at localhost. Open this page at such an address: here no call can be made."
    ),
    "ask": said("Whose call is it?"),
    "ask_more": said("This call needs the e-mail of an agent and an API token. The demo prints both at its start."),
    "send": said("Send the call"),
    "cancel": said("Cancel"),
    "apis": said("APIs"),
    "language": said("Language"),
}


def routes(dialects: Iterable[Dialect]) -> list[BaseRoute]:
    """Return the routes of the reference pages, of their assets and of the OpenAPI documents."""
    known = {dialect.name: dialect for dialect in dialects}
    documents: dict[tuple[str, Language], bytes] = {}  # made when asked for: it takes as long as to open a folder

    def first(request: Request) -> Response:
        query = f"?{request.url.query}" if request.url.query else ""
        return RedirectResponse(f"{_root(request)}/docs/{next(iter(known))}{query}")

    def page(request: Request) -> Response:
        dialect = known.get(request.path_params["dialect"])
        if dialect is None:
            return Response(status_code=404)
        language = _language(request)
        headers = {"Content-Security-Policy": _POLICY, **_varying(language)}
        return HTMLResponse(_page(request, dialect, known.values(), language), headers=headers)

    def openapi(request: Request) -> Response:
        name, language = request.path_params["dialect"], _language(request)
        if name not in known:
            return Response(status_code=404)
        if (name, language) not in documents:
            documents[name, language] = msgspec.json.encode(document(known[name], language, _ROOT))
        body = documents[name, language].replace(b"\\u0000", _root(request).encode())
        return Response(body, media_type="application/json", headers=_varying(language))

    return [
        Route("/", first),
        Route("/docs", first),
        Mount("/docs/assets", StaticFiles(packages=[("swagger_ui", "static")])),
        Mount("/docs/page", StaticFiles(packages=[("deskroster.dialect", "assets")])),
        Route("/docs/{dialect}", page),
        Route("/docs/{dialect}/openapi.json", openapi),
    ]


def _root(request: Request) -> str:
    """Return the path below which a proxy shows this server; empty where there is none."""
    root: str = request.scope.get("root_path", "")
    return root


def _language(request: Request) -> Language:
    """Return the language that is asked for: by `lang`, else by the header, else English."""
    wanted = request.query_params.get("lang")
    for language in _LANGUAGES:
        if wanted == language:
            return language
    return words.preferred(request.headers.get("accept-language")) or "en"


def _varying(language: Language) -> dict[str, str]:
    return {"Content-Language": language, "Vary": "Accept-Language"}


def _page(request: Request, dialect: Dialect, dialects: Iterable[Dialect], language: Language) -> str:
    root = _root(request)
    kept = f"?lang={language}" if request.query_params.get("lang") in _LANGUAGES else ""
    links = "".join(_link(f"{root}/docs/{one.name}{kept}", one.title, one is dialect) for one in dialects)
    languages = "".join(
        _link(f"{root}/docs/{dialect.name}?lang={tag}", name, tag == language, f' lang="{tag}"')
        for tag, name in _LANGUAGES.items()
    )
    texts = {name: text.of(language) for name, text in _TEXTS.items()}
    template = files("deskroster.dialect").joinpath("assets/reference.html").read_text("utf-8")
    return template.format(
        **{name: escape(text) for name, text in texts.items()},
        html_lang="zh-CN" if language == "zh" else language,
        lang=language,
        title=escape(dialect.title),
        name=dialect.name,
        root=root,
        credentials=escape(_credentials(dialect)),
        how=escape(texts["signed" if _signs(dialect) else "sent"]),
        links=links,
        languages=languages,
    )


def _link(address: str, text: str, current: bool, more: str = "") -> str:
    return f'<a href="{escape(address)}"{" aria-current=page" if current else ""}{more}>{escape(text)}</a>'


def _credentials(dialect: Dialect) -> str:
    """Return as JSON how the page proves who makes a call; `null` where nobody can."""
    return msgspec.json.encode(dialect.credentials and dialect.credentials.for_page).decode()


def _signs(dialect: Dialect) -> bool:
    return dialect.credentials is not None and "digest" in dialect.credentials.for_page
