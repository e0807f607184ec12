"""Each example on a vendor's page and each call of the contracts, replayed.

A transcript is plain text. `>` is what is sent: method and target, headers, an empty line, the body; who signs is the
administrator of `pages`, and whoever sends an `Authorization` or `?sign=` of its own is not signed. `<` is what is
answered: the status, the headers that matter, an empty line, the body, compared as data. `=` is the answer that the
vendor's page shows there: each of its keys must be in ours, with its type. A line `# Q2 user_group.name: …` says that
this one is not, and which numbered quirk of the dialect's README tells why.
"""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
import pytest

from deskroster.dialects import DIALECTS
from deskroster.testing import StillClock
from tests import pages
from tests.in_process import InProcess

HERE = Path(__file__).parent / "transcripts"
README = Path(__file__).parents[1] / "src" / "deskroster" / "dialects"
NOW = 1_700_000_000
DIFFERENCE = re.compile(r"# (Q\d+) ([\w.\[\]]+): .+")
EXAMPLES_ON_PAGES = {"udesk": 5, "kf5": 5, "servicego": 5}


class Exchange(NamedTuple):
    """One request, our answer, and the page's."""

    sent: list[str]
    answered: list[str]
    shown: list[str]


def exchanges(path: Path) -> list[Exchange]:
    found: list[Exchange] = []
    previous = ""
    for line in path.read_text("utf-8").splitlines():
        mark = line[:1]
        if mark == ">" and previous != ">":
            found.append(Exchange([], [], []))
        if mark in (">", "<", "="):
            {">": found[-1].sent, "<": found[-1].answered, "=": found[-1].shown}[mark].append(line[2:])
        previous = mark or previous
    return found


def split(lines: list[str]) -> tuple[str, list[tuple[str, str]], str]:
    """Return the first line, the headers and the body."""
    first, *rest = lines
    end = rest.index("") if "" in rest else len(rest)
    headers = [(name, value) for name, _, value in (line.partition(": ") for line in rest[:end])]
    return first, headers, "\n".join(rest[end + 1 :])


TRANSCRIPTS = sorted(HERE.glob("*/*.http"))
NAMED = [pytest.param(path, id=f"{path.parent.name}/{path.stem}") for path in TRANSCRIPTS]


@pytest.fixture(scope="module")
def prepared_pages(tmp_path_factory, _cheap_passwords) -> Path:
    folder = tmp_path_factory.mktemp("pages") / "data"
    desk = InProcess(folder, StillClock(NOW))
    for dialect in pages.ADMINS:
        desk.add_company(pages.company(dialect), pages.records(dialect))
    desk.close()
    return folder


@pytest.mark.parametrize("path", NAMED)
def test_a_transcript_is_answered_as_it_says(copied, path):
    desk, dialect = copied(), path.parent.name

    for exchange in exchanges(path):
        response = send(desk, dialect, exchange.sent)
        status, headers, body = split(exchange.answered)

        assert int(status) == response.status_code
        for name, value in headers:
            assert value == response.headers[name]
        assert json.loads(body) == response.json()


@pytest.fixture
def copied(prepared_pages, tmp_path):
    opened: list[InProcess] = []

    def copy() -> InProcess:
        shutil.copytree(prepared_pages, tmp_path / "data")
        opened.append(InProcess(tmp_path / "data", StillClock(NOW)))
        return opened[-1]

    yield copy
    for desk in opened:
        desk.close()
        assert [] == desk.incidents


def send(desk: InProcess, dialect: str, sent: list[str]) -> httpx2.Response:
    first, headers, body = split(sent)
    method, target = first.split(" ", 1)
    host = pages.HOSTS[dialect]
    unsigned = "sign=" in target or "log_in" in target or any(name == "Authorization" for name, _ in headers)
    client = desk.plain(host) if unsigned else getattr(desk.of(pages.ADMINS[dialect], host), dialect)
    return client.request(method, f"https://{host}{target}", headers=headers, content=body)


@pytest.mark.parametrize("path", [one for one in NAMED if "\n= " in one.values[0].read_text("utf-8")])
def test_our_answer_has_every_key_of_the_pages_with_its_type(path):
    different = {place: quirk for quirk, place in DIFFERENCE.findall(path.read_text("utf-8"))}
    known = set(re.findall(r"^\| (Q\d+) ", (README / path.parent.name / "README.md").read_text("utf-8"), re.MULTILINE))
    found: set[str] = set()

    for exchange in exchanges(path):
        if exchange.shown:
            ours = json.loads(split(exchange.answered)[2])
            found |= set(missing(ours, json.loads("\n".join(exchange.shown)), ""))

    assert set(different) == found
    assert set(different.values()) <= known


def missing(ours: Any, theirs: Any, place: str) -> Iterator[str]:
    """Yield the places of the page's example that our answer has not, or with another type."""
    if type(ours) is not type(theirs):
        yield place
    elif isinstance(theirs, dict):
        for key, value in theirs.items():
            inner = f"{place}.{key}".lstrip(".")
            if key in ours:
                yield from missing(ours[key], value, inner)
            elif not key.isdigit():
                yield inner
    elif isinstance(theirs, list):
        for value in theirs:
            if not ours:
                yield f"{place}[]"
            elif isinstance(value, dict) and len(theirs) == len(ours):
                yield from missing(ours[theirs.index(value)], value, f"{place}[]")
            else:
                yield from missing(ours[0], value, f"{place}[]")


@pytest.mark.parametrize("dialect", pages.ADMINS)
def test_every_call_and_every_example_has_its_transcript(dialect):
    routes = [route for one in DIALECTS if one.name == dialect for route in one.routes]
    prefix = next(one.prefix for one in DIALECTS if one.name == dialect)
    mine = [path for path in TRANSCRIPTS if path.parent.name == dialect]
    sent = [exchange.sent[0].partition("?")[0] for path in mine for exchange in exchanges(path)]

    lacking = {
        f"{route.method} {route.path}"
        for route in routes
        if not any(re.fullmatch(f"{route.method} {prefix}{_pattern(route.path)}", line) for line in sent)
    }

    assert set() == lacking
    assert EXAMPLES_ON_PAGES[dialect] == sum("\n= " in path.read_text("utf-8") for path in mine)


def _pattern(path: str) -> str:
    return re.sub(r"\\?\{\w+\\?\}", r"[^/]+?", re.escape(path).replace(r"\{", "{").replace(r"\}", "}"))
