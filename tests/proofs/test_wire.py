"""Whatever is on the wire: bytes over real sockets to the real server, and to the control without guards."""

import shutil
import time
from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from deskroster.testing import StillClock
from tests.conftest import NOW
from tests.contracts import BY_NAME, CONTRACTS
from tests.proofs.wire.calls import Call, call_of, calls
from tests.proofs.wire.shapes import GOOD, LOST, NO_HOST, Shape, chunked, well_chunked
from tests.proofs.wire.talk import Talk, check_refusal
from tests.proofs.wire.unguarded import unguarded
from tests.served import Served
from tests.world import ADMIN

pytestmark = pytest.mark.any_engine

CALLS = [pytest.param(call, id=call.dialect) for call in calls(StillClock(NOW))]
KF5 = call_of("kf5", StillClock(NOW))
PASSES = [pytest.param(shape, id=shape.name) for shape in LOST if shape.passes]


@pytest.fixture(scope="module")
def control(prepared, tmp_path_factory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("control") / "data"
    shutil.copytree(prepared, folder)
    with unguarded(), Served(folder, StillClock(NOW)) as server:
        yield server


def allowed(call: Call) -> str:
    """Return the methods of the path that a call writes to."""
    prefix = BY_NAME[call.dialect].prefix
    known = {route.method for route in BY_NAME[call.dialect].routes if prefix + route.path == call.path.decode()}
    return ", ".join(sorted(known | ({"HEAD"} if "GET" in known else set())))


def unauthenticated(call: Call) -> int:
    """Return the status of an answer to who proves nothing."""
    return CONTRACTS[call.dialect].answers.of("unauth")[0]


def by_name(shapes: list[Shape]):
    return [pytest.param(shape, id=shape.name) for shape in shapes]


@pytest.mark.parametrize("shape", by_name(GOOD))
@pytest.mark.parametrize("call", CALLS)
def test_an_unusual_valid_request_is_carried_out_once(served, call, shape):
    before = served.roster().number

    with Talk(served.url) as talk:
        talk.send(shape.sent(call))
        answer = talk.answer()
        while answer is not None and answer.status == 100:
            answer = talk.answer()

    assert answer is not None
    assert answer.status in (200, 201), answer
    assert before + 1 == served.roster().number


@pytest.mark.parametrize("shape", by_name(LOST))
@pytest.mark.parametrize("call", CALLS)
def test_after_an_invalid_request_nothing_else_is_read_as_a_request(served, call, shape):
    before = served.roster().number

    with Talk(served.url) as talk:
        talk.send(shape.sent(call) + call.request())
        answers = talk.answers()

    assert talk.closed
    assert [shape.status] == [answer.status for answer in answers]
    if not shape.nameless:
        check_refusal(call.dialect, answers[0], shape.status, allowed(call) if shape.status == 405 else "")
    assert "close" == answers[0].headers["connection"]
    assert before == served.roster().number


@pytest.mark.parametrize("shape", PASSES)
def test_control_without_guards_an_invalid_request_is_accepted(control, shape):
    before = control.roster().number

    with Talk(control.url) as talk:
        talk.send(shape.sent(KF5) + KF5.request())
        answers = talk.answers(seconds=1)

    assert shape.status not in [answer.status for answer in answers]
    assert before < control.roster().number or shape.name.startswith(("head", "query"))


@pytest.mark.parametrize("head", [pytest.param(line, id=name) for name, line in NO_HOST])
@pytest.mark.parametrize("call", CALLS)
def test_a_request_without_one_valid_host_is_refused_and_the_next_one_answered(served, call, head):
    before = served.roster().number

    with Talk(served.url) as talk:
        talk.send(call.request(head=head + call.credentials) + call.request())
        first, second = talk.answer(), talk.answer()

    check_refusal(call.dialect, first, 400)
    assert second is not None
    assert second.status in (200, 201)
    assert before + 1 == served.roster().number


@pytest.mark.parametrize("path", [b"/live", b"/docs", b"/nowhere", b"*"])
@pytest.mark.parametrize("host", [b"", b"Host: a\r\nHost: a\r\n"])
def test_outside_the_dialects_a_request_needs_exactly_one_host(served, path, host):
    with Talk(served.url) as talk:
        talk.send(b"OPTIONS %b HTTP/1.1\r\n%b\r\n" % (path, host))

        answer = talk.answer()

    assert answer is not None
    assert (400, "application/json") == (answer.status, answer.headers["content-type"])


def test_an_old_health_check_needs_no_host(served):
    with Talk(served.url) as talk:
        talk.send(b"GET /live HTTP/1.0\r\n\r\n")

        answer = talk.answer()

        assert answer is not None
        assert 200 == answer.status
        assert talk.ends_within(60)


def test_a_request_for_the_server_as_a_whole_is_a_client_error(served):
    with Talk(served.url) as talk:
        talk.send(b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n")

        answer = talk.answer()

    assert answer is not None
    assert 404 == answer.status


@pytest.mark.parametrize("call", CALLS)
def test_a_trailer_is_not_read_as_a_header(served, control, call):
    def taken(server):
        with Talk(server.url) as talk:
            body = call.body()
            talk.send(call.request(head=b"Host: demo.example.com\r\n", line=b"POST %b HTTP/1.1" % call.path, framed=(
                b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n%b\r\n" % (len(body), body, call.credentials)
            )))  # fmt: skip
            return talk.answer()

    before = served.roster().number
    check_refusal(call.dialect, taken(served), unauthenticated(call))
    assert before == served.roster().number
    if call.credentials:
        assert taken(control).status in (200, 201)


@pytest.mark.parametrize("call", CALLS)
def test_pipelined_requests_are_answered_in_their_order(served, call):
    before = served.roster().number
    many = 200

    with Talk(served.url) as talk:
        talk.send(b"".join(call.request() for _ in range(many)) + b"GET /live HTTP/1.1\r\nHost: a\r\n\r\n")
        answers = [talk.answer() for _ in range(many + 1)]

    assert [many, b'{"live":true}'] == [sum(one.status in (200, 201) for one in answers[:-1]), answers[-1].body]
    assert before + many == served.roster().number


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("bad", [
    b"GET / HTTP/1.1\r\nX: \0\r\n\r\n", b"FOO / HTTP/1.1\r\n\r\n", b"\0",
    b"POST /apiv2/groups.json HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
    b"POST /apiv2/groups.json HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
], ids=["control", "method", "garbage", "chunk", "coding"])  # fmt: skip
@pytest.mark.parametrize("call", CALLS)
def test_what_was_asked_before_a_bad_request_is_answered_before_its_refusal(served, call, bad, whole):
    before = served.roster().number

    with Talk(served.url) as talk:
        talk.send(call.request() + call.request() + (bad if whole else bad[:-1]))
        if not whole:
            talk.send(bad[-1:])
        talk.send(call.request())
        answers = talk.answers()

    assert talk.closed
    assert [True, True, False] == [answer.status < 300 for answer in answers]
    assert before + 2 == served.roster().number


@pytest.mark.parametrize("together", [True, False])
def test_a_deletion_whose_body_breaks_off_has_deleted_nothing(served, together):
    group = served.kf5.post("/groups.json", json={"group": {"name": "stays"}}).json()["group"]["id"]
    head = b"DELETE /apiv2/groups/%d.json HTTP/1.1\r\n%bTransfer-Encoding: chunked\r\n\r\n" % (group, KF5.head)

    with Talk(served.url) as talk:
        talk.send(head + b"ZZ" if together else head)
        if not together:
            assert talk.answer(seconds=0.5) is None
            talk.send(b"ZZ")
        check_refusal("kf5", talk.answer(), 400)

    assert group in served.roster().groups


def test_without_guards_a_deletion_whose_body_breaks_off_is_done_and_refused(control):
    group = control.kf5.post("/groups.json", json={"group": {"name": "goes"}}).json()["group"]["id"]

    with Talk(control.url) as talk, pytest.MonkeyPatch.context() as patch:
        patch.setattr("deskroster.dialect.app._whole", _at_once)
        head = b"DELETE /apiv2/groups/%d.json HTTP/1.1\r\n%bTransfer-Encoding: chunked\r\n\r\n" % (group, KF5.head)
        talk.send(head + b"ZZ")
        answer = talk.answer()
        assert answer is not None
        assert 400 == answer.status
        until = time.monotonic() + 60
        while group in control.roster().groups and time.monotonic() < until:
            time.sleep(0.01)

    assert group not in control.roster().groups


async def _at_once(receive) -> None:
    pass


@pytest.mark.parametrize("call", CALLS)
def test_a_body_that_breaks_after_the_answer_gets_no_second_answer(served, call):
    head = b"POST /nowhere%b HTTP/1.1\r\n%bTransfer-Encoding: chunked\r\n\r\n" % (call.path, call.head)

    with Talk(served.url) as talk:
        talk.send(head.replace(b"/nowhere" + call.path, b"/".join(call.path.split(b"/")[:2]) + b"/nowhere.json"))
        check_refusal(call.dialect, talk.answer(), 404)
        talk.send(b"ZZ\r\n")

        assert [] == talk.answers()
        assert talk.closed


@pytest.mark.parametrize("call", CALLS)
def test_a_request_after_connection_close_is_ignored(served, call):
    before = served.roster().number

    with Talk(served.url) as talk:
        talk.send(call.request(b"Connection: close\r\n") + call.request())
        answers = talk.answers()

    assert talk.closed
    assert [True] == [answer.status < 300 for answer in answers]
    assert before + 1 == served.roster().number


@pytest.mark.parametrize("protocol", [b"websocket", b"h2c", b"TLS/1.2, x"])
@pytest.mark.parametrize("call", CALLS)
def test_a_request_to_upgrade_the_protocol_is_answered_in_http_1_1(served, call, protocol):
    before = served.roster().number
    upgrade = call.request(b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: %b\r\n" % protocol)

    with Talk(served.url) as talk:
        talk.send(upgrade + upgrade[:-1])
        talk.send(upgrade[-1:] + b"GET /live HTTP/1.1\r\nHost: a\r\n\r\n")
        answers = [talk.answer() for _ in range(3)]

    assert [True, True] == [answer.status in (200, 201) for answer in answers[:2]]
    assert b'{"live":true}' == answers[2].body
    assert before + 2 == served.roster().number


def test_without_guards_the_body_of_an_upgrade_is_lost(control):
    with Talk(control.url) as talk:
        talk.send(KF5.request(b"Connection: upgrade\r\nUpgrade: h2c\r\n"))
        answer = talk.answer()

    assert answer is not None
    assert 400 == answer.status


@pytest.mark.parametrize("call", CALLS)
def test_expect_100_continue_is_answered_unless_the_body_is_too_large(served, call):
    body = call.body()
    with Talk(served.url) as talk:
        talk.send(call.request(b"Expect: 100-continue\r\n", framed=b"Content-Length: %d\r\n\r\n" % len(body)))
        first = talk.answer()
        assert first is not None
        assert 100 == first.status
        talk.send(body)
        last = talk.answer()
        assert last is not None
        assert last.status in (200, 201)

        talk.send(call.request(b"Expect: 100-continue\r\n", framed=b"Content-Length: 1048577\r\n\r\n"))
        check_refusal(call.dialect, talk.answer(), 413)


@pytest.mark.parametrize("call", CALLS)
def test_http_1_0_is_answered_and_the_connection_closed(served, call):
    with Talk(served.url) as talk:
        talk.send(call.request(b"Connection: keep-alive\r\n", line=b"POST %b HTTP/1.0" % call.target) + call.request())
        answers = talk.answers()

    assert talk.closed
    assert [True] == [answer.status < 300 for answer in answers]


@pytest.mark.parametrize("call", CALLS)
def test_a_refusal_of_a_head_request_has_no_body(served, call):
    with Talk(served.url) as talk:
        talk.send(b"HEAD %b?%b HTTP/1.1\r\n%b\r\n" % (call.listed, b"x" * 8_193, call.head))
        answer = talk.answer("HEAD")

        assert answer is not None
        assert 414 == answer.status
        assert talk.answer() is None
        assert talk.closed


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(("accepted", "said"), [("zh", "查询字符串过长"), ("en", "the query is too long")])
def test_a_refusal_by_the_guards_is_in_the_language_that_is_accepted(served, call, accepted, said):
    head = call.head + b"Accept-Language: %b\r\n" % accepted.encode()

    with Talk(served.url) as talk:
        talk.send(b"GET %b?%b HTTP/1.1\r\n%b\r\n" % (call.listed, b"x" * 8_193, head))
        answer = talk.answer()

    check_refusal(call.dialect, answer, 414)
    assert said in answer.body.decode()


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("where", ["head", "trailers", "extension", "lines"])
def test_a_head_without_end_is_refused_before_it_ends(served, call, where):
    sent, more = {
        "head": (b"GET %b HTTP/1.1\r\n%bX: " % (call.list_target, call.head), b"x"),
        "trailers": (chunked(lambda body: well_chunked(body)[:-2] + b"X: ")(call), b"x"),
        "extension": (chunked(lambda body: b"1;")(call), b"x"),
        "lines": (b"", b"\r\n"),
    }[where]

    with Talk(served.url) as talk:
        talk.send(sent)
        for _ in range(40):
            try:
                talk.send(more * (16_384 // len(more)))
            except ConnectionError:
                break
        answer = talk.answer()

    assert answer is not None
    assert 431 == answer.status, answer
    if where != "lines":
        check_refusal(call.dialect, answer, 431)


@pytest.mark.parametrize("call", CALLS)
def test_every_way_of_cutting_a_request_into_packets_reads_the_same(served, call):
    sent = chunked(lambda body: b"%x\r\n%b\r\n0\r\nX: y\r\n\r\n" % (len(body), body))(call)
    before = served.roster().number

    with Talk(served.url) as talk:
        for step in (1, 7, 100):
            for at in range(0, len(sent), step):
                talk.send(sent[at : at + step])
            answer = talk.answer()
            assert answer is not None
            assert answer.status in (200, 201)

    assert before + 3 == served.roster().number


def test_control_the_test_requests_are_refused_without_credentials(served):
    with Talk(served.url) as talk:
        for call in calls(StillClock(NOW)):
            unsigned = replace(call, query=b"", credentials=b"")
            talk.send(unsigned.request())
            check_refusal(call.dialect, talk.answer(), unauthenticated(call))
    assert ADMIN.token
