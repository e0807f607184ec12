"""The calls of ServiceGo v1: the vendor's page on staff (员工), and what stands beside it (README.md)."""

from collections.abc import Awaitable

from deskroster.core import agents, groups, reference, text
from deskroster.core import profiles as records
from deskroster.core.access import Caller, Permission
from deskroster.core.changes import Done, new_id
from deskroster.core.problems import Invalid, NotFound, Reason, Rule
from deskroster.core.roster import Roster
from deskroster.desk import Desk
from deskroster.dialect import Reply, Request, Route
from deskroster.dialect.query import MAX_SHOWN, REPEATED, parse_id
from deskroster.dialect.turns import in_turns
from deskroster.dialects.servicego import envelope, profiles, shapes
from deskroster.texts import said


def list_users(request: Request, desk: Desk) -> Reply:
    window = envelope.window(request)
    position_id = envelope.query_id(request, "positionId")
    page = agents.find(desk.roster, request.caller, window, position_id=position_id)
    return shapes.staff_page(desk.roster, page)


def get_user(request: Request, desk: Desk) -> Reply:
    return shapes.staff(desk.roster, agents.get(desk.roster, request.caller, request.path_id("agent")).id)


def look_up_user(request: Request, desk: Desk) -> Reply:
    kind, value = request.query.get("type"), request.query.get("value")
    for name, sent in (("type", kind), ("value", value)):
        if sent is None:
            raise Invalid(name, Rule.REQUIRED)
    assert value is not None
    if value == REPEATED:
        raise Invalid("value", Rule.FORM)
    match kind:
        case "1":
            agent = agents.get(desk.roster, request.caller, parse_id("agent", value))
        case "2":
            agent = agents.with_email(desk.roster, request.caller, value)
        case "3":
            agent = agents.with_mobile(desk.roster, request.caller, value)
        case "4":
            agent = agents.with_job_number(desk.roster, request.caller, value)
        case _:
            raise Invalid("type", Rule.CHOICE)
    return shapes.staff_with_status(desk.roster, agent)


async def create_user(request: Request, desk: Desk) -> Reply:
    wanted, now = request.read(shapes.NewStaffBody), desk.now()
    password = text.password(wanted.password)
    fields = shapes.new_agent(wanted, await desk.hash_password(password))
    return await request.submit(
        lambda roster, caller: agents.create(roster, caller, fields, now),
        lambda roster, done: shapes.new_staff(roster, new_id(done)),
    )


async def update_user(request: Request, desk: Desk) -> Reply:
    id = agents.get(desk.roster, request.caller, request.path_id("agent")).id
    wanted, now = request.read(shapes.StaffBody), desk.now()
    return await request.submit(
        lambda roster, caller: agents.update(
            roster, caller, id, shapes.agent_fields(wanted, agents.get(roster, caller, id)), now
        ),
        lambda roster, done: envelope.done(),
    )


async def delete_users(request: Request, desk: Desk) -> Reply:
    listed = envelope.listed_ids(request)
    ids = envelope.possible_ids(listed)
    return await request.submit(
        lambda roster, caller: agents.delete_many(roster, caller, ids),
        lambda roster, done: envelope.deletion("agent", listed, done),
    )


def list_user_groups(request: Request, desk: Desk) -> Reply | Awaitable[Reply]:
    page = groups.find(desk.roster, request.caller, envelope.window(request))
    return shapes.user_group_page(desk.roster, page)


def get_user_group(request: Request, desk: Desk) -> Reply:
    return shapes.user_group(desk.roster, groups.get(desk.roster, request.caller, request.path_id("group")).id)


async def create_user_group(request: Request, desk: Desk) -> Reply:
    wanted, now = request.read(shapes.NewUserGroupBody), desk.now()
    members = shapes.member_ids(wanted.user_list) or []
    return await request.submit(
        lambda roster, caller: groups.create(roster, caller, wanted.name, members, now),
        lambda roster, done: shapes.user_group(roster, new_id(done)),
    )


async def update_user_group(request: Request, desk: Desk) -> Reply:
    id = groups.get(desk.roster, request.caller, request.path_id("group")).id
    wanted, now = request.read(shapes.UserGroupBody), desk.now()
    members = shapes.member_ids(wanted.user_list)
    return await request.submit(
        lambda roster, caller: groups.update(roster, caller, id, now, name=wanted.name, member_ids=members),
        lambda roster, done: envelope.done(),
    )


async def delete_user_groups(request: Request, desk: Desk) -> Reply:
    listed = envelope.listed_ids(request)
    ids = envelope.possible_ids(listed)
    return await request.submit(
        lambda roster, caller: groups.delete_many(roster, caller, ids),
        lambda roster, done: envelope.deletion("group", listed, done),
    )


def list_positions(request: Request, desk: Desk) -> Reply:
    return _list(request, desk, "position")


def list_roles(request: Request, desk: Desk) -> Reply:
    return _list(request, desk, "role")


def list_authorization_sets(request: Request, desk: Desk) -> Reply:
    return _list(request, desk, "permission_set")


def list_fields(request: Request, desk: Desk) -> Reply:
    profiles.check_object(request)
    return profiles.fields(records.fields(desk.roster, request.caller))


def get_record(request: Request, desk: Desk) -> Reply | Awaitable[Reply]:
    sought = _sought(request)
    if sought.id is None:
        return _get_unique_record(request, desk, sought)
    return profiles.record(desk.roster, records.get(desk.roster, request.caller, sought.id))


async def _get_unique_record(request: Request, desk: Desk, sought: profiles.Sought) -> Reply:
    id = await _record_id(request, desk, sought)
    return profiles.record(desk.roster, records.get(desk.roster, request.caller, id))


async def create_record(request: Request, desk: Desk) -> Reply:
    sent = request.read(profiles.NewRecordBody).field_data_list
    return await request.submit(
        lambda roster, caller: records.create(roster, caller, profiles.written(roster, sent, None)),
        lambda roster, done: envelope.id_only(new_id(done)),
    )


async def update_record(request: Request, desk: Desk) -> Reply:
    wanted = request.read(profiles.RecordBody)
    named = profiles.sought(wanted.id or None, wanted.unique_field_api_name, wanted.unique_field_value)
    id = await _record_id(request, desk, named)

    def verb(roster: Roster, caller: Caller) -> Done:
        record = records.get(roster, caller, id)
        return records.update(roster, caller, id, profiles.written(roster, wanted.field_data_list, record))

    return await request.submit(verb, lambda roster, done: envelope.done())


async def delete_record(request: Request, desk: Desk) -> Reply:
    id = await _record_id(request, desk, _sought(request))
    return await request.submit(
        lambda roster, caller: records.delete(roster, caller, id),
        lambda roster, done: envelope.done(),
    )


def _list(request: Request, desk: Desk, kind: reference.Reference) -> Reply:
    page = reference.find(desk.roster, request.caller, kind, envelope.window(request))
    return shapes.named_page(desk.roster, kind, page)


def _sought(request: Request) -> profiles.Sought:
    """Return how the query names a record. Raises Invalid."""
    profiles.check_object(request)
    query = request.query
    id = None if query.get("id") == "0" else envelope.query_id(request, "id")
    if id == 0:  # beyond 64 bits
        raise NotFound("profile_record", query["id"][:MAX_SHOWN])
    field, value = query.get("uniqueFieldApiName"), query.get("uniqueFieldValue")
    if REPEATED in (field, value):
        raise Invalid("uniqueFieldApiName" if field == REPEATED else "uniqueFieldValue", Rule.FORM)
    return profiles.sought(id, field, value)


async def _record_id(request: Request, desk: Desk, sought: profiles.Sought) -> int:
    """Return the id of the record that a call names. Raises Invalid, NotFound or Conflict."""
    if sought.id is not None:
        return sought.id
    found = records.find_by_value(desk.roster, request.caller, sought.field, sought.value)
    return (await in_turns(found)).id


_READ, _AGENTS, _GROUPS = Permission.READ_AS_ADMIN, Permission.WRITE_AGENTS, Permission.WRITE_GROUPS
_PROFILES = Permission.WRITE_PROFILES
_STAFF, _GROUP = shapes.STAFF_NAMES, shapes.USER_GROUP_NAMES
_OF_STAFF, _OF_GROUPS = said("Staff"), said("Groups")
_OF_REFERENCE, _OF_PROFILES = said("Positions, roles, authorization sets"), said("Profile records")

ROUTES = (
    Route(method="POST", path="/v1/user", handler=create_user, needs=_AGENTS, summary=said("Create a member of staff"),
          description=said("`position` and `roleList` name what there is by its id."), tag=_OF_STAFF,
          body=shapes.NewStaffBody, reply=shapes.StaffReply, names=_STAFF, creates=True,
          conflicts=(Reason.EMAIL_TAKEN,)),
    Route(method="PUT", path="/v1/user/{id}", handler=update_user, needs=_AGENTS,
          summary=said("Change a member of staff"),
          description=said("Only the keys that are sent are changed. E-mail, password and job number cannot be. "
                           "`jobStatus` 0 also disables."),
          tag=_OF_STAFF, finds="agent", body=shapes.StaffBody, reply=envelope.DoneReply, names=_STAFF,
          conflicts=(Reason.LAST_ADMINISTRATOR, Reason.HAS_LEFT)),
    Route(method="GET", path="/v1/user/{id}", handler=get_user, needs=_READ, summary=said("Show a member of staff"),
          description=said("With the profile record. What was never set is left out."), tag=_OF_STAFF, finds="agent",
          reply=shapes.StaffReply),
    Route(method="DELETE", path="/v1/user/{id}", handler=delete_users, needs=_AGENTS,
          summary=said("Delete members of staff"),
          description=said("One id, or several with commas between them. `failMap` says why one could not be deleted."),
          tag=_OF_STAFF, most_ids=envelope.MAX_IDS, reply=envelope.DeletionReply),
    Route(method="GET", path="/v1/user", handler=list_users, needs=_READ, summary=said("List members of staff"),
          description=said("A page, the newest first; with `positionId` of those with this position."), tag=_OF_STAFF,
          query=shapes.StaffQuery, reply=shapes.StaffPageReply),
    Route(method="GET", path="/v2/user", handler=look_up_user, needs=_READ, summary=said("Find a member of staff"),
          description=said("`value` is an id (`type=1`), an e-mail (2), a mobile (3) or a job number (4)."),
          tag=_OF_STAFF, finds="agent", query=shapes.LookUpQuery, reply=shapes.StaffWithStatusReply),
    Route(method="POST", path="/v1/userGroup", handler=create_user_group, needs=_GROUPS,
          summary=said("Create a group"), description=said("`userList` names its members by their ids."),
          tag=_OF_GROUPS, body=shapes.NewUserGroupBody, reply=shapes.UserGroupReply, names=_GROUP, creates=True),
    Route(method="PUT", path="/v1/userGroup/{id}", handler=update_user_group, needs=_GROUPS,
          summary=said("Change a group"), description=said("Renames it, or replaces its members: `[]` leaves it "
                                                           "without any. Without `userList` they stay."),
          tag=_OF_GROUPS, finds="group", body=shapes.UserGroupBody, reply=envelope.DoneReply, names=_GROUP),
    Route(method="GET", path="/v1/userGroup/{id}", handler=get_user_group, needs=_READ, summary=said("Show a group"),
          description=said("A group with the ids of its members."), tag=_OF_GROUPS, finds="group",
          reply=shapes.UserGroupReply),
    Route(method="DELETE", path="/v1/userGroup/{id}", handler=delete_user_groups, needs=_GROUPS,
          summary=said("Delete groups"),
          description=said("One id, or several with commas between them. The members stay."), tag=_OF_GROUPS,
          most_ids=envelope.MAX_IDS, reply=envelope.DeletionReply),
    Route(method="GET", path="/v1/userGroup", handler=list_user_groups, needs=_READ, summary=said("List groups"),
          description=said("A page, the newest first."), tag=_OF_GROUPS, query=envelope.Paging,
          reply=shapes.UserGroupPageReply),
    Route(method="GET", path="/v1/position", handler=list_positions, needs=_READ, summary=said("List positions"),
          description=said("A page, the newest first."), tag=_OF_REFERENCE, query=envelope.Paging,
          reply=shapes.NamedPageReply),
    Route(method="GET", path="/v1/role", handler=list_roles, needs=_READ, summary=said("List roles"),
          description=said("A page, the newest first."), tag=_OF_REFERENCE, query=envelope.Paging,
          reply=shapes.NamedPageReply),
    Route(method="GET", path="/v1/authorizationSet", handler=list_authorization_sets, needs=_READ,
          summary=said("List authorization sets"), description=said("A page, the newest first."), tag=_OF_REFERENCE,
          query=envelope.Paging, reply=shapes.NamedPageReply),
    Route(method="GET", path="/v1/fields", handler=list_fields, needs=_READ, summary=said("List the profile fields"),
          description=said("All fields that a profile record can have a value of, with their types and options."),
          tag=_OF_PROFILES, query=profiles.ObjectQuery, reply=profiles.FieldsReply),
    Route(method="GET", path="/v1/data", handler=get_record, needs=_READ, summary=said("Show a profile record"),
          description=said("By `id`, or by `uniqueFieldApiName` and `uniqueFieldValue`: a field, and the value that "
                           "one record has of it."),
          tag=_OF_PROFILES, finds="profile_record", query=profiles.RecordQuery, reply=profiles.RecordReply,
          conflicts=(Reason.SEVERAL,)),
    Route(method="POST", path="/v1/data", handler=create_record, needs=_PROFILES,
          summary=said("Create a profile record"),
          description=said("An agent is given it by `userInfo`. A value is text, or in the form in which it is read."),
          tag=_OF_PROFILES, body=profiles.NewRecordBody, reply=envelope.IdReply, creates=True,
          conflicts=(Reason.SEVERAL,)),
    Route(method="PUT", path="/v1/data", handler=update_record, needs=_PROFILES,
          summary=said("Change a profile record"),
          description=said('Only the fields that are named are changed; "" and null clear one.'), tag=_OF_PROFILES,
          finds="profile_record", body=profiles.RecordBody, reply=envelope.DoneReply, conflicts=(Reason.SEVERAL,)),
    Route(method="DELETE", path="/v1/data", handler=delete_record, needs=_PROFILES,
          summary=said("Delete a profile record"),
          description=said("One that no agent holds and no other record points at."), tag=_OF_PROFILES,
          finds="profile_record", query=profiles.RecordQuery, reply=envelope.DoneReply,
          conflicts=(Reason.IN_USE, Reason.SEVERAL)),
)  # fmt: skip
