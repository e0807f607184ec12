"""Writes at random through every dialect, and restarts, against a plain model: then all dialects say the same."""

import itertools
import json
import shutil
from collections.abc import Callable
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
from tests.databases import beside
from tests.in_process import InProcess, answer, repeated
from tests.world import ADMIN, SECOND_ADMIN, records

NAMES = st.sampled_from(["售前", "售后 A", "Support", "O'Brien", "😀", "x" * 32, '"quoted"', "<b>"])
BAD_NAMES = st.sampled_from(["", "  ", "a\nb", "x" * 256])
MOBILES = st.sampled_from(["13300000001", "13300000002", "19912345678"])
STATES = st.sampled_from(["enabled", "disabled", "review"])
DIALECTS = st.sampled_from(["udesk", "kf5", "servicego"])
PICK = st.integers(0, 40)  # which of the ids there are; the last few: one that is not there
PICKS = st.lists(PICK, max_size=4)
NOBODY = 999_999
LISTS = (
    ("udesk", "/user_groups"), ("udesk", "/agents?with_disabled=true"), ("udesk", "/agents?per_page=3&page=2"),
    ("udesk", "/user_groups/1/agents"), ("udesk", "/user_groups/2/agents"), ("kf5", "/groups.json"),
    ("kf5", "/users.json"), ("kf5", "/users.json?role=admin"), ("servicego", "/v1/user"),
    ("servicego", "/v1/user?positionId=1"), ("servicego", "/v1/userGroup"),
)  # fmt: skip


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

    def send(self, dialect: str, expected: str, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """Send one write and see that it is answered as the model expects."""
        before = self.durable().number
        answer = check(dialect, getattr(self.desk, dialect).request(method, path, json=body), expected)
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

    @rule(dialect=DIALECTS, name=NAMES, picks=PICKS)
    def create_group(self, dialect: str, name: str, picks: list[int]) -> None:
        members = {self.agent(pick) for pick in picks} if dialect != "udesk" else set()
        expected = "invalid" if NOBODY in members else "ok"
        if dialect == "udesk":
            id = self.send(dialect, expected, "POST", "/user_groups", {"name": name})["id"]
        elif dialect == "kf5":
            body = {"group": {"name": name, "agents": list(members)}}
            id = self.send(dialect, expected, "POST", "/groups.json", body).get("group", {}).get("id")
        else:
            body = {"name": name, "userList": [{"id": one} for one in members]}
            id = self.send(dialect, expected, "POST", "/v1/userGroup", body).get("data", {}).get("id")
        if expected == "ok":
            assert self.model.next_group == id
            self.model.groups[id] = {"name": name, "members": members}
            self.model.next_group += 1

    @rule(dialect=DIALECTS, pick=PICK, name=NAMES | BAD_NAMES)
    def rename_group(self, dialect: str, pick: int, name: str) -> None:
        id, fits = self.group(pick), name.strip() and "\n" not in name and len(name) < 256
        expected = "notfound" if id == NOBODY else "ok" if fits else "invalid"
        path = {"udesk": f"/user_groups/{id}", "kf5": f"/groups/{id}.json", "servicego": f"/v1/userGroup/{id}"}[dialect]
        self.send(dialect, expected, "PUT", path, {"group": {"name": name}} if dialect == "kf5" else {"name": name})
        if expected == "ok":
            self.model.groups[id]["name"] = name

    @rule(dialect=st.sampled_from(["kf5", "servicego"]), pick=PICK, picks=PICKS)
    def set_members(self, dialect: str, pick: int, picks: list[int]) -> None:
        id, members = self.group(pick), {self.agent(pick) for pick in picks}
        expected = "notfound" if id == NOBODY else "invalid" if NOBODY in members else "ok"
        if dialect == "kf5":
            self.send(dialect, expected, "PUT", f"/groups/{id}.json", {"agents": [*members, *members]})
        else:
            body = {"userList": [{"id": one} for one in members]}
            self.send(dialect, expected, "PUT", f"/v1/userGroup/{id}", body)
        if expected == "ok":
            self.model.groups[id]["members"] = members

    @rule(dialect=st.sampled_from(["udesk", "servicego"]), pick=PICK, picks=PICKS)
    def set_groups_of_an_agent(self, dialect: str, pick: int, picks: list[int]) -> None:
        id, wanted = self.agent(pick), {self.group(pick) for pick in picks}
        expected = "notfound" if id == NOBODY else "invalid" if NOBODY in wanted else "ok"
        if dialect == "udesk":
            self.send(dialect, expected, "PUT", f"/agents/{id}", {"agent": {"user_group_ids": list(wanted)}})
        else:
            self.send(dialect, expected, "PUT", f"/v1/user/{id}", {"userGroupList": list(wanted)})
        if expected == "ok":
            for group_id, group in self.model.groups.items():
                group["members"] = group["members"] - {id} | ({id} if group_id in wanted else set())

    @rule(dialect=DIALECTS, picks=st.lists(PICK, min_size=1, max_size=3))
    def delete_groups(self, dialect: str, picks: list[int]) -> None:
        ids = {self.group(pick) for pick in picks[: 3 if dialect == "servicego" else 1]}
        known = ids & set(self.model.groups)
        if dialect == "servicego":
            answer = self.send(dialect, "ok", "DELETE", f"/v1/userGroup/{','.join(map(str, ids))}")
            assert sorted(known) == sorted(answer["data"]["successList"])
        else:
            path = f"/user_groups/{min(ids)}" if dialect == "udesk" else f"/groups/{min(ids)}.json"
            self.send(dialect, "ok" if known else "notfound", "DELETE", path)
        for id in known:
            del self.model.groups[id]

    @rule(dialect=DIALECTS, name=NAMES, mobile=MOBILES, taken=st.booleans())
    def create_agent(self, dialect: str, name: str, mobile: str, taken: bool) -> None:
        email = ADMIN.email.upper() if taken else next(self.emails)
        expected = "conflict" if taken else "ok"
        if dialect == "udesk":
            agent = {"nick_name": name, "email": email, "password": "p", "cellphone": mobile}
            id = self.send(dialect, expected, "POST", "/agents", {"agent": agent}).get("id")
        elif dialect == "kf5":
            user = {"name": name, "email": email, "phone": mobile}
            id = self.send(dialect, expected, "POST", "/users.json", {"user": user}).get("user", {}).get("id")
        else:
            staff = {
                "realname": name, "email": email, "password": "long-enough", "mobile": mobile, "position": {"id": 1},
                "roleList": [{"id": 1}],
            }  # fmt: skip
            id = self.send(dialect, expected, "POST", "/v1/user", staff).get("data", {}).get("id")
        if expected == "ok":
            assert self.model.next_agent == id
            self.model.agents[id] = {
                "name": name, "email": email, "mobile": mobile, "level": "agent", "state": "enabled", "employed": None,
            }  # fmt: skip
            self.model.next_agent += 1

    @rule(dialect=DIALECTS, pick=PICK, name=NAMES, mobile=MOBILES)
    def change_agent(self, dialect: str, pick: int, name: str, mobile: str) -> None:
        id = self.agent(pick)
        expected = "notfound" if id == NOBODY else "ok"
        if dialect == "udesk":
            self.send(dialect, expected, "PUT", f"/agents/{id}", {"agent": {"nick_name": name, "cellphone": mobile}})
        elif dialect == "kf5":
            self.send(dialect, expected, "PUT", f"/users/{id}.json", {"user": {"name": name, "phone": mobile}})
        else:
            self.send(dialect, expected, "PUT", f"/v1/user/{id}", {"realname": name, "mobile": mobile})
        if expected == "ok":
            self.model.agents[id] |= {"name": name, "mobile": mobile}

    @rule(pick=PICK, level=st.sampled_from(["agent", "admin"]))
    def set_level(self, pick: int, level: str) -> None:
        id = self.agent(pick)
        if id == ADMIN.id and not self.model.only_administrator(id):
            id = SECOND_ADMIN.id if SECOND_ADMIN.id in self.model.agents else NOBODY  # who asks stays an administrator
        lost = level == "agent" and self.model.only_administrator(id)
        expected = "notfound" if id == NOBODY else "conflict" if lost else "ok"
        self.send("kf5", expected, "PUT", f"/users/{id}.json", {"user": {"role": level}})
        if expected == "ok":
            self.model.agents[id]["level"] = level

    @rule(dialect=st.sampled_from(["udesk", "servicego"]), pick=PICK, state=STATES)
    def set_state(self, dialect: str, pick: int, state: str) -> None:
        id = self.agent(pick)
        if id in (ADMIN.id, NOBODY) and not (id == ADMIN.id and self.model.only_administrator(id)):
            return
        before = self.model.agents[id]
        if dialect == "udesk":
            state = "disabled" if state == "review" else state
            unchanged = (before["state"] == "enabled") == (state == "enabled")
            state = before["state"] if unchanged else state
        left = state == "enabled" and before["employed"] is False
        lost = state != "enabled" and self.model.only_administrator(id)
        expected = "conflict" if left or lost else "ok"
        if dialect == "udesk":
            status = "enable" if state == "enabled" else "disable"
            self.send(dialect, expected, "PUT", f"/agents/{id}", {"agent": {"disable_status": status}})
        else:
            number = {"enabled": 1, "disabled": 2, "review": 3}[state]
            self.send(dialect, expected, "PUT", f"/v1/user/{id}", {"status": number})
        if expected == "ok":
            before["state"] = state

    @rule(pick=PICK, employed=st.booleans(), enable=st.booleans())
    def set_employed(self, pick: int, employed: bool, enable: bool) -> None:
        id = self.agent(pick)
        if id in (ADMIN.id, NOBODY) and not (id == ADMIN.id and self.model.only_administrator(id)):
            return
        before = self.model.agents[id]
        body = {"jobStatus": int(employed)} | ({"status": 1} if enable else {})
        lost = not employed and self.model.only_administrator(id)
        expected = "conflict" if lost or (enable and not employed) else "ok"
        self.send("servicego", expected, "PUT", f"/v1/user/{id}", body)
        if expected == "ok":
            before["employed"] = employed
            before["state"] = "enabled" if enable else before["state"] if employed else "disabled"

    @rule(dialect=DIALECTS, picks=st.lists(PICK, min_size=1, max_size=3))
    def delete_agents(self, dialect: str, picks: list[int]) -> None:
        ids = list(dict.fromkeys(self.agent(pick) for pick in picks[: 3 if dialect == "servicego" else 1]))
        if dialect == "servicego":
            answer = self.send(dialect, "ok", "DELETE", f"/v1/user/{','.join(map(str, ids))}")
            gone = [id for id in ids if id not in (ADMIN.id, NOBODY)]
            assert gone == answer["data"]["successList"]
        else:
            gone = [id for id in ids if id not in (ADMIN.id, NOBODY)]
            expected = "ok" if gone else "conflict" if ids == [ADMIN.id] else "notfound"
            path = f"/agents/{ids[0]}" if dialect == "udesk" else f"/users/{ids[0]}.json"
            self.send(dialect, expected, "DELETE", path)
        for id in gone:
            del self.model.agents[id]
            for group in self.model.groups.values():
                group["members"].discard(id)

    @invariant()
    def every_dialect_says_the_same_of_groups(self) -> None:
        model = self.model
        expected = [(id, one["name"], sorted(one["members"])) for id, one in sorted(model.groups.items())]

        udesk = self.listed("udesk", "/user_groups?per_page=100")
        kf5 = self.listed("kf5", "/groups.json")
        servicego = self.listed("servicego", "/v1/userGroup?pageSize=100")

        assert expected == [(one["id"], one["name"], [a["id"] for a in one["agents"]]) for one in udesk["user_groups"]]
        assert expected == [(one["id"], one["name"], [a["id"] for a in one["agents"]]) for one in kf5["groups"]]
        assert expected[::-1] == [
            (one["id"], one["name"], [a["id"] for a in one["userList"]]) for one in servicego["data"]
        ]
        assert {len(expected)} == {udesk["meta"]["total_count"], kf5["count"], servicego["paging"]["total"]}
        names = {id: one["name"] for id, one in model.agents.items()}
        for one in [*udesk["user_groups"], *kf5["groups"]]:
            assert all(names[a["id"]] == a.get("nick_name", a.get("name")) for a in one["agents"])

    @invariant()
    def every_dialect_says_the_same_of_agents(self) -> None:
        agents = sorted(self.model.agents.items())

        udesk = self.listed("udesk", "/agents?per_page=100&with_disabled=true")["agents"]
        enabled = self.listed("udesk", "/agents?per_page=100")["agents"]
        kf5 = self.listed("kf5", "/users.json")["users"]
        servicego = self.listed("servicego", "/v1/user?pageSize=100")["data"]

        assert [self.in_udesk(id, one) for id, one in agents] == [
            {key: one[key] for key in self.in_udesk(id, self.model.agents[id])}
            for one in udesk for id in [one["id"]]
        ]  # fmt: skip
        assert [one["id"] for one in enabled] == [id for id, one in agents if one["state"] == "enabled"]
        assert [self.in_kf5(id, one) for id, one in agents] == [
            {key: one[key] for key in self.in_kf5(1, agents[0][1])}
            | {"groups_info": [group["id"] for group in one["groups_info"]]}
            for one in kf5
        ]  # fmt: skip
        assert [self.in_servicego(id, one) for id, one in reversed(agents)] == [
            {key: one.get(key) for key in self.in_servicego(1, agents[0][1])} for one in servicego
        ]  # fmt: skip

    @rule(pick=PICK)
    def look_at_one_agent(self, pick: int) -> None:
        id = self.agent(pick)
        expected = "notfound" if id == NOBODY else "ok"
        udesk = check("udesk", self.desk.udesk.get(f"/agents/get_agent?type=id&content={id}"), expected)
        kf5 = check("kf5", self.desk.kf5.get(f"/users/{id}/groups.json"), expected)
        servicego = check("servicego", self.desk.servicego.get(f"/v2/user?type=1&value={id}"), expected)
        if expected == "ok":
            one = self.model.agents[id]
            assert self.in_udesk(id, one).items() <= udesk["agent"].items()
            assert self.model.groups_of(id) == [group["id"] for group in kf5["groups"]]
            assert {"enabled": 1, "disabled": 2, "review": 3}[one["state"]] == servicego["data"]["status"]

    @rule(pick=PICK)
    def look_at_one_group(self, pick: int) -> None:
        id = self.group(pick)
        expected = "notfound" if id == NOBODY else "ok"
        udesk = check("udesk", self.desk.udesk.get(f"/user_groups/{id}/agents?per_page=100"), expected)
        kf5 = check("kf5", self.desk.kf5.get(f"/groups/{id}.json"), expected)
        servicego = check("servicego", self.desk.servicego.get(f"/v1/userGroup/{id}"), expected)
        if expected == "ok":
            members = sorted(self.model.groups[id]["members"])
            assert members == [one["id"] for one in udesk["user_group"]["agents"]]
            assert members == [one["id"] for one in kf5["group"]["agents"]]
            assert members == [one["id"] for one in servicego["data"]["userList"]]
            assert len(members) == servicego["data"]["userCount"]

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

    def in_udesk(self, id: int, one: dict[str, Any]) -> dict[str, Any]:
        return {
            "id": id, "nick_name": one["name"], "email": one["email"], "cellphone": one["mobile"],
            "disable_status": "enable" if one["state"] == "enabled" else "disable", "role_name": one["level"],
            "user_group_ids": self.model.groups_of(id),
        }  # fmt: skip

    def in_kf5(self, id: int, one: dict[str, Any]) -> dict[str, Any]:
        status = {"enabled": "active", "disabled": "suspended", "review": "unverified"}[one["state"]]
        return {
            "id": id, "name": one["name"], "email": one["email"], "phone": one["mobile"], "role": one["level"],
            "status": status, "groups_info": self.model.groups_of(id),
        }  # fmt: skip

    def in_servicego(self, id: int, one: dict[str, Any]) -> dict[str, Any]:
        return {
            "id": id, "realname": one["name"], "email": one["email"], "mobile": one["mobile"] or None,
            "jobStatus": {True: 1, False: 0, None: None}[one["employed"]], "userGroupList": self.model.groups_of(id),
        }  # fmt: skip


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
