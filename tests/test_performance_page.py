"""The figures of the performance page are the same in both languages, and `make bench` can write them in Chinese."""

import re

import pytest

from bench import pages
from tests.english import english_in

pytestmark = pytest.mark.once

NUMBER = re.compile(r"\d[\d,.]*\d|\d")


def test_the_chinese_page_has_the_figures_of_the_english_one():
    assert pages.in_chinese(pages.told_by(pages.ENGLISH)) == pages.told_by(pages.CHINESE), (
        "write them anew: .venv/bin/python -m bench.pages"
    )


def test_a_translated_figure_keeps_its_numbers_and_no_english():
    for english in pages.told_by(pages.ENGLISH).splitlines():
        chinese = pages.in_chinese(english)

        assert sorted(NUMBER.findall(english)) == sorted(NUMBER.findall(chinese))
        assert english.count("|") == chinese.count("|")
        assert "" == english_in(chinese)


def test_control_a_figure_without_a_translation_is_noticed():
    assert "some second" == english_in(pages.in_chinese("| some second thought | 0.83 | | | |"))


def test_new_figures_are_put_into_both_pages_and_the_rest_stays(tmp_path, monkeypatch):
    for name in ("ENGLISH", "CHINESE"):
        page = tmp_path / f"{name}.md"
        page.write_text(f"before\n{pages.BEGIN}\nold\n{pages.END}\nafter\n", encoding="utf-8")
        monkeypatch.setattr(pages, name, page)

    pages.put("| list of 20 against raw uvicorn | 0.83 |")

    told = [page.read_text(encoding="utf-8") for page in (pages.ENGLISH, pages.CHINESE)]
    assert f"before\n{pages.BEGIN}\n\n| list of 20 against raw uvicorn | 0.83 |\n\n{pages.END}\nafter\n" == told[0]
    assert f"before\n{pages.BEGIN}\n\n| 20 条的列表，与裸 uvicorn 相比 | 0.83 |\n\n{pages.END}\nafter\n" == told[1]
