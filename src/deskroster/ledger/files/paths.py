"""Paths, whose names may hold any bytes but `/` and NUL: encoded for JSON, quoted for a shell, escaped for messages."""

import os
import shlex
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes

_SCHEME = "file://"  # RFC 8089


def as_text(path: Path) -> str:
    """Return an absolute path as text for JSON: unchanged, or as a `file:` URL if it is not valid UTF-8."""
    text = str(path.absolute())
    return text if _in_utf_8(text) else _SCHEME + quote(os.fsencode(text))


def from_text(text: str) -> Path:
    """Return the path that `as_text` has encoded."""
    return Path(os.fsdecode(unquote_to_bytes(text[len(_SCHEME) :])) if text.startswith(_SCHEME) else text)


def shown(path: Path) -> str:
    """Return a path for a message, on one line, with unprintable characters escaped."""
    return "".join(character if character.isprintable() else _escaped(character) for character in str(path))


def in_shell(path: Path) -> str:
    """Return a path quoted for a shell."""
    text = str(path)
    if text.startswith("-"):
        text = "./" + text
    if text.isprintable():
        return shlex.quote(text)
    quoted = text.replace("\\", "\\\\").replace("'", "\\'")
    return "$'" + "".join(character if character.isprintable() else _escaped(character) for character in quoted) + "'"


def _escaped(character: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in os.fsencode(character))


def _in_utf_8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
