"""What `--help` shows."""

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


COMMANDS = [pytest.param(path, told, id=" ".join(path)) for path, told in commands(typer.main.get_command(app))]


@pytest.mark.parametrize(("path", "told"), COMMANDS)
def test_the_examples_of_a_command_stand_in_a_line_each(nowhere, monkeypatch, path, told):
    examples = [line.strip() for line in told.splitlines() if line.strip().startswith("deskroster ")]
    monkeypatch.setenv("COLUMNS", "250")

    shown = nowhere(*path, "--help")

    assert 0 == shown.code
    assert examples
    assert examples == [line.strip() for line in shown.out.splitlines() if line.strip().startswith("deskroster ")]


@pytest.mark.parametrize("path", [(), *(path for path, _ in commands(typer.main.get_command(app)))], ids=" ".join)
def test_a_flag_is_shown_without_a_value(nowhere, path):
    shown = nowhere(*path, "--help").out

    assert "--help" in shown
    assert "<bool>" not in shown
