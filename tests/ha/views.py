"""What each dialect shows of an agent or a group, and what it must show."""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import httpx2

from tests.proofs.durability.writers import NEW, Dialect, World, Writer

Kind = Literal["agent", "group"]


class Record(NamedTuple):
    """An agent or a group."""

    kind: Kind
    id: int


class View(NamedTuple):
    """Its name, and the ids of an agent's groups or a group's members."""

    name: str
    neighbours: frozenset[int]


class Look(NamedTuple):
    """Where a dialect shows a record, and how to read the answer."""

    path: str
    read: Callable[[Any], View]


LOOKS: dict[Kind, dict[Dialect, Look]] = {
    "agent": {
        "udesk": Look(
            "/agents/get_agent?type=id&content={}",
            lambda told: View(told["agent"]["nick_name"], frozenset(told["agent"]["user_group_ids"])),
        ),
        "kf5": Look("/users/{}.json", lambda told: View(told["user"]["name"], _ids(told["user"]["groups_info"]))),
        "servicego": Look(
            "/v1/user/{}", lambda told: View(told["data"]["realname"], frozenset(told["data"]["userGroupList"]))
        ),
    },
    "group": {
        "kf5": Look("/groups/{}.json", lambda told: View(told["group"]["name"], _ids(told["group"]["agents"]))),
        "servicego": Look("/v1/userGroup/{}", lambda told: View(told["data"]["name"], _ids(told["data"]["userList"]))),
    },
}
NOT_THERE = 2005  # Udesk's code


def shown(answer: httpx2.Response, look: Look) -> View | None:
    """Return what an answer shows, None if that there is no such record."""
    told = answer.json()
    if answer.status_code == 404 or told.get("code") == NOT_THERE:
        return None
    assert answer.status_code == 200, answer.text
    return look.read(told)


def due(world: World, record: Record) -> View | None:
    """Return what must be shown of a record."""
    kind, id = record
    if kind == "agent":
        return (
            View(world.agents[id][1], frozenset(g for a, g in world.joined if a == id)) if id in world.agents else None
        )
    return View(world.groups[id], frozenset(a for a, g in world.joined if g == id)) if id in world.groups else None


def records(world: World) -> list[Record]:
    """Return all records of a world. May run while its writer goes on."""
    return [Record("agent", id) for id in list(world.agents)] + [Record("group", id) for id in list(world.groups)]


def changed(before: World, after: World) -> set[Record]:
    """Return the records that are there, gone or called otherwise since."""
    agents = {id for id, _ in before.agents.items() ^ after.agents.items()}
    groups = {id for id, _ in before.groups.items() ^ after.groups.items()}
    return {Record("agent", id) for id in agents} | {Record("group", id) for id in groups}


def may_be_gone(writer: Writer, record: Record) -> bool:
    """Whether a record that its writer has made may be gone: by what is done, in doubt or under way."""
    call, doubtful, world = writer.under_way, writer.doubtful, writer.world.copy()  # in this order: see Writer.write
    if due(world, record) is None or (doubtful is not None and due(doubtful[2], record) is None):
        return True
    if call is None or call.id_at:
        return False
    call.effect(world, NEW)
    return due(world, record) is None


def _ids(records: list[dict[str, Any]]) -> frozenset[int]:
    return frozenset(record["id"] for record in records)
