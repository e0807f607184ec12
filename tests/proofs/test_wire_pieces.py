"""However the bytes of requests are cut into packets, the same is answered."""

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deskroster.guards.http import Guarded
from deskroster.testing import StillClock
from tests.conftest import NOW
from tests.proofs.wire.calls import Call, calls
from tests.proofs.wire.pieces import cut, heard

CHUNKS = b"Transfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n3;x=y\r\nzzz\r\n0\r\nX: trailer\r\n\r\n"


def _of(call: Call) -> list[bytes]:
    """Return requests of a dialect that are answered the same whenever they come: lists, and what is refused."""

    def asked(line: bytes, framed: bytes = b"\r\n") -> bytes:
        return line + b" HTTP/1.1\r\n" + call.head + framed

    return [
        asked(b"GET " + call.list_target),
        asked(b"HEAD " + call.list_target),
        asked(b"POST " + call.target, b"Content-Length: 7\r\n\r\n{broken"),
        asked(b"POST " + call.target, CHUNKS),
        asked(b"PATCH " + call.path + b"/1", b"Content-Length: 2\r\n\r\n{}"),
        asked(b"GET " + call.path + b"/%E4%BD%A0?a=%2B+b"),
        asked(b"GET " + call.list_target + "&名=组\u2028".encode(), "X: 组\r\n\r\n".encode()),
        asked(b"POST " + call.target, b"Content-Length: 8\r\n\r\n{\xe7\xbb\x84\n\r\n}"),
        asked(b"POST " + call.target + "&x=组".encode(), CHUNKS.replace(b"zzz", "组".encode())),
    ]  # fmt: skip


REQUESTS = [request for call in calls(StillClock(NOW)) for request in _of(call)]
RAW_TARGET, _, RAW_CHUNKS = REQUESTS[6:9]
LAST = [  # after which the server hangs up
    REQUESTS[0].replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"),
    b"GET /apiv2/groups.json HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n",
    b"GET /apiv2/groups.json HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
]
PLACES = st.lists(st.integers(0, 1 << 16), max_size=40)
MANY = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
STREAM = b"".join(REQUESTS)

pytestmark = pytest.mark.proof


@settings(MANY, max_examples=150)
@given(st.lists(st.sampled_from(REQUESTS), min_size=1, max_size=8), st.sampled_from([b"", *LAST]), PLACES)
def test_requests_that_come_in_pieces_are_answered_as_those_that_come_whole(quiet_desk, requests, last, places):
    stream = b"".join(requests) + last

    whole = heard(quiet_desk, [stream])

    assert len(requests) + bool(last) == len(re.findall(rb"HTTP/1\.1 \d{3} ", whole))
    assert whole == heard(quiet_desk, cut(stream, places))


def test_requests_that_come_byte_by_byte_get_the_same_answers(quiet_desk):
    assert heard(quiet_desk, [STREAM]) == heard(quiet_desk, cut(STREAM, range(len(STREAM))))


@pytest.mark.parametrize("further", [0, 1, 2, 3], ids="and {} bytes later".format)
def test_a_raw_target_after_chunks_is_read_wherever_they_are_cut(quiet_desk, further):
    stream = RAW_CHUNKS + RAW_TARGET
    whole = heard(quiet_desk, [stream])

    assert 2 == len(re.findall(rb"HTTP/1\.1 \d{3} ", whole))
    for at in range(len(stream)):
        assert whole == heard(quiet_desk, cut(stream, [at, at + further])), (stream[:at], stream[at:])


def test_control_a_server_that_takes_each_packet_for_a_whole_request_is_noticed(quiet_desk, monkeypatch):
    received = Guarded.data_received

    def forgetful(guarded, data):
        received(guarded, data if data.startswith((b"GET", b"HEAD", b"P")) else b"GET / HTTP/1.1\r\n\r\n")

    whole = heard(quiet_desk, [STREAM])
    monkeypatch.setattr(Guarded, "data_received", forgetful)

    assert whole == heard(quiet_desk, [STREAM])
    assert whole != heard(quiet_desk, cut(STREAM, [1_000]))
