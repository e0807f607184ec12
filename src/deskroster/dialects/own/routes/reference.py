"""Roles, positions, departments and permission sets: the reference data that no vendor's call creates."""

from msgspec import structs

from deskroster.core import reference
from deskroster.core.access import Permission
from deskroster.core.changes import Done, new_id
from deskroster.core.problems import Reason
from deskroster.core.reference import Reference
from deskroster.core.roster import Roster
from deskroster.desk import Desk
from deskroster.dialect import Reply, Request, Route
from deskroster.dialects.own import shapes
from deskroster.dialects.own.shapes.reference import WIRES, Wire
from deskroster.texts import Text, said

_TAG = said("Positions, roles, permission sets, departments")
_NAMES: dict[Reference, tuple[Text, Text]] = {
    "position": (said("position"), said("positions")),
    "role": (said("role"), said("roles")),
    "permission_set": (said("permission set"), said("permission sets")),
    "department": (said("department"), said("departments")),
}


def of(kind: Reference) -> tuple[Route, ...]:
    """Return the routes of one kind: list, add, rename, remove."""
    wire = WIRES[kind]
    one, several = _NAMES[kind]
    many, single = f"/{wire.path}", f"/{wire.path}/{{id}}"
    write = Permission.WRITE_REFERENCE

    def find(request: Request, desk: Desk) -> Reply:
        page = reference.find(desk.roster, request.caller, kind, shapes.window(request))
        return shapes.listed(desk.roster, kind, wire.piece, page)

    async def create(request: Request, desk: Desk) -> Reply:
        wanted = structs.asdict(request.read(wire.body))
        return await request.submit(
            lambda roster, caller: reference.create(roster, caller, kind, **wanted),
            lambda roster, done: _created(wire, kind, request, roster, done),
        )

    async def update(request: Request, desk: Desk) -> Reply:
        id = desk.roster.table(kind).find(request.path_id(kind)).id
        wanted = structs.asdict(request.read(wire.patch))
        return await request.submit(
            lambda roster, caller: reference.update(roster, caller, kind, id, **wanted),
            lambda roster, done: shapes.one(roster, kind, wire.piece, id),
        )

    async def delete(request: Request, desk: Desk) -> Reply:
        id = request.path_id(kind)
        return await request.submit(
            lambda roster, caller: reference.delete(roster, caller, kind, id),
            lambda roster, done: Reply(200, b"{}"),
        )

    for handler in (find, create, update, delete):
        handler.__name__ = f"{handler.__name__}_{kind}"
    return (
        Route(method="GET", path=many, handler=find, needs=Permission.READ,
              summary=said("List the {several}", several=several), description=said("A page by ascending id."),
              tag=_TAG, query=shapes.Paging, reply=wire.list),
        Route(method="POST", path=many, handler=create, needs=write, summary=said("Add a {one}", one=one),
              description=said("Every dialect shows it at once."), tag=_TAG, body=wire.body, reply=wire.out, status=201,
              creates=True),
        Route(method="PATCH", path=single, handler=update, needs=write, summary=said("Change a {one}", one=one),
              description=said("Only the keys that are sent are changed."), tag=_TAG, finds=kind, body=wire.patch,
              reply=wire.out),
        Route(method="DELETE", path=single, handler=delete, needs=write, summary=said("Remove a {one}", one=one),
              description=said("One that no agent has and that has none below it. The default position stays."),
              tag=_TAG, finds=kind, reply=shapes.Nothing, conflicts=(Reason.IN_USE,)),
    )  # fmt: skip


def _created(wire: Wire, kind: Reference, request: Request, roster: Roster, done: Done) -> Reply:
    id = new_id(done)
    return shapes.created(request, id, roster.pieces.get(kind, wire.piece, id))


ROUTES = (*of("position"), *of("role"), *of("permission_set"), *of("department"))
