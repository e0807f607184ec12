"""The company that `deskroster demo` serves: always the same, created in one commit."""

import asyncio
import base64
import uuid
from collections.abc import Iterator
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from deskroster.admin.open_installation import OpenInstallation
from deskroster.core import agents, company, groups, keys, profiles, reference
from deskroster.core.agents import AgentFields
from deskroster.core.company import CompanyFields, FirstAdministrator, Step
from deskroster.core.records import Secret
from deskroster.core.reference import Reference
from deskroster.demo.people import (
    DEPARTMENTS,
    DOMAIN,
    FIELDS,
    GROUPS,
    NOT_YET_HERE,
    PERMISSION_SETS,
    POSITIONS,
    ROLES,
    Field,
    Person,
    fields_of,
    staff,
    values_of,
)
from deskroster.desk import Desk
from deskroster.ledger import Vault

LABEL = "demo"
ADMIN_ID = 1
SHOWN = (ADMIN_ID, 3)  # the administrator and an agent
SETTINGS = CompanyFields(label=LABEL, name="云帆科技 Yunfan")


class Account(Struct, frozen=True):
    """The credentials of an agent. A password or token that was changed since the company was created is None."""

    id: int
    email: str
    password: str | None
    token: str | None


class Accounts(Struct, frozen=True):
    """The accounts that the demo shows. `agent` is None in an empty company; either is None if it was deleted."""

    company: str
    admin: Account | None
    agent: Account | None


class NotADemo(Exception):
    """The folder holds companies, but not the company of the demo."""


async def prepared(installation: OpenInstallation, empty: bool, request_id: str) -> Accounts:
    """Create the demo's company if the installation has none, and return its accounts. Raises NotADemo.

    Passwords and tokens are derived from the installation key, so the next start has the same ones.
    """
    labels = [one.label for one in installation.store.listed.all()]
    if not labels:
        steps = await (_empty_steps if empty else _steps)(installation)
        desk = await installation.create_company(SETTINGS, steps, request_id)
        passwords: list[str | None] = [password_of(installation.store.vault, id) for id in SHOWN]
    elif LABEL in labels:
        desk = await installation.desk(LABEL)
        passwords = list(await asyncio.gather(*(_unchanged_password(installation, desk, id) for id in SHOWN)))
    else:
        raise NotADemo
    admin, agent = (_account(installation, desk, id, one) for id, one in zip(SHOWN, passwords, strict=True))
    return Accounts(LABEL, admin, agent)


def password_of(vault: Vault, agent_id: int) -> str:
    """Return the initial password of an agent of the demo."""
    letters = base64.b32encode(vault.derive(f"demo password {agent_id}", 10)).decode().lower()
    return "-".join(letters[at : at + 4] for at in range(0, 16, 4))


def token_of(vault: Vault, agent_id: int) -> str:
    """Return the initial token of an agent of the demo."""
    return str(uuid.UUID(bytes=vault.derive(f"demo token {agent_id}", 16), version=4))


def _account(installation: OpenInstallation, desk: Desk, agent_id: int, password: str | None) -> Account | None:
    """Return the account of an agent, or None if the demo has not created the agent or it was deleted."""
    roster, now = desk.roster, installation.now()
    token = token_of(installation.store.vault, agent_id)
    keys_of_agent = [roster.keys[id] for id in roster.keys_of.get(agent_id, ())]
    with_token = [key for key in keys_of_agent if key.secret.reveal() == token]
    if not with_token:
        return None
    live = any(key.live(now) for key in with_token)
    return Account(agent_id, roster.agents[agent_id].email, password, token if live else None)


async def _unchanged_password(installation: OpenInstallation, desk: Desk, agent_id: int) -> str | None:
    """Return the initial password of an agent of the demo, or None if it was changed."""
    agent = desk.roster.agents.get(agent_id)
    if agent is None or agent.password is None:
        return None
    password = password_of(installation.store.vault, agent_id)
    now = installation.clock.steady()
    unchanged = await installation.passwords.verify(("demo", agent_id), password, agent.password, "", now)
    return password if unchanged else None


async def _empty_steps(installation: OpenInstallation) -> list[Step]:
    vault = installation.store.vault
    first = FirstAdministrator(
        email=f"admin@{DOMAIN}",
        name="管理员 Admin",
        password=await installation.passwords.hash(password_of(vault, ADMIN_ID)),
        token=Secret(token_of(vault, ADMIN_ID)),
        position=POSITIONS[0],
        role=ROLES[0],
    )
    return company.first_verbs(first, installation.now())


async def _steps(installation: OpenInstallation) -> list[Step]:
    """Return the verbs that create the whole company."""
    vault, now = installation.store.vault, installation.now()
    hashes = await asyncio.gather(*(installation.passwords.hash(password_of(vault, id)) for id in SHOWN))
    steps = [*_reference_steps(), *_people_steps(dict(zip(SHOWN, hashes, strict=True)), now)]
    return [*steps, *(_key_step(id, Secret(token_of(vault, id)), now) for id in SHOWN)]


def _key_step(agent_id: int, token: Secret, now: int) -> Step:
    return lambda roster, caller: keys.create(roster, caller, agent_id, "demo", token, now)


def _reference_steps() -> Iterator[Step]:
    named: list[tuple[Reference, tuple[str, ...]]] = [
        ("position", POSITIONS), ("role", ROLES), ("permission_set", PERMISSION_SETS),
    ]  # fmt: skip
    for kind, names in named:
        yield from (_named_step(kind, name, None) for name in names)
    yield from (_named_step("department", name, parent_id) for name, parent_id in DEPARTMENTS)
    yield from (_field_step(field) for field in FIELDS)


def _named_step(kind: Reference, name: str, parent_id: int | None) -> Step:
    return lambda roster, caller: reference.create(roster, caller, kind, name, parent_id=parent_id)


def _field_step(field: Field) -> Step:
    return lambda roster, caller: profiles.create_field(
        roster, caller, field.api_name, field.label, field.type, options=field.options
    )


def _people_steps(passwords: dict[int, Secret], now: int) -> Iterator[Step]:
    yield from (_group_step(name, now) for name in GROUPS)
    leads: dict[int, Person] = {}
    for records, person in enumerate(staff()):
        yield _profile_step(values_of(person, leads.get(person.group_id), records))
        fields = replace(fields_of(person), profile_id=records + 1)
        if person.id in passwords:
            fields = replace(fields, password=passwords[person.id])
        yield _agent_step(fields, now)
        if person.leads:
            leads[person.group_id] = person
    yield _profile_step({"title": NOT_YET_HERE})


def _group_step(name: str, now: int) -> Step:
    return lambda roster, caller: groups.create(roster, caller, name, (), now)


def _profile_step(values: dict[str, Any]) -> Step:
    return lambda roster, caller: profiles.create(roster, caller, profiles.structured(roster, values))


def _agent_step(fields: AgentFields, now: int) -> Step:
    return lambda roster, caller: agents.create(roster, caller, fields, now)
