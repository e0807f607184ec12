"""A read is answered without a task where nothing has to be waited for: nobody can tell, but by the clock."""

import itertools
import re
import shutil

import pytest

from deskroster.app import App
from deskroster.testing import StillClock
from tests.conftest import NOW
from tests.contracts import CONTRACTS
from tests.proofs.wire.calls import call_of, calls
from tests.proofs.wire.talk import Answer, Talk, check_refusal
from tests.served import Served

pytestmark = pytest.mark.once  # on PostgreSQL a list is asked for first

KEPT = ("agent", "group")  # of which whole answers are kept
LISTS = [
    pytest.param(call, id=call.dialect) for call in calls(StillClock(NOW)) if CONTRACTS[call.dialect].named.kind in KEPT
]
AT_ONCE = 5  # milliseconds for one packet


def asked(call, extra: bytes = b"", line: bytes = b"GET %b HTTP/1.1") -> bytes:
    return (line % call.list_target) + b"\r\n" + call.head + extra + b"\r\n"


def shown(answer: Answer | None) -> tuple[int, dict[str, str], bytes]:
    """Return what is answered, whenever."""
    assert answer is not None
    return answer.status, {name: value for name, value in answer.headers.items() if name != "date"}, answer.body


@pytest.fixture
def at_once(monkeypatch):
    """Give the answers that were given at once, as they come."""
    given, whole = [], App.at_once

    def noted(app, scope):
        reply = whole(app, scope)
        given.append(reply is not None)
        return reply

    monkeypatch.setattr(App, "at_once", noted)
    return given


@pytest.fixture
def fresh(prepared, tmp_path, at_once):
    """Give a server that has kept nothing yet."""
    shutil.copytree(prepared, tmp_path / "data")
    with Served(tmp_path / "data", StillClock(NOW)) as server:
        yield server


@pytest.mark.parametrize("call", LISTS)
def test_a_cached_answer_has_the_same_status_headers_and_body(fresh, at_once, call):
    with Talk(fresh.url) as talk:
        talk.send(asked(call))
        first = shown(talk.answer())
        talk.send(asked(call))
        again = shown(talk.answer())

    assert [True, True] == at_once
    assert first == again
    assert 200 == first[0]


@pytest.mark.parametrize("call", LISTS)
def test_a_cached_answer_comes_in_order_and_shows_earlier_writes(fresh, at_once, call):
    with Talk(fresh.url) as talk:
        talk.send(asked(call))
        before = shown(talk.answer())
        write = call.request()
        talk.send(asked(call) + write + asked(call) * 2)
        kept, written, after, again = (shown(talk.answer()) for _ in range(4))

    name = re.search(rb"wire \d+", write)
    assert name is not None
    assert before == kept
    assert written[0] in (200, 201)
    assert name[0] in after[2]
    assert after == again


@pytest.mark.parametrize("call", LISTS)
def test_a_forged_request_gets_the_same_refusal_when_the_answer_is_cached(fresh, at_once, call):
    forged = asked(call).replace(b"sign=", b"sign=0").replace(b"Basic ", b"Basic eDp5Og")
    with Talk(fresh.url) as talk:
        talk.send(forged)
        first = shown(talk.answer())
        talk.send(asked(call))
        assert 200 == shown(talk.answer())[0]
        talk.send(forged)
        again = shown(talk.answer())

    assert first == again
    assert first[0] in (200, 401)
    assert b"groups" not in first[2]
    log_in = CONTRACTS[call.dialect].log_in
    assert at_once[-1] or (log_in is not None and log_in.by is not None)  # a password is never judged at once


@pytest.mark.parametrize("call", LISTS)
def test_head_a_body_connection_close_and_http_1_0_are_answered_like_a_plain_get(fresh, at_once, call):
    with Talk(fresh.url) as talk:
        talk.send(asked(call) * 2)
        plain = [shown(talk.answer()) for _ in range(2)][-1]
        talk.send(asked(call, line=b"HEAD %b HTTP/1.1"))
        head = shown(talk.answer("HEAD"))
        talk.send(asked(call, b"Content-Length: 2\r\n")[:-2] + b"\r\n{}")
        with_body = shown(talk.answer())
        talk.send(asked(call, b"Connection: close\r\n"))
        last = shown(talk.answer())
        assert talk.ends_within(60)
    with Talk(fresh.url) as talk:
        talk.send(asked(call, line=b"GET %b HTTP/1.0"))
        old = shown(talk.answer())
        assert talk.ends_within(60)

    assert (plain[0], plain[1], b"") == head
    assert plain == with_body
    assert plain[::2] == last[::2] == old[::2]
    assert "close" == last[1]["connection"] == old[1]["connection"]


def test_what_follows_a_bad_request_is_not_answered(fresh, at_once):
    call = call_of("kf5", StillClock(NOW))
    with Talk(fresh.url) as talk:
        talk.send(asked(call))
        assert 200 == shown(talk.answer())[0]
        talk.send(asked(call) + b"GET \0" + asked(call))
        answers = talk.answers()

    assert [200, 400] == [answer.status for answer in answers]
    check_refusal("kf5", answers[1], 400)


def test_many_requests_in_one_packet_yield_to_the_event_loop(fresh, at_once, monkeypatch):
    """By a clock on which a millisecond goes by whenever somebody looks."""
    call, ticks = call_of("kf5", StillClock(NOW)), itertools.count()
    with Talk(fresh.url) as talk:
        talk.send(asked(call))
        first = shown(talk.answer())
        del at_once[:]
        monkeypatch.setattr("deskroster.guards.immediate.perf_counter", lambda: next(ticks) / 1_000)
        talk.send(asked(call) * 8 * AT_ONCE)
        answers = [shown(talk.answer()) for _ in range(8 * AT_ONCE)]

    assert [first] * 8 * AT_ONCE == answers
    assert 0 < sum(at_once) <= 2 * AT_ONCE  # the packet may have come in two
