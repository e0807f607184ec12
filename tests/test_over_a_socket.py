"""The bad inputs again, as bytes over a socket to the real server, and what only a socket can carry."""

import json
import shutil

import pytest

from tests import bad_inputs, places
from tests.answers import CLASSES, check
from tests.served import Served
from tests.test_bad_credentials import CHANGES, HAVE_NO_NONCE, HEADERS, READS, get, parameters
from tests.test_bad_inputs import by_id, cases, check_value, dialect_named, judged, send
from tests.world import ADMIN

pytestmark = pytest.mark.any_engine

ONE_PLACE = [
    place for place in places.NAMES if (place.method, place.path) in
    {("POST", "/user_groups"), ("POST", "/groups.json"), ("POST", "/v1/userGroup")}
]  # fmt: skip
EMAIL_PLACES = [place for place in places.EMAILS if place.method == "POST"]
PATHS = {"udesk": "/user_groups/{}/agents", "kf5": "/groups/{}.json", "servicego": "/v1/user/{}"}
LISTS = {"udesk": "/user_groups", "kf5": "/groups.json", "servicego": "/v1/userGroup"}


@pytest.mark.parametrize(("value", "cls"), cases(bad_inputs.NAMES))
@pytest.mark.parametrize("place", by_id(ONE_PLACE))
def test_a_name_over_a_socket(served, place, value, cls):
    check_value(served, place, value, *judged(place, value, cls))


@pytest.mark.parametrize(("value", "cls"), [one for one in cases(bad_inputs.EMAILS) if one.id != "case-twin"])
@pytest.mark.parametrize("place", by_id(EMAIL_PLACES))
def test_an_email_over_a_socket(served, place, value, cls):
    mine = f"{place.dialect}.{value}" if cls == "ok" else value

    check_value(served, place, mine, cls, mine)


@pytest.mark.parametrize(("value", "cls"), cases(bad_inputs.MOBILES))
@pytest.mark.parametrize("place", by_id(places.STRICT_MOBILES))
def test_a_mobile_over_a_socket(served, place, value, cls):
    check_value(served, place, value, cls, value)


@pytest.mark.parametrize(("value", "cls"), cases(bad_inputs.IDS))
@pytest.mark.parametrize("dialect", PATHS)
def test_an_id_over_a_socket(served, dialect, value, cls):
    target = PATHS[dialect].format(value.replace("OTHER", str(2**40)))

    check(dialect, send(served, dialect_named(dialect), "GET", target), cls)


@pytest.mark.parametrize(("value", "cls"), cases(bad_inputs.ID_LISTS))
def test_a_list_of_ids_over_a_socket(served, value, cls):
    target = f"/v1/userGroup/{value.replace('SELF', '1')}"

    check("servicego", send(served, dialect_named("servicego"), "DELETE", target), cls)


@pytest.mark.parametrize(("value", "cls"), cases(bad_inputs.PAGING))
@pytest.mark.parametrize("dialect", LISTS)
def test_a_page_over_a_socket(served, dialect, value, cls):
    name = "pageSize" if dialect == "servicego" else "per_page"
    sent = [(name, one) for one in value] if isinstance(value, tuple) else [(name, value)]
    if value == "page[]=1":
        sent = [(f"{name}[]", "1")]
    expected = "ok" if dialect != "servicego" else "invalid" if value == "1000000" else cls

    check(dialect, getattr(served, dialect).get(LISTS[dialect], params=sent), expected)


@pytest.mark.parametrize(("value", "cls"), cases(bad_inputs.BODIES))
@pytest.mark.parametrize("dialect", LISTS)
def test_a_body_over_a_socket(served, dialect, value, cls):
    before = served.roster().number
    client = getattr(served, dialect)

    response = client.post(LISTS[dialect], content=value, headers={"Content-Type": "application/json"})

    if cls == "ok" and dialect == "kf5":
        cls = "invalid"  # the name stands inside of `group` there
    check(dialect, response, cls)
    assert served.roster().number == before + (cls == "ok")


@pytest.mark.parametrize(("name", "cls"), [(name, cls) for name, _, cls in bad_inputs.AUTH if name in CHANGES])
@pytest.mark.parametrize("dialect", ["udesk", "servicego"])
def test_a_signature_over_a_socket(served, dialect, name, cls):
    if dialect == "servicego" and name in (*HAVE_NO_NONCE, "downgrade"):
        cls = "unauth" if name == "sign-upper" else "ok"

    with served.plain() as client:
        check(dialect, get(_Only(client, served), dialect, CHANGES[name](parameters(served, dialect))), cls)


class _Only:
    """A desk of which only `plain` is asked."""

    def __init__(self, client, served) -> None:
        self.plain = lambda host: client
        self.clock = served.clock


@pytest.mark.parametrize("name", [name for name, _, cls in bad_inputs.AUTH if name in HEADERS and cls == "unauth"])
def test_basic_credentials_over_a_socket(served, name):
    served.clock.now += 60  # failures of one address slow it down
    with served.plain() as client:
        response = client.get(READS["kf5"], headers=[("Authorization", value) for value in HEADERS[name]])

    check("kf5", response, "unauth")


def test_a_nonce_is_good_for_one_connection_only(served):
    pairs = parameters(served, "udesk")
    answers = []
    for _ in range(2):
        with served.plain() as client:
            answers.append(get(_Only(client, served), "udesk", pairs).json()["code"])

    assert [1000, 20623] == answers


def request(line: str, *headers: str, body: bytes = b"") -> bytes:
    return "\r\n".join([line, *headers, "Connection: close", "", ""]).encode("latin-1") + body


def status_and_body(answer: bytes) -> tuple[int, bytes]:
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split(b" ", 2)[1]), body


@pytest.mark.parametrize(
    "headers",
    [
        (), ("Host:",), ("Host: a b",), ("Host: demo.example.com", "Host: demo.example.com"), ("Host: -a.cn",),
        ("Host: demo/../x",), ("Host: demo@evil.cn",), ("Host: demo.cn:99999999",), ("Host: d\xe9mo.cn",),
    ],
)  # fmt: skip
@pytest.mark.parametrize("dialect", READS)
def test_a_missing_or_ill_formed_host_is_a_bad_request(served, dialect, headers):
    status, body = status_and_body(served.raw(request(f"GET {READS[dialect]} HTTP/1.1", *headers)))

    assert 400 == status
    assert CLASSES[dialect]["syntax"][1] == _code(dialect, body)


@pytest.mark.parametrize("method", ["OPTIONS", "TRACE", "PATCH", "BREW"])
@pytest.mark.parametrize("dialect", READS)
def test_another_method_is_refused_in_the_dialects_shape(served, dialect, method):
    answer = served.raw(request(f"{method} {READS[dialect]} HTTP/1.1", "Host: demo.cn"))
    status, body = status_and_body(answer)

    if status == 400:  # a method that HTTP does not know
        assert method == "BREW"
        return
    assert 405 == status
    assert CLASSES[dialect]["method"][1] == _code(dialect, body)
    assert b"\r\nallow: GET, HEAD, POST\r\n" in answer.lower().replace(b"get, head, post", b"GET, HEAD, POST")


@pytest.mark.parametrize("dialect", READS)
def test_a_body_whose_length_is_a_lie_is_never_half_taken(served, dialect):
    before = served.roster().number
    signed = "&".join(f"{name}={value}" for name, value in parameters_of(served, dialect))
    line = f"POST {READS[dialect]}?{signed} HTTP/1.1"
    for length in ("100", "-1", "x", "1e3", str(2 << 20), "9" * 30):
        body = b'{"name":"a"}'
        answer = served.raw(request(line, "Host: demo.cn", f"Content-Length: {length}", body=body))

        assert b" 200 " not in answer.partition(b"\r\n")[0]
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


def parameters_of(served, dialect: str):
    return [] if dialect == "kf5" else parameters(served, dialect, ADMIN)


def _code(dialect: str, body: bytes):
    told = json.loads(body)
    return told["error"]["code"] if dialect == "kf5" else told["code"]


@pytest.mark.parametrize("dialect", LISTS)
def test_a_page_that_is_made_in_turns_is_answered_like_any_other(served, dialect, monkeypatch):
    """It is begun before the app is asked, its nonce spent, and gone on with there."""
    client = getattr(served, dialect)
    usual = client.get(LISTS[dialect])
    monkeypatch.setattr("deskroster.core.groups.CROWD", 0)

    in_turns = client.get(LISTS[dialect], params={"page": "1"})

    assert 200 == usual.status_code == in_turns.status_code
    assert usual.json() == in_turns.json()
