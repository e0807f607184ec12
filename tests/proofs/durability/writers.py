"""Writers: each writes agents and groups of its own through one dialect, and knows what must be there of them.

A writer has at most one request under way. So after a crash what is there of its own is what it knew before that
request, or what it would know after it, and nothing in between.
"""

import random
import threading
from collections.abc import Callable
from enum import Enum
from typing import Any, Literal, NamedTuple
from uuid import uuid4

import httpx2

from deskroster.testing import Account, KF5Token, ServiceGoSignature, UdeskSignature
from tests.proofs.durability.served import Served, plain_client
from tests.world import ADMIN

Dialect = Literal["udesk", "kf5", "servicego"]
DIALECTS: tuple[Dialect, ...] = ("udesk", "kf5", "servicego")


class Outcome(Enum):
    """What an answer says. `LOST`: there was none."""

    DONE = "done"
    REFUSED = "refused"
    BUSY = "busy"
    UNKNOWN = "unknown"
    LOST = "lost"


class Lost(AssertionError):
    """What is there is not what was answered."""


class Agent(NamedTuple):
    """What a writer knows of an agent of its own: e-mail, name, and the names of its groups."""

    email: str
    name: str
    groups: frozenset[str]


class Group(NamedTuple):
    """What a writer knows of a group of its own: name, and the e-mails of its members."""

    name: str
    members: frozenset[str]


Known = frozenset[Agent | Group]


class World:
    """What is there of one writer: who has which id, name and groups."""

    def __init__(self) -> None:
        self.agents: dict[int, tuple[str, str]] = {}  # e-mail, name
        self.groups: dict[int, str] = {}
        self.joined: set[tuple[int, int]] = set()  # agent, group

    def copy(self) -> "World":
        other = World()
        other.agents, other.groups, other.joined = dict(self.agents), dict(self.groups), set(self.joined)
        return other

    def known(self) -> Known:
        """Return it as it is compared: ids do not count, as nobody knows them of what was never answered."""
        agents = {
            Agent(email, name, frozenset(self.groups[g] for a, g in self.joined if a == id))
            for id, (email, name) in self.agents.items()
        }
        groups = {
            Group(name, frozenset(self.agents[a][0] for a, g in self.joined if g == id))
            for id, name in self.groups.items()
        }
        return frozenset(agents | groups)


class Call(NamedTuple):
    """A request, and what it does to the world once it is done, under the id that the answer gives (0: none)."""

    method: str
    path: str
    body: Any
    effect: Callable[[World, int], None]
    id_at: str = ""  # where the answer has the id of what was made


NEW = 1 << 60  # the id of what was perhaps made


class Writer:
    """Writes through one dialect. `tag` begins every name and address that it ever writes."""

    def __init__(
        self, dialect: Dialect, tag: str, seed: float, passwords: bool = True, account: Account = ADMIN
    ) -> None:
        self.dialect = dialect
        self.tag = tag
        self.world = World()
        self.doubtful: tuple[httpx2.Request, Call, World] | None = (
            None  # sent, and no answer that says what became of it
        )
        self.answered: list[httpx2.Request] = []  # the last signed requests that got an answer
        self.under_way: Call | None = None
        self.refusal = ""  # the last one's text
        self.outcomes: list[Outcome] = []
        self._random = random.Random(seed)
        self._auth = AUTHS[dialect](account, self._random)
        self._passwords = passwords
        self._count = 0

    def possible(self) -> list[Known]:
        """Return what may be found of it."""
        worlds = [self.world] if self.doubtful is None else [self.world, self.doubtful[2]]
        return [world.known() for world in worlds]

    def run(self, server: Served, stop: threading.Event) -> None:
        """Write until told to stop, or until there is no answer."""
        with plain_client() as client:
            while not stop.is_set() and self.write(client, server.url) in (Outcome.DONE, Outcome.BUSY):
                pass

    def write(self, client: httpx2.Client, url: str) -> Outcome:
        """Make one call and take note of what came of it."""
        call = self._next()
        request = self._signed(url, call, uuid4().hex)
        self.under_way = call
        try:
            response = client.send(request)
        except httpx2.TransportError:
            outcome = Outcome.LOST
        else:
            outcome = outcome_of(response)
            self.answered = [*self.answered[-3:], request]
        if outcome in (Outcome.LOST, Outcome.UNKNOWN):
            after = self.world.copy()
            call.effect(after, NEW)
            self.doubtful = request, call, after
        elif outcome is Outcome.DONE:
            call.effect(self.world, made_id(response, call))
        elif outcome is Outcome.REFUSED:
            self.refusal = f"{request.method} {request.url}: {response.text}"
        self.under_way = None
        self.outcomes.append(outcome)
        return outcome

    def repeat(self, client: httpx2.Client, url: str) -> httpx2.Response:
        """Send the doubtful request again, signed anew, under its idempotency key."""
        assert self.doubtful is not None
        request, call, _ = self.doubtful
        return client.send(self._signed(url, call, request.headers["Idempotency-Key"]))

    def settle(self, client: httpx2.Client, url: str, found: Known) -> None:
        """Find out what became of the doubtful request: by what is there, or where it makes something by asking again.

        Asked again under its key it gets its first answer if it was done, and is done now if it was not.
        """
        if self.doubtful is None:
            return
        _, call, after = self.doubtful
        if call.id_at:
            answers = [self.repeat(client, url) for _ in range(2)]
            if {Outcome.DONE} != {outcome_of(answer) for answer in answers} or answers[0].text != answers[1].text:
                raise Lost(f"the same key got {answers[0].text}, then {answers[1].text}")
            call.effect(self.world, made_id(answers[0], call))
        elif found == after.known():
            call.effect(self.world, 0)
        self.doubtful = None

    def _signed(self, url: str, call: Call, key: str) -> httpx2.Request:
        prefix = PREFIXES[self.dialect]
        headers = {"Accept-Language": "en", "Idempotency-Key": key}
        request = httpx2.Request(call.method, url + prefix + call.path, json=call.body, headers=headers)
        return next(self._auth.auth_flow(request))

    def _next(self) -> Call:
        self._count += 1
        fresh = f"{self.tag}{self._count}"
        world = self.world
        agent = self._random.choice(list(world.agents)) if world.agents else 0
        group = self._random.choice(list(world.groups)) if world.groups else 0
        some = sorted(self._random.sample(list(world.groups), min(2, len(world.groups))))
        staff = sorted(self._random.sample(list(world.agents), min(3, len(world.agents))))
        calls = CALLS[self.dialect](fresh, agent, group, some, staff)
        if not self._passwords and self.dialect != "kf5":
            calls.pop("agent", None)
        kinds = [kind for kind in calls if kind in ("agent", "group") or (agent if "agent" in kind else group)]
        weights = [
            1 if kind.startswith("-") else 2 if kind == "agent" and self.dialect != "kf5" else 6 for kind in kinds
        ]
        return calls[self._random.choices(kinds, weights)[0]]


def outcome_of(response: httpx2.Response) -> Outcome:
    """Return which of the four an answer says."""
    if response.status_code == 503:
        assert response.headers["Retry-After"]
        told = response.text
        assert ("busy" in told) != ("unknown" in told), told
        return Outcome.UNKNOWN if "unknown" in told else Outcome.BUSY
    assert response.status_code < 500, response.text
    code = response.json().get("code", 1000) if "open_api_v1" in str(response.request.url) else 1000
    return Outcome.DONE if response.status_code < 300 and code == 1000 else Outcome.REFUSED


def again(request: httpx2.Request, url: str) -> httpx2.Request:
    """Return a signed request as it was sent, byte for byte, to be sent to another server."""
    server = httpx2.URL(url)
    headers = [(name, value) for name, value in request.headers.raw if name.lower() != b"host"]
    moved = request.url.copy_with(host=server.host, port=server.port)
    return httpx2.Request(request.method, moved, headers=headers, content=request.content)


def made_id(response: httpx2.Response, call: Call) -> int:
    """Return the id of what was made, 0 if the call makes nothing."""
    found = response.json()
    for name in call.id_at.split("."):
        found = found[name] if name else 0
    return int(found)


def _agent(email: str, name: str, groups: list[int]) -> Callable[[World, int], None]:
    def effect(world: World, id: int) -> None:
        world.agents[id] = email, name
        world.joined |= {(id, group) for group in groups}

    return effect


def _group(name: str, members: list[int]) -> Callable[[World, int], None]:
    def effect(world: World, id: int) -> None:
        world.groups[id] = name
        world.joined |= {(agent, id) for agent in members}

    return effect


def _change_agent(id: int, name: str, groups: list[int] | None) -> Callable[[World, int], None]:
    def effect(world: World, _: int) -> None:
        world.agents[id] = world.agents[id][0], name
        if groups is not None:
            world.joined = {pair for pair in world.joined if pair[0] != id} | {(id, group) for group in groups}

    return effect


def _change_group(id: int, name: str, members: list[int] | None) -> Callable[[World, int], None]:
    def effect(world: World, _: int) -> None:
        world.groups[id] = name
        if members is not None:
            world.joined = {pair for pair in world.joined if pair[1] != id} | {(agent, id) for agent in members}

    return effect


def _drop_agent(id: int) -> Callable[[World, int], None]:
    def effect(world: World, _: int) -> None:
        del world.agents[id]
        world.joined = {pair for pair in world.joined if pair[0] != id}

    return effect


def _drop_group(id: int) -> Callable[[World, int], None]:
    def effect(world: World, _: int) -> None:
        del world.groups[id]
        world.joined = {pair for pair in world.joined if pair[1] != id}

    return effect


def _udesk(fresh: str, agent: int, group: int, some: list[int], staff: list[int]) -> dict[str, Call]:
    email = f"{fresh}@test.cn"
    new = {"email": email, "password": "long-enough", "nick_name": fresh, "user_group_ids": some}
    change = {"nick_name": fresh, "user_group_ids": some}
    owner = {"owner_id": 1, "owner_group_id": 1}
    return {
        "agent": Call("POST", "/agents", {"agent": new}, _agent(email, fresh, some), "agent.id"),
        "group": Call("POST", "/user_groups", {"name": fresh}, _group(fresh, []), "id"),
        "=agent": Call("PUT", f"/agents/{agent}", {"agent": change}, _change_agent(agent, fresh, some)),
        "=group": Call("PUT", f"/user_groups/{group}", {"name": fresh}, _change_group(group, fresh, None)),
        "-agent": Call("DELETE", f"/agents/{agent}", owner, _drop_agent(agent)),
        "-group": Call("DELETE", f"/user_groups/{group}", None, _drop_group(group)),
    }


def _kf5(fresh: str, agent: int, group: int, some: list[int], staff: list[int]) -> dict[str, Call]:
    email = f"{fresh}@test.cn"
    user, made = {"name": fresh, "email": email}, {"name": fresh, "agents": staff}
    return {
        "agent": Call("POST", "/users.json", {"user": user}, _agent(email, fresh, []), "user.id"),
        "group": Call("POST", "/groups.json", {"group": made}, _group(fresh, staff), "group.id"),
        "=agent": Call("PUT", f"/users/{agent}.json", {"user": {"name": fresh}}, _change_agent(agent, fresh, None)),
        "=group": Call("PUT", f"/groups/{group}.json", {"group": made}, _change_group(group, fresh, staff)),
        "-agent": Call("DELETE", f"/users/{agent}.json", None, _drop_agent(agent)),
        "-group": Call("DELETE", f"/groups/{group}.json", None, _drop_group(group)),
    }


def _servicego(fresh: str, agent: int, group: int, some: list[int], staff: list[int]) -> dict[str, Call]:
    email = f"{fresh}@test.cn"
    new = {
        "email": email, "password": "long-enough", "realname": fresh, "position": {"id": 1}, "roleList": [{"id": 1}],
        "userGroupList": some,
    }  # fmt: skip
    made = {"name": fresh, "userList": [{"id": id} for id in staff]}
    change = {"realname": fresh, "userGroupList": some}
    return {
        "agent": Call("POST", "/v1/user", new, _agent(email, fresh, some), "data.id"),
        "group": Call("POST", "/v1/userGroup", made, _group(fresh, staff), "data.id"),
        "=agent": Call("PUT", f"/v1/user/{agent}", change, _change_agent(agent, fresh, some)),
        "=group": Call("PUT", f"/v1/userGroup/{group}", made, _change_group(group, fresh, staff)),
        "-agent": Call("DELETE", f"/v1/user/{agent}", None, _drop_agent(agent)),
        "-group": Call("DELETE", f"/v1/userGroup/{group}", None, _drop_group(group)),
    }


CALLS: dict[Dialect, Callable[[str, int, int, list[int], list[int]], dict[str, Call]]] = {
    "udesk": _udesk,
    "kf5": _kf5,
    "servicego": _servicego,
}
PREFIXES: dict[Dialect, str] = {"udesk": "/open_api_v1", "kf5": "/apiv2", "servicego": "/api"}
AUTHS: dict[Dialect, Callable[[Account, random.Random], httpx2.Auth]] = {
    "udesk": lambda account, pick: UdeskSignature(account, form=pick.choice("AB")),  # the two forms with a nonce
    "kf5": lambda account, pick: KF5Token(account),
    "servicego": lambda account, pick: ServiceGoSignature(account),
}
