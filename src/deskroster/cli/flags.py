"""Help that names values as manuals do, and not by Python's types, as Typer's Rich panels do.

A flag is `--json`, without `<bool>`; a text `--name TEXT`, not `<str>`; an argument has its name and no type.
"""

from collections.abc import Iterable
from typing import Any

import typer
from typer.core import TyperArgument, TyperOption

from deskroster.cli.translation import TranslatedGroup

_NAMES = {"<str>": "TEXT", "<int range>": "N"}  # of values that have no name of their own


class Commands(TranslatedGroup):
    """All commands, in the language of the locale."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for command in self.commands.values():
            _mark_all(command)

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the parameters of `deskroster` itself; Typer adds some when all else is there."""
        parameters = super().get_params(ctx)
        _mark(parameters, ctx)
        return parameters


def _mark_all(command: Any) -> None:
    context = typer.Context(command)
    _mark(command.get_params(context), context)
    for below in getattr(command, "commands", {}).values():
        _mark_all(below)


def _mark(parameters: Iterable[Any], context: Any) -> None:
    for parameter in parameters:
        if isinstance(parameter, TyperOption) and parameter.is_flag:
            parameter.metavar = ""
        elif isinstance(parameter, TyperOption) and parameter.metavar is None:
            parameter.metavar = _NAMES.get(parameter.display_type_rich(ctx=context) or "")
        elif isinstance(parameter, TyperArgument) and "|" not in (parameter.display_type_rich(ctx=context) or ""):
            parameter.display_type_rich = _no_type  # type: ignore[method-assign]


def _no_type(ctx: Any) -> str:
    return ""
