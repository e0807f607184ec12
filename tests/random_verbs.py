"""Verbs of the core with arguments chosen at random, some of them wrong."""

from collections.abc import Callable
from random import Random
from typing import Any, get_args

from msgspec import UNSET
from msgspec.structs import replace

from deskroster.core import agents, groups, keys, profiles, reference
from deskroster.core.access import OPERATOR, Caller
from deskroster.core.agents import AgentFields
from deskroster.core.changes import Change, Done
from deskroster.core.problems import Refusal
from deskroster.core.records import FieldType, Kind, Secret
from deskroster.core.roster import Roster
from tests import world

AT = 1_700_000_000
Verb = Callable[[Roster, Caller], Done]


def filled() -> Roster:
    """Return the roster of `world`, loaded as from a table."""
    return loaded(world.records())


def loaded(records: list) -> Roster:
    """Return a roster with these records, as loading makes it: memberships complete on both ends."""
    scratch = Roster(world.COMPANY)
    for record in records:
        scratch.apply(Change(record.kind, record.id, None, record))
    return reloaded(scratch)


def reloaded(roster: Roster) -> Roster:
    """Return a roster that is loaded from what another holds."""
    fresh = Roster(roster.company, roster.number, dict(roster.next_ids))
    for kind in roster._tables:
        fresh.fill(kind, list(roster.table(kind)))
    return fresh


def state(roster: Roster) -> dict[str, Any]:
    """Return all that a roster says, in a form that can be compared."""
    return {
        "company": roster.company,
        "number": roster.number,
        "next_ids": roster.next_ids,
        "rows": {kind: table.rows for kind, table in roster._tables.items()},
        "ids": {kind: list(table.ids) for kind, table in roster._tables.items()},
        "by": [roster.by_email, roster.by_mobile, roster.by_job_number, roster.by_api_name, roster.keys_of],
        "marks": [list(roster.enabled), list(roster.administrators), list(roster.governing)],
        "agents_with": {
            kind: {id: list(ids) for id, ids in index.items() if ids} for kind, index in roster.agents_with.items()
        },
        "mentions": {target: ids for target, ids in roster.mentions.items() if ids},
    }


def attempt(random: Random, roster: Roster, caller: Caller = OPERATOR) -> list[Change]:
    """Return the changes of a random verb; none if it was refused."""
    try:
        done = random.choice(VERBS)(random, roster)(roster, caller)
    except Refusal:
        return []
    return done if isinstance(done, list) else done.changes


def some_id(random: Random, roster: Roster, kind: Kind) -> int:
    ids = list(roster.table(kind).ids)
    return random.choice(ids) if ids and random.random() < 0.95 else random.randint(1, 50)


def some_ids(random: Random, roster: Roster, kind: Kind) -> list[int]:
    ids = list(roster.table(kind).ids)
    return random.sample(ids, random.randint(0, min(4, len(ids)))) if ids else []


def some_name(random: Random) -> str:
    return random.choice(["售前", "After sales", "客服", "x" * 255, "😀", "O'Brien", ""])


def some_fields(random: Random, roster: Roster) -> AgentFields:
    def maybe(make: Callable[[], object]) -> object:
        return make() if random.random() < 0.3 else UNSET

    return AgentFields(
        name=maybe(lambda: some_name(random)),
        email=maybe(lambda: f"{random.choice('abcdeABCDE')}@test.cn"),
        level=maybe(lambda: random.choice(["agent", "admin"])),
        state=maybe(lambda: random.choice(["enabled", "disabled", "review"])),
        employed=maybe(lambda: random.random() < 0.7),
        mobile=maybe(lambda: random.choice(["", "13300000001", "13300000002"])),
        job_number=maybe(lambda: random.choice(["", "1", "2"])),
        group_ids=maybe(lambda: some_ids(random, roster, "group")),
        role_ids=maybe(lambda: some_ids(random, roster, "role")),
        department_ids=maybe(lambda: some_ids(random, roster, "department")),
        permission_set_ids=maybe(lambda: some_ids(random, roster, "permission_set")),
        position_id=maybe(lambda: random.choice([None, some_id(random, roster, "position")])),
        profile_id=maybe(lambda: random.choice([None, some_id(random, roster, "profile_record")])),
        password=maybe(lambda: Secret(str(random.random()))),
    )


def create_agent(random: Random, roster: Roster) -> Verb:
    email = f"{random.randint(1, 20)}@test.cn"
    fields = replace(some_fields(random, roster), name=some_name(random), email=email)
    return lambda roster, caller: agents.create(roster, caller, fields, AT)


def update_agent(random: Random, roster: Roster) -> Verb:
    id, fields = some_id(random, roster, "agent"), some_fields(random, roster)
    return lambda roster, caller: agents.update(roster, caller, id, fields, AT)


def delete_agents(random: Random, roster: Roster) -> Verb:
    ids = [some_id(random, roster, "agent") for _ in range(random.randint(1, 3))]
    return lambda roster, caller: agents.delete_many(roster, caller, ids)


def create_group(random: Random, roster: Roster) -> Verb:
    name, members = some_name(random), some_ids(random, roster, "agent")
    return lambda roster, caller: groups.create(roster, caller, name, members, AT)


def update_group(random: Random, roster: Roster) -> Verb:
    id, name, members = some_id(random, roster, "group"), some_name(random), some_ids(random, roster, "agent")
    return lambda roster, caller: groups.update(roster, caller, id, AT, name=name, member_ids=members)


def delete_group(random: Random, roster: Roster) -> Verb:
    id = some_id(random, roster, "group")
    return lambda roster, caller: groups.delete(roster, caller, id)


def write_reference(random: Random, roster: Roster) -> Verb:
    kind = random.choice(["role", "position", "permission_set", "department"])
    id, name = some_id(random, roster, kind), some_name(random)
    verbs: list[Verb] = [
        lambda roster, caller: reference.create(roster, caller, kind, name),
        lambda roster, caller: reference.update(roster, caller, kind, id, name=name),
        lambda roster, caller: reference.delete(roster, caller, kind, id),
    ]
    return random.choice(verbs)


def write_field(random: Random, roster: Roster) -> Verb:
    id, name = some_id(random, roster, "profile_field"), some_name(random)
    api_name, type = random.choice("abcdef"), random.choice(get_args(FieldType))
    verbs: list[Verb] = [
        lambda roster, caller: profiles.create_field(roster, caller, api_name, name, type),
        lambda roster, caller: profiles.rename_field(roster, caller, id, name),
        lambda roster, caller: profiles.delete_field(roster, caller, id),
    ]
    return random.choice(verbs)


def write_profile(random: Random, roster: Roster) -> Verb:
    id = some_id(random, roster, "profile_record")
    values = {
        "sysusername": some_name(random),
        "mentor": random.choice(["", str(some_id(random, roster, "profile_record"))]),
        "boss": random.choice(["", *(agent.email for agent in roster.agents)]),
    }
    values = {name: value for name, value in values.items() if random.random() < 0.5}
    verbs: list[Verb] = [
        lambda roster, caller: profiles.create(roster, caller, values),
        lambda roster, caller: profiles.update(roster, caller, id, values),
        lambda roster, caller: profiles.delete(roster, caller, id),
    ]
    return random.choice(verbs)


def write_key(random: Random, roster: Roster) -> Verb:
    agent_id, id = some_id(random, roster, "agent"), some_id(random, roster, "key")
    verbs: list[Verb] = [
        lambda roster, caller: keys.create(roster, caller, agent_id, "k", Secret("s"), AT),
        lambda roster, caller: keys.revoke(roster, caller, id, AT),
    ]
    return random.choice(verbs)


VERBS = (
    create_agent, update_agent, update_agent, delete_agents, create_group, update_group, delete_group, write_reference,
    write_field, write_profile, write_key,
)  # fmt: skip
