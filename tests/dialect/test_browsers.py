"""Browsers: pages of named origins may call, and a stranger's page writes nothing."""

import pytest

from deskroster.core import company
from deskroster.core.company import CompanyFields
from deskroster.core.problems import Invalid
from deskroster.core.records import Agent, Company, Key, Secret
from deskroster.dialects import DIALECTS
from deskroster.testing import Account
from tests.answers import check
from tests.calls import CALLS, name_of
from tests.contracts import BY_NAME, CONTRACTS

NAMED, OTHER, OWN = "https://desk.example.com", "https://evil.test", "http://demo.example.com"
OF_DIALECT = [dialect.name for dialect in DIALECTS]
PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}


@pytest.fixture
def desk(desk):
    name_origins(desk, NAMED, "http://localhost:5173")
    return desk


def name_origins(desk, *origins):
    desk.operate(lambda roster, caller: company.update(roster, caller, CompanyFields(cors_origins=origins)))


def write(desk, dialect, headers, **how):
    """Create what has a name alone."""
    named = CONTRACTS[dialect].named
    return getattr(desk, dialect).post(named.creates, json=named.body("页"), headers=headers, **how)


def preflight(desk, dialect, origin, path=None, **headers):
    target = BY_NAME[dialect].prefix + (path or CONTRACTS[dialect].named.creates)
    return desk.plain().options(target, headers={"Origin": origin, **PREFLIGHT, **headers})


@pytest.mark.any_engine
@pytest.mark.parametrize("dialect", OF_DIALECT)
@pytest.mark.parametrize(
    ("headers", "cls"),
    [
        ({}, "ok"), ({"Origin": NAMED}, "ok"), ({"Origin": NAMED, "Sec-Fetch-Site": "cross-site"}, "ok"),
        ({"Origin": OWN}, "ok"), ({"Origin": OWN, "Sec-Fetch-Site": "same-origin"}, "ok"),
        ({"Sec-Fetch-Site": "none"}, "ok"),
        ({"Origin": "https://demo.example.com", "Sec-Fetch-Site": "same-origin"}, "ok"),  # TLS ends at a proxy
        ({"Origin": OTHER}, "forbidden"), ({"Origin": "null"}, "forbidden"), ({"Origin": ""}, "forbidden"),
        ({"Origin": "https://demo.example.com"}, "forbidden"), ({"Origin": f"{NAMED}:444"}, "forbidden"),
        ({"Origin": f"{NAMED}.evil.test"}, "forbidden"), ({"Origin": "http://desk.example.com"}, "forbidden"),
        ({"Sec-Fetch-Site": "cross-site"}, "forbidden"), ({"Sec-Fetch-Site": "same-site"}, "forbidden"),
        ({"Origin": OTHER, "Sec-Fetch-Site": "cross-site"}, "forbidden"),
        ({"Origin": OWN, "Sec-Fetch-Site": "cross-site"}, "forbidden"),
        ([("Origin", NAMED), ("Origin", OTHER)], "forbidden"),
        ([("Sec-Fetch-Site", "none"), ("Sec-Fetch-Site", "cross-site")], "forbidden"),
    ],
)  # fmt: skip
def test_a_write_comes_from_a_program_a_page_of_this_server_or_a_named_origin(desk, dialect, headers, cls):
    before = desk.roster().number

    check(dialect, write(desk, dialect, headers), cls)

    assert desk.roster().number == before + (cls == "ok")


@pytest.mark.parametrize("dialect", OF_DIALECT)
def test_a_strangers_write_is_told_that_its_origin_is_not_named(desk, dialect):
    assert "company set --cors-origin" in write(desk, dialect, {"Origin": OTHER}).text


@pytest.mark.parametrize("dialect", OF_DIALECT)
def test_a_strangers_write_is_refused_before_its_credentials_are_looked_at(desk, dialect):
    named = CONTRACTS[dialect].named

    target = BY_NAME[dialect].prefix + named.creates
    check(dialect, desk.plain().post(target, json=named.body("x"), headers={"Origin": OTHER}), "forbidden")
    check(dialect, desk.plain().post(target, json=named.body("x")), "unauth")


WRITES = [
    pytest.param(dialect, route, id=name_of(dialect, route))
    for dialect in DIALECTS
    for route in dialect.routes
    if route.method != "GET"
]


@pytest.mark.parametrize(("dialect", "route"), WRITES)
def test_no_write_of_a_stranger_gets_through(quiet_desk, dialect, route):
    before, call = quiet_desk.roster().number, CALLS[name_of(dialect, route)]
    client = getattr(quiet_desk, dialect.name)

    refused = client.request(route.method, call.path, json=call.body, headers={"Sec-Fetch-Site": "cross-site"})

    check(dialect.name, refused, "forbidden")
    assert before == quiet_desk.roster().number


@pytest.mark.parametrize("dialect", OF_DIALECT)
def test_a_read_is_answered_whoever_asks_and_readable_for_named_origins(desk, dialect):
    client, path = getattr(desk, dialect), CONTRACTS[dialect].named.lists
    for origin, allowed in (
        (None, None),
        (OTHER, None),
        (NAMED, NAMED),
        ("http://localhost:5173", "http://localhost:5173"),
    ):
        for _ in range(2):  # the second comes from the cache
            response = client.get(path, headers={} if origin is None else {"Origin": origin})

            check(dialect, response, "ok")
            assert allowed == response.headers.get("access-control-allow-origin")
            assert "Origin" == response.headers["vary"]
            assert "access-control-allow-credentials" not in response.headers
            assert (allowed is None) == ("access-control-expose-headers" not in response.headers)


@pytest.mark.parametrize("dialect", OF_DIALECT)
def test_a_refusal_can_be_read_by_a_named_origin_too(desk, dialect):
    response = write(desk, dialect, {"Origin": NAMED}, params={}) if dialect != "own" else desk.own.post(
        "/v1/positions", json={}, headers={"Origin": NAMED}
    )  # fmt: skip
    assert NAMED == response.headers["access-control-allow-origin"]
    refused = getattr(desk, dialect).request("PATCH", CONTRACTS[dialect].named.lists, headers={"Origin": NAMED})
    assert refused.status_code in (400, 404, 405)


def test_a_call_over_the_limit_can_be_read_too(desk):
    desk.operate(lambda roster, caller: company.update(roster, caller, CompanyFields(calls_per_minute=1)))
    answers = [desk.udesk.get("/user_groups", headers={"Origin": NAMED}) for _ in range(2)]

    assert [200, 429] == [answer.status_code for answer in answers]
    assert [NAMED] * 2 == [answer.headers["access-control-allow-origin"] for answer in answers]
    assert "Retry-After" in answers[1].headers["access-control-expose-headers"]


@pytest.mark.parametrize("dialect", OF_DIALECT)
def test_a_preflight_of_a_named_origin_is_answered_without_credentials(desk, dialect):
    response = preflight(desk, dialect, NAMED)

    assert (204, b"", NAMED) == (
        response.status_code,
        response.content,
        response.headers["access-control-allow-origin"],
    )
    assert {"GET", "POST"} <= set(response.headers["access-control-allow-methods"].split(", "))
    assert {"Authorization", "Content-Type", "Accept-Language", "Idempotency-Key", "If-Match", "If-Plan",
            "Deskroster-As-Of"} == set(response.headers["access-control-allow-headers"].split(", "))  # fmt: skip
    assert "Origin" == response.headers["vary"]
    assert "access-control-allow-credentials" not in response.headers


@pytest.mark.parametrize("dialect", OF_DIALECT)
def test_any_other_preflight_is_a_method_that_is_not_allowed(desk, dialect):
    for origin in (OTHER, "null", f"{NAMED}/"):
        check(dialect, preflight(desk, dialect, origin), "method")
    assert "allow" in preflight(desk, dialect, OTHER).headers


@pytest.mark.parametrize("dialect", OF_DIALECT)
def test_a_named_origin_can_read_that_a_path_or_its_method_is_unknown(desk, dialect):
    named = CONTRACTS[dialect].named
    client = getattr(desk, dialect)
    for method, path, cls in (("GET", f"/x{named.lists}", "nopath"), ("PATCH", named.lists, "method")):
        asked = preflight(desk, dialect, NAMED, path=path, **{"Access-Control-Request-Method": method})
        answer = client.request(method, path, headers={"Origin": NAMED})

        check(dialect, answer, cls)
        assert (204, NAMED) == (asked.status_code, asked.headers["access-control-allow-origin"])
        assert (NAMED, "Origin") == (answer.headers["access-control-allow-origin"], answer.headers["vary"])
        stranger = client.request(method, path, headers={"Origin": OTHER})
        assert "access-control-allow-origin" not in stranger.headers


def test_a_preflight_spends_no_call(desk):
    desk.operate(lambda roster, caller: company.update(roster, caller, CompanyFields(calls_per_minute=1)))
    for _ in range(5):
        assert 204 == preflight(desk, "udesk", NAMED).status_code

    check("udesk", desk.udesk.get("/user_groups"), "ok")


@pytest.mark.parametrize("dialect", OF_DIALECT)
def test_without_named_origins_nothing_is_said_of_them(quiet_desk, dialect):
    response = getattr(quiet_desk, dialect).get(CONTRACTS[dialect].named.lists, headers={"Origin": NAMED})

    assert not {"vary", "access-control-allow-origin"} & set(response.headers)
    check(dialect, preflight(quiet_desk, dialect, NAMED), "method")


def test_where_the_credentials_name_the_company_a_call_is_for_its_own_origins_only(desk):
    account = Account(id=1, email="a@other.cn", password="-", token="other")
    other = "https://other.example.com"
    desk.add_company(
        Company(id=1, label="other", name="Other", cors_origins=(other,)),
        [
            Agent(id=1, name="A", email=account.email, level="admin"),
            Key(id=1, agent_id=1, name="api", secret=Secret(account.token)),
        ],
    )
    for origin in (NAMED, other):
        assert 204 == preflight(desk, "servicego", origin).status_code
    for origin, mine, allowed in ((NAMED, desk.servicego, True), (other, desk.servicego, False),
                                  (other, desk.of(account).servicego, True)):  # fmt: skip
        read = mine.get("/v1/role", headers={"Origin": origin})
        assert (origin if allowed else None) == read.headers.get("access-control-allow-origin")
        made = mine.post("/v1/userGroup", json={"name": "x"}, headers={"Origin": origin})
        check("servicego", made, "ok" if allowed else "forbidden")


def test_a_head_request_of_a_page_is_a_read(desk):
    assert 200 == desk.kf5.head("/groups.json", headers={"Origin": OTHER, "Sec-Fetch-Site": "cross-site"}).status_code


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("https://Desk.Example.com", "https://desk.example.com"), ("https://a.b:443", "https://a.b"),
        ("http://a.b:80", "http://a.b"), ("http://a.b:443", "http://a.b:443"), ("http://[::1]:8080", "http://[::1]:8080"),
        (" http://localhost\r", "http://localhost"),
    ],
)  # fmt: skip
def test_an_origin_is_kept_as_browsers_send_it(desk, sent, kept):
    name_origins(desk, sent, sent)

    assert (kept,) == desk.roster().company.cors_origins


@pytest.mark.parametrize("sent", ["*", "null", "", "a.b", "https://", "https://a.b/", "https://a.b/x", "ftp://a.b",
                                  "https://a b", "https://u@a.b", "https://*.a.b", "https://a.b:0",
                                  "https://" + "a" * 300])  # fmt: skip
def test_what_is_no_origin_is_refused(desk, sent):
    with pytest.raises(Invalid):
        name_origins(desk, sent)
