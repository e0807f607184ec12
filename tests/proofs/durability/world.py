"""What is there of one writer, and what each of its writes does to it."""

from collections.abc import Callable
from typing import Any, NamedTuple


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


class Write(NamedTuple):
    """A request, and what it does to the world once it is done, under the id that the answer gives (0: none)."""

    method: str
    path: str
    body: Any
    effect: Callable[[World, int], None]
    id_at: str = ""  # where the answer has the id of what was made
    hashes: bool = False  # a password, which takes long


class View(NamedTuple):
    """What a dialect shows of a record: its name, and the ids of an agent's groups or a group's members."""

    name: str
    neighbours: frozenset[int]


class Look(NamedTuple):
    """Where a dialect shows a record, `{}` being its id, and how to read the answer."""

    path: str
    read: Callable[[Any], View]


def ids(records: list[dict[str, Any]]) -> frozenset[int]:
    """Return the ids of records that are shown within another."""
    return frozenset(record["id"] for record in records)


def agent(email: str, name: str, groups: list[int]) -> Callable[[World, int], None]:
    """Return what creating an agent does to the world."""

    def effect(world: World, id: int) -> None:
        world.agents[id] = email, name
        world.joined |= {(id, group) for group in groups}

    return effect


def group(name: str, members: list[int]) -> Callable[[World, int], None]:
    """Return what creating a group does to the world."""

    def effect(world: World, id: int) -> None:
        world.groups[id] = name
        world.joined |= {(agent, id) for agent in members}

    return effect


def change_agent(id: int, name: str, groups: list[int] | None) -> Callable[[World, int], None]:
    """Return what another name, and other groups unless they are None, do to the world."""

    def effect(world: World, _: int) -> None:
        world.agents[id] = world.agents[id][0], name
        if groups is not None:
            world.joined = {pair for pair in world.joined if pair[0] != id} | {(id, group) for group in groups}

    return effect


def change_group(id: int, name: str, members: list[int] | None) -> Callable[[World, int], None]:
    """Return what another name, and other members unless they are None, do to the world."""

    def effect(world: World, _: int) -> None:
        world.groups[id] = name
        if members is not None:
            world.joined = {pair for pair in world.joined if pair[1] != id} | {(agent, id) for agent in members}

    return effect


def drop_agent(id: int) -> Callable[[World, int], None]:
    """Return what deleting an agent does to the world."""

    def effect(world: World, _: int) -> None:
        del world.agents[id]
        world.joined = {pair for pair in world.joined if pair[0] != id}

    return effect


def drop_group(id: int) -> Callable[[World, int], None]:
    """Return what deleting a group does to the world."""

    def effect(world: World, _: int) -> None:
        del world.groups[id]
        world.joined = {pair for pair in world.joined if pair[1] != id}

    return effect
