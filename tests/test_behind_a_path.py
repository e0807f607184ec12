"""Behind a proxy that shows the server below a path: `X-Forwarded-Prefix` stands in every address (shared rule 21)."""

import re
import shutil
from base64 import b64encode
from uuid import uuid4

import pytest

from deskroster.dialects import DIALECTS
from deskroster.testing import StillClock
from tests.answers import check
from tests.conftest import NOW
from tests.contracts import lists
from tests.served import Served
from tests.world import ADMIN

pytestmark = pytest.mark.once

ROOT = "/support/desk"
PREFIX = {"X-Forwarded-Prefix": ROOT}
LINK = re.compile(r'(?:src|href|data-document)="([^"#]+)"')
PATHS = pytest.mark.parametrize("below", ["", ROOT], ids=["without the prefix", "with the prefix"])
IGNORED = [
    "support", "/support/", "//other.example", "/a//b", "/../x", "/.hidden", "/a b", '/"><script>', "/%2e", "/支持",
    "/a?b", "/a,/b", "https://other.example", "", "/",
]  # fmt: skip


@pytest.fixture(scope="module")
def behind(prepared, tmp_path_factory):
    """Give a client of a server that trusts the proxies of this machine."""
    folder = tmp_path_factory.mktemp("behind") / "data"
    shutil.copytree(prepared, folder)
    with Served(folder, StillClock(NOW), trusted_proxies=("127.0.0.1",)) as server, server.plain() as client:
        yield client


@pytest.fixture(scope="module")
def direct(served):
    """Give a client of a server that trusts nobody."""
    with served.plain() as client:
        yield client


def credentials(suffix: str = "") -> dict[str, str]:
    return {"Authorization": f"Basic {b64encode(f'{ADMIN.email}{suffix}:{ADMIN.token}'.encode()).decode()}"}


# ── the API reference ────────────────────────────────────────────────────────────────────────────────────────────────


@PATHS
@pytest.mark.parametrize("dialect", [dialect.name for dialect in DIALECTS])
def test_every_address_of_a_page_has_the_prefix_and_is_there(behind, dialect, below):
    page = behind.get(f"{below}/docs/{dialect}", headers=PREFIX)
    links = [link for link in LINK.findall(page.text) if not link.startswith("data:")]

    assert 200 == page.status_code
    assert len(links) > len(DIALECTS) + 4
    for link in links:
        assert link.startswith(f"{ROOT}/docs/"), link
        assert 200 == behind.get(link, headers=PREFIX).status_code, link


@PATHS
@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_a_document_names_the_prefix_in_its_server(behind, dialect, below):
    path = f"{below}/docs/{dialect.name}/openapi.json"

    assert [{"url": ROOT + dialect.prefix}] == behind.get(path, headers=PREFIX).json()["servers"]
    assert [{"url": dialect.prefix}] == behind.get(f"/docs/{dialect.name}/openapi.json").json()["servers"]


@PATHS
@pytest.mark.parametrize("path", ["/", "/docs", "/docs/", "/docs?lang=zh"])
def test_a_redirect_leads_below_the_prefix(behind, path, below):
    query = path.partition("?")[2]

    answer = behind.get(below + path, headers=PREFIX)

    assert f"{ROOT}/docs/{DIALECTS[0].name}{f'?{query}' if query else ''}" == answer.headers["location"]


@pytest.mark.parametrize("root", ["/docs", "/live", "/docs/page"])
def test_a_prefix_may_be_called_as_a_path_of_the_server(behind, root):
    headers = {"X-Forwarded-Prefix": root}
    name = DIALECTS[0].name

    assert 200 == behind.get(f"{root}/docs/{name}", headers=headers).status_code
    assert 200 == behind.get(f"{root}/docs/page/reference.js", headers=headers).status_code
    assert f"{root}/docs/{name}" == behind.get(root, headers=headers).headers["location"]


# ── the dialects ─────────────────────────────────────────────────────────────────────────────────────────────────────


@PATHS
@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_every_dialect_is_read_below_the_prefix(behind, dialect, below):
    proof = dialect.credentials.prove(ADMIN.email, ADMIN.token, NOW, uuid4().hex)

    answer = behind.get(below + lists(dialect.name), params=proof.parameters, headers={**proof.headers, **PREFIX})

    check(dialect.name, answer, "ok")


REFUSED = {
    "a method that is none": ("BREW", "", 405),
    "a query that is too long": ("GET", f"?{'x' * 9_000}", 414),
    "a target with a fragment": ("GET", "#x", 400),
}


@PATHS
@pytest.mark.parametrize(("method", "more", "status"), REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_what_is_refused_before_it_is_routed_has_the_shape_of_its_dialect(behind, dialect, method, more, status, below):
    path = f"{dialect.prefix}{lists(dialect.name).partition(dialect.prefix)[2]}{more}"

    answers = [
        behind.request(method, "/", headers=PREFIX, extensions={"target": target.encode()})
        for target in (below + path, path)
    ]

    assert [status] * 2 == [answer.status_code for answer in answers]
    assert answers[0].json() == answers[1].json()
    assert "bad request" not in answers[0].text


@PATHS
def test_the_addresses_of_kf5_have_the_prefix(behind, below):
    headers = {**credentials("/token"), **PREFIX}
    base = f"{str(behind.base_url).rstrip('/')}{ROOT}/apiv2"

    page = behind.get(f"{below}/apiv2/groups.json?per_page=1", headers=headers).json()
    made = behind.post(f"{below}/apiv2/groups.json", json={"group": {"name": "x"}}, headers=headers)

    assert f"{base}/groups.json?per_page=1&page=2" == page["next_page"]
    assert f"{base}/groups/1.json" == page["groups"][0]["url"]
    assert made.headers["location"] == made.json()["group"]["url"]
    assert made.headers["location"].startswith(f"{base}/groups/")


@PATHS
def test_the_location_of_our_own_api_has_the_prefix_and_is_there(behind, below):
    headers = {**credentials(), **PREFIX}

    made = behind.post(f"{below}/deskroster/v1/roles", json={"name": "x"}, headers=headers)

    assert f"{ROOT}/deskroster/v1/roles/{made.json()['id']}" == made.headers["location"]
    assert 200 == behind.patch(made.headers["location"], json={"name": "y"}, headers=headers).status_code


def test_a_path_that_only_begins_like_the_prefix_is_none_below_it(behind):
    assert 404 == behind.get(f"{ROOT}x/docs/{DIALECTS[0].name}", headers=PREFIX).status_code
    assert 404 == behind.get(f"{ROOT}{ROOT}/live", headers=PREFIX).status_code


# ── prefixes that are ignored ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("prefix", IGNORED)
def test_an_ill_formed_prefix_is_ignored(behind, prefix):
    headers = {"X-Forwarded-Prefix": prefix.encode()}

    check_that_there_is_none(behind, headers)


def test_two_prefixes_are_ignored(behind):
    check_that_there_is_none(behind, [("X-Forwarded-Prefix", "/a"), ("X-Forwarded-Prefix", "/b")])


def test_a_prefix_of_a_stranger_is_ignored(direct):
    check_that_there_is_none(direct, PREFIX)
    assert 404 == direct.get(f"{ROOT}/docs/{DIALECTS[0].name}", headers=PREFIX).status_code


def check_that_there_is_none(client, headers):
    name = DIALECTS[0].name
    page = client.get(f"/docs/{name}", headers=headers)
    links = [link for link in LINK.findall(page.text) if not link.startswith("data:")]

    assert f"/docs/{name}" == client.get("/", headers=headers).headers["location"]
    assert all(link.startswith("/docs/") for link in links)
    servers = client.get(f"/docs/{name}/openapi.json", headers=headers).json()["servers"]
    assert [{"url": DIALECTS[0].prefix}] == servers
