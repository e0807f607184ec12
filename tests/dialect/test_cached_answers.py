"""What is answered from the cache is what would be answered without it, whatever was written and whoever asks."""

import shutil
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any, get_args, get_origin

import httpx2
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from deskroster.core import agents, company, reference
from deskroster.core.access import OPERATOR, Permission
from deskroster.core.answers import Answers
from deskroster.core.changes import Change, Done
from deskroster.core.company import CompanyFields
from deskroster.core.problems import Refusal
from deskroster.core.roster import Roster
from deskroster.core.table import Table, Window
from deskroster.desk import Desk
from deskroster.dialect import Dialect, PageReply, Request, Route
from deskroster.dialects import DIALECTS
from deskroster.ledger import Ledger
from deskroster.testing import StillClock
from tests.calls import CALLS, name_of
from tests.conftest import NOW
from tests.contracts import CONTRACTS
from tests.in_process import InProcess, answer, repeated
from tests.random_verbs import VERBS, Verb
from tests.world import ADMIN, AGENT, READER, SECOND_ADMIN

pytestmark = pytest.mark.once

ACCOUNTS = (ADMIN, SECOND_ADMIN, READER, AGENT)
LANGUAGES = ("zh", "en")
STEPS = 15
WORDS = ("admin", "1,2", ADMIN.email)  # for a parameter that is text
CACHED = {f"{dialect} {route}" for dialect, contract in CONTRACTS.items() for route in contract.cached}
"""What is cached at least. The others are tried as well."""


class EveryGet:
    """Every GET of every dialect, or some of them, each with several ids and parameters."""

    def __init__(
        self, desk: InProcess, dialects: tuple[Dialect, ...] = DIALECTS, only: Collection[str] | None = None
    ) -> None:
        self.desk = desk
        self.addresses = [
            (dialect, route, path)
            for dialect in dialects
            for route in dialect.routes
            if route.method == "GET" and (only is None or name_of(dialect, route) in only)
            for path in dict.fromkeys(paths(dialect, route))
        ]
        self._requests: dict[Any, Callable[[], httpx2.Request]] = {}

    def answers(self, account: Any, language: str) -> list[tuple[int, bytes]]:
        """Return what is answered at each address."""

        async def all_of_them() -> list[tuple[int, bytes]]:
            told = [await answer(self.desk, self._request(one, account, language)()) for one in self.addresses]
            return [(one.status_code, one.content) for one in told]

        return self.desk.run(all_of_them())

    def stale(self, random: Random) -> list[str]:
        """Return the paths that are answered otherwise than they would be without the cache, which is filled anew."""
        account, language = random.choice(ACCOUNTS), random.choice(LANGUAGES)
        given = self.answers(account, language)
        self.desk.roster().forget_encoded()
        fresh = self.answers(account, language)
        return [path for (*_, path), one, other in zip(self.addresses, given, fresh, strict=True) if one != other]

    def _request(
        self, address: tuple[Dialect, Route, str], account: Any, language: str
    ) -> Callable[[], httpx2.Request]:
        dialect, _, path = address
        known = self._requests.get((dialect.name, path, account.token, language))
        if known is None:
            client = getattr(self.desk.of(account), dialect.name)
            known = repeated(client, path, headers={"Accept-Language": language})
            self._requests[dialect.name, path, account.token, language] = known
        return known


def paths(dialect: Dialect, route: Route) -> Iterator[str]:
    """Yield the paths that a route is tried at: its example, other ids, and each value of each of its parameters."""
    example = CALLS[name_of(dialect, route)].path if name_of(dialect, route) in CALLS else route.path
    yield example
    path, _, query = example.partition("?")
    if "{id}" in route.path:
        yield from (route.path.replace("{id}", str(id)) for id in (1, 2, 3))
    for field in msgspec.structs.fields(route.query) if route.query is not None else ():
        others = [pair for pair in query.split("&") if pair and pair.partition("=")[0] != field.encode_name]
        yield from (f"{path}?{'&'.join([*others, f'{field.encode_name}={value}'])}" for value in values(field.type))


def values(of: Any) -> list[Any]:
    """Return what to try for a parameter of a type."""
    if get_origin(of) is not None and str(get_origin(of)) == "typing.Literal":
        return list(get_args(of))
    if get_args(of):
        return [value for one in get_args(of) for value in values(one)]
    return [2] if of is int else list(WORDS) if of is str else []


def write(desk: InProcess, random: Random) -> None:
    """Change something, or log in; but nothing that those who ask are known by."""
    kind = random.random()
    if kind < 0.1:
        account = random.choice((ADMIN, AGENT))
        assert 200 == desk.plain().get("/apiv2/users/me.json", auth=(account.email, account.password)).status_code
    elif kind < 0.2:
        zone, language = random.choice(("Asia/Shanghai", "UTC")), random.choice(LANGUAGES)
        desk.operate(lambda roster, caller: company.update(roster, caller, fields(zone, language)))
    else:
        while not (changes := attempt(desk, random.choice(VERBS)(random, desk.roster()))):
            pass
        desk.operate(lambda roster, caller: changes)


def fields(zone: str, language: Any) -> CompanyFields:
    return CompanyFields(time_zone=zone, language=language)


def attempt(desk: InProcess, verb: Verb) -> list[Change]:
    """Return the changes of a verb; none if it is refused or would change who asks."""
    try:
        done: Done = verb(desk.roster(), OPERATOR)
    except Refusal:
        return []
    changes = done if isinstance(done, list) else done.changes
    return changes if all(map(harmless, changes)) else []


def harmless(change: Change) -> bool:
    if change.kind == "key":
        return change.before is None
    if change.kind != "agent" or change.id not in {account.id for account in ACCOUNTS}:
        return True
    known = [one and (one.email, one.level, one.active, one.password) for one in (change.before, change.after)]
    return known[0] == known[1]


def stale_after_writes(asked: EveryGet, random: Random, steps: int = STEPS) -> list[str]:
    """Write at random; return the paths at which the first stale answers were given."""
    asked.stale(random)
    for _ in range(steps):
        write(asked.desk, random)
        asked.desk.clock.now += random.choice((0, 1, 86_400))
        if found := asked.stale(random):
            return found
    return []


@contextmanager
def opened(prepared: Path, folder: Path) -> Iterator[InProcess]:
    shutil.copytree(prepared, folder / "data")
    desk = InProcess(folder / "data", StillClock(NOW))
    try:
        yield desk
    finally:
        desk.close()
        assert [] == desk.incidents


@pytest.mark.parametrize("examples", [2, pytest.param(60, marks=pytest.mark.proof)])
def test_no_answer_from_the_cache_is_stale(prepared, tmp_path_factory, examples):
    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.integers(0, 2**32 - 1).map(Random))
    def tried(random):
        with opened(prepared, tmp_path_factory.mktemp("cached")) as desk:
            assert [] == stale_after_writes(EveryGet(desk), random)

    tried()


def no_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget the records one step along the indexes from a changed one."""
    monkeypatch.setattr(Roster, "_neighbours", lambda roster, change: ())


def no_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget which records of a kind there are."""
    monkeypatch.setattr(Answers, "invalidate_lists", lambda answers, kind: None)


def no_owner(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget the record that a list is a field of."""
    whole = Table.page
    monkeypatch.setattr(Table, "page", lambda table, window, ids=None, owner=None: whole(table, window, ids))


def no_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget that an agent's answer shows the profile record that it holds."""
    whole = Answers.invalidate

    def invalidate(answers, kind, ids):
        if isinstance(ids, tuple | set) or kind != "agent":
            whole(answers, kind, ids)

    monkeypatch.setattr(Answers, "invalidate", invalidate)


def no_login(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget that KF5 shows the last login of an agent."""
    monkeypatch.setattr(Ledger, "logged_in", lambda ledger, id, at: ledger.observed.record("agent", id, at, ""))


@pytest.mark.parametrize("forget", [no_neighbours, no_lists, no_owner, no_profile, no_login])
def test_control_what_is_forgotten_when_something_changes_is_noticed(prepared, tmp_path, monkeypatch, forget):
    forget(monkeypatch)

    with opened(prepared, tmp_path) as desk:
        assert [] != stale_after_writes(EveryGet(desk, only=CACHED), Random(1), 300)


PLANTED: dict[str, Callable[[Request, Desk], object]] = {
    "the language": lambda request, desk: request.language,
    "the caller": lambda request, desk: request.caller.agent_id,
    "the time": lambda request, desk: desk.now(),
    "another record": lambda request, desk: [group.name for group in desk.roster.groups],
    "the signature": lambda request, desk: request.query["timestamp"],
}


@pytest.mark.parametrize("what", PLANTED)
def test_control_a_new_route_that_is_cached_and_should_not_be_is_noticed(prepared, tmp_path, monkeypatch, what):
    def handler(request: Request, desk: Desk) -> PageReply:
        page = reference.find(desk.roster, request.caller, "position", Window(0, 10))
        return PageReply(200, str(PLANTED[what](request, desk)).encode(), sources=page.sources)

    route = Route(method="GET", path="/planted", handler=handler, needs=Permission.READ)
    dialects = tuple(
        replace(dialect, routes=(*dialect.routes, route)) if dialect.name == "udesk" else dialect
        for dialect in DIALECTS
    )
    monkeypatch.setattr("deskroster.app.DIALECTS", dialects)

    with opened(prepared, tmp_path) as desk:
        assert ["/planted"] == stale_after_writes(EveryGet(desk, dialects, {"udesk GET /planted"}), Random(1), 100)


def test_a_list_that_is_signed_anew_each_time_is_answered_from_the_cache(desk):
    asked = EveryGet(desk)
    asked.answers(ADMIN, "en")
    made = dict(desk.roster().answers._entries)
    desk.clock.now += 1

    asked.answers(SECOND_ADMIN, "zh")

    again = desk.roster().answers._entries
    assert list(made) == list(again)
    assert all(made[key] is again[key] for key in made)
    cached = {key[0] for key in made}
    assert CACHED <= {
        name_of(dialect, route)
        for dialect, route, path in asked.addresses
        if dialect.prefix + path.partition("?")[0] in cached
    }


def test_an_answer_is_not_given_to_who_may_do_less_than_the_one_it_was_made_for(desk, monkeypatch):
    def handler(request: Request, desk: Desk) -> PageReply:
        request.caller.must(Permission.WRITE_AGENTS)
        page = agents.find(desk.roster, request.caller, Window(0, 10))
        return PageReply(200, b"secret", sources=page.sources)

    route = Route(method="GET", path="/v1/planted", handler=handler, needs=Permission.READ)
    own = DIALECTS[-1]
    monkeypatch.setattr("deskroster.app.DIALECTS", (replace(own, routes=(*own.routes, route)),))
    desk.restart()

    assert [200, 403] == [desk.of(who).own.get("/v1/planted").status_code for who in (ADMIN, AGENT)]
