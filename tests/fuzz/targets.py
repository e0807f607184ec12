"""What is fuzzed: readers of what strangers send, each beside a plain reading of the same that it must agree with."""

import hashlib
import json
import math
import re
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import suppress
from hmac import compare_digest
from typing import Any, NamedTuple
from urllib.parse import unquote_to_bytes, urlencode

from deskroster.core.problems import Unauthenticated
from deskroster.core.records import Agent, Company, Key, Secret
from deskroster.core.roster import Roster
from deskroster.desk import Login, Proof, Signed
from deskroster.dialect import Dialect, Request
from deskroster.dialect.credentials import Basic, SignedQuery
from deskroster.dialect.problems import Malformed
from deskroster.dialect.strict_json import MAX_CONTAINERS, MAX_DEPTH, decode_object
from deskroster.dialects import DIALECTS
from tests.contracts import CONTRACTS

_NO_HEADER = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
"""Bytes that the HTTP parser lets into no header."""

NOW = 1_700_000_000
EMAIL, TOKEN = "a@b.cn", "token"


class Target(NamedTuple):
    """One thing that is fuzzed; `run` fails on bytes that are read wrongly."""

    run: Callable[[bytes], None]
    seeds: list[bytes]


# ── the strict decoder ──────────────────────────────────────────────────────────────────────────────────────────────


def decoder(body: bytes, decode: Callable[[bytes], Any] = decode_object) -> None:
    """Compare our decoder with the standard library's, told to be as strict."""
    try:
        expected = _plainly_decoded(body)
    except (ValueError, RecursionError):
        expected = None
    try:
        found = decode(body)
    except Malformed:
        found = None
    if found is None and body.count(b"{") + body.count(b"[") > MAX_CONTAINERS:
        return
    assert _shown(expected) == _shown(found), (expected, found)


def control(body: bytes) -> None:
    """Compare one that is not as strict, and so must be caught."""
    decoder(body, _lax)


def _lax(body: bytes) -> Any:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        raise Malformed from None
    if type(value) is not dict:
        raise Malformed
    return value


def _plainly_decoded(body: bytes) -> dict[str, Any]:
    text = body.decode()
    with suppress(ValueError, RecursionError):
        _IN_PYTHON.decode(text)
    value = _PLAIN.decode(text)
    if type(value) is not _Pairs or _depth(value) > MAX_DEPTH:
        raise ValueError
    plain: dict[str, Any] = _plain(value)
    return plain


class _Pairs(list):  # type: ignore[type-arg]
    """An object as it stood there, keys that came twice included."""


class _InPython(json.JSONDecoder):
    """The standard library's decoder, none of it in C: so that it is seen which of its lines an input reaches.

    What it says does not count. Unlike the one in C it takes white space for hexadecimal digits.
    """

    def __init__(self, **hooks: Any) -> None:
        super().__init__(**hooks)
        self.parse_string = json.decoder.py_scanstring
        self.scan_once = json.scanner.py_make_scanner(self)


def _plain(value: Any) -> Any:
    if type(value) is _Pairs:
        pairs = [(key, _plain(inner)) for key, inner in value]
        _refuse_surrogates("".join(key for key, _ in pairs))
        return dict(pairs)
    if type(value) is list:
        return [_plain(inner) for inner in value]
    if type(value) is str:
        _refuse_surrogates(value)
    return value


def _depth(value: Any) -> int:
    if type(value) is _Pairs:
        value = [inner for _, inner in value]
    return 1 + max(map(_depth, value), default=0) if isinstance(value, list) else 0


def _refuse_surrogates(text: str) -> None:
    text.encode()


def _refuse(text: str) -> Any:
    raise ValueError(text)


def _integer(text: str) -> int:
    if len(text) > 20 or not -(2**63) <= int(text) < 2**63:
        raise ValueError(text)
    return int(text)


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(text)
    return number


_STRICT: dict[str, Any] = {
    "object_pairs_hook": _Pairs, "parse_constant": _refuse, "parse_int": _integer, "parse_float": _finite,
}  # fmt: skip
_PLAIN, _IN_PYTHON = json.JSONDecoder(**_STRICT), _InPython(**_STRICT)


def _shown(value: Any) -> str:
    """Return a value so that 1, 1.0 and true are not the same; -0 is 0."""
    return repr(value).replace("-0.0", "0.0")


# ── signatures ──────────────────────────────────────────────────────────────────────────────────────────────────────

_BY_QUERY = [dialect for dialect in DIALECTS if dialect.signature]
_BY_HEADER = [dialect for dialect in DIALECTS if isinstance(dialect.credentials, Basic)]


def signatures(sent: bytes) -> None:
    """Sign in by a query, or by a body where a dialect reads it; who gets in has signed what the bytes plainly say.

    The first byte says in which dialect and whether the account is known; a zero byte parts query and body.
    """
    query, _, body = sent[1:].partition(b"\0")
    which, known = divmod(sent[0] if sent else 0, 2)
    dialect = _BY_QUERY[which % len(_BY_QUERY)]
    proof = _authenticated(dialect, _ROSTERS[bool(known)], "POST", query, (), body)
    if proof is None:
        return
    assert isinstance(proof, Signed)
    assert known
    assert 1 == proof.identity.agent_id
    assert _is_signed(dialect, query, body), (query, body)


def _is_signed(dialect: Dialect, query: bytes, body: bytes) -> bool:
    given = _parameters(dialect, query)
    if dialect.signs_in_body and given.keys() != dialect.signature:
        for name, value in (json.loads(body) if body else {}).items():
            if name in dialect.signature and type(value) in (int, str):
                given.setdefault(name, str(value))
    seconds = int(given["timestamp"]) // (1_000 if len(given["timestamp"]) == 13 else 1)
    return (
        abs(seconds - NOW) <= 300
        and given["email"].lower() == EMAIL
        and any(_fits(form, given) for form in _forms(dialect, given))
    )


def _forms(dialect: Dialect, given: dict[str, str]) -> Iterator[SignedQuery]:
    """Yield the forms that have as many of the parameters with a fixed value as were given."""
    forms: list[SignedQuery] = [*CONTRACTS[dialect.name].forms.values()]  # type: ignore[list-item]
    fixed = {name for form in forms for name in form.fixed}
    yield from (form for form in forms if form.fixed.keys() == fixed & given.keys())


def _fits(form: SignedQuery, given: dict[str, str]) -> bool:
    assert given.items() >= form.fixed.items()
    made = hashlib.new(_HASHES[form.digest], "&".join({**given, "token": TOKEN}[part] for part in form.parts).encode())
    return compare_digest(made.hexdigest(), given["sign"].lower())


_HASHES = {"SHA-256": "sha256", "SHA-1": "sha1"}


def _parameters(dialect: Dialect, query: bytes) -> dict[str, str]:
    """Return the parameters that sign; one without which a signature is complete is any other parameter."""
    given: dict[str, str] = {}
    for pair in query.split(b"&"):
        raw, _, value = pair.partition(b"=")
        name = unquote_to_bytes(raw).decode("utf-8", "replace")
        if name in dialect.signature:
            assert name not in given
            given[name] = unquote_to_bytes(value).decode("utf-8", "replace")
    return given


# ── HTTP Basic ──────────────────────────────────────────────────────────────────────────────────────────────────────


def basic(sent: bytes) -> None:
    """Sign in by a header; who gets in has sent the secret in good base64. The first byte says in which dialect."""
    dialect = _BY_HEADER[(sent[0] if sent else 0) % len(_BY_HEADER)]
    header = sent[1:].strip(b" \t")
    if _NO_HEADER.search(header):
        return
    proof = _authenticated(dialect, _ROSTERS[True], "GET", b"", ((b"authorization", header),), b"")
    if proof is None:
        return
    scheme, encoded = re.fullmatch(rb"([A-Za-z]+) [ \t]*([A-Za-z0-9+/]+=*)", header).groups()  # type: ignore[union-attr]
    assert b"basic" == scheme.lower()
    name, _, secret = b64decode(encoded, validate=True).decode().partition(":")
    if isinstance(proof, Login):
        assert (name, secret) == (proof.email, proof.password)
        assert CONTRACTS[dialect.name].log_in
    else:
        assert TOKEN == secret
        assert isinstance(dialect.credentials, Basic)
        assert EMAIL + dialect.credentials.suffix == name.lower()


# ── what both sign in to ────────────────────────────────────────────────────────────────────────────────────────────


def _authenticated(
    dialect: Dialect, roster: Roster, method: str, query: bytes, headers: tuple[tuple[bytes, bytes], ...], body: bytes
) -> Proof | None:
    scope = {"type": "http", "method": method, "raw_path": b"/", "query_string": query, "headers": headers}
    request = Request(scope, dialect.name)
    request.route = next(route for route in dialect.routes if route.method == method)
    request.body = body
    try:
        return dialect.authenticate(request, roster, NOW)
    except (Unauthenticated, Malformed):
        return None


def _roster(*records: Any) -> Roster:
    roster = Roster(Company(id=1, label="demo", name="x"))
    for record in records:
        roster.fill(record.kind, [record])
    return roster


_ROSTERS = {
    False: _roster(),
    True: _roster(
        Agent(id=1, name="x", email=EMAIL, level="admin"), Key(id=1, agent_id=1, name="k", secret=Secret(TOKEN))
    ),
}


def _made(form: SignedQuery, at: int = NOW) -> dict[str, str]:
    return dict(form.prove(EMAIL, TOKEN, at, "n").parameters)


_SIGNED = [
    _made(form, at) for one in _BY_QUERY for form in CONTRACTS[one.name].forms.values() for at in (NOW, NOW * 1_000)
]
_QUERIES = [urlencode(made).encode() for made in _SIGNED]
_IN_BODIES = [
    b"\0" + json.dumps({**made, "timestamp": int(made["timestamp"]), "name": "x"}).encode() for made in _SIGNED
]

_BODIES = [
    b'{"name":"a","id":1}', b'{"a":[{"b":[1,-2.5e3,null,true,false,"\\u00e9\\ud83d\\ude00\\n"]}]}',
    b'{"a":9223372036854775807,"a":-9223372036854775808}', b'{"a":1e308}', b'{"a":12345678901234567890.5}',
    b'{"a":' * 64 + b"1" + b"}" * 64, b'{"a":' + b"[" * 63 + b"]" * 63 + b"}",
    '{"名":"组","\u2028":"\U0001f600"}'.encode(),
    b'{"a":9223372036854775808,"a":1}', b'{"a":"[[[[","b":"{\\"1234567890123456789012"}', b' {"a" : -0 } ',
]  # fmt: skip

TARGETS = {
    "decoder": Target(decoder, _BODIES),
    "decoder-control": Target(control, [b'{"a":9223372036854775807}', b'{"a":1e99}']),
    "signatures": Target(signatures, [
        bytes([2 * which + known]) + query
        for which in range(len(_BY_QUERY))
        for known in (False, True)
        for query in (
            *_QUERIES, *_IN_BODIES, _QUERIES[0] + b"&page=1", _QUERIES[-1] + b"&nonce=n&nonce=n",
            _QUERIES[0].replace(b"%40", b"@"), b"",
        )
    ]),
    "basic": Target(basic, [
        bytes([which]) + header
        for which in range(len(_BY_HEADER))
        for header in (b"Basic YUBiLmNuL3Rva2VuOnRva2Vu", b"Basic YUBiLmNuOnRva2Vu", b"basic  YTpi", b"Bearer x", b"")
    ]),
}  # fmt: skip
