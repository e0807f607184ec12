"""The output of commands, for people and for programs, and their exit codes."""

import json as plain_json
import sys
from collections.abc import Callable, Iterable, Sequence
from enum import IntEnum
from typing import Any

import msgspec
from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from deskroster.core.records import Language
from deskroster.texts import Text, of_locale, said

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

_SAMPLES: dict[Language, str] = {"zh": "简体中文", "en": ""}


class Exit(IntEnum):
    """The exit codes of commands. The help of `deskroster` lists them."""

    OK = 0
    REFUSED = 1  # a rule was broken, or a check found something wrong
    USAGE = 2  # the same as Click's
    NOT_FOUND = 3
    CONFLICT = 4
    UNAVAILABLE = 5  # not done; safe to retry
    UNKNOWN = 6  # it is unknown whether it was done; or it was done, and the result could not be shown
    DAMAGED = 7  # the data is damaged: a backup must be restored
    INTERRUPTED = 130


class Refused(Exception):
    """A command failed: the reason, a hint that may help, and the exit code."""

    def __init__(self, code: Exit, why: Text, hint: Text | None = None) -> None:
        super().__init__(str(why))
        self.code = code
        self.why = why
        self.hint = hint


def print_error(refusal: Refused) -> None:
    """Print the reason and the hint to standard error."""
    err.print(_with_markup(said("[red]Error:[/red] {why}", why=refusal.why)), soft_wrap=True)
    if refusal.hint:
        err.print(_with_markup(said("[dim]Hint:[/dim]  {hint}", hint=refusal.hint)), soft_wrap=True)


def print_markup(text: Text) -> None:
    """Print a sentence that has Rich markup; its values are printed as they are."""
    out.print(_with_markup(text), soft_wrap=True)


def print_plain(text: Text | str) -> None:
    """Print a sentence, or what is no sentence, without markup and without wrapping, so that it can be copied."""
    out.out(text if isinstance(text, str) else worded(text), highlight=False)


def print_pairs(pairs: Iterable[tuple[Text, str]]) -> None:
    """Print values, each after its heading, in two columns."""
    for heading, value in pairs:
        print_plain(f"  {padded(worded(heading), 10)}{value}")


def padded(text: str, cells: int) -> str:
    """Return a text with spaces up to a width; a Chinese character is two cells wide."""
    return text + " " * (cells - cell_len(text))


def language() -> Language:
    """Return the language of this command: that of the locale, but English where standard output cannot encode it."""
    wanted = of_locale()
    try:
        _SAMPLES[wanted].encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return "en"
    return wanted


def worded(text: Text) -> str:
    """Return a sentence in the language of this command."""
    return text.of(language())


def _with_markup(text: Text) -> str:
    return text.of(language(), escape)


def captured(printing: Callable[[], object]) -> str:
    """Return what a function prints to standard output, instead of printing it."""
    with out.capture() as capture:
        printing()
    return capture.get()


def print_json(value: Any) -> None:
    """Print a value as one line of JSON."""
    sys.stdout.write(json_line(value))
    sys.stdout.flush()


def json_line(value: Any) -> str:
    """Return one line of JSON, with JSON escapes for characters that standard output cannot encode."""
    try:
        line = msgspec.json.encode(value).decode()
        line.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        line = plain_json.dumps(msgspec.to_builtins(value))
    return line + "\n"


def encode_output(text: str) -> bytes:
    """Return a text in the encoding of standard output."""
    return text.encode(sys.stdout.encoding or "utf-8", "backslashreplace")


def print_result(record: Any, sentence: Text, json: bool) -> None:
    """Print what was done: the record as JSON, or the sentence."""
    if json:
        print_json(record)
    else:
        print_plain(sentence)


def print_records(records: Sequence[dict[str, Any]], columns: dict[str, Text], json: bool) -> None:
    """Print records as JSON or as a table, which has tabs between its cells if standard output is not a terminal.

    `columns`: key in the record → heading.
    """
    if json:
        print_json(records)
        return
    headings = [worded(heading) for heading in columns.values()]
    rows = [[_cell(record.get(key)) for key in columns] for record in records]
    if not out.is_terminal:
        sys.stdout.writelines("\t".join(row) + "\n" for row in [headings, *rows])
        sys.stdout.flush()
        return
    table = Table(*headings, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*map(escape, row))
    out.print(table)


def _cell(value: Any) -> str:
    match value:
        case None | "":
            return "–"
        case bool():
            return worded(said("yes") if value else said("no"))
        case list():
            return ", ".join(map(_cell, value)) or "–"
        case _:
            return str(value)
