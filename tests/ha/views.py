"""What each dialect shows of an agent or a group, and what it must show."""

from typing import Literal, NamedTuple, get_args

import httpx2

from tests.contracts import CONTRACTS
from tests.proofs.durability.world import Look, View, World
from tests.proofs.durability.writers import NEW, Writer

Kind = Literal["agent", "group"]


class Record(NamedTuple):
    """An agent or a group."""

    kind: Kind
    id: int


LOOKS: dict[Kind, dict[str, Look]] = {
    kind: {name: contract.looks[kind] for name, contract in CONTRACTS.items() if kind in contract.looks}
    for kind in get_args(Kind)
}


def shown(dialect: str, answer: httpx2.Response, look: Look) -> View | None:
    """Return what an answer shows, None if that there is no such record."""
    told, answers = answer.json(), CONTRACTS[dialect].answers
    not_there, code = answers.of("notfound")
    if answer.status_code == not_there and (not_there != 200 or told.get("code") == code):
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
