"""The bad inputs again, as bytes over a socket to the real server, and what only a socket can carry."""

import json
import shutil

import httpx2
import pytest

from deskroster.dialects import DIALECTS
from deskroster.testing import Signature
from tests import bad_inputs, places
from tests.answers import check
from tests.contracts import BY_NAME, CONTRACTS, lists
from tests.dialect.test_bad_credentials import (
    BY_BASIC,
    BY_QUERY,
    CHANGES,
    HEADERS,
    check_changed,
    get,
    parameters,
)
from tests.dialect.test_bad_inputs import by_id, cases, check_value, judged, send
from tests.served import Served
from tests.world import ADMIN

pytestmark = pytest.mark.any_engine

OF_DIALECT = [dialect.name for dialect in DIALECTS]
ONE_PLACE = [
    place for place in places.NAMES if (place.method, place.path) == ("POST", CONTRACTS[place.dialect].named.creates)
]
EMAIL_PLACES = [place for place in places.EMAILS if place.method == "POST"]
WITH_ID = {  # the first path of each
    dialect.name: route.path
    for dialect in DIALECTS
    for route in reversed(dialect.routes)
    if route.method == "GET" and "{id}" in route.path
}


@pytest.mark.parametrize(("value", "cls"), cases(bad_inputs.NAMES))
@pytest.mark.parametrize("place", by_id(ONE_PLACE))
def test_a_name_over_a_socket(served, place, value, cls):
    check_value(served, place, value, *judged(place, value, cls))


@pytest.mark.parametrize(("name", "value", "cls"), [one for one in bad_inputs.EMAILS if one[0] != "case-twin"])
@pytest.mark.parametrize("place", by_id(EMAIL_PLACES))
def test_an_email_over_a_socket(served, place, name, value, cls):
    mine = f"{place.dialect}.{name}.{value}" if cls == "ok" else value

    check_value(served, place, mine, cls, mine.strip() if cls == "ok" else mine)


@pytest.mark.parametrize(("value", "cls"), cases(bad_inputs.MOBILES))
@pytest.mark.parametrize("place", by_id(places.STRICT_MOBILES))
def test_a_mobile_over_a_socket(served, place, value, cls):
    check_value(served, place, value, cls, bad_inputs.READ_AS.get(value, value))


@pytest.mark.parametrize(("value", "cls"), cases(bad_inputs.IDS))
@pytest.mark.parametrize("dialect", WITH_ID)
def test_an_id_over_a_socket(served, dialect, value, cls):
    target = WITH_ID[dialect].replace("{id}", value.replace("OTHER", str(2**40)))

    check(dialect, send(served, BY_NAME[dialect], "GET", target), cls)


@pytest.mark.parametrize(("value", "cls"), cases(bad_inputs.ID_LISTS))
def test_a_list_of_ids_over_a_socket(served, value, cls):
    target = f"/v1/userGroup/{value.replace('SELF', '1')}"

    check("servicego", send(served, BY_NAME["servicego"], "DELETE", target), cls)


@pytest.mark.parametrize(("value", "cls"), cases(bad_inputs.PAGING))
@pytest.mark.parametrize("dialect", OF_DIALECT)
def test_a_page_over_a_socket(served, dialect, value, cls):
    contract = CONTRACTS[dialect]
    name = contract.paging.size
    sent = [(name, one) for one in value] if isinstance(value, tuple) else [(name, value)]
    if value == "page[]=1":
        sent = [(f"{name}[]", "1")]
    expected = "ok" if not contract.paging.refuses else "invalid" if value == "1000000" else cls

    check(dialect, getattr(served, dialect).get(contract.named.lists, params=sent), expected)


@pytest.mark.parametrize(("value", "cls"), cases(bad_inputs.BODIES))
@pytest.mark.parametrize("dialect", OF_DIALECT)
def test_a_body_over_a_socket(served, dialect, value, cls):
    named, before = CONTRACTS[dialect].named, served.roster().number
    client = getattr(served, dialect)

    response = client.post(named.creates, content=value, headers={"Content-Type": "application/json"})

    if cls == "ok" and named.body("a") != {"name": "a"}:
        cls = "invalid"  # the name stands inside of an object there
    check(dialect, response, cls)
    assert served.roster().number == before + (cls == "ok")


@pytest.mark.parametrize(("name", "cls"), [(name, cls) for name, _, cls in bad_inputs.AUTH if name in CHANGES])
@pytest.mark.parametrize("dialect", BY_QUERY)
def test_a_signature_over_a_socket(served, dialect, name, cls):
    with served.plain() as client:
        check_changed(_Only(client, served), dialect, name, cls)


class _Only:
    """A desk of which only `plain` is asked."""

    def __init__(self, client, served) -> None:
        self.plain = lambda host: client
        self.clock = served.clock


@pytest.mark.parametrize("name", [name for name, _, cls in bad_inputs.AUTH if name in HEADERS and cls == "unauth"])
@pytest.mark.parametrize("dialect", BY_BASIC)
def test_basic_credentials_over_a_socket(served, dialect, name):
    served.clock.now += 60  # failures of one address slow it down
    with served.plain() as client:
        response = client.get(lists(dialect), headers=[("Authorization", value) for value in HEADERS[name]])

    check(dialect, response, "unauth")


def test_a_nonce_is_good_for_one_connection_only(served):
    pairs = parameters(served, "udesk")
    answers = []
    for _ in range(2):
        with served.plain() as client:
            answers.append(get(_Only(client, served), "udesk", pairs).json()["code"])

    assert [1000, 20623] == answers


def request(line: str, *headers: str, body: bytes = b"") -> bytes:
    return "\r\n".join([line, *headers, "Connection: close", "", ""]).encode("latin-1") + body


def answered(dialect: str, method: str, answer: bytes) -> httpx2.Response:
    """Return what was answered, for `check`."""
    head, _, body = answer.partition(b"\r\n\r\n")
    line, *lines = head.decode("latin-1").split("\r\n")
    headers = [(name, value.strip()) for name, _, value in (one.partition(":") for one in lines)]
    asked = httpx2.Request(method, f"http://demo{lists(dialect)}")
    return httpx2.Response(int(line.split(" ", 2)[1]), headers=headers, content=body, request=asked)


@pytest.mark.parametrize(
    "headers",
    [
        (), ("Host:",), ("Host: a b",), ("Host: demo.example.com", "Host: demo.example.com"), ("Host: -a.cn",),
        ("Host: demo/../x",), ("Host: demo@evil.cn",), ("Host: demo.cn:99999999",), ("Host: d\xe9mo.cn",),
    ],
)  # fmt: skip
@pytest.mark.parametrize("dialect", OF_DIALECT)
def test_a_missing_or_ill_formed_host_is_a_bad_request(served, dialect, headers):
    answer = served.raw(request(f"GET {lists(dialect)} HTTP/1.1", *headers))

    check(dialect, answered(dialect, "GET", answer), "host")


@pytest.mark.parametrize("method", ["OPTIONS", "TRACE", "PATCH", "BREW"])
@pytest.mark.parametrize("dialect", OF_DIALECT)
def test_another_method_is_refused_in_the_dialects_shape(served, dialect, method):
    response = answered(dialect, method, served.raw(request(f"{method} {lists(dialect)} HTTP/1.1", "Host: demo.cn")))

    if response.status_code == 400:  # a method that HTTP does not know
        assert method == "BREW"
        return
    check(dialect, response, "method")
    known = {route.method for route in BY_NAME[dialect].routes if route.path == CONTRACTS[dialect].named.lists}
    assert ", ".join(sorted(known | {"HEAD"})) == response.headers["allow"]


@pytest.mark.parametrize("dialect", OF_DIALECT)
def test_a_body_whose_length_is_a_lie_is_never_half_taken(served, dialect):
    before = served.roster().number
    asked = httpx2.Request("POST", f"http://demo.cn{BY_NAME[dialect].prefix}{CONTRACTS[dialect].named.creates}")
    signed = next(Signature(ADMIN, BY_NAME[dialect].credentials, served.clock).auth_flow(asked))
    line = f"POST {signed.url.raw_path.decode()} HTTP/1.1"
    proof = [f"Authorization: {signed.headers['authorization']}"] if "authorization" in signed.headers else []
    for length in ("100", "-1", "x", "1e3", str(2 << 20), "9" * 30):
        body = json.dumps(CONTRACTS[dialect].named.body("a")).encode()
        answer = served.raw(request(line, "Host: demo.cn", *proof, f"Content-Length: {length}", body=body))

        assert b" 200 " not in answer.partition(b"\r\n")[0]
        assert b" 201 " not in answer.partition(b"\r\n")[0]
        assert b"Traceback" not in answer
        assert b"<html" not in answer.lower()
    assert before == served.roster().number


def test_a_body_in_chunks_is_read_whole_and_refused_when_it_grows_too_large(served):
    def chunks(size: int):
        yield b'{"name":"'
        for _ in range(size // 1000):
            yield b"a" * 1000
        yield b'"}'

    for size, cls in ((0, "invalid"), (1000, "invalid"), (2 << 20, "toolarge")):
        check("udesk", served.udesk.post("/user_groups", content=chunks(size)), cls)


FORWARDED = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "demo.kf5.cn", "X-Forwarded-For": "10.1.2.3"}


@pytest.mark.parametrize(
    ("trusted", "base"),
    [
        (("127.0.0.1",), "https://demo.kf5.cn"), (("127.0.0.0/8",), "https://demo.kf5.cn"), ((), None),
        (("10.0.0.1",), None),
    ],
)  # fmt: skip
def test_forwarded_headers_are_believed_of_a_trusted_proxy_only(prepared, tmp_path, clock, trusted, base):
    shutil.copytree(prepared, tmp_path / "data")
    with Served(tmp_path / "data", clock, trusted) as behind:
        shown = behind.kf5.get("/groups/1.json", headers=FORWARDED).json()["group"]["url"]

        assert f"{base or behind.url}/apiv2/groups/1.json" == shown


@pytest.mark.parametrize("dialect", OF_DIALECT)
def test_a_page_that_is_made_in_turns_is_answered_like_any_other(served, dialect, monkeypatch):
    """It is begun before the app is asked, its nonce spent, and gone on with there."""
    client, path = getattr(served, dialect), CONTRACTS[dialect].named.lists
    usual = client.get(path)
    monkeypatch.setattr("deskroster.core.groups.CROWD", 0)

    in_turns = client.get(path, params={"page": "1"})

    assert 200 == usual.status_code == in_turns.status_code
    assert usual.json() == in_turns.json()
