"""The page of the command line says what `--help` says."""

from pathlib import Path

import pytest

from tests.command_line_page import page
from tests.english import english_in

pytestmark = pytest.mark.once

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "command-line.md"


def test_the_page_of_the_command_line_is_what_typer_writes():
    assert page("en") == PAGE.read_text("utf-8"), (
        "write it anew: .venv/bin/python -m tests.command_line_page en docs/reference/command-line.md"
    )


def test_the_page_can_be_written_in_chinese_as_well():
    english, chinese = page("en"), page("zh")

    assert "" == english_in(chinese)
    assert "# 命令行\n" == chinese[:6]
    assert english.count("\n#") == chinese.count("\n#")
    assert english.split("```")[1::2] == chinese.split("```")[1::2]
