"""Promise 6: a company keeps an enabled administrator, whatever is tried, and whoever tries it at the same time."""

import shutil
import tempfile
from itertools import product
from pathlib import Path

import httpx2
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from deskroster.admin import AdminApp
from deskroster.cli.opening import installation_of
from deskroster.core import agents
from deskroster.core.access import OF_ADMINISTRATORS, Caller
from deskroster.core.agents import AgentFields
from deskroster.core.problems import Conflict, Reason
from deskroster.testing import Signature, StillClock
from tests.answers import check
from tests.contract import Demotion
from tests.contracts import CONTRACTS
from tests.in_process import InProcess, signed
from tests.ledger.support import expect_many
from tests.proofs.identity.guarded import NOW
from tests.world import ADMIN, AGENT, SECOND_ADMIN

pytestmark = pytest.mark.any_engine

TWO = (ADMIN, SECOND_ADMIN)

# Every call by which someone may cease to be an enabled administrator, and those that make one: dialect and call.
PATHS = {what: (name, one) for name, contract in CONTRACTS.items() for what, one in contract.demotions.items()}
BACK = {
    what: (name, Demotion(ask)) for name, contract in CONTRACTS.items() for what, ask in contract.promotions.items()
}


def administrators(desk) -> set[int]:
    return {agent.id for agent in desk.roster().agents if agent.level == "admin" and agent.active}


def request(desk, caller, call, id, *, by_password=False):
    """Return a call on an agent, by a password where the dialect takes one."""
    dialect, demotion = call
    method, path, body = demotion.ask(id)
    client, log_in = getattr(desk.of(caller), dialect), CONTRACTS[dialect].log_in
    if by_password and log_in is not None and log_in.by is not None:
        auth = Signature(replace(caller, token=caller.password), log_in.by, desk.clock)
        client = httpx2.Client(base_url=client.base_url, auth=auth)
    return signed(client, method, path, **({} if body is None else {"json": body}))


@pytest.mark.parametrize("path", PATHS)
def test_the_only_administrator_stays_one(desk, path):
    desk.operate(lambda roster, caller: agents.delete(roster, caller, SECOND_ADMIN.id))
    before = desk.roster().agents[ADMIN.id]

    (response,) = desk.together(request(desk, ADMIN, PATHS[path], ADMIN.id))

    dialect, demotion = PATHS[path]
    answer = check(dialect, response, "ok" if demotion.refused else "conflict")
    if demotion.refused:
        demotion.refused(answer, ADMIN.id)
    assert before == desk.roster().agents[ADMIN.id]


@pytest.mark.parametrize("path", PATHS)
def test_who_alone_of_the_administrators_is_enabled_stays_one(desk, path):
    for fields in (AgentFields(state="disabled"), AgentFields(employed=False), AgentFields(state="review")):
        desk.operate(lambda roster, caller, fields=fields: agents.update(roster, caller, 6, fields, NOW))

        desk.together(request(desk, ADMIN, PATHS[path], ADMIN.id))

        assert {ADMIN.id} == administrators(desk)
        back = AgentFields(state="enabled", employed=True)
        desk.operate(lambda roster, caller, back=back: agents.update(roster, caller, 6, back, NOW))


def test_the_operator_cannot_demote_or_delete_the_last_one_either(desk):
    desk.operate(lambda roster, caller: agents.update(roster, caller, 6, AgentFields(level="agent"), NOW))
    admin = AdminApp(installation_of(desk.app))

    async def demote() -> httpx2.Response:
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(admin), base_url="http://demo") as client:
            return await client.patch("/deskroster/v1/agents/1", json={"level": "agent"})

    check("own", desk.run(demote()), "conflict")
    for verb in (
        lambda roster, caller: agents.delete(roster, caller, 1),
        lambda roster, caller: agents.update(roster, caller, 1, AgentFields(employed=False), NOW),
    ):
        with pytest.raises(Conflict) as refused:
            desk.operate(verb)
        assert Reason.LAST_ADMINISTRATOR is refused.value.reason


def test_a_batch_that_names_every_administrator_leaves_one(desk):
    desk.operate(lambda roster, caller: agents.update(roster, caller, AGENT.id, AgentFields(level="admin"), NOW))

    answer = check("servicego", desk.servicego.delete("/v1/user/6,2,1"), "ok")

    assert ([2, 6], {"1"}) == (sorted(answer["data"]["successList"]), set(answer["data"]["failMap"]))
    assert {1} == administrators(desk)


# ── two callers at once ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("first", "second"),
    [pytest.param(*two, marks=() if len({*two}) == 1 else pytest.mark.proof) for two in product(PATHS, PATHS)],
)
def test_of_two_administrators_who_remove_each_other_at_once_one_stays(desk, first, second):
    assert 1 == len(left_of_two(desk, first, second))


def left_of_two(desk, first, second) -> set[int]:
    """Let two administrators remove each other in one batch; return who is left."""
    expect_many(desk.run(desk.app.store.load(1)))
    desk.together(request(desk, ADMIN, PATHS[first], 6), request(desk, SECOND_ADMIN, PATHS[second], 1))
    return administrators(desk)


@pytest.mark.parametrize("path", PATHS)
def test_control_a_rule_that_checks_the_old_roster_is_noticed(desk, path, monkeypatch):
    was = {1, 6}

    def keep(roster, before, after, gone=frozenset()):
        if not was - {before.id}:
            raise Conflict(Reason.LAST_ADMINISTRATOR)

    monkeypatch.setattr(agents, "keep_an_administrator", keep)
    # Who is resolved again on the roster that has changed is refused as well, so for the control nobody is.
    monkeypatch.setattr("deskroster.ledger.rehearsal.resolve", as_on_arrival)

    assert set() == left_of_two(desk, path, path)


def as_on_arrival(roster, identity, now):
    return Caller(agent_id=identity.agent_id, permissions=OF_ADMINISTRATORS)


# ── whatever is tried ────────────────────────────────────────────────────────────────────────────────────────────

CALLS = st.tuples(
    st.sampled_from([*TWO, AGENT]),  # who asks
    st.one_of(st.sampled_from([*PATHS.values()]), st.sampled_from([*BACK.values()])),
    st.sampled_from([1, 2, 6]),  # of whom
    st.booleans(),  # by password, where that may be
)
MOMENTS = st.lists(st.lists(CALLS, min_size=1, max_size=4), min_size=1, max_size=6)


def left_after(prepared: Path, moments) -> list[set[int]]:
    """Make the calls of each moment at once; return the enabled administrators after each."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(prepared, Path(folder) / "data")
        desk = InProcess(Path(folder) / "data", StillClock(NOW))
        try:
            desk.operate(lambda roster, caller: agents.update(roster, caller, 2, AgentFields(level="admin"), NOW))
            left = []
            for moment in moments:
                calls = [request(desk, who, call, id, by_password=known) for who, call, id, known in moment]
                assert 500 not in [answer.status_code for answer in desk.together(*calls)]
                left.append(administrators(desk))
            return left
        finally:
            desk.close()


@pytest.mark.proof
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moments=MOMENTS)
def test_there_is_an_enabled_administrator_after_whatever_is_tried(prepared, moments):
    assert all(left_after(prepared, moments))


@pytest.mark.proof
def test_control_the_same_without_the_rule_is_noticed(prepared, monkeypatch):
    monkeypatch.setattr(agents, "keep_an_administrator", lambda *_: None)

    @settings(max_examples=150, deadline=None, database=None, phases=[Phase.generate])
    @given(moments=MOMENTS)
    def tried(moments):
        assert all(left_after(prepared, moments))

    with pytest.raises(AssertionError):
        tried()
