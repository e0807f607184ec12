"""Browsers: whose pages may call and read the answers (CORS, in the Fetch standard), and whose may not write.

A browser that remembers Basic credentials sends them with any page's form, so a write that a stranger's page has caused
is refused before they are looked at. Programs send neither `Origin` nor `Sec-Fetch-Site`, and are not concerned.
"""

from collections.abc import Collection

from msgspec.structs import replace

from deskroster.dialect.request import Headers, Reply, Request

_READS = frozenset(("GET", "HEAD", "OPTIONS"))
_OF_BROWSERS = frozenset((b"origin", b"sec-fetch-site"))
# Headers that a page may send, and those that it may read.
_ALLOWED = "Authorization, Content-Type, Accept-Language, Idempotency-Key, If-Match, If-Plan, Deskroster-As-Of"
_EXPOSED = "Location, ETag, Retry-After, Deskroster-As-Of"
_MAX_AGE = "600"  # seconds that a browser remembers the answer to a preflight


def is_write_of_page(request: Request) -> bool:
    """Tell whether a browser sent a write: only then `may_write` has to be asked."""
    headers: Headers = request.scope["headers"]
    return request.method not in _READS and not _OF_BROWSERS.isdisjoint([name for name, _ in headers])


def may_write(request: Request, origins: Collection[str]) -> bool:
    """Tell whether a write comes from a page of this server, from one of the named origins, or from no browser."""
    sent, sites = request.header_values(b"origin"), request.header_values(b"sec-fetch-site")
    if len(sent) > 1 or len(sites) > 1:  # no browser sends several
        return False
    if sites == ["same-origin"]:  # as the browser has it, which sees the address that a proxy shows
        return True
    if sent and sent[0] in origins:
        return True
    if sites and sites[0] in ("cross-site", "same-site"):
        return False
    return not sent or sent[0] == f"{request.scope['scheme']}://{request.host}".lower()


def preflight(methods: str) -> Reply:
    """Return the answer to a preflight, which is then made `readable` for the page."""
    headers = (
        ("Access-Control-Allow-Methods", methods),
        ("Access-Control-Allow-Headers", _ALLOWED),
        ("Access-Control-Max-Age", _MAX_AGE),
    )
    return Reply(204, b"", headers)


def readable(request: Request, reply: Reply, origins: Collection[str]) -> Reply:
    """Return an answer with what lets a page of a named origin read it."""
    origin = request.header(b"origin")
    headers: tuple[tuple[str, str], ...] = (("Vary", "Origin"),)
    if origin is not None and origin in origins:
        headers += (("Access-Control-Allow-Origin", origin), ("Access-Control-Expose-Headers", _EXPOSED))
    return replace(reply, headers=(*reply.headers, *headers))
