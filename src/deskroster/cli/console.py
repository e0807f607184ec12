"""What the command line says and how it ends: to people, to programs, and by its exit code."""

import json as plain_json
import sys
from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import Any

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


class Exit(IntEnum):
    """How a command ended. The help of `deskroster` lists them."""

    OK = 0
    REFUSED = 1  # a rule was broken, or what was looked at is not well
    USAGE = 2  # as Click has it
    NOT_FOUND = 3
    CONFLICT = 4
    UNAVAILABLE = 5  # surely not done; safe to repeat
    UNKNOWN = 6  # it cannot be said whether it was done; or it was, and the result could not be shown
    DAMAGED = 7  # the data is broken: a backup must be restored
    INTERRUPTED = 130


class Refused(Exception):
    """A command cannot do what it was asked to: why, what may help, and the exit code."""

    def __init__(self, code: Exit, why: str, hint: str = "") -> None:
        super().__init__(why)
        self.code = code
        self.why = why
        self.hint = hint


def complain(refusal: Refused) -> None:
    """Say on standard error what went wrong."""
    err.print(f"[red]Error:[/red] {escape(refusal.why)}", soft_wrap=True)
    if refusal.hint:
        err.print(f"[dim]Hint:[/dim]  {escape(refusal.hint)}", soft_wrap=True)


def say(text: str) -> None:
    """Print a line for people; Rich markup counts."""
    out.print(text, soft_wrap=True)


def verbatim(text: str) -> None:
    """Print a text as it is, however wide the terminal: it is to be copied."""
    out.out(text, highlight=False)


def said(tell: Callable[[], object]) -> str:
    """Return what a function says and prints, instead of printing it."""
    with out.capture() as captured:
        tell()
    return captured.get()


def as_json(value: Any) -> None:
    """Print one line of JSON for programs."""
    sys.stdout.write(json_line(value))
    sys.stdout.flush()


def json_line(value: Any) -> str:
    """Return one line of JSON; what standard output cannot encode is escaped as JSON has it."""
    try:
        line = msgspec.json.encode(value).decode()
        line.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        line = plain_json.dumps(msgspec.to_builtins(value))
    return line + "\n"


def encoded(text: str) -> bytes:
    """Return a text as standard output takes it."""
    return text.encode(sys.stdout.encoding or "utf-8", "backslashreplace")


def show(records: Sequence[dict[str, Any]], columns: dict[str, str], json: bool) -> None:
    """Print records: as JSON, or the columns (key of the record → heading) as a table, for a pipe between tabs."""
    if json:
        as_json(records)
        return
    rows = [[_cell(record.get(key)) for key in columns] for record in records]
    if not out.is_terminal:
        sys.stdout.writelines("\t".join(row) + "\n" for row in [list(columns.values()), *rows])
        sys.stdout.flush()
        return
    table = Table(*columns.values(), box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*map(escape, row))
    out.print(table)


def _cell(value: Any) -> str:
    match value:
        case None | "":
            return "–"
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(map(_cell, value)) or "–"
        case _:
            return str(value)
