"""The emulator in the process of somebody's tests: time frozen or moved, HTTP mocked, starts that fail."""

import asyncio
import gc
import logging
import os
import random
import socket
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime

import freezegun
import httpx  # noqa: TID251 - a program under test may use it
import httpx2
import msgspec
import pytest
import respx
import time_machine
from msgspec.inspect import DateTimeType, type_info

from deskroster import demo, testing
from deskroster.dialect.request import Request
from deskroster.dialects import DIALECTS
from deskroster.testing import DirectTransport, Emulator, Signature, StillClock, UdeskSignature
from tests.answers import check
from tests.dialect.test_moments_and_numbers import kinds

pytestmark = pytest.mark.once
pytest_plugins = ["pytester"]

THEN = "2025-03-01T12:00:00+00:00"
HOUR = 3_600


@contextmanager
def freezegun_frozen():
    with freezegun.freeze_time(THEN) as frozen:
        yield frozen.tick


@contextmanager
def freezegun_ticking():
    with freezegun.freeze_time(THEN, tick=True) as frozen:
        yield frozen.tick


@contextmanager
def time_machine_still():
    with time_machine.travel(THEN, tick=False) as traveller:
        yield traveller.shift


@contextmanager
def time_machine_ticking():
    with time_machine.travel(THEN) as traveller:
        yield traveller.shift


FREEZERS = [freezegun_frozen, freezegun_ticking, time_machine_still, time_machine_ticking]
by_freezer = pytest.mark.parametrize("frozen", FREEZERS, ids=lambda freezer: freezer.__name__)


def works(emulator: Emulator) -> None:
    """Read and write through every dialect, with what has dates in it, by the emulator's clients and by others."""
    for dialect in DIALECTS:
        check(dialect.name, getattr(emulator, dialect.name).get(dialect.example), "ok")
    ends = datetime.fromtimestamp(time.time() + HOUR, UTC).isoformat()
    made = emulator.own.post("/v1/keys", json={"agent_id": 1, "name": "k", "expires_at": ends})
    assert (201, ends[:19]) == (made.status_code, made.json()["expires_at"][:19])
    assert 200 == emulator.own.get("/v1/keys").status_code
    assert 200 == emulator.own.get("/v1/agents").status_code
    assert 1000 == emulator.udesk.post("/user_groups", json={"name": "售前"}).json()["code"]
    with httpx2.Client(base_url=emulator.url, trust_env=False, transport=DirectTransport()) as program:
        for dialect in DIALECTS:
            auth = Signature(emulator.admin, dialect.credentials)
            check(dialect.name, program.get(dialect.prefix + dialect.example, auth=auth), "ok")
        assert 200 == program.get("/docs/own/openapi.json").status_code


@by_freezer
def test_it_starts_and_works_in_frozen_time(frozen):
    with frozen(), Emulator(empty=True) as emulator:
        assert 1_740_830_400 <= emulator.clock() < 1_740_830_400 + HOUR
        works(emulator)
        emulator.restart()
        works(emulator)
    assert not [one for one in threading.enumerate() if one.name == "deskroster"]


@by_freezer
def test_it_works_when_time_is_frozen_after_its_start_and_when_it_goes_on(frozen):
    with Emulator(empty=True) as emulator:
        with frozen() as move:
            works(emulator)
            for seconds in (8 * HOUR, 301, 1):
                move(seconds)
                works(emulator)
        works(emulator)


def test_time_may_be_frozen_before_its_start_and_go_on_before_its_end():
    freezer = freezegun.freeze_time(THEN)
    freezer.start()
    try:
        with Emulator(empty=True) as emulator:
            works(emulator)
            freezer.stop()
            works(emulator)
    finally:
        if freezegun.api.freeze_factories:
            freezer.stop()


@by_freezer
def test_a_key_expires_when_the_test_moves_on(frozen):
    with Emulator(empty=True) as emulator, frozen() as move:
        ends = datetime.fromtimestamp(time.time() + 60, UTC).isoformat()
        key = emulator.own.post("/v1/keys", json={"agent_id": 1, "name": "k", "expires_at": ends}).json()
        account = msgspec.structs.replace(emulator.admin, token=key["secret"])
        before = emulator.of(account).udesk.get("/agents").json()["code"]

        move(61)

        assert (1000, 2059) == (before, emulator.of(account).udesk.get("/agents").json()["code"])


@by_freezer
def test_in_a_thread_time_is_that_of_the_test(frozen):
    """A server's functions may be called by `threading` from nearby, where freezegun would give real time."""
    seen = []
    with frozen():
        for clock in (testing.ShiftedClock(), lambda: UdeskSignature(None)._clock(), StillClock()):
            thread = threading.Thread(target=lambda clock=clock: seen.append(clock()))
            thread.start()
            thread.join()

    assert all(1_740_830_400 <= at < 1_740_830_400 + HOUR for at in seen), seen


def test_control_freezegun_gives_real_time_to_what_threading_calls():
    seen = []
    with freezegun.freeze_time(THEN):
        thread = threading.Thread(target=lambda: seen.append(time.time()))
        thread.start()
        thread.join()

    assert seen[0] > 1_740_830_400 + HOUR


def test_no_type_on_the_wire_is_a_class_that_freezegun_replaces():
    types = [one for dialect in DIALECTS for route in dialect.routes for one in (route.body, route.reply, route.query)]

    assert [] == [one for one in types if one is not None and has_dates(one)]


def test_control_a_type_with_a_date_is_noticed():
    class Dated(msgspec.Struct):
        at: datetime | None

    assert has_dates(Dated)
    with freezegun.freeze_time(THEN), pytest.raises(msgspec.ValidationError, match="FakeDatetime"):
        msgspec.json.decode(b'{"at":"2025-03-01T12:00:00Z"}', type=msgspec.defstruct("Late", [("at", datetime)]))


def has_dates(one: type) -> bool:
    return any(isinstance(kind, DateTimeType) for kind in kinds(type_info(one)))


# ── mocks ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def emulator():
    with Emulator(empty=True) as running:
        yield running


def test_it_starts_and_works_while_httpx2_is_mocked(httpx2_mock, emulator):
    works(emulator)
    emulator.restart()
    works(emulator)


def test_it_works_when_httpx2_is_mocked_after_its_start(emulator, httpx2_mock):
    works(emulator)


def test_it_works_while_httpx_is_mocked(httpx_mock, respx_mock, emulator):
    works(emulator)


def test_it_works_when_httpx_is_mocked_after_its_start(emulator, respx_mock, httpx_mock):
    works(emulator)


@pytest.mark.httpx2_mock(should_mock=lambda request: request.url.host != "127.0.0.1")
def test_a_program_with_httpx2_reaches_it_beside_mocks_of_httpx2_pytest(httpx2_mock, emulator):
    httpx2_mock.add_response(url="https://elsewhere.example.com/", text="mocked")

    assert "mocked" == httpx2.get("https://elsewhere.example.com/").text
    assert 200 == httpx2.get(f"{emulator.url}/live", trust_env=False).status_code


@pytest.mark.httpx_mock(should_mock=lambda request: request.url.host != "127.0.0.1")
def test_a_program_with_httpx_reaches_it_beside_mocks_of_pytest_httpx(httpx_mock, emulator):
    httpx_mock.add_response(url="https://elsewhere.example.com/", text="mocked")

    assert "mocked" == httpx.get("https://elsewhere.example.com/").text
    assert 200 == httpx.get(f"{emulator.url}/live", trust_env=False).status_code


def test_a_program_with_httpx_reaches_it_beside_mocks_of_respx(respx_mock, emulator):
    respx_mock.get("https://elsewhere.example.com/").respond(text="mocked")
    respx_mock.route(host="127.0.0.1").pass_through()

    assert "mocked" == httpx.get("https://elsewhere.example.com/").text
    assert 200 == httpx.get(f"{emulator.url}/live", trust_env=False).status_code


def test_mocks_of_respx_in_httpcore2_let_it_through_when_they_are_told_to(emulator):
    class HTTPCore2(respx.mocks.HTTPCoreMocker):  # as pytest-httpx2 has it
        name = "httpcore2"
        targets = ("httpcore2._sync.connection.HTTPConnection", "httpcore2._sync.connection_pool.ConnectionPool")

    with respx.mock(using="httpcore2", assert_all_called=False) as router:
        router.route(host="127.0.0.1").pass_through()
        works(emulator)


def test_control_an_ordinary_client_is_mocked(httpx2_mock, emulator):
    httpx2_mock.add_response(text="mocked")

    assert "mocked" == httpx2.get(f"{emulator.url}/live", trust_env=False).text


FIXTURES = """
import freezegun, pytest, time_machine

pytest_plugins = ["deskroster.testing"]


@pytest.fixture
def frozen():
    with freezegun.freeze_time("2025-03-01"):
        yield


@pytest.fixture
def travelled():
    with time_machine.travel("2025-03-01", tick=False):
        yield
"""
EITHER_ORDER = """
import pytest

from deskroster.dialects import DIALECTS


def use(deskroster):
    assert 1000 == deskroster.udesk.post("/user_groups", json={"name": "a"}).json()["code"]
    for dialect in DIALECTS:
        answer = getattr(deskroster, dialect.name).get(dialect.example)
        assert 200 == answer.status_code
        assert answer.json().get("code", 1000) in (1000, 200)


@pytest.mark.parametrize("other", ["frozen", "travelled", "httpx_mock", "httpx2_mock", "respx_mock"])
@pytest.mark.parametrize("first", [True, False])
def test_either_order(request, other, first):
    for name in (other, "deskroster") if first else ("deskroster", other):
        request.getfixturevalue(name)
    use(request.getfixturevalue("deskroster"))


@pytest.mark.parametrize("other", ["frozen", "travelled"])
def test_all_of_them(httpx_mock, deskroster, request, respx_mock, httpx2_mock, other):
    request.getfixturevalue(other)
    use(deskroster)


@pytest.mark.parametrize("other", ["frozen", "travelled"])
def test_imported_while_it_is_frozen(request, other):
    request.getfixturevalue(other)
    from deskroster.testing import Emulator

    with Emulator(data="kept") as emulator:
        use(emulator)
"""


@pytest.mark.proof
@pytest.mark.parametrize("loaded", ["as a plugin", "late"])
def test_the_fixture_works_beside_those_of_others_in_either_order(pytester, loaded):
    late = "import pytest\n\n\n@pytest.fixture\ndef deskroster():\n    from deskroster.testing import Emulator\n\n"
    late += "    with Emulator(empty=True) as emulator:\n        yield emulator\n"
    plugin = 'pytest_plugins = ["deskroster.testing"]\n'
    pytester.makeconftest(FIXTURES if loaded == "as a plugin" else FIXTURES.replace(plugin, late))
    pytester.makepyfile(EITHER_ORDER)

    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-p", "no:randomly")

    result.assert_outcomes(passed=14)


# ── starts that fail, and ends ──────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """Have temporary folders made here."""
    monkeypatch.setattr(testing.tempfile, "tempdir", str(tmp_path))
    return tmp_path


def left(folder) -> tuple:
    """Return what a server leaves if it does not clean up: files, threads, descriptors."""
    threads = [one.name for one in threading.enumerate() if one.name in ("deskroster", "ledger_0")]
    return sorted(path.name for path in folder.iterdir()), threads, len(os.listdir("/proc/self/fd"))


def _fails(*given):
    raise RuntimeError("it cannot be prepared")


async def _hangs(*given):
    await asyncio.Event().wait()


@pytest.mark.parametrize(
    ("patched", "broken", "error"),
    [
        ((demo, "prepared"), _fails, RuntimeError),
        ((testing.server, "_config"), _fails, RuntimeError),
        ((testing.server, "listen"), _fails, RuntimeError),
        ((testing.sockets, "bind"), _fails, RuntimeError),
        ((demo, "prepared"), _hangs, TimeoutError),
    ],
    ids=["preparing", "configuring", "listening", "binding", "never-ending"],
)
def test_a_start_that_fails_leaves_nothing_behind(temporary, monkeypatch, patched, broken, error):
    with Emulator(empty=True):
        pass  # what is imported and opened once is there
    before = left(temporary)
    if broken is _hangs:
        monkeypatch.setattr(testing, "START_SECONDS", 1)
    monkeypatch.setattr(*patched, broken)

    with pytest.raises(error):
        Emulator(empty=True).__enter__()
    assert 0 == gc.get_freeze_count()
    with pytest.raises(error):
        Emulator(empty=True, data=temporary / "kept").__enter__()

    assert before == left(temporary)
    monkeypatch.undo()
    with Emulator(empty=True) as emulator:
        works(emulator)


def test_control_what_is_left_is_noticed(temporary):
    before = left(temporary)
    with Emulator(empty=True):
        during = left(temporary)

    assert all(here != there for here, there in zip(before, during, strict=True))


def test_a_folder_that_was_there_stays_when_a_start_fails(tmp_path, monkeypatch):
    with Emulator(empty=True, data=tmp_path):
        pass
    key = (tmp_path / "key").read_text()
    monkeypatch.setattr(demo, "prepared", _fails)

    with pytest.raises(RuntimeError):
        Emulator(empty=True, data=tmp_path).__enter__()

    assert key == (tmp_path / "key").read_text()


def test_a_restart_that_fails_ends_in_good_order(temporary, monkeypatch):
    before = left(temporary)[:2]
    with Emulator(empty=True) as emulator:
        monkeypatch.setattr(demo, "prepared", _fails)
        with pytest.raises(RuntimeError):
            emulator.restart()

    assert before == left(temporary)[:2]


@pytest.mark.parametrize("given", [str, os.fspath, lambda path: path, os.path.relpath], ids=range(4))
def test_a_folder_may_be_given_as_text_or_as_a_path(tmp_path, monkeypatch, given):
    monkeypatch.chdir(tmp_path)

    with Emulator(empty=True, data=given(tmp_path / "a folder")) as emulator:
        monkeypatch.chdir("/")
        emulator.restart()
        works(emulator)

    assert (tmp_path / "a folder" / "key").is_file()


def test_it_leaves_alone_the_database_that_the_environment_names(tmp_path, monkeypatch):
    monkeypatch.setenv("DESKROSTER_DATABASE", "postgresql://nobody@127.0.0.1:1/production")

    with Emulator(empty=True, data=tmp_path) as emulator:
        works(emulator)

    assert (tmp_path / "deskroster.db").is_file()


def test_it_can_be_entered_again(tmp_path):
    emulator = Emulator(empty=True, data=tmp_path)
    for _ in range(2):
        with emulator:
            works(emulator)


def test_a_server_that_does_not_end_is_told_and_keeps_its_data(temporary, monkeypatch):
    emulator = Emulator(empty=True).__enter__()
    with monkeypatch.context() as patch:
        patch.setattr(testing, "STOP_SECONDS", 0)
        patch.setattr(emulator, "_request_stop", lambda: None)
        with pytest.raises(RuntimeError, match="has not ended"):
            emulator.__exit__(None, None, None)

    works(emulator)
    emulator.__exit__(None, None, None)
    assert [] == left(temporary)[0]


def test_no_two_requests_have_the_same_id_although_tests_seed_random():
    def made():
        random.seed(1)
        return Request({"raw_path": b"/", "method": "GET", "query_string": b"", "headers": []}, "kf5").id

    assert made() != made()


def test_the_loggers_of_the_process_are_afterwards_as_they_were():
    logger = logging.getLogger("asyncio")
    mine = logging.NullHandler()
    logger.addHandler(mine)
    before = logger.handlers, logger.propagate
    try:
        with Emulator(empty=True):
            pass
        assert before == (logger.handlers, logger.propagate)
    finally:
        logger.removeHandler(mine)


def test_its_port_is_free_when_it_has_ended(emulator):
    emulator.__exit__(None, None, None)

    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", int(emulator.url.rpartition(":")[2])))
    emulator.__enter__()
