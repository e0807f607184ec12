"""Targets as curl, PHP and Java send them: raw bytes, slashes too many, `+` in e-mails."""

import pytest

from deskroster.core import agents
from deskroster.core.agents import AgentFields
from deskroster.dialect.query import parse
from deskroster.dialects import DIALECTS
from tests.answers import check
from tests.contracts import BY_NAME, CONTRACTS, lists
from tests.dialect.test_bad_inputs import send

pytestmark = pytest.mark.any_engine

OF_DIALECT = [dialect.name for dialect in DIALECTS]


def get(desk, dialect, target: bytes | str):
    """Send a raw target below no prefix, signed or with credentials."""
    raw = target if isinstance(target, bytes) else target.encode()
    return getattr(desk, dialect).get("/", extensions={"target": raw})


@pytest.mark.parametrize("slashes", ["//{0}", "{0}/", "{0}//", "///{1}//{2}///", "/{1}/{2}/"])
@pytest.mark.parametrize("dialect", OF_DIALECT)
def test_repeated_slashes_count_as_one_and_one_at_the_end_as_none(quiet_desk, dialect, slashes):
    path, _, query = lists(dialect).partition("?")
    first, _, rest = path[1:].partition("/")
    target = slashes.format(path[1:], first, rest.replace("/", "//"))

    check(
        dialect,
        get(quiet_desk, dialect, f"/{target.lstrip('/')}?{query}" if slashes[0] != "/" else f"{target}?{query}"),
        "ok",
    )


@pytest.mark.parametrize("path", ["/docs//kf5/", "//docs/kf5", "/live/", "//ready"])
def test_outside_of_the_dialects_as_well(quiet_desk, path):
    assert 200 == quiet_desk.plain().get("/", extensions={"target": path.encode()}).status_code


@pytest.mark.parametrize(("raw", "read"), [
    ("a=你", {"a": "你"}), ("a=%E4%BD%A0", {"a": "你"}), ("你=1", {"你": "1"}), ("a=你%E5%A5%BD+x", {"a": "你好 x"}),
    ("a[]=1&a[]=2", {"a[]": "1,2"}), ("a%5B%5D=1&a[]=2", {"a[]": "1,2"}), ("a=1&a=2", {"a": "\0"}),
    ("email=a+b@x.cn", {"email": "a+b@x.cn"}),
    ("type=email&content=a+b@x.cn", {"type": "email", "content": "a+b@x.cn"}),
    ("content=a+b@x.cn&type=email", {"type": "email", "content": "a+b@x.cn"}),
    ("type=id&content=a+b", {"type": "id", "content": "a b"}),
    ("type=2&value=a+b@x.cn", {"type": "2", "value": "a+b@x.cn"}),
    ("value=+86&type=3", {"type": "3", "value": "+86"}), ("type=4&value=a+b", {"type": "4", "value": "a b"}),
    ("query=a%2Bb", {"query": "a+b"}), ("nonce=a+b&sign=c+d", {"nonce": "a+b", "sign": "c+d"}),
])  # fmt: skip
def test_a_query_is_read_with_raw_bytes_and_a_plus_where_an_email_stands(raw, read):
    assert read == parse(raw.encode())


@pytest.mark.parametrize("dialect", OF_DIALECT)
@pytest.mark.parametrize("query", [b"x=\xff", b"x=%ff", b"%e4=1", b"x=\xe4\xbd", b"x=%ED%A0%80"])
def test_a_query_that_is_no_utf_8_is_a_syntax_error(quiet_desk, dialect, query):
    path = lists(dialect).partition("?")[0].encode()

    told = check(dialect, get(quiet_desk, dialect, path + b"?" + query), "syntax")

    assert "the query is no valid UTF-8" in str(told)


@pytest.mark.parametrize(
    "dialect", [dialect for dialect in DIALECTS if dialect.name != "own"], ids=lambda one: one.name
)
@pytest.mark.parametrize("id", ["\u4e2d", "1\u200e", "%ff", "%E4"])
def test_raw_bytes_in_a_path_are_an_unknown_id(quiet_desk, dialect, id):
    route = next(route for route in dialect.routes if route.method == "GET" and "{id}" in route.path)

    check(dialect.name, send(quiet_desk, dialect, "GET", route.path.replace("{id}", id)), "notfound")


@pytest.mark.parametrize("target", [b"/open_api_v1/\xff", "/open_api_v1/组".encode(), b"/open_api_v1/%ff"])
def test_raw_bytes_in_a_path_are_an_unknown_path(quiet_desk, target):
    check("udesk", get(quiet_desk, "udesk", target), "nopath")


@pytest.mark.parametrize("raw", ["query=张", "query=%E5%BC%A0"])
def test_a_search_may_be_sent_raw(desk, raw):
    desk.operate(lambda roster, caller: agents.update(roster, caller, 2, AgentFields(name="张三"), 1))

    assert [2] == [one["id"] for one in get(desk, "kf5", f"/apiv2/users/search.json?{raw}").json()["users"]]


FINDS = [
    pytest.param(dialect.name, find, id=find.path) for dialect in DIALECTS for find in CONTRACTS[dialect.name].finds
]


@pytest.mark.parametrize("ends", ["", "%0D%0A", "%E2%80%8E", "\u200e"])
@pytest.mark.parametrize(("dialect", "find"), FINDS)
def test_an_agent_is_found_by_an_email_with_a_plus_and_by_text_with_odd_ends(desk, dialect, find, ends):
    there = find.there.replace("foreign@", "a+b@")
    fields = AgentFields(email="a+b@other.cn", name=there, mobile=there[:32], job_number=there)
    desk.operate(lambda roster, caller: agents.update(roster, caller, 2, fields, 1))
    for sent in {there, there.replace("+", "%2B")}:
        answer = check(dialect, get_signed(desk, dialect, find.path.format(sent + ends)), "ok")

        assert there in str(answer)


def get_signed(desk, dialect, path: str):
    """Send a raw path and query; httpx2 would encode what it has, so the signature is put behind it."""
    client, prefix = getattr(desk, dialect), BY_NAME[dialect].prefix
    if not BY_NAME[dialect].signature:
        return client.get("/", extensions={"target": f"{prefix}{path}".encode()})
    pairs = "&".join(f"{name}={value}" for name, value in client.auth.parameters().items())
    return desk.plain().get("/", extensions={"target": f"{prefix}{path}&{pairs}".encode()})
