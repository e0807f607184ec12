"""Texts for people: English sentences in the code, and Chinese ones for them in a gettext catalogue."""

import gettext
import os
import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Union

from msgspec import Struct

from deskroster.core.records import Language

DOMAIN = "deskroster"
LOCALES = Path(__file__).parent / "locale"

Value = Union[str, int, float, "Text"]


class Text(Struct, frozen=True):
    """A sentence: its English with named placeholders, and their values. `str` returns it in English."""

    message: str
    values: dict[str, Value] = {}

    def __str__(self) -> str:
        return self.of("en")

    def of(self, language: Language, quote: Callable[[str], str] = str) -> str:
        """Return the sentence in a language. `quote` is applied to each value, and not to the sentence."""
        message = translated(language, self.message)
        if not self.values:
            return message
        return message.format_map(
            {
                name: value.of(language, quote)
                if isinstance(value, Text)
                else quote(value)
                if isinstance(value, str)
                else value
                for name, value in self.values.items()
            }
        )


def said(message: str, /, **values: Value) -> Text:
    """Return a sentence. `message` is a literal: `make texts` takes it into the catalogue."""
    return Text(message, values)


def joined(parts: Iterable[Value], between: str) -> Text:
    """Return several sentences or values in one."""
    values = {f"part_{number}": part for number, part in enumerate(parts)}
    return Text(between.join(f"{{{name}}}" for name in values), values)


def verbatim(words: str) -> Text:
    """Return what is not ours to word: a value, and translated only where it is what the system says most often."""
    return Text(words) if words in _KNOWN else joined([words], "")


def foreign(error: BaseException) -> Text:
    """Return what an error says. Of one that is not ours only what the system says is translated (strerror)."""
    first = error.args[0] if error.args else ""
    if isinstance(first, Text):
        return first
    if isinstance(error, OSError) and error.strerror and error.errno is not None:
        why = verbatim(error.strerror)
        if error.filename is None:
            return said("[Errno {number}] {why}", number=error.errno, why=why)
        return said("[Errno {number}] {why}: {file}", number=error.errno, why=why, file=repr(error.filename))
    return verbatim(str(error).strip())


def translated(language: Language, message: str) -> str:
    """Return a sentence of the catalogue in a language; English where the catalogue does not have it."""
    return _chinese().gettext(message) if message and language == "zh" else message


def of_locale(environment: Mapping[str, str] = os.environ) -> Language:
    """Return the language that a locale asks for: Chinese, or English for any other.

    In the order of gettext: LANGUAGE, a list, unless the locale is C or POSIX; LC_ALL, LC_MESSAGES, LANG.
    """
    names = ("LC_ALL", "LC_MESSAGES", "LANG")
    locale = next((environment[name] for name in names if environment.get(name)), "")
    wanted = "" if locale in ("C", "POSIX") else environment.get("LANGUAGE", "")
    for tag in (wanted or locale).split(":"):
        name = re.split(r"[_.@-]", tag.lower())[0]
        if name in ("zh", "en"):
            return "zh" if name == "zh" else "en"
    return "en"


@cache
def _chinese() -> gettext.NullTranslations:
    return gettext.translation(DOMAIN, LOCALES, ["zh"])


SYSTEM = (
    said("Address already in use"), said("Bad file descriptor"), said("Broken pipe"),
    said("Cannot assign requested address"), said("Connection refused"), said("Disk quota exceeded"),
    said("File exists"), said("File name too long"), said("Input/output error"), said("Is a directory"),
    said("No such file or directory"), said("No space left on device"), said("Not a directory"),
    said("Operation not permitted"), said("Permission denied"), said("Read-only file system"),
    said("Too many open files"), said("Resource temporarily unavailable"), said("Cannot allocate memory"),
    said("database disk image is malformed"), said("database or disk is full"), said("disk I/O error"),
    said("file is not a database"), said("unable to open database file"),
)  # fmt: skip
"""What the C library and SQLite say most often where something fails."""
_KNOWN = frozenset(text.message for text in SYSTEM)
