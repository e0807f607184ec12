"""The page of the command line says what `--help` says."""

from pathlib import Path

import pytest

from tests.command_line_page import page
from tests.english import english_in

pytestmark = pytest.mark.once

TOP = Path(__file__).parents[2]
PAGES = {"en": "docs/reference/command-line.md", "zh": "docs/zh/reference/command-line.md"}


@pytest.mark.parametrize("language", PAGES)
def test_the_page_of_the_command_line_is_what_typer_writes(language):
    assert page(language) == (TOP / PAGES[language]).read_text("utf-8"), (
        f"write it anew: .venv/bin/python -m tests.command_line_page {language} {PAGES[language]}"
    )


def test_the_chinese_page_has_what_the_english_one_has_and_no_english():
    english, chinese = page("en"), page("zh")

    assert "" == english_in(chinese)
    assert "# 命令行\n" == chinese[:6]
    assert english.count("\n#") == chinese.count("\n#")
    assert english.split("```")[1::2] == chinese.split("```")[1::2]
