"""Strict JSON: an object, in UTF-8, of bounded depth and bounded numbers; or it is malformed."""

import re
from typing import Any

import msgspec

from deskroster.dialect.problems import Malformed

MAX_DEPTH = 64  # levels; the outermost object is the first
MAX_CONTAINERS = 50_000  # objects and lists; a bracket in a string counts as one
_LEAST, _MOST = -(2**63), 2**63 - 1
_LONG_NUMBER = re.compile(rb"[0-9]{19}")
_STRING = re.compile(rb'"(?:[^"\\]+|\\.)*"', re.DOTALL)
_LONG_INTEGER = re.compile(rb"(?<![0-9.eE+-])-?[0-9]{19,}(?![0-9.eE])")
_ONE_KIND = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_decode = msgspec.json.Decoder().decode


def decode_object(body: bytes) -> dict[str, Any]:
    """Return the object that a body is. Raises Malformed.

    What has very many objects or lists is not decoded: it would hold the process.

    The decoder refuses broken JSON and UTF-8, a byte order mark, lone surrogates, NaN, Infinity and doubles that
    overflow (RFC 8259); depth and the range of integers are looked at only where the bytes could break them.
    """
    brackets = body.count(b"{") + body.count(b"[")
    if brackets > MAX_CONTAINERS:
        raise Malformed
    try:
        value = _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise Malformed from None
    if type(value) is not dict:
        raise Malformed
    if brackets > MAX_DEPTH or _LONG_NUMBER.search(body):
        _check(body)
    return value


def _check(body: bytes) -> None:
    """Raise Malformed where a body that has been decoded is too deep or has too large an integer.

    It is the bytes that are looked at: a value that a later one of the same key replaced counts too.
    """
    bare = _STRING.sub(b"", body)
    for integer in _LONG_INTEGER.findall(bare):
        if len(integer) > 20 or not _LEAST <= int(integer) <= _MOST:
            raise Malformed
    brackets = bare.translate(_ONE_KIND, _NO_BRACKETS)
    for _ in range(MAX_DEPTH):  # each time without the innermost ones
        brackets = brackets.replace(b"[]", b"")
        if not brackets:
            return
    raise Malformed
