"""The page of the command line, as Typer writes it from the help of all commands, in English or Chinese.

`python -m tests.command_line_page zh docs/…/command-line.md` writes the Chinese one.
"""

import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import typer.cli
from typer.testing import CliRunner

from deskroster.core.records import Language

TITLES: dict[Language, str] = {"en": "Command line", "zh": "命令行"}
HEADINGS = {
    "**Usage**:": "**用法**：",
    "**Arguments**:": "**参数**：",
    "**Options**:": "**选项**：",
    "**Commands**:": "**命令**：",
}
"""What Typer writes into a page in English alone."""


def page(language: Language) -> str:
    """Return the page in a language."""
    with TemporaryDirectory() as folder:
        written = Path(folder) / "page.md"
        arguments = ["deskroster.cli", "utils", "docs", "--name", "deskroster", "--title", TITLES[language]]
        locale = {"LANGUAGE": language, "LC_ALL": "", "LC_MESSAGES": "", "LANG": ""}
        done = CliRunner().invoke(typer.cli.app, [*arguments, "--output", str(written)], env=locale)
        assert 0 == done.exit_code, done.output
        text = written.read_text("utf-8")
    if language == "zh":
        for english, chinese in HEADINGS.items():
            text = text.replace(english, chinese)
    return text


if __name__ == "__main__":
    os.environ.pop("LANGUAGE", None)
    Path(sys.argv[2]).write_text(page("zh" if sys.argv[1] == "zh" else "en"), "utf-8")
