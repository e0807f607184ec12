"""Paths: a name of a file may be any bytes but `/` and NUL. How it stands in an address, in JSON, and in a sentence."""

import os
import shlex
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes

_SCHEME = "file://"  # RFC 8089


def as_text(path: Path) -> str:
    """Return an absolute path as JSON can hold it: as it is, or as a `file:` address if it is not in UTF-8."""
    text = str(path.absolute())
    return text if _in_utf_8(text) else _SCHEME + quote(os.fsencode(text))


def from_text(text: str) -> Path:
    """Return the path that `as_text` has written."""
    return Path(os.fsdecode(unquote_to_bytes(text[len(_SCHEME) :])) if text.startswith(_SCHEME) else text)


def shown(path: Path) -> str:
    """Return a path for a sentence, on one line: what cannot be printed is escaped."""
    return "".join(letter if letter.isprintable() else _escaped(letter) for letter in str(path))


def in_shell(path: Path) -> str:
    """Return a path as it is typed into a shell."""
    text = str(path)
    if text.startswith("-"):
        text = "./" + text
    if text.isprintable():
        return shlex.quote(text)
    quoted = text.replace("\\", "\\\\").replace("'", "\\'")
    return "$'" + "".join(letter if letter.isprintable() else _escaped(letter) for letter in quoted) + "'"


def _escaped(letter: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in os.fsencode(letter))


def _in_utf_8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
