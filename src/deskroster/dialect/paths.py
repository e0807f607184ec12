"""Paths, as these vendors' clients write them: with doubled slashes, one at the end, and bytes that are not encoded."""

import re

_SLASHES = re.compile(rb"//+")
_HIGH = re.compile(rb"[\x80-\xff]")


def canonical(path: bytes) -> bytes:
    """Return a path with single slashes, none at its end, and bytes above 0x7F percent-encoded."""
    path = _SLASHES.sub(b"/", path)
    if len(path) > 1 and path.endswith(b"/"):
        path = path[:-1]
    return path if path.isascii() else quoted(path)


def below(path: bytes, root: str) -> bytes:
    """Return a path without the one below which a proxy shows this server, where it begins with that."""
    return path[len(root) :] or b"/" if (path + b"/").startswith(root.encode() + b"/") else path


def quoted(target: bytes) -> bytes:
    """Return a part of a target with its bytes above 0x7F percent-encoded."""
    return _HIGH.sub(_encoded, target)


def _encoded(byte: re.Match[bytes]) -> bytes:
    return b"%%%02X" % ord(byte[0])
