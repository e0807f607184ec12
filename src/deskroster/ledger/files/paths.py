"""Paths: a name of a file may be any bytes but `/` and NUL. How it stands in an address, in JSON, and in a sentence."""

import errno
import os
import shlex
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes

_SCHEME = "file://"  # RFC 8089
_LONGEST_OF_SQLITE = 504  # bytes of an absolute path: 512 with an ending of its own, such as -journal


def for_sqlite(path: Path) -> str:
    """Return a path as SQLite takes it, never for an address. Raises OSError if it is too long for SQLite."""
    whole = os.path.realpath(path)
    if len(os.fsencode(whole)) > _LONGEST_OF_SQLITE:
        why = f"SQLite takes paths of at most {_LONGEST_OF_SQLITE} bytes"
        raise OSError(errno.ENAMETOOLONG, why, whole)
    return whole


def read_only(path: Path) -> str:
    """Return the address by which SQLite reads a database that nobody writes to. Raises OSError as `for_sqlite`."""
    return f"{_SCHEME}{quote(os.fsencode(for_sqlite(path)))}?mode=ro&immutable=1"


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
