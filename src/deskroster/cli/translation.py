"""The help of every command, and what Typer itself says, in the language of the locale."""

import gettext
import io
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from functools import partial
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from deskroster.cli.console import language, print_plain, worded
from deskroster.cli.wrapping import break_chinese_lines
from deskroster.core.records import Language
from deskroster.texts import DOMAIN, LOCALES, Text, said, translated

USAGE = said("Usage: ")
HELP = said("Show this message and exit.")
PATTERNS = (
    said("Invalid value for {name}: {why}"), said("Invalid value: {why}"),
    said("Missing option {name} (env var: {variable})."), said("Missing option {name}."),
    said("Missing argument {name}."), said("Missing option {name}. {why}"), said("Missing argument {name}. {why}"),
    said("No such option: {name} (Possible options: {names})"), said("No such option: {name}"),
    said("No such command {name}. Did you mean {names}?"), said("No such command {name}."), said("Missing command."),
    said("Got unexpected extra argument(s) ({names})"),
    said("Option {name} does not take a value."), said("Option {name} requires an argument."),
    said("Value error, {why}"), said("{value} is not one of {choices}."), said("Choose from:\n\t{choices}"),
    said("Input should be a valid integer, unable to parse string as an integer"),
    said("{shell} completion installed in {path}"), said("Shell {shell} is not supported."),
    said("Completion will take effect once you restart the terminal"),
    said("Input should be less than or equal to {limit}"), said("Input should be greater than or equal to {limit}"),
)  # fmt: skip
"""What Typer says without gettext: what is wrong with the arguments, and what was done for a shell.

Of two that fit, the first counts.
"""

_WITH_VALUES: dict[str, Text] = {}
"""The paragraphs of help that have values, by their English."""


class TranslatedGroup(TyperGroup):
    """The group of all commands. It translates their help and the errors of their arguments, if the locale says so."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        chosen = language()
        _set_language_of_typer(chosen)
        if chosen != "en":
            for command in _with_subcommands(self):
                _translate(command, chosen)

    def make_context(self, *arguments: Any, **more: Any) -> Any:
        with _in_words():
            return super().make_context(*arguments, **more)

    def invoke(self, ctx: Any) -> Any:
        with _in_words():
            return super().invoke(ctx)


def helped(text: Text) -> str:
    """Return a paragraph of help that has values, for Typer, which takes a `str`."""
    _WITH_VALUES[str(text)] = text
    return str(text)


def paragraphs(told: str) -> Iterator[str]:
    """Yield the paragraphs of a help text as the catalogue has them: each in one line; none of an example's."""
    yield from (_text_of(block).message for block in _blocks(told) if not _is_code(block))


def _set_language_of_typer(chosen: Language) -> None:
    """Have gettext take what Typer says from our catalogue, which it finds by LANGUAGE."""
    if chosen == "en":
        gettext.textdomain("messages")
        return
    break_chinese_lines()
    os.environ["LANGUAGE"] = chosen  # as gettext reads it: it does not know zh-Hans
    gettext.bindtextdomain(DOMAIN, str(LOCALES))
    gettext.textdomain(DOMAIN)


def _with_subcommands(group: TyperGroup) -> Iterator[TyperCommand | TyperGroup]:
    yield group
    for command in group.commands.values():
        if isinstance(command, TyperGroup):
            yield from _with_subcommands(command)
        else:
            yield command  # type: ignore[misc]


def _translate(command: Any, chosen: Language) -> None:
    command.help = _help(command.help, chosen)
    command.rich_help_panel = _panel(command, chosen)
    command.get_params = partial(_params, command.get_params, chosen)
    command.get_usage = partial(_usage, command.get_usage)


def _params(get_params: Callable[[Any], list[Any]], chosen: Language, context: Any) -> list[Any]:
    params = get_params(context)
    for param in params:
        param.help = _help(param.help, chosen)
        if param.name == "install_completion":
            param.callback = partial(_reported, param.callback)
    return params


def _reported(callback: Callable[..., Any], *arguments: Any) -> Any:
    """Call a callback of Typer, and print what it prints in the language of the command."""
    printed = io.StringIO()
    try:
        with redirect_stdout(printed):
            return callback(*arguments)
    finally:
        for line in printed.getvalue().splitlines():
            print_plain(_in_our_words(line))


def _usage(get_usage: Callable[[Any], str], context: Any) -> str:
    return worded(USAGE) + get_usage(context).removeprefix(str(USAGE))


def _panel(command: Any, chosen: Language) -> Any:
    panel = getattr(command, "rich_help_panel", None)
    return translated(chosen, panel) if isinstance(panel, str) else panel


def _help(told: str | None, chosen: Language) -> str | None:
    if told is None:
        return None
    return "\n\n".join(block if _is_code(block) else _text_of(block).of(chosen) for block in _blocks(told))


def _blocks(told: str) -> list[str]:
    return re.split(r"\n{2,}", told.strip("\n"))


def _is_code(block: str) -> bool:
    return block.startswith("```")


def _text_of(block: str) -> Text:
    line = " ".join(block.split())
    return _WITH_VALUES.get(line) or Text(line)


@contextmanager
def _in_words() -> Iterator[None]:
    """Have an error of the arguments say it in the language of the command."""
    try:
        yield
    except typer.TyperException as error:
        if language() != "en" and hasattr(error, "format_message"):
            told = _in_our_words(error.format_message())
            error.format_message = lambda: told  # type: ignore[method-assign]
        raise


def _in_our_words(told: str) -> str:
    for pattern in PATTERNS:
        fitting = re.escape(pattern.message)
        for name in re.findall(r"\{(\w+)\}", pattern.message):
            fitting = fitting.replace(re.escape(f"{{{name}}}"), f"(?P<{name}>.+?)")
        if found := re.fullmatch(fitting, told, re.DOTALL):
            parts = {name: _in_our_words(part) if name == "why" else part for name, part in found.groupdict().items()}
            return worded(Text(pattern.message, dict(parts)))
    return told
