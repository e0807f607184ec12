"""Profile fields: what a company wants to know of its staff."""

from deskroster.core import profiles
from deskroster.core.access import Permission
from deskroster.core.changes import Done, new_id
from deskroster.core.problems import Reason
from deskroster.core.roster import Roster
from deskroster.desk import Desk
from deskroster.dialect import Reply, Request, Route
from deskroster.dialects.own import shapes
from deskroster.dialects.own.shapes.fields import FieldBody, FieldList, FieldOut, FieldPatch, field_piece
from deskroster.texts import said


def list_profile_fields(request: Request, desk: Desk) -> Reply:
    page = profiles.find_fields(desk.roster, request.caller, shapes.window(request))
    return shapes.listed(desk.roster, "profile_field", field_piece, page)


async def create_profile_field(request: Request, desk: Desk) -> Reply:
    wanted = request.read(FieldBody)

    def shape(roster: Roster, done: Done) -> Reply:
        id = new_id(done)
        return shapes.created(request, id, roster.pieces.get("profile_field", field_piece, id))

    return await request.submit(
        lambda roster, caller: profiles.create_field(
            roster,
            caller,
            wanted.api_name,
            wanted.label,
            wanted.type,
            required=wanted.required,
            options=wanted.options,
        ),
        shape,
    )


async def rename_profile_field(request: Request, desk: Desk) -> Reply:
    id = desk.roster.profile_fields.find(request.path_id("profile_field")).id
    label = request.read(FieldPatch).label
    return await request.submit(
        lambda roster, caller: profiles.rename_field(roster, caller, id, label),
        lambda roster, done: shapes.one(roster, "profile_field", field_piece, id),
    )


async def delete_profile_field(request: Request, desk: Desk) -> Reply:
    id = request.path_id("profile_field")
    return await request.submit(
        lambda roster, caller: profiles.delete_field(roster, caller, id),
        lambda roster, done: Reply(200, b"{}"),
    )


_WRITE, _TAG = Permission.WRITE_REFERENCE, said("Profile fields")

ROUTES = (
    Route(method="GET", path="/profile-fields", handler=list_profile_fields, needs=Permission.READ,
          summary=said("List profile fields"), description=said("A page by ascending id; the first is the main field."),
          tag=_TAG, query=shapes.Paging, reply=FieldList),
    Route(method="POST", path="/profile-fields", handler=create_profile_field, needs=_WRITE,
          summary=said("Add a profile field"),
          description=said("`single_listbox`, `multi_listbox` and `cascade` need `options`; an option of a cascade is "
                           "`parent,child`."),
          tag=_TAG, body=FieldBody, reply=FieldOut, status=201, creates=True,
          conflicts=(Reason.NAME_TAKEN, Reason.RECORDS_EXIST)),
    Route(method="PATCH", path="/profile-fields/{id}", handler=rename_profile_field, needs=_WRITE,
          summary=said("Rename a profile field"), description=said("Its label. The API name and the type stay."),
          tag=_TAG, finds="profile_field", body=FieldPatch, reply=FieldOut),
    Route(method="DELETE", path="/profile-fields/{id}", handler=delete_profile_field, needs=_WRITE,
          summary=said("Remove a profile field"), description=said("One that no record has a value of."), tag=_TAG,
          finds="profile_field", reply=shapes.Nothing, conflicts=(Reason.IN_USE,)),
)  # fmt: skip
