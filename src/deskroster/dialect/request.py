"""Request and Reply: one call, as a dialect's code reads and answers it."""

import os
import re
from collections.abc import Awaitable, Callable, Collection, Hashable, Iterable, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote

import msgspec

from deskroster.core.access import Caller, Identity, Verb
from deskroster.core.changes import Done, Origin
from deskroster.core.problems import Invalid, Rule, Wanted
from deskroster.core.records import Kind, Language
from deskroster.core.roster import Roster
from deskroster.core.table import Sources
from deskroster.desk import Desk, Keyed
from deskroster.dialect import query, reading, words
from deskroster.dialect.forms import decode_form
from deskroster.dialect.problems import BadHost
from deskroster.dialect.strict_json import decode_object

if TYPE_CHECKING:
    from deskroster.dialect import Route

Scope = MutableMapping[str, Any]
Headers = Iterable[tuple[bytes, bytes]]
"""As ASGI has them: names in lower case."""
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

T = TypeVar("T")

WHOLE = "deskroster.whole"
"""In a scope: a function that sends a Reply in one step; it returns False if it did not."""

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"

_HOST = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252}))(?::[0-9]{1,5})?")


class Reply(msgspec.Struct, frozen=True, gc=False):
    """What is answered: status, body, and the headers beside content type and length."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    media: bytes = b"application/json; charset=utf-8"

    @property
    def size(self) -> int:
        """Bytes of the body and the headers."""
        return len(self.body) + sum(len(name) + len(value) for name, value in self.headers)


class PageReply(Reply, frozen=True, gc=False, kw_only=True):
    """The answer to a GET, made from a page and the address that was asked for: it is cached.

    What depends on who asks, their language or the time is a plain Reply.
    """

    sources: Sources

    @property
    def plain(self) -> Reply:
        """The same without the sources: as it is sent."""
        return Reply(self.status, self.body, self.headers, self.media)


class Request:
    """One call. Its parts are read when needed; the app sets `route`, `desk` and `caller`."""

    route: "Route"
    parameters: dict[str, str]  # parts of the path, as sent
    body = b""
    identity: Identity | None = None
    nonce: str | None = None  # that it has spent
    caller: Caller
    desk: Desk | None = None
    company_language: Language = "zh"  # where there is no desk
    lenient = False  # whether scalars in the body are read as the vendors' stacks read them
    explains = False  # whether a refused signature says what was tried
    once: Keyed | None = None
    reply: "Reply | None" = None
    _host = ""
    _id = ""
    _json: dict[str, Any] | None = None

    def __init__(self, scope: Scope, dialect: str = "") -> None:
        self.scope = scope
        self.path: str = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
        self.method: str = scope["method"]
        self.query: dict[str, str] = {}
        self.dialect = dialect

    def header(self, name: bytes) -> str | None:
        """Return a header's value by its lower-case name; the first, if there are several."""
        headers: Headers = self.scope["headers"]
        for key, value in headers:
            if key == name:
                return value.decode("latin-1")
        return None

    def header_values(self, name: bytes) -> list[str]:
        """Return all values of a header by its lower-case name."""
        headers: Headers = self.scope["headers"]
        return [value.decode("latin-1") for key, value in headers if key == name]

    def cache_key(self, signature: Collection[str]) -> Hashable:
        """Return the key of the answer in the cache: all that it may depend on beside the roster.

        That is the address without its signature, and the permissions of the caller: an answer that was made for an
        administrator is not given to an agent.
        """
        scope, parameters = self.scope, self.query
        key: list[Hashable] = [self.path, scope["scheme"], scope.get("root_path"), self.caller.permissions]
        for header, value in scope["headers"]:
            if header == b"host":
                key.append(value)
                break
        if signature:
            for name in parameters:
                if name not in signature:
                    key += name, parameters[name]
        else:
            key.append(scope["query_string"])
        return tuple(key)

    @property
    def media(self) -> str:
        """The media type of the body; JSON by default."""
        return (self.header(b"content-type") or JSON).partition(";")[0].strip().lower()

    @property
    def json(self) -> dict[str, Any]:
        """The body as data. Raises Malformed, also for an empty body where the route needs one."""
        if self._json is None:
            self._json = self._decoded()
        return self._json

    def _decoded(self) -> dict[str, Any]:
        if not self.body and self.route.empty_body:
            return {}
        if self.media == FORM:
            return decode_form(self.body)
        return decode_object(self.body)

    @property
    def sent_host(self) -> bytes | None:
        """The Host header as sent; None if there is none, or more than one."""
        host = None
        headers: Headers = self.scope["headers"]
        for name, value in headers:
            if name == b"host":
                if host is not None:
                    return None
                host = value
        return host

    @property
    def host(self) -> str:
        """The Host header. Raises BadHost if there is none, more than one, or it is no host."""
        if not self._host:
            host = (self.sent_host or b"").decode("latin-1")
            if not _HOST.fullmatch(host):
                raise BadHost
            self._host = host
        return self._host

    @property
    def root(self) -> str:
        """The path below which a proxy shows this server; empty where there is none."""
        root: str = self.scope.get("root_path", "")
        return root

    @property
    def base_url(self) -> str:
        """Scheme, host and port as the client used them, and the path below which a proxy shows this server."""
        return f"{self.scope['scheme']}://{self.host}{self.root}"

    @property
    def address(self) -> str:
        client = self.scope.get("client")
        return str(client[0]) if client else ""

    @property
    def language(self) -> Language:
        """The language of messages: what the client accepts, else the company's."""
        return words.preferred(self.header(b"accept-language")) or (
            self.desk.roster.company.language if self.desk else self.company_language
        )

    @property
    def id(self) -> str:
        """A unique id of the request, for the log and for its commit."""
        if not self._id:
            self._id = os.urandom(_ID_BYTES).hex()
        return self._id

    def path_id(self, kind: Kind, name: str = "id") -> int:
        """Return the id in the path. Raises NotFound, with what was sent (64 characters at most), if it is none."""
        return query.parse_id(kind, self.parameters[name])

    def path_text(self, name: str) -> str:
        """Return a part of the path, percent-decoded."""
        return unquote(self.parameters[name])

    def read(self, wanted: type[T], inside: str | None = None) -> T:
        """Return the body, or the object `inside` it, as a type, and drop the rest. Raises Invalid."""
        value: Any = self.json
        if inside is not None:
            if value.get(inside) is None:
                raise Invalid(inside, Rule.REQUIRED)
            value = value[inside]
            if type(value) is not dict:
                raise Invalid(inside, Rule.TYPE, wanted=Wanted.OBJECT)
        body = reading.read(value, wanted, lenient=self.lenient, creates=self.method in _CREATES)
        self._json = None  # it takes many times the memory of its bytes, and the handler may wait
        return body

    async def submit(
        self, verb: Verb, reply: Callable[[Roster, Done], Reply], note: Mapping[str, int] | None = None
    ) -> Reply:
        """Run a verb; return its reply, made on the roster as the verb leaves it, when the commit is durable.

        Raises the verb's Problem, Busy or Unknown.
        """
        assert self.desk is not None
        origin = Origin(
            agent_id=self.caller.agent_id, dialect=self.dialect, address=self.address, request_id=self.id, note=note
        )
        packed = await self.desk.submit(
            self.identity,
            origin,
            verb,
            lambda roster, done: msgspec.msgpack.encode(reply(roster, done)),
            self.once,
        )
        return _unpack(packed)


_CREATES = frozenset(("POST", "DELETE"))  # in their bodies nothing is cleared
_ID_BYTES = 12  # from the system: seeding `random` or forking makes no id twice
_unpack = msgspec.msgpack.Decoder(Reply).decode
