"""The page of the command line says what `--help` says."""

from pathlib import Path

import pytest
import typer.cli
from typer.testing import CliRunner

pytestmark = pytest.mark.once

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "command-line.md"
WRITE = ["deskroster.cli", "utils", "docs", "--name", "deskroster", "--title", "Command line", "--output"]


def test_the_page_of_the_command_line_is_what_typer_writes(tmp_path):
    written = CliRunner().invoke(typer.cli.app, [*WRITE, str(tmp_path / "page.md")])

    assert 0 == written.exit_code, written.output
    assert (tmp_path / "page.md").read_text("utf-8") == PAGE.read_text("utf-8"), (
        f"write it anew: .venv/bin/typer {' '.join(WRITE[:-3])} 'Command line' --output docs/reference/command-line.md"
    )
