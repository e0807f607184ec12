"""The documentation as it is built: links lead somewhere, nothing is fetched from elsewhere, each page has a twin.

Zensical checks the links and anchors of the English Markdown. It knows neither pages that no navigation shows, nor
links in what a snippet brings, nor anything outside `docs_dir`, where Chinese pages link to what is in English alone.
"""

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml

from tests.clones import TOP, clone
from tests.english import english_in

pytestmark = pytest.mark.once

SITE = Path("build", "docs")
ENGLISH, CHINESE = TOP / "docs", TOP / "docs" / "zh"
FENCE = re.compile(
    r"^(?P<indent> *)(?P<fence>```+|~~~+)(?P<rest>.*?)^(?P=indent)(?P=fence) *$", re.MULTILINE | re.DOTALL
)
SNIPPET = re.compile(r'^ *--8<-- "(?P<path>[^"]+)" *$', re.MULTILINE)
HEADING = re.compile(r"^(#+) ", re.MULTILINE)
ROW = re.compile(r"^\|.*\|$", re.MULTILINE)
CODE_SPAN = re.compile(r"(`+)((?:(?!\n\n).)+?)(?<!`)\1(?!`)", re.DOTALL)
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
FETCHED = {"stylesheet", "icon", "preload", "modulepreload", "manifest", "prefetch"}  # values of `rel` of <link>
TRANSLATED = pytest.mark.parametrize(
    "page", sorted(path.relative_to(CHINESE).as_posix() for path in CHINESE.rglob("*.md"))
)
IN_STYLES = re.compile(r"""(?:url\(\s*|@import\s+)["']?((?:https?:)?//[^"')\s]+)""")


class Page(HTMLParser):
    """What a page links to, what it fetches, what can be linked to in it, and what its navigation shows."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.ids: set[str] = {"", "__top"}
        self.navigation: list[str] = []
        self.languages: dict[str, str] = {}
        self.feed(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.ids |= {found[name] for name in ("id", "name") if name in found}
        if "src" in found:
            self.fetched.append(found["src"])
        if tag == "link" and FETCHED & set(found["rel"].split()):
            self.fetched.append(found["href"])
        elif "href" in found:
            self.links.append(found["href"])
        if tag == "a" and "md-nav__link" in found.get("class", "") and not found["href"].startswith("#"):
            self.navigation.append(found["href"])
        if tag == "a" and "hreflang" in found:
            self.languages[found["hreflang"]] = found["href"]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Give a clone in which the documentation has been built."""
    folder = tmp_path_factory.mktemp("docs") / "clone"
    clone(folder)
    for config in ("mkdocs.yml", "mkdocs.zh.yml"):
        assert 0 == build(folder, config).returncode
    return folder


@pytest.fixture
def own(tmp_path):
    """Give a clone to plant faults in."""
    clone(tmp_path)
    return tmp_path


def test_every_link_of_a_built_page_leads_to_a_page_and_an_anchor_of_it(built):
    assert [] == lost(built / SITE)


def test_every_page_is_in_the_navigation(built):
    assert [] == not_in_navigation(built / SITE)
    assert [] == not_in_navigation(built / SITE / "zh")


def test_a_built_page_fetches_nothing_from_elsewhere(built):
    assert [] == from_elsewhere(built / SITE)


@pytest.mark.proof
def test_control_zensical_refuses_a_link_and_an_anchor_that_lead_nowhere(own):
    append(own / "docs/index.md", "[a](nowhere.md)")
    first = build(own, "mkdocs.yml")
    append(own / "docs/index.md", "", instead_of="[a](nowhere.md)")
    append(own / "docs/index.md", "[b](how-to/serve.md#nowhere)")
    second = build(own, "mkdocs.yml")

    assert 0 != first.returncode
    assert "page does not exist" in first.stdout + first.stderr
    assert 0 != second.returncode
    assert "anchor does not exist" in second.stdout + second.stderr


@pytest.mark.proof
def test_control_what_zensical_does_not_see_is_noticed(own):
    append(own / "src/deskroster/dialects/kf5/README.md", "[a](in-a-snippet.md)")
    append(own / "docs/zh/index.md", "[b](nowhere.md) [c](index.md#nowhere) [d](../how-to/serve.md#nowhere)")
    append(own / "docs/zh/index.md", "![e](https://example.com/e.png)")
    (own / "docs/how-to/forgotten.md").write_text("# Forgotten\n")
    for config in ("mkdocs.yml", "mkdocs.zh.yml"):
        assert 0 == build(own, config).returncode

    assert [
        "reference/kf5.html: in-a-snippet.html",
        "zh/index.html: ../how-to/serve.html#nowhere",
        "zh/index.html: index.html#nowhere",
        "zh/index.html: nowhere.html",
    ] == [link for link in lost(own / SITE) if "forgotten" not in link]
    assert ["how-to/forgotten.html"] == not_in_navigation(own / SITE)
    assert ["zh/index.html: https://example.com/e.png"] == from_elsewhere(own / SITE)


def test_every_page_has_a_chinese_twin_unless_it_is_listed_as_not_translated():
    english, chinese = pages(ENGLISH), pages(CHINESE)

    assert sorted(english - chinese) == sorted(listed("untranslated")), "extra.untranslated of mkdocs.base.yml"
    assert set() == chinese - english, "pages without an English twin"


@TRANSLATED
def test_a_chinese_page_has_the_code_blocks_headings_and_tables_of_its_twin(page):
    english, chinese = whole(ENGLISH / page), whole(CHINESE / page)

    assert code_blocks(english) == code_blocks(chinese)
    assert headings(english) == headings(chinese)
    assert cells(english) == cells(chinese)


@TRANSLATED
def test_a_chinese_page_names_in_code_what_its_twin_names(page):
    english, chinese = whole(ENGLISH / page), whole(CHINESE / page)

    assert code_spans(english) == code_spans(chinese)


@pytest.mark.parametrize(
    "page", sorted(path.relative_to(CHINESE).as_posix() for path in CHINESE.glob("reference/*.md"))
)
def test_no_english_is_left_in_a_page_of_the_reference(page):
    assert "" == english_in(COMMENT.sub("", whole(CHINESE / page)))


def test_the_language_switch_leads_to_the_same_page_and_back_or_to_the_start_page(built):
    twins = pages(CHINESE)
    for page in pages(ENGLISH, everything=True):
        file = (built / SITE / page).with_suffix(".html")
        there = target(file, Page(file).languages["zh"])
        assert (built / SITE / "zh" / (page if page in twins else "index.md")).with_suffix(".html") == there
        if page in twins:
            assert file == target(there, Page(there).languages["en"])


def test_the_chinese_navigation_has_the_pages_of_the_english_one_in_their_order(built):
    twins = pages(CHINESE)
    english = [str(Path(link).with_suffix(".md")) for link in Page(built / SITE / "index.html").navigation]
    chinese = [str(Path(link).with_suffix(".md")) for link in Page(built / SITE / "zh" / "index.html").navigation]

    assert [page for page in english if page in twins] == [page for page in chinese if not page.startswith("../")]
    assert "../explanation/decisions/index.md" in chinese


def test_a_chinese_page_links_to_no_english_page_that_has_a_chinese_twin(built):
    site, twins = built / SITE, pages(CHINESE)
    wrong = {
        f"{file.relative_to(site)}: {link}"
        for file in (site / "zh").rglob("*.html")
        for page in [Page(file)]
        for link in page.links
        if not urlsplit(link).scheme and link != page.languages.get("en")
        if (to := target(file, link)).is_relative_to(site) and not to.is_relative_to(site / "zh")
        if str(to.relative_to(site).with_suffix(".md")) in twins
    }

    assert set() == wrong


def build(folder: Path, config: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean", "--config-file", config]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, env={**os.environ, "NO_COLOR": "1"}
    )


def append(file: Path, text: str, instead_of: str = "") -> None:
    before = file.read_text(encoding="utf-8")
    file.write_text(before.replace(instead_of, text) if instead_of else f"{before}\n{text}\n", encoding="utf-8")


def target(file: Path, link: str) -> Path:
    """Return the file that a link of a built page leads to."""
    path = unquote(urlsplit(link).path)
    found = Path(os.path.normpath(file.parent / path)) if path else file
    return found / "index.html" if found.is_dir() else found


def built_pages(site: Path) -> dict[Path, Page]:
    # Of the page for what is not found nobody knows the address, so its links begin at the root of a server.
    return {file: Page(file) for file in sorted(site.rglob("*.html")) if file.name != "404.html"}


def lost(site: Path) -> list[str]:
    """Return the links that lead to no file of the site, or to no anchor of its pages."""
    found = built_pages(site)
    return [
        f"{file.relative_to(site)}: {link}"
        for file, page in found.items()
        for link in sorted({*page.links, *page.fetched})
        if not urlsplit(link).scheme and not leads_somewhere(found, file, link)
    ]


def leads_somewhere(found: dict[Path, Page], file: Path, link: str) -> bool:
    to, anchor = target(file, link), unquote(urlsplit(link).fragment)
    return to.is_file() and (to not in found or anchor in found[to].ids)


def not_in_navigation(site: Path) -> list[str]:
    """Return the pages of a language that its navigation does not show."""
    start = site / "index.html"
    shown = {target(start, link) for link in Page(start).navigation}
    own = [file for file in built_pages(site) if "zh" not in file.relative_to(site).parts]
    return [str(file.relative_to(site)) for file in own if file not in shown and file != start]


def from_elsewhere(site: Path) -> list[str]:
    """Return what pages and style sheets of the site fetch from other servers."""
    pages = {
        f"{file.relative_to(site)}: {link}"
        for file in site.rglob("*.html")
        for link in Page(file).fetched
        if urlsplit(link).scheme not in ("", "data") or link.startswith("//")
    }
    styles = {
        f"{file.relative_to(site)}: {link}"
        for file in site.rglob("*.css")
        for link in IN_STYLES.findall(file.read_text(encoding="utf-8"))
    }
    return sorted(pages | styles)


def listed(name: str) -> list[str]:
    """Return a list of pages that the language switch is told of."""
    return list(yaml.safe_load((TOP / "mkdocs.base.yml").read_text(encoding="utf-8"))["extra"][name])


def pages(folder: Path, *, everything: bool = False) -> set[str]:
    """Return the pages of a language, those that are in English alone only if all are asked for."""
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*.md")}
    found = found if folder == CHINESE else {path for path in found if not path.startswith("zh/")}
    return found if everything else {path for path in found if not path.startswith(tuple(listed("english_only")))}


def whole(page: Path) -> str:
    """Return the Markdown of a page, with that of its snippets."""
    text = page.read_text(encoding="utf-8")
    return SNIPPET.sub(lambda found: (TOP / found["path"]).read_text(encoding="utf-8"), text)


def code_blocks(text: str) -> list[str]:
    return [found.group() for found in FENCE.finditer(text)]


def cells(text: str) -> list[int]:
    """Return how many cells each row of each table has."""
    return [CODE_SPAN.sub("", row).count("|") for row in ROW.findall(FENCE.sub("", text))]


def code_spans(text: str) -> set[str]:
    """Return what stands in code within sentences, on one line each."""
    return {" ".join(code.split()) for _, code in CODE_SPAN.findall(FENCE.sub("", text))}


def headings(text: str) -> list[str]:
    return HEADING.findall(FENCE.sub("", text))
