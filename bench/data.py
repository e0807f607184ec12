"""The data that is measured on: one company of any size, written through the ledger like any other."""

import asyncio
import random
import sys
from collections.abc import Iterator
from pathlib import Path

from msgspec.structs import replace

from deskroster.core.changes import Origin
from deskroster.core.records import (
    Agent,
    AnyRecord,
    Company,
    Department,
    Group,
    Key,
    Kind,
    PermissionSet,
    Position,
    ProfileField,
    ProfileRecord,
    Role,
    Secret,
)
from deskroster.core.roster import Roster
from deskroster.ledger import Store

GROUP_SIZE = 10
EMAIL, TOKEN = "admin@example.com", "11111111-2222-3333-4444-555555555555"
COMPANY = Company(id=1, label="bench", name="Bench")
_BEGAN = 1_700_000_000
_FAMILIES, _GIVEN = "王李张刘陈杨赵黄周吴", "伟芳娜敏静丽强磊军洋"
_TEAMS = ["售前", "售后", "投诉", "技术支持", "Billing", "Returns"]


def records(agents: int) -> Iterator[AnyRecord]:
    """Yield a company's records in the order in which they may be written: groups of ten, one profile in ten agents.

    Agent 1 is the administrator who signs. Memberships stand on the agents.
    """
    dice = random.Random(agents)
    for id in range(1, 9):
        yield Role(id=id, name=f"Role {id}", description="What such an agent does")
        yield Position(id=id, name=f"岗位{id}")
        yield Department(id=id, name=f"Department {id}", parent_id=id // 2 or None)
        yield PermissionSet(id=id, name=f"Set {id}")
    yield ProfileField(id=1, api_name="city", label="城市", type="single_line")
    yield ProfileField(id=2, api_name="joined", label="入职日期", type="date")
    for id in range(1, agents // 10 + 1):
        yield ProfileRecord(id=id, values=((1, f"上海 {id}"), (2, "2024-02-29")))
    for id in range(1, agents // GROUP_SIZE + 1):
        yield Group(id=id, name=f"{dice.choice(_TEAMS)} {id}", created_at=_BEGAN + id, updated_at=_BEGAN + id)
    for id in range(1, agents + 1):
        yield _agent(id, dice)
    yield Key(id=1, agent_id=1, name="bench", secret=Secret(TOKEN), created_at=_BEGAN)


def _agent(id: int, dice: random.Random) -> Agent:
    name = dice.choice(_FAMILIES) + dice.choice(_GIVEN) + dice.choice(_GIVEN)
    return Agent(
        id=id,
        name=name,
        email=EMAIL if id == 1 else f"agent{id}@example.com",
        level="admin" if id == 1 else "agent",
        employed=True,
        alias=f"客服{id}",
        mobile=f"138{id:08d}",
        job_number=f"J{id:06d}",
        group_ids=((id - 1) // GROUP_SIZE + 1,),
        role_ids=(dice.randint(1, 8),),
        department_ids=(dice.randint(1, 8),),
        permission_set_ids=(dice.randint(1, 8),),
        position_id=dice.randint(1, 8),
        profile_id=id // 10 if id % 10 == 0 else None,
        seat="plain",
        leads=id % GROUP_SIZE == 1,
        created_at=_BEGAN + id,
        updated_at=_BEGAN + id,
    )


def _with_members(group: Group) -> Group:
    first = (group.id - 1) * GROUP_SIZE + 1
    return replace(group, member_ids=tuple(range(first, first + GROUP_SIZE)))


def fill(folder: Path, agents: int) -> None:
    """Make a data folder that holds a company with so many agents."""

    async def write() -> None:
        store = Store.open(folder)
        origin = Origin(agent_id=None, dialect="bench", address="", request_id="bench")
        await store.create_company(COMPANY, records(agents), origin)
        await store.close()

    asyncio.run(write())


def roster(agents: int) -> Roster:
    """Return a company with so many agents that is in memory only."""
    held = Roster(COMPANY, next_ids={"agent": agents + 1})
    by_kind: dict[Kind, list[AnyRecord]] = {}
    for record in records(agents):
        by_kind.setdefault(record.kind, []).append(_with_members(record) if isinstance(record, Group) else record)
    for kind, ascending in by_kind.items():
        held.fill(kind, ascending)
    return held


if __name__ == "__main__":
    fill(Path(sys.argv[1]), int(sys.argv[2]))
