"""Verbs and queries on what agents are described by: roles, positions, departments, permission sets."""

from typing import Literal

from msgspec import UNSET, UnsetType

from deskroster.core import text
from deskroster.core.access import Caller, Permission
from deskroster.core.changes import Change, changed, created, deleted
from deskroster.core.problems import Conflict, Invalid, Reason, Rule
from deskroster.core.records import Department, PermissionSet, Position, Role
from deskroster.core.roster import Roster
from deskroster.core.table import Page, Window

MAX_OF_A_KIND = 10_000  # in one company: lists of them are answered whole
MAX_LEVELS = 50  # of departments, one below the other

Reference = Literal["role", "position", "permission_set", "department"]


def create(
    roster: Roster,
    caller: Caller,
    kind: Reference,
    name: str,
    *,
    description: str = "",
    parent_id: int | None = None,
) -> list[Change]:
    """Create one; only a role has a description, only a department a parent. Raises Forbidden or Invalid."""
    caller.must(Permission.WRITE_REFERENCE)
    id, name = roster.next_id(kind), text.name("name", name)
    if len(roster.table(kind)) >= MAX_OF_A_KIND:
        raise Invalid(kind, Rule.TOO_MANY, MAX_OF_A_KIND)
    match kind:
        case "role":
            return [created(Role(id=id, name=name, description=text.text("description", description)))]
        case "position":
            return [created(Position(id=id, name=name))]
        case "permission_set":
            return [created(PermissionSet(id=id, name=name))]
        case "department":
            if parent_id is not None and parent_id not in roster.departments:
                raise Invalid("parent_id", Rule.UNKNOWN)
            if _level(roster, parent_id) >= MAX_LEVELS:
                raise Invalid("parent_id", Rule.TOO_MANY, MAX_LEVELS)
            return [created(Department(id=id, name=name, parent_id=parent_id))]


def _level(roster: Roster, id: int | None) -> int:
    """Return how many departments there are from this one up to the top."""
    level = 0
    while id is not None:
        id, level = roster.departments[id].parent_id, level + 1
    return level


def update(
    roster: Roster,
    caller: Caller,
    kind: Reference,
    id: int,
    *,
    name: str | UnsetType = UNSET,
    description: str | UnsetType = UNSET,
) -> list[Change]:
    """Rename one, or change the description of a role. Raises Forbidden, NotFound or Invalid."""
    caller.must(Permission.WRITE_REFERENCE)
    record = roster.table(kind).find(id)
    assert isinstance(record, Role | Position | PermissionSet | Department)
    fields = {}
    if name is not UNSET and name != record.name:
        fields["name"] = text.name("name", name)
    if description is not UNSET and isinstance(record, Role) and description != record.description:
        fields["description"] = text.text("description", description)
    return changed(record, **fields)


def delete(roster: Roster, caller: Caller, kind: Reference, id: int) -> list[Change]:
    """Delete one that no agent has. Raises Forbidden, NotFound, Conflict.

    A department must have none below it, and the default position stays.
    """
    caller.must(Permission.WRITE_REFERENCE)
    record = roster.table(kind).find(id)
    if (
        id in roster.agents_with[kind]
        or (kind == "department" and any(other.parent_id == id for other in roster.departments))
        or (kind == "position" and id == default_position_id(roster))
    ):
        raise Conflict(Reason.IN_USE)
    return [deleted(record)]


def find(roster: Roster, caller: Caller, kind: Reference, window: Window) -> Page:
    """Return a page of them."""
    caller.must(Permission.READ)
    return roster.table(kind).page(window)


def default_position_id(roster: Roster) -> int | None:
    """Return the position of an agent that is created without one; None where the company has none.

    An earlier version may have deleted the position that the company names.
    """
    id = roster.company.default_position_id
    return id if id is not None and id in roster.positions else None
