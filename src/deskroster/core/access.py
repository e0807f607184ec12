"""Callers and their permissions, and the rule that a company keeps an administrator."""

from collections.abc import Callable, Collection
from enum import Enum, auto

from msgspec import Struct

from deskroster.core.changes import Done
from deskroster.core.problems import Conflict, Doubt, Forbidden, Reason, Unauthenticated
from deskroster.core.records import Agent
from deskroster.core.roster import Roster


class Permission(Enum):
    """What a call requires."""

    READ = auto()  # see the roster
    READ_AS_ADMIN = auto()  # see it through an API that only administrators may use
    WRITE_AGENTS = auto()
    WRITE_GROUPS = auto()
    WRITE_REFERENCE = auto()  # roles, positions, departments, permission sets, profile fields
    WRITE_PROFILES = auto()
    WRITE_KEYS = auto()
    WRITE_COMPANY = auto()

    __hash__ = object.__hash__  # members are singletons; Enum.__hash__ is a Python call, and every request hashes two


OF_AGENTS = frozenset({Permission.READ})
OF_READERS = frozenset({Permission.READ, Permission.READ_AS_ADMIN})
OF_ADMINISTRATORS = frozenset(Permission)


class Identity(Struct, frozen=True, gc=False):
    """An agent that has authenticated, and how: by a key, or by the password whose hash was `password_hash`."""

    agent_id: int
    key_id: int | None = None
    password_hash: str | None = None


class Caller(Struct, frozen=True, gc=False):
    """Who calls, and their permissions. Every verb and query takes one, so that no check can be forgotten."""

    agent_id: int | None  # None: the operator of the installation
    permissions: frozenset[Permission]

    def must(self, permission: Permission) -> None:
        """Raise Forbidden unless the caller may."""
        if permission not in self.permissions:
            raise Forbidden


Verb = Callable[[Roster, Caller], Done]
"""A pure function that returns the changes of a write, or raises a Problem."""

OPERATOR = Caller(agent_id=None, permissions=OF_ADMINISTRATORS)
"""Who runs the installation: known by the file mode of the socket or the data folder, not by the roster."""


def resolve(roster: Roster, identity: Identity, now: int) -> Caller:
    """Return the caller that an identity is on this roster. Raises Unauthenticated if its key or password is not valid.

    Called again on the roster that a verb runs on: a revoked key, a changed password or a lower level counts at once.
    """
    agent = roster.agents.get(identity.agent_id)
    if agent is None or not agent.active:
        raise Unauthenticated(Doubt.WRONG)
    permissions = OF_ADMINISTRATORS if agent.level == "admin" else OF_AGENTS
    if identity.key_id is not None:
        key = roster.keys.get(identity.key_id)
        if key is None or not key.live(now):
            raise Unauthenticated(Doubt.WRONG)
        if key.access == "read":
            permissions &= OF_READERS
    elif agent.password is None or agent.password.reveal() != identity.password_hash:
        raise Unauthenticated(Doubt.WRONG)
    return Caller(agent_id=agent.id, permissions=permissions)


def keep_an_administrator(
    roster: Roster, before: Agent, after: Agent | None, gone: Collection[int] = frozenset()
) -> None:
    """Raise Conflict if this change would leave the company without an enabled administrator.

    `gone` are agents that the same verb deletes before this one.
    """
    if not before.governs or (after is not None and after.governs):
        return
    if all(i == before.id or i in gone for i in roster.governing):
        raise Conflict(Reason.LAST_ADMINISTRATOR)
