"""Slow and greedy clients: every wait has a deadline, every number a limit, and others do not feel it."""

import shutil
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deskroster.guards.quotas import Quotas
from deskroster.testing import StillClock
from tests.cli.test_serving import self_signed
from tests.conftest import NOW
from tests.proofs.tries import in_one_of_three_tries
from tests.proofs.wire.calls import HOST, call_of, calls
from tests.proofs.wire.slow import Limited
from tests.proofs.wire.talk import Talk, check_refusal
from tests.proofs.wire.unguarded import unguarded

pytestmark = pytest.mark.once

CALLS = [pytest.param(call, id=call.dialect) for call in calls(StillClock(NOW))]
KF5 = call_of("kf5", StillClock(NOW))
LIVE = b"GET /live HTTP/1.1\r\n" + HOST + b"\r\n"
GRACE = 120  # seconds that a stop may take at most
SHORT = {"head_seconds": 0.4, "body_seconds": 0.6, "write_seconds": 0.6, "idle_seconds": 1}
SOON = 60.0  # seconds that may pass on a busy machine until what must happen has happened
ENOUGH = 3.0  # seconds after which each of these deadlines has passed, for a control in which nothing follows it

Start = Callable[..., Limited]


@pytest.fixture(scope="module")
def quotas() -> Iterator[list[Quotas]]:
    """Give the quotas of each server that is started, the last one last."""
    made: list[Quotas] = []

    class Known(Quotas):
        def __init__(self, *given) -> None:
            super().__init__(*given)
            made.append(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("deskroster.guards.Quotas", Known)
        yield made


@pytest.fixture(scope="module")
def hurried(prepared: Path, tmp_path_factory, quotas) -> Iterator[Limited]:
    """Give a server whose deadlines are short."""
    folder = tmp_path_factory.mktemp("hurried") / "data"
    shutil.copytree(prepared, folder)
    with Limited(folder, **SHORT) as server:
        yield server


@pytest.fixture
def start(prepared: Path, tmp_path: Path, quotas) -> Start:
    shutil.copytree(prepared, tmp_path / "data")
    return lambda **how: Limited(tmp_path / "data", **how)


# ── deadlines ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("stage", ["head", "body"])
@in_one_of_three_tries
def test_a_request_that_does_not_come_whole_in_time_is_refused_and_not_carried_out(hurried, call, stage):
    sent = call.request()
    at = len(sent) - 1 if stage == "body" else sent.index(b"\r\n\r\n")
    before = hurried.roster().number

    with Talk(hurried.url) as talk:
        talk.send(sent[:at])
        check_refusal(call.dialect, talk.answer(), 408)
        talk.send(sent[at:])

        assert talk.ends_within(SOON)
    assert before == hurried.roster().number


@pytest.mark.parametrize(
    ("sent", "drip"),
    [
        (b"", b""), (b"", b"\r\n"), (b"G", b""), (b"GET /live HTTP/1.1\r\nX: ", b"x"), (b"\r\n", b""),
        (LIVE + LIVE[:-2], b"X: y\r\n"), (LIVE, b"\r\n"), (LIVE, b""),
        (KF5.request(framed=b"Content-Length: 1000\r\n\r\n"), b"x"),
        (KF5.request(framed=b"Transfer-Encoding: chunked\r\n\r\n"), b"1\r\nx\r\n"),
        (KF5.request(framed=b"Transfer-Encoding: chunked\r\n\r\n0\r\n"), b"X: y\r\n"),
        (b"GET /nowhere HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\n\r\n", b"x"),
        (b"GET /nowhere HTTP/1.1\r\n" + HOST + b"Content-Length: 9\r\n\r\n", b"x"),
        (b"FOO", b"O"), (b"GET / HTTP/1.1\r\nX: \0", b"x"),
    ],
    ids=[
        "silence", "empty-lines", "one-byte", "head", "one-empty-line", "second-head", "empty-lines-between", "idle",
        "body", "chunks", "trailers", "body-after-its-answer", "body-never-whole", "method", "refused",
    ],
)  # fmt: skip
def test_a_connection_without_a_request_is_closed(hurried, sent, drip):
    """Whatever is dripped, byte by byte; the control waits for a first head for ever."""
    with Talk(hurried.url) as talk:
        talk.send(sent)
        dripping = threading.Event()
        thread = threading.Thread(target=_drip, args=(talk, drip, dripping))
        thread.start()
        ended = talk.ends_within(SOON)
        dripping.set()
        thread.join()

    assert ended


@pytest.mark.proof
@in_one_of_three_tries
def test_a_keep_alive_connection_is_closed_only_after_the_idle_timeout(hurried):
    """The answer to a list is kept, so that it is given at once; a write is not."""
    listed = b"GET /apiv2/groups.json HTTP/1.1\r\n" + KF5.head + b"\r\n"
    with Talk(hurried.url) as talk:
        for asked in (listed, listed, KF5.request(), listed, listed, KF5.request(), listed, listed):
            talk.send(asked)
            answer = talk.answer()
            assert answer is not None
            assert answer.status in (200, 201)
            time.sleep(SHORT["idle_seconds"] / 2)

        assert talk.ends_within(SOON)


@pytest.mark.proof
@pytest.mark.parametrize("sent", [b"", b"GET /live HTTP/1.1\r\nX: "], ids=["silence", "head"])
def test_control_without_guards_a_connection_without_a_request_stays_open(start, sent):
    with unguarded(), start(**SHORT) as control, Talk(control.url) as talk:
        talk.send(sent)

        assert not talk.ends_within(ENOUGH)


@in_one_of_three_tries
def test_a_body_that_is_too_slow_after_its_answer_has_no_second_answer(hurried):
    with Talk(hurried.url) as talk:
        talk.send(KF5.request(line=b"POST /apiv2/nowhere.json HTTP/1.1", framed=b"Content-Length: 9\r\n\r\n"))
        check_refusal("kf5", talk.answer(), 404)

        assert [] == talk.answers()
        assert talk.closed


@pytest.mark.proof
@in_one_of_three_tries
def test_a_client_that_pipelines_without_rest_is_never_too_slow(start):
    """Its packets end anywhere, so that all the time, longer than any head may take, a part of one is awaited."""
    seconds = 2.0
    with start(head_seconds=seconds) as server, Talk(server.url) as talk:
        until, sent, answered = time.monotonic() + 1.5 * seconds, 0, 0
        talk.send(LIVE[:10])
        while time.monotonic() < until:
            talk.send((LIVE * 50)[10:] + LIVE[:10])
            sent += 50
            while answered < sent:
                answer = talk.answer()
                assert answer is not None
                assert 200 == answer.status
                answered += 1


@in_one_of_three_tries
def test_a_connection_whose_client_does_not_read_the_answer_is_closed(start, quotas):
    big = b"GET /docs/kf5/openapi.json HTTP/1.1\r\n" + HOST + b"\r\n"
    with start(**SHORT | {"idle_seconds": 60}) as server:
        with Talk(server.url, small=True) as ending, Talk(server.url, small=True) as going_on:
            ending.send(big.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
            going_on.send(big * 1_000)  # more than the kernel takes for a client

            assert _within(SOON, lambda: connected(quotas[-1]) == 0)
        with Talk(server.url) as talk:
            talk.send(LIVE)
            assert 200 == talk.answer().status


@pytest.mark.proof
def test_without_guards_an_answer_that_is_not_read_is_kept(start):
    big = b"GET /docs/kf5/openapi.json HTTP/1.1\r\n" + HOST + b"\r\n"
    with unguarded(), start(**SHORT | {"idle_seconds": 60}) as server, Talk(server.url, small=True) as talk:
        talk.send(big * 100)
        time.sleep(ENOUGH)

        assert talk.answer() is not None  # it comes, however late it is asked for


# ── numbers ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_connection_limit_of_one_address_does_not_affect_others(start, quotas):
    with start(connections=5, connections_per_address=3) as server:
        first = [Talk(server.url) for _ in range(3)]
        for talk in first:
            talk.send(LIVE)
            assert 200 == talk.answer().status
        for _ in range(20):
            with Talk(server.url) as refused:
                assert 503 == refused.answer().status
                assert refused.ends_within(SOON)

        second = [Talk(server.url, "127.0.0.2") for _ in range(2)]
        for talk in second:
            talk.send(LIVE)
            assert 200 == talk.answer().status
        with Talk(server.url, "127.0.0.3") as refused:
            assert 503 == refused.answer().status

        first.pop().__exit__()
        assert _within(SOON, lambda: connected(quotas[-1]) == 4)
        with Talk(server.url, "127.0.0.3") as talk:
            talk.send(LIVE)
            assert 200 == talk.answer().status
        for talk in first + second:
            talk.__exit__()
        assert _within(SOON, lambda: connected(quotas[-1]) == 0)
    assert_nothing_is_left(quotas[-1])


@pytest.mark.proof
def test_without_guards_one_address_has_as_many_connections_as_it_likes(start):
    with unguarded(), start(connections=5, connections_per_address=3) as server:
        talks = [Talk(server.url) for _ in range(20)]
        for talk in talks:
            talk.send(LIVE)
            assert 200 == talk.answer().status
            talk.__exit__()


def test_the_bytes_of_bodies_are_limited_per_address_and_in_total(start, quotas):
    """What is there is given back, however a request ends; the control takes all that comes."""
    half = KF5.request(framed=b"Content-Length: 50000\r\n\r\n" + bytes(40_000))
    with start(bodies_bytes=100_000, bodies_bytes_per_address=50_000) as server:
        with Talk(server.url) as first, Talk(server.url) as over, Talk(server.url, "127.0.0.2") as second:
            first.send(half)
            assert _within(SOON, lambda: held(quotas[-1]) == 40_000)
            over.send(half)
            check_refusal("kf5", over.answer(), 503)
            assert _within(SOON, lambda: held(quotas[-1]) == 40_000)
            second.send(half)
            assert _within(SOON, lambda: held(quotas[-1]) == 80_000)
            with Talk(server.url, "127.0.0.3") as third:
                third.send(half)
                check_refusal("kf5", third.answer(), 503)
            assert _within(SOON, lambda: held(quotas[-1]) == 80_000)
            first.send(bytes(10_000))
            check_refusal("kf5", first.answer(), 400)
        assert _within(SOON, lambda: held(quotas[-1]) == 0)
        assert 201 == server.kf5.post("/groups.json", json={"group": {"name": "x"}}).status_code
    assert_nothing_is_left(quotas[-1])


@pytest.mark.parametrize("ending", ["whole", "client-gone", "refused", "too-large", "early", "pipelined", "too-slow"])
@in_one_of_three_tries
def test_the_bytes_of_a_body_are_released_exactly_once(start, quotas, ending):
    body = b'{"group": {"name": "%b"}}' % (b"x" * 200)
    sent = KF5.request(framed=b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
    chunked = KF5.request(framed=b"Transfer-Encoding: chunked\r\n\r\n3E8\r\n%b\r\n" % bytes(1_000))
    with start(**SHORT | {"body_bytes": 1_500}) as server:
        with Talk(server.url) as talk:
            match ending:
                case "whole":
                    talk.send(sent)
                    assert 201 == talk.answer().status
                case "client-gone":
                    talk.send(chunked)
                    time.sleep(0.1)
                case "refused":
                    talk.send(chunked + b"Z")
                    check_refusal("kf5", talk.answer(), 400)
                case "too-large":
                    talk.send(chunked + b"3E8\r\n%b\r\n" % bytes(1_000))
                    check_refusal("kf5", talk.answer(), 413)
                case "early":
                    talk.send(sent.replace(b"groups.json", b"nowhere.json"))
                    check_refusal("kf5", talk.answer(), 404)
                case "pipelined":
                    talk.send(sent + sent + chunked)
                    assert [201, 201] == [talk.answer().status for _ in range(2)]
                case "too-slow":
                    talk.send(sent + chunked)
                    assert 201 == talk.answer().status
                    check_refusal("kf5", talk.answer(), 408)
        assert _within(SOON, lambda: connected(quotas[-1]) == 0)
        assert _within(SOON, lambda: held(quotas[-1]) == 0)
    assert_nothing_is_left(quotas[-1])


# ── TLS, and the end ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.proof
@in_one_of_three_tries
def test_a_handshake_has_a_deadline_and_counts_as_a_connection(start, quotas, tmp_path):
    files = tmp_path / "cert.pem", tmp_path / "key.pem"
    self_signed(*files)
    trusting = ssl.create_default_context(cafile=files[0])
    trusting.check_hostname = False

    def asks(server) -> bytes:
        with (
            socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2])), timeout=SOON) as plain,
            trusting.wrap_socket(plain) as secure,
        ):
            secure.sendall(LIVE + LIVE[:-2] + b"Connection: close\r\n\r\n")
            return b"".join(iter(lambda: secure.recv(65_536), b""))

    with start(tls=files, connections=4, head_seconds=4) as server:
        assert 2 == asks(server).count(b'{"live":true}')
        url = server.url.replace("https", "http")
        with Talk(url) as silent, Talk(url) as garbage, Talk(url) as early, Talk(url) as last:
            garbage.send(LIVE)
            early.send(b"\x16\x03\x01")
            assert garbage.ends_within(SOON)
            assert _within(SOON, lambda: connected(quotas[-1]) == 3)
            with Talk(url), Talk(url) as refused:
                assert refused.ends_within(SOON)
                assert connected(quotas[-1]) == 4  # none of them has met its deadline yet
            for talk in (silent, early, last):
                assert talk.ends_within(SOON)
        assert _within(SOON, lambda: connected(quotas[-1]) == 0)
        assert 2 == asks(server).count(b'{"live":true}')
    assert_nothing_is_left(quotas[-1])


def test_an_incomplete_request_is_answered_503_at_once_when_the_server_stops(start, quotas):
    server = start(graceful_seconds=GRACE)
    with server:
        talks = [Talk(server.url) for _ in range(4)]
        body, head, idle, refused = talks
        body.send(KF5.request()[:-1])
        head.send(KF5.request()[:20])
        idle.send(LIVE)
        assert 200 == idle.answer().status
        refused.send(b"\0")
        assert refused.answer() is not None
        before, began = server.roster().number, time.monotonic()
    took = time.monotonic() - began

    check_refusal("kf5", body.answer(), 503)
    assert [True, True, True] == [talk.ends_within(SOON) for talk in (head, idle, refused)]
    assert took < GRACE / 2
    assert before == server.roster().number
    assert_nothing_is_left(quotas[-1])
    for talk in talks:
        talk.__exit__()


# ── what the tests of this file say often ───────────────────────────────────────────────────────────────────────────


def connected(quotas: Quotas) -> int:
    return quotas._all_connections


def held(quotas: Quotas) -> int:
    return quotas._all_body_bytes


def assert_nothing_is_left(quotas: Quotas) -> None:
    by_address = [dict(quotas._connections), dict(quotas._body_bytes)]

    assert [0, 0, {}, {}] == [connected(quotas), held(quotas), *by_address]


def _drip(talk: Talk, drip: bytes, stop: threading.Event) -> None:
    while drip and not stop.wait(0.05):
        try:
            talk.send(drip)
        except OSError:
            return


def _within(seconds: float, true: Callable[[], bool]) -> bool:
    until = time.monotonic() + seconds
    while not true():
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True
