"""What the documentation points at is there. (Links within `docs/` are checked when it is built.)"""

import re
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

TOP = Path(__file__).parents[1]

FENCE = re.compile(r"^ *(?P<fence>```+|~~~+).*?^ *(?P=fence)$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(<?(?P<to>[^)>\s]+)>?[^)]*\)")
ELSEWHERE = re.compile(r"^(?:[a-z+]+:|//|#)", re.IGNORECASE)
TEST = re.compile(r"`(?P<name>test_\w+)`")
PATH = re.compile(r"`(?P<path>(?:tests|src|bench|docs)/[\w./-]+)`")
DEFINED = re.compile(r"^(?:async )?def (test_\w+)", re.MULTILINE)
MAKE = re.compile(r"\bmake +(?P<target>[a-z][a-z-]*)\b")


def test_a_link_between_our_files_leads_somewhere():
    lost = {
        f"{page.relative_to(TOP)}: {to}"
        for page in pages()
        for to in LINK.findall(FENCE.sub("", page.read_text(encoding="utf-8")))
        if not ELSEWHERE.match(to) and not (page.parent / to.partition("#")[0]).exists()
    }

    assert set() == lost


def test_what_the_pages_tell_to_make_can_be_made():
    targets = set(re.findall(r"^([a-z-]+):", (TOP / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))

    unknown = {
        f"{page.relative_to(TOP)}: make {target}"
        for page in pages()
        for block in FENCE.finditer(page.read_text(encoding="utf-8"))
        for target in MAKE.findall(block.group())
        if target not in targets
    }

    assert set() == unknown


def test_a_test_that_a_page_names_exists():
    known = {
        name
        for path in (TOP / "tests").rglob("test_*.py")
        for name in DEFINED.findall(path.read_text(encoding="utf-8"))
    }

    unknown = {
        f"{page.relative_to(TOP)}: {name}"
        for page in pages()
        for name in TEST.findall(page.read_text(encoding="utf-8"))
        if name not in known
    }

    assert set() == unknown


def test_a_path_that_a_page_names_exists():
    lost = {
        f"{page.relative_to(TOP)}: {path}"
        for page in pages()
        for path in PATH.findall(page.read_text(encoding="utf-8"))
        if "docs/explanation/decisions" not in page.as_posix() and not (TOP / path).exists()
    }

    assert set() == lost


def pages() -> list[Path]:
    tracked = subprocess.run(["git", "ls-files", "-z", "*.md"], cwd=TOP, capture_output=True, check=False).stdout
    if not tracked:
        pytest.skip("not a clone")
    return [TOP / name for name in tracked.decode().split("\0") if name and (TOP / name).exists()]
