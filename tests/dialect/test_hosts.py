"""Which hosts are answered, where that is limited."""

import shutil

import httpx2
import pytest
from msgspec.structs import replace

from deskroster.admin import AdminApp
from deskroster.cli.opening import installation_of
from deskroster.dialect.hosts import Hosts, checked
from deskroster.testing import StillClock
from tests import world
from tests.answers import check
from tests.conftest import NOW
from tests.contracts import BY_NAME, CONTRACTS, lists
from tests.in_process import InProcess
from tests.ledger.support import first_records

pytestmark = pytest.mark.once  # hosts are judged before anything is read

ALLOWED = ("desk.example.com", "*.desks.example.com", "127.0.0.1", "::1")
GOOD = ["desk.example.com", "DESK.example.com:8321", "desk.example.com.", "demo.desks.example.com",
        "a.b.desks.example.com", "127.0.0.1:8321", "[::1]", "[::1]:8321"]  # fmt: skip
OTHER = ["evil.test", "desk.example.com.evil.test", "xdesk.example.com", "desks.example.com", "evildesks.example.com",
         "127.0.0.2", "localhost", "[::2]:8321", "demo"]  # fmt: skip
NOBODY = {name: "unauth" if dialect.account else "nocompany" for name, dialect in BY_NAME.items()}


@pytest.fixture(scope="module", params=[1, 2], ids=["one company", "two companies"])
def limited(prepared, tmp_path_factory, request):
    """Give an installation that answers some hosts only."""
    folder = tmp_path_factory.mktemp("limited") / "data"
    shutil.copytree(prepared, folder)
    desk = InProcess(folder, StillClock(NOW), allowed_hosts=ALLOWED)
    if request.param == 2:
        desk.add_company(replace(world.COMPANY, id=0, label="desk"), first_records())
    yield desk
    desk.close()
    assert [] == desk.incidents


def listed(desk, dialect, host):
    client = getattr(desk.of(world.ADMIN, host), dialect)
    return client.get(CONTRACTS[dialect].named.lists)


@pytest.mark.parametrize("host", OTHER)
@pytest.mark.parametrize("dialect", BY_NAME)
def test_only_allowed_hosts_are_answered(limited, dialect, host):
    check(dialect, listed(limited, dialect, host), NOBODY[dialect])


@pytest.mark.parametrize("host", ["demo", "evil.test"])
def test_a_host_is_no_more_allowed_after_the_operator_has_named_it(limited, host):
    operator = httpx2.AsyncClient(
        base_url=f"http://{host}", transport=httpx2.ASGITransport(AdminApp(installation_of(limited.app)))
    )

    limited.run(operator.get("/deskroster/v1/agents"))

    for dialect in BY_NAME:
        check(dialect, listed(limited, dialect, host), NOBODY[dialect])


@pytest.mark.parametrize("host", GOOD)
@pytest.mark.parametrize("dialect", BY_NAME)
def test_allowed_hosts_are_answered_as_ever(limited, dialect, host):
    alone = len(limited.app.store.listed.all()) == 1
    right = alone or BY_NAME[dialect].account or host == "demo.desks.example.com"

    for _ in range(2):  # the second time it is known
        expected = "ok" if right else "unauth" if host.lower().startswith("desk.") else NOBODY[dialect]
        check(dialect, listed(limited, dialect, host), expected)


@pytest.mark.parametrize("dialect", BY_NAME)
def test_a_host_that_is_not_allowed_is_refused_before_anything_is_looked_for(limited, dialect, monkeypatch):
    async def looked_for(*_):
        raise AssertionError("nothing is to be looked for")

    for name in ("of_host", "of_email"):
        monkeypatch.setattr(type(limited.app.desks), name, looked_for)

    check(dialect, limited.plain("evil.test").get(lists(dialect)), NOBODY[dialect])
    check(dialect, limited.plain("evil.test").get(lists(dialect) + "/1/nothing"), "nopath")  # the path goes first


def test_who_logs_in_needs_an_allowed_host_too(limited):
    body = {"email": world.ADMIN.email, "password": world.ADMIN.password}

    check("udesk", limited.plain("evil.test").post("/open_api_v1/log_in", json=body), "nocompany")
    check("udesk", limited.plain("demo.desks.example.com").post("/open_api_v1/log_in", json=body), "ok")


def test_health_checks_are_answered_for_every_host_and_nothing_else_is(limited):
    for path in ("/live", "/ready", "/ready/", "/live//"):
        assert 200 == limited.plain("10.1.2.3:8321").get(path).status_code
    for path in ("/metrics", "/docs/kf5", "/docs/kf5/openapi.json", "/nothing", "/ready/x", "/%6cive"):
        refused = limited.plain("10.1.2.3:8321").get(path)
        assert (400, {"error": "this host is not served here"}) == (refused.status_code, refused.json())
    assert 200 == limited.plain("desk.example.com").get("/metrics").status_code


def test_control_without_the_setting_every_host_is_answered(desk):
    for dialect in BY_NAME:
        check(dialect, listed(desk, dialect, "evil.test"), "ok")
    assert 200 == desk.plain("evil.test").get("/metrics").status_code


def test_hosts_are_compared_as_names_are():
    hosts = Hosts(ALLOWED)

    assert [True] * len(GOOD) == [hosts.allow(host) for host in GOOD]
    assert [False] * len(OTHER) == [hosts.allow(host) for host in OTHER]
    assert [False] * 4 == [hosts.allow(host) for host in (None, "", "desk.example.com, evil.test", ":8321")]
    assert Hosts(["0:0:0:0:0:0:0:1"]).allow("[::1]:1")
    assert Hosts().allow("anything")


@pytest.mark.parametrize(
    "host", ["", "*", "*.", "a b", "desk.example.com:8321", "http://desk.example.com", "desk.*.com", "**.a", "a" * 254]
)
def test_what_is_no_host_cannot_be_allowed(host):
    with pytest.raises(ValueError, match="is no host name"):
        checked(host)
