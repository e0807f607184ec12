"""What all dialects share in how HTTP is spoken: methods, hosts, slashes, languages."""

import re

import pytest

from deskroster.core import company
from deskroster.core.company import CompanyFields
from deskroster.core.records import Agent, Company, Group, Key, Position, Secret
from deskroster.dialects import DIALECTS
from tests.answers import check
from tests.calls import CALLS, ROUTES, name_of
from tests.contracts import CONTRACTS, lists
from tests.in_process import InProcess
from tests.world import ADMIN, AGENT, COMPANY, records

pytestmark = pytest.mark.any_engine

GETS = [pytest.param(dialect, route, id=name_of(dialect, route)) for dialect, route in ROUTES if route.method == "GET"]
OF_DIALECT = [pytest.param(dialect, id=dialect.name) for dialect in DIALECTS]
PATHS = sorted({(dialect.name, route.path) for dialect, route in ROUTES})
METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"}


@pytest.mark.parametrize(("dialect", "route"), GETS)
def test_head_answers_as_get_without_the_body(desk, dialect, route):
    client, path = getattr(desk, dialect.name), CALLS[name_of(dialect, route)].path

    got, head = client.get(path), client.head(path)

    assert (got.status_code, got.headers["content-type"], got.headers["content-length"]) == (
        head.status_code,
        head.headers["content-type"],
        head.headers["content-length"],
    )
    assert b"" == head.content


@pytest.mark.parametrize(("name", "path"), PATHS)
def test_another_method_is_refused_with_those_that_are_allowed(quiet_desk, name, path):
    dialect = next(one for one in DIALECTS if one.name == name)
    known = {route.method for route in dialect.routes if route.path == path}

    for method in METHODS - known:
        response = quiet_desk.plain().request(method, dialect.prefix + path.replace("{id}", "1"))
        check(name, response, "method")
        assert known | ({"HEAD"} if "GET" in known else set()) == set(response.headers["allow"].split(", "))


@pytest.mark.parametrize("path", ["", "/", "/unknown", "/groups", "/v1", "/v3/user", "/%2e%2e/x", "/x" * 500])
@pytest.mark.parametrize("dialect", OF_DIALECT)
def test_an_unknown_path_is_not_found_whoever_asks(quiet_desk, dialect, path):
    for client in (quiet_desk.plain(), getattr(quiet_desk, dialect.name)):
        target = (dialect.prefix + path).encode()

        check(dialect.name, client.get("/", extensions={"target": target}), "nopath")


@pytest.mark.parametrize("path", ["/favicon.ico", "/open_api_v2/agents", "/apiv2x/groups.json", "/docs/x/y"])
def test_outside_of_the_dialects_there_is_json_that_says_so(quiet_desk, path):
    response = quiet_desk.plain().get(path)

    assert 404 == response.status_code
    assert "<html" not in response.text.lower()


@pytest.mark.parametrize("path", ["/live", "/ready", "/metrics", "/docs/udesk"])
def test_outside_of_the_dialects_another_method_is_refused_as_json(quiet_desk, path):
    response = quiet_desk.plain().post(path)

    assert (405, {"error": "method not allowed"}) == (response.status_code, response.json())
    assert "GET" in response.headers["allow"]


@pytest.mark.parametrize("dialect", OF_DIALECT)
def test_a_doubled_slash_before_a_prefix_is_read_as_one(quiet_desk, dialect):
    client = getattr(quiet_desk, dialect.name)
    target = f"/{lists(dialect.name)}".encode()

    check(dialect.name, client.get("/", extensions={"target": target}), "ok")


@pytest.mark.parametrize("query", ["?&", "&&", "=1&", "x=%zz&", "a=b=c&", "&page[]=3&"])
@pytest.mark.parametrize("dialect", OF_DIALECT)
def test_an_odd_query_is_read_as_far_as_it_says_something(quiet_desk, dialect, query):
    client = getattr(quiet_desk, dialect.name)
    target = f"{lists(dialect.name)}?{query}".encode()

    check(dialect.name, client.get("/", extensions={"target": target}), "ok")


def test_query_values_may_come_raw_and_the_first_parameter_empty(desk):
    auth = desk.udesk.auth.parameters()
    query = "&".join(f"{name}={value}" for name, value in auth.items())

    check(
        "udesk",
        desk.plain().get("/", extensions={"target": f"/open_api_v1/user_groups?&page=1&{query}&".encode()}),
        "ok",
    )


def test_a_plus_in_a_signed_email_is_a_plus_and_elsewhere_a_space(desk):
    desk.add_company(Company(id=1, label="plus", name="加"), [
        Agent(id=1, name="a b", email="a+b@plus.cn", level="admin"),
        Key(id=1, agent_id=1, name="k", secret=Secret("t")),
    ])  # fmt: skip
    clients = desk.of(ADMIN.__class__(id=1, email="a+b@plus.cn", password="", token="t"), "plus.example.com")
    pairs = "&".join(f"{name}={value}" for name, value in clients.udesk.auth.parameters().items())
    target = f"/open_api_v1/agents/get_agent?type=email&content=a%2Bb@plus.cn&{pairs}"

    check("udesk", desk.plain("plus.example.com").get("/", extensions={"target": target.encode()}), "ok")
    found = clients.kf5.get("/", extensions={"target": b"/apiv2/users/search.json?query=a+b"}).json()
    assert 1 == found["count"]


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"), ("en-US,en;q=0.9", "en"), ("en;q=0.1, zh;q=0.2", "zh"), ("fr", "en"),
        (None, "en"), ("zh;q=0, en", "en"), ("ZH", "zh"), (",;=;,", "en"), ("zh;q=x, en", "en"), ("a," * 5000, "en"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("dialect", OF_DIALECT)
def test_a_message_is_in_the_language_that_is_accepted_or_the_companys(quiet_desk, dialect, accepted, language):
    headers = {} if accepted is None else {"Accept-Language": accepted}
    client, before = getattr(quiet_desk, dialect.name), quiet_desk.roster().number
    (method, path, body), refused = CONTRACTS[dialect.name].worded

    refusal = check(dialect.name, client.request(method, path, json=body, headers=headers), refused)

    assert ("zh" if re.search("[\u4e00-\u9fff]", str(refusal)) else "en") == language
    assert before == quiet_desk.roster().number


def test_a_company_without_a_word_from_the_client_is_answered_in_its_own_language(desk):
    desk.operate(lambda roster, caller: company.update(roster, caller, CompanyFields(language="zh")))

    assert "不存在" in desk.kf5.get("/groups/99.json").json()["error"]["message"]


@pytest.mark.parametrize("dialect", OF_DIALECT)
def test_what_is_refused_before_the_company_is_asked_is_in_its_language_too(desk, dialect):
    """The path and the method are judged first, and of several companies the host tells whose clients ask."""
    path = dialect.prefix + "/nowhere"
    alone = desk.plain().get(path).text
    desk.add_company(Company(id=1, label="other", name="别家", language="zh"), _admin_of_other())

    of_demo, of_other = (desk.plain(f"{label}.example.com").get(path).text for label in ("demo", "other"))

    assert "no such path" in alone
    assert "no such path" in of_demo
    assert "路径不存在" in of_other


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_message_that_the_vendors_page_prints_is_the_same_in_every_language(desk, language):
    headers = {"Accept-Language": language}

    assert (
        "open api签名不对"
        == desk.plain()
        .get("/open_api_v1/agents?timestamp=1700000000&email=a&sign=b", headers=headers)
        .json()["message"]
    )
    empty = desk.udesk.post("/user_groups", json={"name": ""}, headers=headers).json()
    assert "Validation failed: Group name cannot be an empty string" == empty["exception"]
    gone = desk.servicego.delete("/v1/user/99,1", headers=headers).json()["data"]["failMap"]
    assert {"99": "员工不存在", "1": "员工不可删除"} == gone


@pytest.mark.parametrize(
    "host", ["demo", "DEMO.cn:80", "10.0.0.1", "[::1]:8321", "localhost:1", "whatever.example.com"]
)
@pytest.mark.parametrize("dialect", OF_DIALECT)
def test_an_installation_with_one_company_answers_for_every_host(desk, dialect, host):
    client = getattr(desk, dialect.name)

    check(dialect.name, client.get(CONTRACTS[dialect.name].named.lists, headers={"Host": host}), "ok")


@pytest.mark.parametrize("host", ["", " ", "a b", "-a.cn", "a/b", "a@b", "a:b", "a:123456", "dé.cn", "a,b", "x" * 300])
@pytest.mark.parametrize("dialect", OF_DIALECT)
def test_an_ill_formed_host_is_a_bad_request(desk, dialect, host):
    path = CONTRACTS[dialect.name].named.lists

    check(dialect.name, getattr(desk, dialect.name).get(path, headers={"Host": host.encode()}), "host")


@pytest.mark.parametrize("dialect", OF_DIALECT)
def test_among_several_companies_the_first_label_of_the_host_names_one(desk, dialect):
    """Unless the credentials do: then there is one host for all of them."""
    theirs = [Group(id=1, name="别家的"), Position(id=1, name="别家的"), *_admin_of_other()]
    desk.add_company(Company(id=1, label="other", name="别家"), theirs)
    other = ADMIN.__class__(id=1, email="admin@other.cn", password="", token="other-token")
    named = CONTRACTS[dialect.name].named

    for host in ("other", "other.cn", "OTHER.example.com:8321", "other.demo.cn"):
        shown = getattr(desk.of(other, host), dialect.name).get(named.lists)
        assert ["别家的"] == named.names(check(dialect.name, shown, "ok"))
    for host in ("another.cn", "x.other.cn", "127.0.0.1"):
        answer = getattr(desk.of(ADMIN, host), dialect.name).get(named.lists)
        check(dialect.name, answer, "ok" if dialect.account else "nocompany")


def test_servicego_finds_the_company_whose_credentials_verify(desk):
    shared = ADMIN.__class__(id=1, email=ADMIN.email, password="", token="other-token")
    desk.add_company(
        Company(id=1, label="other", name="别家"), [Group(id=1, name="别家的组"), *_admin_of_other(ADMIN.email)]
    )

    assert ["别家的组"] == [one["name"] for one in desk.of(shared).servicego.get("/v1/userGroup").json()["data"]]
    assert 3 == desk.servicego.get("/v1/userGroup").json()["paging"]["total"]
    check("servicego", desk.servicego.delete("/v1/userGroup/1"), "ok")
    assert ["别家的组"] == [group.name for group in desk.roster("other").groups]


def test_what_one_company_writes_another_never_sees(desk):
    desk.add_company(Company(id=1, label="other", name="别家"), _admin_of_other())
    other = desk.of(ADMIN.__class__(id=1, email="admin@other.cn", password="", token="other-token"), "other.cn")
    secret = "只有演示公司知道"
    desk.kf5.post("/groups.json", json={"group": {"name": secret, "agents": [1, 2]}})
    before = desk.roster().number

    for dialect, route in ROUTES:
        if route.needs is None:
            continue
        call = CALLS[name_of(dialect, route)]
        response = getattr(other, dialect.name).request(route.method, call.path, json=call.body)
        assert secret not in response.text
        assert "agent@udesk.cn" not in response.text
    assert before == desk.roster().number


def _admin_of_other(email: str = "admin@other.cn"):
    return [
        Agent(id=1, name="别家", email=email, level="admin"),
        Key(id=1, agent_id=1, name="k", secret=Secret("other-token")),
    ]


@pytest.mark.parametrize("host", ["demo.kf5.cn", "demo.kf5.cn:8321", "127.0.0.1:1", "[::1]:8321"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_kf5_addresses_start_as_the_client_wrote_them(desk, scheme, host):
    base = f"{scheme}://{host}/apiv2"

    def call(method, path, **how):
        return desk.kf5.request(method, f"{base}{path}", **how)

    created = call("POST", "/groups.json", json={"group": {"name": "a", "agents": [1]}})
    group = created.json()["group"]
    listed = call("GET", "/groups.json?per_page=1&page=2&x=%E7%BB%84&y=a+b").json()

    assert f"{base}/groups/{group['id']}.json" == group["url"] == created.headers["location"]
    assert f"{base}/users/1.json" == group["agents"][0]["url"]
    assert f"{base}/groups.json?per_page=1&x=%E7%BB%84&y=a+b&page=3" == listed["next_page"]
    assert f"{base}/groups.json?per_page=1&x=%E7%BB%84&y=a+b&page=1" == listed["previous_page"]


def test_a_limit_of_calls_a_minute_is_a_companys_own(desk):
    desk.operate(lambda roster, caller: company.update(roster, caller, CompanyFields(calls_per_minute=3)))
    for _ in range(3):
        check("udesk", desk.udesk.get("/agent_roles"), "ok")

    refused = desk.udesk.get("/agent_roles")
    check("udesk", refused, "toomany")
    check("kf5", desk.kf5.get("/groups.json"), "ok")
    desk.clock.now += int(refused.headers["retry-after"])
    check("udesk", desk.udesk.get("/agent_roles"), "ok")


def test_calls_that_prove_nothing_do_not_count_against_the_limit(desk):
    desk.operate(lambda roster, caller: company.update(roster, caller, CompanyFields(calls_per_minute=1)))
    stranger = desk.of(AGENT.__class__(id=9, email="x@y.cn", password="", token="x"))
    for _ in range(3):
        check("udesk", stranger.udesk.get("/agent_roles"), "unauth")

    check("udesk", desk.udesk.get("/agent_roles"), "ok")


@pytest.mark.parametrize("content_type", ["text/html", "application/json; charset=x", "\xff", ""])
@pytest.mark.parametrize("dialect", OF_DIALECT)
def test_a_body_on_a_get_or_a_delete_that_names_none_is_ignored(desk, dialect, content_type):
    headers = {"Content-Type": content_type.encode("latin-1")}
    deletes = [route for route in dialect.routes if route.method == "DELETE" and route.body is None]
    asked = [("GET", CONTRACTS[dialect.name].named.lists)]
    asked += [("DELETE", CALLS[name_of(dialect, route)].path) for route in deletes[:1]]

    for method, path in asked:
        for content in (b"{", b"[", b"\xff" * 99) if method == "GET" else (b"{",):
            sent = getattr(desk, dialect.name).request(method, path, content=content, headers=headers)
            check(dialect.name, sent, "ok")


def test_liveness_readiness_and_metrics_are_answered(desk):
    client = desk.plain()
    desk.kf5.get("/groups.json")

    assert 200 == client.get("/live").status_code
    assert 200 == client.get("/ready").status_code
    assert "deskroster_answers" in client.get("/metrics").text
    desk.address = "10.0.0.9"
    assert 404 == client.get("/metrics").status_code


def test_no_secret_reaches_the_log_or_the_metrics(desk):
    desk.udesk.get("/user_groups")
    desk.kf5.post(
        "/users.json", json={"user": {"name": "a", "email": "a@b.cn", "role": "agent", "password": "very-secret"}}
    )
    desk.plain().post("/open_api_v1/log_in", json={"email": ADMIN.email, "password": ADMIN.password})
    desk.plain().post("/open_api_v1/log_in", json={"email": ADMIN.email, "password": "wrong-secret"})

    told = desk.log.getvalue() + desk.plain().get("/metrics").text
    for secret in (ADMIN.token, ADMIN.password, "very-secret", "wrong-secret", "sign=", "nonce"):
        assert secret not in told


def test_the_world_of_the_tests_is_one_that_the_core_would_make(tmp_path, clock):
    desk = InProcess(tmp_path / "fresh", clock)
    desk.add_company(COMPANY, records())
    desk.restart()

    assert [2, 3] == list(desk.roster().groups[2].member_ids)
    desk.close()
