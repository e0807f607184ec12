"""The two README say the same: each in its language, section by section."""

import re
from pathlib import Path

import pytest

from tests.english import english_in

pytestmark = pytest.mark.once

TOP = Path(__file__).parents[1]
ENGLISH, CHINESE = ((TOP / name).read_text("utf-8") for name in ("README.md", "README.zh-CN.md"))

BLOCK = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
OF_BOTH = {
    "code blocks": BLOCK,
    "addresses": re.compile(r"https?://[^\s)]+"),
    "pictures": re.compile(r"!\[[^]]*\]\(([^)]+)\)"),
    "levels of headings": re.compile(r"^(#+) ", re.MULTILINE),
    "cells of tables": re.compile(r"\|(?=[^|\n]*\|)"),
    "kinds of lines": re.compile(r"^(?:- \*\*|\|)", re.MULTILINE),
    "paths": re.compile(r"`(/[\w/]+|\./[\w/]+|[\w-]+\.txt)`"),
    "targets of make": re.compile(r"`(make [\w-]+)`"),
}


@pytest.mark.parametrize("what", OF_BOTH)
def test_both_have_the_same(what):
    assert OF_BOTH[what].findall(ENGLISH) == OF_BOTH[what].findall(CHINESE)


def test_both_have_as_many_links():
    link = re.compile(r"\]\(([^)]+)\)")

    assert len(link.findall(ENGLISH)) == len(link.findall(CHINESE))


def test_each_names_the_other_at_its_top():
    assert "[简体中文](README.zh-CN.md)" in ENGLISH.splitlines()[2]
    assert "[English](README.md)" in CHINESE.splitlines()[2]


def test_the_chinese_one_links_to_the_chinese_page_where_there_is_one():
    links = re.findall(r"\]\(((?:docs|src)/[^)#]+)", CHINESE)
    twins = {link: link.replace("docs/", "docs/zh/", 1).replace("README.md", "README.zh-CN.md") for link in links}

    assert [] == [link for link, twin in twins.items() if twin != link and (TOP / twin).is_file()]


def test_no_english_is_left_in_the_chinese_one():
    text = re.sub(r"\]\([^)]*\)|\[(?:pytest fixture|Udesk Open API v2|KF5 apiv2)", "]", BLOCK.sub("", CHINESE))

    assert "" == english_in(text)
