"""Each example on a vendor's page and each call of the contracts, replayed.

A transcript is plain text. `>` is what is sent: method and target, headers, an empty line, the body. The administrator
of the page's company signs it, unless the call takes no credentials or has an `Authorization` or `sign=` of its own.
`<` is what is answered: the status, the headers that matter, an empty line, the body, compared as data. `=` is the
answer that the vendor's page shows there: each of its keys must be in ours, with its type. A line
`# Q2 user_group.name: …` says that this one is not, and which numbered quirk of the dialect's README tells why.
"""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
import pytest

from deskroster.dialect import Route
from deskroster.testing import StillClock
from tests import pages
from tests.contracts import BY_NAME, CONTRACTS, readme_of, serves, transcripts_of
from tests.in_process import InProcess

NOW = 1_700_000_000
DIFFERENCE = re.compile(r"# (Q\d+) ([\w.\[\]]+): .+")
PAGES = {name: contract.page for name, contract in CONTRACTS.items() if contract.page is not None}


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


TRANSCRIPTS = {name: transcripts_of(BY_NAME[name]) for name in PAGES}
NAMED = [pytest.param(name, path, id=f"{name}/{path.stem}") for name, paths in TRANSCRIPTS.items() for path in paths]


@pytest.fixture(scope="module")
def prepared_pages(tmp_path_factory, _cheap_passwords) -> Path:
    folder = tmp_path_factory.mktemp("pages") / "data"
    desk = InProcess(folder, StillClock(NOW))
    for page in PAGES.values():
        desk.add_company(pages.company(page), pages.records(page))
    desk.close()
    return folder


@pytest.mark.parametrize(("dialect", "path"), NAMED)
def test_a_transcript_is_answered_as_it_says(copied, dialect, path):
    desk = copied()

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
    page = PAGES[dialect]
    own_proof = "sign=" in target or any(name == "Authorization" for name, _ in headers)
    route = route_of(dialect, sent)
    unsigned = own_proof or (route is not None and route.needs is None)
    client = desk.plain(page.host) if unsigned else getattr(desk.of(page.admin, page.host), dialect)
    return client.request(method, f"https://{page.host}{target}", headers=headers, content=body)


def route_of(dialect: str, sent: list[str]) -> Route | None:
    """Return the route that a request is of, if it is of one."""
    of, (method, target) = BY_NAME[dialect], sent[0].split(" ", 1)
    return next((route for route in of.routes if serves(of, route, method, target.partition("?")[0])), None)


@pytest.mark.parametrize(("dialect", "path"), [one for one in NAMED if "\n= " in one.values[1].read_text("utf-8")])
def test_our_answer_has_every_key_of_the_pages_with_its_type(dialect, path):
    different = {place: quirk for quirk, place in DIFFERENCE.findall(path.read_text("utf-8"))}
    known = set(re.findall(r"^\| (Q\d+) ", readme_of(BY_NAME[dialect]).read_text("utf-8"), re.MULTILINE))
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


@pytest.mark.parametrize("dialect", PAGES)
def test_every_call_and_every_example_has_its_transcript(dialect):
    mine = TRANSCRIPTS[dialect]
    sent = [route_of(dialect, exchange.sent) for path in mine for exchange in exchanges(path)]

    lacking = {f"{route.method} {route.path}" for route in BY_NAME[dialect].routes if route not in sent}

    assert set() == lacking
    assert PAGES[dialect].examples == sum("\n= " in path.read_text("utf-8") for path in mine)
