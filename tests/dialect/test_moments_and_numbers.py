"""Every date and number that is read from somebody, at the ends of its range: taken or refused in words, never 500."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deskroster.core import moments
from deskroster.core.changes import deleted
from deskroster.dialects import DIALECTS
from tests.answers import check
from tests.conftest import NOW
from tests.contract import send_json
from tests.contracts import CONTRACTS, lists
from tests.world import ADMIN

pytestmark = pytest.mark.any_engine

MOMENTS = [
    "9999-12-31T23:59:59-23:59", "9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.9999999Z", "9999-12-31T23:59:59Z",
    "9999-12-31T23:59:59+23:59", "10000-01-01T00:00:00Z", "99999-01-01T00:00:00Z", "0001-01-01T00:00:00+23:59",
    "0001-01-01T00:00:00Z", "0001-01-01T00:00:00-23:59", "0000-01-01T00:00:00Z", "-0001-01-01T00:00:00Z",
    "1970-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "2016-12-31T23:59:60Z", "2016-12-31T23:59:61Z",
    "2030-02-29T00:00:00Z", "2028-02-29T00:00:00Z", "2030-01-01T24:00:00Z", "2030-01-01T00:00:00+24:00",
    "2030-01-01T00:00:00+99:99", "2030-01-01T00:00:00-00:00", "2030-01-01T00:00:00.1234567890Z", "2030-01-01T00:00:00",
    "2030-01-01t00:00:00z", "2030-01-01 00:00:00Z", "2030-01-01", "20300101T000000Z", "2030-W01-1",
    "٢٠٣٠-٠١-٠١T٠٠:٠٠:٠٠Z", "2038-01-19T03:14:08Z", "9223372036854775807", "-9223372036854775808", "1e400", "NaN",
    "now", "",
]  # fmt: skip
NUMBERS = [
    0, -1, 1, 2**31 - 1, 2**31, -(2**31) - 1, 2**32, 2**53, 2**53 + 1, 2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 2**64,
    10**30, 1.5, -0.0, 1e18, 1e19, 1e308, "1", "9" * 5_000,
]  # fmt: skip
QUERIES = ["", "-", "+1", "00", "-0", "1e3", "١", "9" * 19, "9" * 20, "9" * 5_000, str(2**63), str(-(2**63) - 1)]
PROFILE_DATES = [
    "0000-01-01", "0001-01-01", "9999-12-31", "10000-01-01", "2030-02-29", "2030-13-01", "2030-00-01", "2030-01-32",
    "-001-01-01",
    "0000-01-01 00:00:00", "0001-01-01 00:00:00", "9999-12-31 23:59:59", "2016-12-31 23:59:60", "2016-12-31 23:59:61",
    "2030-01-01 24:00:00", "2030-01-01 00:60:00", "2030-01-01 00:00:00+08:00", "２０３０-01-01",
]  # fmt: skip
TIMESTAMPS = [
    "0",
    "-1",
    "9" * 10,
    "9" * 13,
    "9" * 14,
    "9" * 20,
    "1" + "0" * 12,
    "0" * 13,
    "1e9",
    "1700000000.0",
    "１７０００",
]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ROUTES = [(dialect, route) for dialect in DIALECTS for route in dialect.routes]


def test_a_key_ends_at_a_moment_that_can_be_shown_or_is_refused(quiet_desk):
    for sent in MOMENTS:
        judge_end(quiet_desk, sent)

    assert "9999-12-31T23:59:59Z" == create_key(quiet_desk, "9999-12-31T23:59:59Z").json()["expires_at"]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    st.datetimes(),
    st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes))),
)
def test_any_moment_with_any_offset_is_taken_or_refused(quiet_desk, moment, offset):
    judge_end(quiet_desk, moment.replace(tzinfo=offset).isoformat())


def test_control_a_moment_past_the_calendar_that_is_let_through_is_noticed(desk, monkeypatch):
    monkeypatch.setattr(moments, "utc", lambda at: datetime.fromtimestamp(at, UTC))
    monkeypatch.setattr(moments, "LAST", 2**62)

    with pytest.raises(AssertionError, match="incident"):
        judge(create_key(desk, "9999-12-31T23:59:59-23:59"), "the end of the calendar")

    assert 1 == len(desk.incidents)
    desk.log.truncate(0)


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_every_number_and_moment_of_every_body_is_taken_or_refused(desk, dialect):
    sent, seen = 0, set()
    for route in [route for of, route in ROUTES if of is dialect and route.body is not None]:
        kind = msgspec.inspect.type_info(route.body)
        for path, edges in leaves(kind):
            seen.add(f"{route.method} {route.path} {'.'.join(path)}")
            for edge in edges:
                body = put(sample(kind), path, edge)
                client = getattr(desk.of(ADMIN), dialect.name)
                answer = send_json(client, route.method, filled(route.path), body)
                judge(answer, f"{route.method} {route.path} {'.'.join(path)}={edge!r}")
                sent += 1

    assert (sent > 20) == any(has_numbers(route) for of, route in ROUTES if of is dialect)
    assert set(CONTRACTS[dialect.name].moments) <= seen


def has_numbers(route) -> bool:
    """Tell whether a body holds a number or a moment."""
    return route.body is not None and any(
        isinstance(kind, msgspec.inspect.IntType | msgspec.inspect.FloatType)
        or (isinstance(kind, msgspec.inspect.Metadata) and kind.extra_json_schema == {"format": "date-time"})
        for kind in kinds(msgspec.inspect.type_info(route.body))
    )


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_every_number_of_every_query_is_taken_or_refused(quiet_desk, dialect):
    client = getattr(quiet_desk.of(ADMIN), dialect.name)
    for route in [route for of, route in ROUTES if of is dialect and route.method == "GET" and route.query is not None]:
        for name in route.query.__struct_fields__:
            for edge in QUERIES:
                answer = client.get(filled(route.path), params={name: edge})
                judge(answer, f"{route.path}?{name}={edge[:40]}")


@pytest.mark.parametrize("field", ["born", "met", "height", "share", "mentor"])
def test_every_date_and_number_of_a_profile_is_taken_or_refused(quiet_desk, field):
    values = PROFILE_DATES + MOMENTS if field in ("born", "met") else list(map(str, NUMBERS))
    for value in values:
        data = {"fieldApiName": field, "fieldValue": value}
        answer = quiet_desk.servicego.post("/v1/data", json={"objectApiName": "userInfo", "fieldDataList": [data]})
        judge(answer, f"{field}={value[:40]}")


@pytest.mark.parametrize("dialect", [dialect.name for dialect in DIALECTS if dialect.signature])
def test_every_timestamp_of_a_signature_is_refused_in_words(quiet_desk, dialect):
    for timestamp in TIMESTAMPS:
        signature = {"email": ADMIN.email, "timestamp": timestamp, "sign": "0" * 64}
        answer = quiet_desk.plain().get(lists(dialect), params=signature)
        judge(answer, f"timestamp={timestamp}")
        check(dialect, answer, "unauth")


def test_a_date_of_any_moment_can_be_shown():
    for at in (-(10**30), moments.FIRST - 1, moments.FIRST, 0, moments.LAST, moments.LAST + 1, 2**63, 10**30):
        assert moments.FIRST <= moments.utc(at).timestamp() <= moments.LAST


# ── how ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def create_key(desk, ends: str):
    """Create a key; a person has room for a hundred, so it is removed again."""
    answer = desk.own.post("/v1/keys", json={"agent_id": ADMIN.id, "name": "程序", "expires_at": ends})
    if answer.status_code == 201:
        desk.operate(lambda roster, caller: [deleted(roster.keys[answer.json()["id"]])])
    return answer


def judge_end(desk, sent: str) -> None:
    answer = create_key(desk, sent)
    judge(answer, sent)
    try:
        at = msgspec.convert(re.sub(r"\.\d+", "", sent), datetime)  # a fraction is dropped
        seconds = (at - EPOCH) // timedelta(seconds=1)  # TypeError without an offset
        wanted = NOW < seconds <= moments.LAST
    except (msgspec.ValidationError, TypeError):
        wanted = False
    assert wanted == (answer.status_code == 201), (sent, answer.text)
    if not wanted:
        assert "expires_at" == answer.json()["field"], answer.text
    else:
        shown = datetime.fromisoformat(answer.json()["expires_at"])
        assert shown == EPOCH + timedelta(seconds=seconds)


def judge(answer, told: str) -> None:
    assert answer.status_code < 500, (told, answer.text)


def filled(path: str) -> str:
    return path.replace("{label}", "demo").replace("{id}", "2")


def leaves(kind: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], list[Any]]]:
    """Give the path of each number and moment in a body, with what to send there."""
    match kind:
        case msgspec.inspect.StructType():
            for field in kind.fields:
                yield from leaves(field.type, (*path, field.encode_name))
        case msgspec.inspect.UnionType():
            for one in kind.types:
                yield from leaves(one, path)
        case msgspec.inspect.ListType() | msgspec.inspect.VarTupleType():
            yield from leaves(kind.item_type, (*path, "[]"))
        case msgspec.inspect.IntType() | msgspec.inspect.FloatType():
            yield path, NUMBERS
        case msgspec.inspect.Metadata(extra_json_schema={"format": "date-time"}):
            yield path, MOMENTS
        case msgspec.inspect.Metadata():
            yield from leaves(kind.type, path)


def kinds(kind: Any, around: tuple[type, ...] = ()) -> Iterator[Any]:
    """Give each type that a type is made of."""
    yield kind
    match kind:
        case msgspec.inspect.StructType(cls=cls) if cls not in around:  # a department is made of departments
            for field in kind.fields:
                yield from kinds(field.type, (*around, cls))
        case msgspec.inspect.UnionType():
            for one in kind.types:
                yield from kinds(one, around)
        case msgspec.inspect.ListType() | msgspec.inspect.VarTupleType():
            yield from kinds(kind.item_type, around)
        case msgspec.inspect.Metadata():
            yield from kinds(kind.type, around)


def sample(kind: Any) -> Any:
    """Return a value of a type; of a struct with what it needs."""
    match kind:
        case msgspec.inspect.StructType():
            return {field.encode_name: sample(field.type) for field in kind.fields if field.required}
        case msgspec.inspect.UnionType():
            return sample(kind.types[0])
        case msgspec.inspect.ListType() | msgspec.inspect.VarTupleType() | msgspec.inspect.SetType():
            return []
        case msgspec.inspect.LiteralType():
            return kind.values[0]
        case msgspec.inspect.IntType() | msgspec.inspect.FloatType():
            return 1
        case msgspec.inspect.BoolType():
            return True
        case msgspec.inspect.Metadata(extra_json_schema={"format": "date-time"}):
            return "2030-01-01T00:00:00Z"
        case msgspec.inspect.Metadata():
            return sample(kind.type)
        case msgspec.inspect.StrType():
            return "a"
        case _:
            return {}


def put(body: Any, path: tuple[str, ...], value: Any) -> Any:
    """Return a body with a value at a path, whatever stood there."""
    if not path:
        return value
    if path[0] == "[]":
        return [put({}, path[1:], value)]
    inner = body if isinstance(body, dict) else {}
    return {**inner, path[0]: put(inner.get(path[0], {}), path[1:], value)}
