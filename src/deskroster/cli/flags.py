"""Help that shows a flag as `--json`, and not as an option with the value `<bool>`, as Typer's Rich panels do."""

from collections.abc import Iterable
from typing import Any

import typer
from typer.core import TyperOption

from deskroster.cli.translation import TranslatedGroup


class Commands(TranslatedGroup):
    """All commands, in the language of the locale. None of their flags has a value to be named in the help."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for command in self.commands.values():
            _mark_all(command)

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the parameters of `deskroster` itself; Typer adds some when all else is there."""
        parameters = super().get_params(ctx)
        _mark(parameters)
        return parameters


def _mark_all(command: Any) -> None:
    _mark(command.get_params(typer.Context(command)))
    for below in getattr(command, "commands", {}).values():
        _mark_all(below)


def _mark(parameters: Iterable[Any]) -> None:
    for parameter in parameters:
        if isinstance(parameter, TyperOption) and parameter.is_flag:
            parameter.metavar = ""
