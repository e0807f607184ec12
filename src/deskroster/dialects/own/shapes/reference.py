"""Roles, positions, departments and permission sets as JSON."""

from typing import NamedTuple

from msgspec import UNSET, Struct, UnsetType

from deskroster.core.pieces import Encoder
from deskroster.core.records import Department, PermissionSet, Position, Role
from deskroster.core.reference import Reference
from deskroster.core.roster import Roster
from deskroster.dialect.limits import Id, Name, Prose
from deskroster.dialects.own.shapes import encode


class NameBody(Struct, frozen=True):
    name: Name


class RoleBody(Struct, frozen=True):
    name: Name
    description: Prose = ""


class DepartmentBody(Struct, frozen=True):
    """A department, below `parent_id` or at the top."""

    name: Name
    parent_id: Id | None = None


class RolePatch(Struct, frozen=True):
    name: Name | UnsetType = UNSET
    description: Prose | UnsetType = UNSET


class RoleOut(Struct, frozen=True):
    id: int
    name: str
    description: str


class PositionOut(Struct, frozen=True):
    id: int
    name: str


class PermissionSetOut(Struct, frozen=True):
    id: int
    name: str


class DepartmentOut(Struct, frozen=True):
    id: int
    name: str
    parent_id: int | None


class RoleList(Struct, frozen=True):
    items: list[RoleOut]
    total: int


class PositionList(Struct, frozen=True):
    items: list[PositionOut]
    total: int


class PermissionSetList(Struct, frozen=True):
    items: list[PermissionSetOut]
    total: int


class DepartmentList(Struct, frozen=True):
    items: list[DepartmentOut]
    total: int


def role_piece(roster: Roster, role: Role) -> bytes:
    return encode(RoleOut(role.id, role.name, role.description))


def position_piece(roster: Roster, position: Position) -> bytes:
    return encode(PositionOut(position.id, position.name))


def permission_set_piece(roster: Roster, permission_set: PermissionSet) -> bytes:
    return encode(PermissionSetOut(permission_set.id, permission_set.name))


def department_piece(roster: Roster, department: Department) -> bytes:
    return encode(DepartmentOut(department.id, department.name, department.parent_id))


class Wire(NamedTuple):
    """How one kind of reference data stands in paths and JSON."""

    path: str
    body: type[NameBody] | type[RoleBody] | type[DepartmentBody]
    patch: type[NameBody] | type[RolePatch]
    out: type[Struct]
    list: type[Struct]
    piece: Encoder[Roster]


WIRES: dict[Reference, Wire] = {
    "position": Wire("positions", NameBody, NameBody, PositionOut, PositionList, position_piece),
    "role": Wire("roles", RoleBody, RolePatch, RoleOut, RoleList, role_piece),
    "permission_set": Wire(
        "permission-sets", NameBody, NameBody, PermissionSetOut, PermissionSetList, permission_set_piece
    ),
    "department": Wire("departments", DepartmentBody, NameBody, DepartmentOut, DepartmentList, department_piece),
}
