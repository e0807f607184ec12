"""The company that the promises about cost and load are proven on: 100,000 agents in 1,000 groups, one of them crowded.

All agents share one position, role, department and permission set, so that renaming any of these concerns everyone.
"""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

from msgspec.structs import replace

from bench import data
from deskroster.core.changes import Origin
from deskroster.core.records import Agent, AnyRecord, Group, Key, Secret
from deskroster.ledger import Store
from deskroster.testing import Account

AGENTS, GROUPS, CROWD = 100_000, 1_000, 10_000
ADMIN = Account(id=1, email=data.EMAIL, password="", token=data.TOKEN)
SECOND = Account(id=2, email="agent2@example.com", password="", token="22222222-3333-4444-5555-666666666666")
CROWDED = GROUPS  # the group that 10,000 are in
SHARED = 1  # the id of what everyone has

Name = Callable[[int], str]


def records(agents: int, name: Name | None = None) -> Iterator[AnyRecord]:
    """Yield the company's records. A tenth of the agents are in the crowded group, the others in the rest."""
    for record in data.records(agents):
        if isinstance(record, Group) and record.id > GROUPS:
            continue
        if not isinstance(record, Agent):
            yield record
            continue
        yield replace(
            record,
            name=name(record.id) if name else record.name,
            level="admin" if record.id <= 2 else "agent",
            group_ids=(CROWDED,) if record.id % (AGENTS // CROWD) == 0 else (record.id % (GROUPS - 1) + 1,),
            role_ids=(SHARED,),
            department_ids=(SHARED,),
            permission_set_ids=(SHARED,),
            position_id=SHARED,
        )
    yield Key(id=2, agent_id=SECOND.id, name="second", secret=Secret(SECOND.token), created_at=1)


def fill(folder: Path, agents: int = AGENTS, name: Name | None = None) -> None:
    """Make a data folder with the company."""

    async def write() -> None:
        store = Store.open(folder)
        await store.create_company(data.COMPANY, records(agents, name), Origin(None, "bench", "", "load"))
        await store.close()

    asyncio.run(write())
