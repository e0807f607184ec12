"""Writes at random through every dialect, and restarts, against a plain model: then all dialects say the same.

How a dialect names an agent and a group stands in the `agreement` of its contract.
"""

import itertools
import json
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from deskroster.core.roster import Roster
from deskroster.testing import StillClock
from tests.answers import check
from tests.conftest import NOW
from tests.contract import Agreement, Ask
from tests.contracts import BY_NAME, CONTRACTS, of_route, serves
from tests.databases import beside
from tests.in_process import InProcess, answer, repeated
from tests.world import ADMIN, SECOND_ADMIN, records

NAMES = st.sampled_from(["售前", "售后 A", "Support", "O'Brien", "😀", "x" * 32, '"quoted"', "<b>"])
BAD_NAMES = st.sampled_from(["", "  ", "a\nb", "x" * 256])
MOBILES = st.sampled_from(["13300000001", "13300000002", "19912345678"])
STATES = st.sampled_from(["enabled", "disabled", "review"])
PICK = st.integers(0, 40)  # which of the ids there are; the last few: one that is not there
PICKS = st.lists(PICK, max_size=4)
NOBODY = 999_999
AGREED = {name: contract.agreement for name, contract in CONTRACTS.items() if contract.agreement is not None}
LISTS = [(name, path) for name, agreed in AGREED.items() for path in agreed.lists]


def speaking(call: str):
    """Choose a dialect that has a call."""
    return st.sampled_from([name for name, agreed in AGREED.items() if getattr(agreed, call) is not None])


class Model:
    """The company as plain dictionaries."""

    def __init__(self) -> None:
        found = records()
        self.agents: dict[int, dict[str, Any]] = {
            one.id: {
                "name": one.name, "email": one.email, "mobile": one.mobile, "level": one.level, "state": one.state,
                "employed": one.employed,
            }
            for one in found if one.kind == "agent"
        }  # fmt: skip
        members = {(group_id, one.id) for one in found if one.kind == "agent" for group_id in one.group_ids}
        self.groups: dict[int, dict[str, Any]] = {
            one.id: {"name": one.name, "members": {agent for group, agent in members if group == one.id}}
            for one in found if one.kind == "group"
        }  # fmt: skip
        self.next_agent, self.next_group = 1 + max(self.agents), 1 + max(self.groups)

    def groups_of(self, id: int) -> list[int]:
        return [group for group, one in sorted(self.groups.items()) if id in one["members"]]

    def only_administrator(self, id: int) -> bool:
        active = {i for i, one in self.agents.items() if one["level"] == "admin" and self.active(i)}
        return active == {id}

    def active(self, id: int) -> bool:
        return self.agents[id]["state"] == "enabled" and self.agents[id]["employed"] is not False


class Company(RuleBasedStateMachine):
    """A company that is written to by all, one call at a time."""

    prepared: Any
    folders: Any

    def __init__(self) -> None:
        super().__init__()
        folder = self.folders.mktemp("agreement") / "data"
        shutil.copytree(self.prepared, folder)
        self.processes = [InProcess(folder, StillClock(NOW))]
        if other := beside(folder, folder.with_name("other")):
            self.processes.append(InProcess(other, StillClock(NOW)))
        self.turn = 0
        self.requests: dict[tuple[InProcess, str, str], Callable[[], httpx2.Request]] = {}
        self.model = Model()
        self.emails = (f"new{i}@test.cn" for i in itertools.count())

    @property
    def desk(self) -> InProcess:
        """The process that is asked next: where there are two, they take turns, and agree."""
        self.turn += 1
        return self.processes[self.turn % len(self.processes)]

    def durable(self) -> Roster:
        """Return what is durable, as a process has it that is not asked next."""
        desk = self.processes[self.turn % len(self.processes)]
        desk.refresh()
        return desk.roster()

    def teardown(self) -> None:
        for desk in self.processes:
            desk.close()
            assert [] == desk.incidents
            shutil.rmtree(desk.folder)

    def agent(self, pick: int) -> int:
        known = sorted(self.model.agents)
        return known[pick % len(known)] if pick < 38 else NOBODY

    def group(self, pick: int) -> int:
        known = sorted(self.model.groups)
        return known[pick % len(known)] if pick < 38 and known else NOBODY

    def send(self, dialect: str, expected: str, ask: Ask) -> Any:
        """Send one write and see that it is answered as the model expects."""
        before = self.durable().number
        sent = getattr(self.desk, dialect).request(ask.method, ask.path, json=ask.body)
        answer = check(dialect, sent, expected)
        assert expected == "ok" or before == self.durable().number
        return answer

    def listed(self, dialect: str, path: str) -> Any:
        """Return what a dialect says of a list."""
        return json.loads(self.asked(self.desk, dialect, path))

    def asked(self, desk: InProcess, dialect: str, path: str) -> bytes:
        """Return the answer to a list of a process: they are asked for thirty times after each write."""
        request = self.requests.get((desk, dialect, path))
        if request is None:
            request = self.requests[desk, dialect, path] = repeated(getattr(desk, dialect), path)
        return desk.run(answer(desk, request())).content

    @rule()
    def restart(self) -> None:
        self.desk.restart()

    @rule(dialect=speaking("create_group"), name=NAMES, picks=PICKS)
    def create_group(self, dialect: str, name: str, picks: list[int]) -> None:
        agreed = AGREED[dialect]
        members = {self.agent(pick) for pick in picks} if agreed.creates_with_members else set()
        expected = "invalid" if NOBODY in members else "ok"
        answer = self.send(dialect, expected, agreed.create_group(name, list(members)))
        if expected == "ok":
            id = self.model.next_group
            assert id == agreed.group_made(answer)
            self.model.groups[id] = {"name": name, "members": members}
            self.model.next_group += 1

    @rule(dialect=speaking("rename_group"), pick=PICK, name=NAMES | BAD_NAMES)
    def rename_group(self, dialect: str, pick: int, name: str) -> None:
        id, fits = self.group(pick), name.strip() and "\n" not in name and len(name) < 256
        expected = "notfound" if id == NOBODY else "ok" if fits else "invalid"
        self.send(dialect, expected, AGREED[dialect].rename_group(id, name))
        if expected == "ok":
            self.model.groups[id]["name"] = name

    @rule(dialect=speaking("set_members"), pick=PICK, picks=PICKS)
    def set_members(self, dialect: str, pick: int, picks: list[int]) -> None:
        id, members = self.group(pick), {self.agent(pick) for pick in picks}
        expected = "notfound" if id == NOBODY else "invalid" if NOBODY in members else "ok"
        self.send(dialect, expected, AGREED[dialect].set_members(id, list(members)))
        if expected == "ok":
            self.model.groups[id]["members"] = members

    @rule(dialect=speaking("set_groups"), pick=PICK, picks=PICKS)
    def set_groups_of_an_agent(self, dialect: str, pick: int, picks: list[int]) -> None:
        id, wanted = self.agent(pick), {self.group(pick) for pick in picks}
        expected = "notfound" if id == NOBODY else "invalid" if NOBODY in wanted else "ok"
        self.send(dialect, expected, AGREED[dialect].set_groups(id, list(wanted)))
        if expected == "ok":
            for group_id, group in self.model.groups.items():
                group["members"] = group["members"] - {id} | ({id} if group_id in wanted else set())

    @rule(dialect=speaking("delete_groups"), picks=st.lists(PICK, min_size=1, max_size=3))
    def delete_groups(self, dialect: str, picks: list[int]) -> None:
        agreed = AGREED[dialect]
        ids = {self.group(pick) for pick in picks[: 3 if agreed.deleted else 1]}
        known = ids & set(self.model.groups)
        expected = "ok" if known or agreed.deleted else "notfound"
        answer = self.send(dialect, expected, agreed.delete_groups(list(ids)))
        assert agreed.deleted is None or sorted(known) == sorted(agreed.deleted(answer))
        for id in known:
            del self.model.groups[id]

    @rule(dialect=speaking("create_agent"), name=NAMES, mobile=MOBILES, taken=st.booleans())
    def create_agent(self, dialect: str, name: str, mobile: str, taken: bool) -> None:
        email = ADMIN.email.upper() if taken else next(self.emails)
        expected = "conflict" if taken else "ok"
        answer = self.send(dialect, expected, AGREED[dialect].create_agent(name, email, mobile))
        if expected == "ok":
            id = self.model.next_agent
            assert id == AGREED[dialect].agent_made(answer)
            self.model.agents[id] = {
                "name": name, "email": email, "mobile": mobile, "level": "agent", "state": "enabled", "employed": None,
            }  # fmt: skip
            self.model.next_agent += 1

    @rule(dialect=speaking("change_agent"), pick=PICK, name=NAMES, mobile=MOBILES)
    def change_agent(self, dialect: str, pick: int, name: str, mobile: str) -> None:
        id = self.agent(pick)
        expected = "notfound" if id == NOBODY else "ok"
        self.send(dialect, expected, AGREED[dialect].change_agent(id, name, mobile))
        if expected == "ok":
            self.model.agents[id] |= {"name": name, "mobile": mobile}

    @rule(dialect=speaking("set_level"), pick=PICK, level=st.sampled_from(["agent", "admin"]))
    def set_level(self, dialect: str, pick: int, level: str) -> None:
        id = self.agent(pick)
        if id == ADMIN.id and not self.model.only_administrator(id):
            id = SECOND_ADMIN.id if SECOND_ADMIN.id in self.model.agents else NOBODY  # who asks stays an administrator
        lost = level == "agent" and self.model.only_administrator(id)
        expected = "notfound" if id == NOBODY else "conflict" if lost else "ok"
        self.send(dialect, expected, AGREED[dialect].set_level(id, level))
        if expected == "ok":
            self.model.agents[id]["level"] = level

    @rule(dialect=speaking("set_state"), pick=PICK, state=STATES)
    def set_state(self, dialect: str, pick: int, state: str) -> None:
        id, agreed = self.agent(pick), AGREED[dialect]
        if id in (ADMIN.id, NOBODY) and not (id == ADMIN.id and self.model.only_administrator(id)):
            return
        before = self.model.agents[id]
        sent = state if state in agreed.states else "disabled"
        stays = before["state"] not in agreed.states and sent != "enabled"  # it is disabled in its own way already
        state = before["state"] if stays else sent
        left = state == "enabled" and before["employed"] is False
        lost = state != "enabled" and self.model.only_administrator(id)
        expected = "conflict" if left or lost else "ok"
        self.send(dialect, expected, agreed.set_state(id, sent))
        if expected == "ok":
            before["state"] = state

    @rule(dialect=speaking("set_employed"), pick=PICK, employed=st.booleans(), enable=st.booleans())
    def set_employed(self, dialect: str, pick: int, employed: bool, enable: bool) -> None:
        id = self.agent(pick)
        if id in (ADMIN.id, NOBODY) and not (id == ADMIN.id and self.model.only_administrator(id)):
            return
        before = self.model.agents[id]
        lost = not employed and self.model.only_administrator(id)
        expected = "conflict" if lost else "ok"
        self.send(dialect, expected, AGREED[dialect].set_employed(id, employed, enable))
        if expected == "ok":
            if employed:
                before["state"] = "enabled" if enable else before["state"]
            elif before["employed"] is not False:
                before["state"] = "disabled"  # leaving wins
            before["employed"] = employed

    @rule(dialect=speaking("delete_agents"), picks=st.lists(PICK, min_size=1, max_size=3))
    def delete_agents(self, dialect: str, picks: list[int]) -> None:
        agreed = AGREED[dialect]
        ids = list(dict.fromkeys(self.agent(pick) for pick in picks[: 3 if agreed.deleted else 1]))
        gone = [id for id in ids if id not in (ADMIN.id, NOBODY)]
        expected = "ok" if gone or agreed.deleted else "conflict" if ids == [ADMIN.id] else "notfound"
        answer = self.send(dialect, expected, agreed.delete_agents(ids))
        assert agreed.deleted is None or gone == agreed.deleted(answer)
        for id in gone:
            del self.model.agents[id]
            for group in self.model.groups.values():
                group["members"].discard(id)

    @invariant()
    def every_dialect_says_the_same_of_groups(self) -> None:
        expected = [(id, one["name"], sorted(one["members"])) for id, one in sorted(self.model.groups.items())]
        names = {id: one["name"] for id, one in self.model.agents.items()}
        for dialect, agreed in AGREED.items():
            if agreed.groups is None:
                continue
            told = self.listed(dialect, agreed.groups.path)
            rows = agreed.groups.rows(told)
            in_order = expected[::-1] if agreed.groups.newest_first else expected
            assert in_order == [(id, name, list(members)) for id, name, members in rows], dialect
            assert agreed.groups.total is None or len(expected) == agreed.groups.total(told), dialect
            shown = {id: name for *_, members in rows for id, name in members.items() if name is not None}
            assert shown == {id: names[id] for id in shown}, dialect

    @invariant()
    def every_dialect_says_the_same_of_agents(self) -> None:
        model = self.model
        for dialect, agreed in AGREED.items():
            if agreed.agents is not None:
                told = self.listed(dialect, agreed.agents.path)
                expected = [agreed.agent(model, id) for id in sorted(model.agents, reverse=agreed.agents.newest_first)]
                found = agreed.agents.rows(told)
                assert expected == [{key: one.get(key) for key in expected[0]} for one in found], dialect
                assert agreed.agents.total is None or len(expected) == agreed.agents.total(told), dialect
            if agreed.enabled is not None:
                enabled = [id for id, one in sorted(model.agents.items()) if one["state"] == "enabled"]
                assert enabled == agreed.enabled.rows(self.listed(dialect, agreed.enabled.path)), dialect

    @rule(pick=PICK)
    def look_at_one_agent(self, pick: int) -> None:
        id = self.agent(pick)
        for dialect, agreed in AGREED.items():
            if agreed.one_agent is not None:
                answer = self.send(dialect, "notfound" if id == NOBODY else "ok", agreed.one_agent(id))
                if id != NOBODY:
                    agreed.check_agent(self.model, id, answer)

    @rule(pick=PICK)
    def look_at_one_group(self, pick: int) -> None:
        id = self.group(pick)
        for dialect, agreed in AGREED.items():
            if agreed.one_group is not None:
                answer = self.send(dialect, "notfound" if id == NOBODY else "ok", agreed.one_group(id))
                if id != NOBODY:
                    assert sorted(self.model.groups[id]["members"]) == agreed.members(answer), dialect

    @invariant()
    def what_is_kept_encoded_is_what_would_be_encoded_now(self) -> None:
        roster = self.desk.roster()
        for kind, shapes in roster.pieces._kinds.items():
            for shape, pieces in shapes.items():
                for id, piece in pieces.items():
                    assert shape(roster, roster.table(kind)[id]) == piece

    @invariant()
    def what_is_kept_of_a_list_is_what_would_be_answered_now(self) -> None:
        """Each is asked after every write, so that what was kept before it would be noticed."""
        desk = self.desk
        kept = [self.asked(desk, dialect, path) for dialect, path in LISTS]
        desk.roster().forget_encoded()
        assert kept == [self.asked(desk, dialect, path) for dialect, path in LISTS]


MANY = [pytest.param(15, id=f"15-{part}", marks=pytest.mark.proof) for part in range(4)]  # at once, on many cores


@pytest.mark.parametrize("examples", [5, *MANY])
def test_all_dialects_show_one_roster_whatever_was_written_through_which(prepared, tmp_path_factory, examples):
    class Prepared(Company):
        pass

    Prepared.prepared, Prepared.folders = prepared, tmp_path_factory
    run_state_machine_as_test(
        Prepared,
        settings=settings(
            max_examples=examples, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


# ── each dialect by itself ───────────────────────────────────────────────────────────────────────────────────────

HERE, NOT_HERE = 1, 39  # picks of what is there and of what is not
WRITES = {  # call → rule, and what it is tried with
    "create_group": ("create_group", {"name": "售前", "picks": [0, 1]}),
    "rename_group": ("rename_group", {"pick": HERE, "name": "售后 A"}),
    "set_members": ("set_members", {"pick": HERE, "picks": [0, 2]}),
    "create_agent": ("create_agent", {"name": "Support", "mobile": "13300000001", "taken": False}),
    "change_agent": ("change_agent", {"pick": HERE, "name": "O'Brien", "mobile": "13300000002"}),
    "set_groups": ("set_groups_of_an_agent", {"pick": HERE, "picks": [0, 1]}),
    "set_level": ("set_level", {"pick": HERE, "level": "admin"}),
    "set_state": ("set_state", {"pick": HERE, "state": "disabled"}),
    "set_employed": ("set_employed", {"pick": HERE, "employed": True, "enable": True}),
    "delete_agents": ("delete_agents", {"picks": [3, 4]}),
    "delete_groups": ("delete_groups", {"picks": [HERE, 2]}),
}


@pytest.mark.parametrize("dialect", AGREED)
def test_what_one_dialect_writes_all_dialects_show(prepared, tmp_path_factory, dialect):
    Company.prepared, Company.folders = prepared, tmp_path_factory
    company = Company()
    try:
        for call, (rule, how) in WRITES.items():
            if getattr(AGREED[dialect], call) is not None:
                getattr(company, rule)(dialect=dialect, **how)
                if "pick" in how and call not in ("set_state", "set_employed"):
                    getattr(company, rule)(dialect=dialect, **{**how, "pick": NOT_HERE})
            company.look_at_one_agent(HERE)
            company.look_at_one_group(HERE)
            company.every_dialect_says_the_same_of_agents()
            company.every_dialect_says_the_same_of_groups()
            company.what_is_kept_of_a_list_is_what_would_be_answered_now()
    finally:
        company.teardown()


@pytest.mark.once
@pytest.mark.parametrize("dialect", AGREED)
def test_every_route_is_compared_or_has_nothing_to_do_with_agents_and_groups(dialect):
    agreed, of = AGREED[dialect], BY_NAME[dialect]

    compared = {
        of_route(route)
        for route in of.routes
        for ask in asks(agreed)
        if serves(of, route, ask.method, of.prefix + ask.path.partition("?")[0])
    }

    assert agreed.beside == {of_route(route) for route in of.routes} - compared


def asks(agreed: Agreement) -> Iterator[Ask]:
    """Yield every request that a dialect is compared by."""
    samples = {
        "create_group": ("x", [1]), "rename_group": (1, "x"), "set_members": (1, [1]), "delete_groups": ([1],),
        "create_agent": ("x", "x@test.cn", "1"), "change_agent": (1, "x", "1"), "set_groups": (1, [1]),
        "set_level": (1, "agent"), "set_state": (1, "enabled"), "set_employed": (1, True, True),
        "delete_agents": ([1],), "one_agent": (1,), "one_group": (1,),
    }  # fmt: skip
    assert set(WRITES) <= set(samples)
    for call, arguments in samples.items():
        if (made := getattr(agreed, call)) is not None:
            yield made(*arguments)
    yield from (Ask("GET", path) for path in agreed.lists)
    yield from (Ask("GET", one.path) for one in (agreed.groups, agreed.agents, agreed.enabled) if one is not None)
