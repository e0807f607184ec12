"""What `--help` shows."""

import re
from collections.abc import Iterator

import pytest
import typer

from deskroster.cli import app

pytestmark = pytest.mark.once


def commands(group, *path: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield every command that does something, with its help."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, *path, name)
        else:
            yield (*path, name), command.help


EXAMPLES = re.compile(r"```sh\n(.*?)```", re.DOTALL)
COMMANDS = [pytest.param(path, told, id=" ".join(path)) for path, told in commands(typer.main.get_command(app))]


@pytest.mark.parametrize(("path", "told"), COMMANDS)
def test_the_examples_of_a_command_can_be_pasted_from_a_terminal_of_80_columns(nowhere, monkeypatch, path, told):
    """So a line that goes on ends with a backslash."""
    examples = [[line.strip() for line in block.splitlines()] for block in EXAMPLES.findall(told)]
    monkeypatch.setenv("COLUMNS", "80")

    shown = nowhere(*path, "--help")

    assert 0 == shown.code
    assert examples
    lines = [line.strip() for line in shown.out.splitlines()]
    for block in examples:
        assert block in [lines[at : at + len(block)] for at in range(len(lines))]


@pytest.mark.parametrize("path", [(), *(path for path, _ in commands(typer.main.get_command(app)))], ids=" ".join)
def test_a_value_is_named_as_in_a_manual_and_not_by_its_type_in_python(nowhere, path):
    shown = nowhere(*path, "--help").out

    assert "--help" in shown
    assert [] == re.findall(r"<(?:bool|str|path|int|float|list\[\w+\])[ >]", shown)
