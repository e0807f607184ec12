"""Profile records and their fields, both directions (`userInfo` on the vendor's page)."""

from collections.abc import Collection, Mapping
from functools import partial
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

import msgspec
from msgspec import UNSET, Meta, UnsetType

from deskroster.core import profiles, text, values
from deskroster.core.problems import Conflict, Invalid, Reason, Rule
from deskroster.core.records import ProfileField, ProfileRecord
from deskroster.core.roster import Roster
from deskroster.core.values import Attachments, Owner, RichText, Signature, Tag
from deskroster.dialect import Reply, Request
from deskroster.dialect.limits import Id
from deskroster.dialects.servicego.envelope import DoneReply, Wire, data

OBJECT: Literal["userInfo"] = "userInfo"
"""The one object whose records this dialect reads and writes."""

_MOBILE, _MAILBOX = "手机", "邮箱"

_encode = msgspec.json.Encoder().encode


# ── what is asked ────────────────────────────────────────────────────────────────────────────────────────────────


class ObjectQuery(Wire, frozen=True):
    object_api_name: Literal["userInfo"]


class RecordQuery(ObjectQuery, frozen=True):
    """A record by its id, or by the value of a field that no other record has."""

    id: Id | UnsetType = UNSET
    unique_field_api_name: str | UnsetType = UNSET
    unique_field_value: str | UnsetType = UNSET


Tags = Annotated[list[Tag], Meta(extra_json_schema={"maxItems": values.MAX_PARTS})]


class ValueIn(Wire, frozen=True):
    """A value as text, where `""` and null clear it, or in the form in which it is read."""

    field_api_name: str
    field_value: str | None | UnsetType = UNSET
    tag_value_list: Tags | UnsetType = UNSET
    option_name_list: list[str] | UnsetType = UNSET
    foreign_data_name: str | UnsetType = UNSET
    user_email: str | UnsetType = UNSET
    rich_text: RichText | UnsetType = UNSET
    owner_result: Owner | UnsetType = UNSET
    sign_dto: Signature | UnsetType = UNSET
    attachment: Attachments | UnsetType = UNSET


class NewRecordBody(Wire, frozen=True, kw_only=True):
    object_api_name: Literal["userInfo"] = OBJECT
    field_data_list: list[ValueIn]


class RecordBody(Wire, frozen=True):
    """Only the fields named are changed. The record is named by its id, or as in a query."""

    OPENAPI: ClassVar[dict[str, Any]] = {
        "anyOf": [
            {"required": ["id"], "properties": {"id": {"type": "integer"}}},
            {"required": ["uniqueFieldApiName", "uniqueFieldValue"]},
        ]
    }

    id: Id | None | UnsetType = UNSET
    object_api_name: Literal["userInfo"] = OBJECT
    unique_field_api_name: str | None | UnsetType = UNSET
    unique_field_value: str | None | UnsetType = UNSET
    field_data_list: list[ValueIn] | UnsetType = UNSET


class Sought(NamedTuple):
    """How a call names a record: by an id, or by a field and its value."""

    id: int | None
    field: str = ""
    value: str = ""


def check_object(request: Request) -> None:
    """Raise Invalid unless the query names the object that there is."""
    named = request.query.get("objectApiName")
    if named != OBJECT:
        raise Invalid("objectApiName", Rule.REQUIRED if named is None else Rule.CHOICE)


def sought(id: int | None, field: str | None | UnsetType, value: str | None | UnsetType) -> Sought:
    """Return how a record is named. An id that is not 0 wins. Raises Invalid."""
    if id:
        return Sought(id)
    if not field and not value:
        raise Invalid("id", Rule.REQUIRED)
    for name, given in (("uniqueFieldApiName", field), ("uniqueFieldValue", value)):
        if not given or not text.trimmed(given, text.MAX_TEXT):
            raise Invalid(name, Rule.REQUIRED if given in (None, UNSET) else Rule.EMPTY)
    return Sought(None, str(field), str(value))


def written(roster: Roster, sent: list[ValueIn] | UnsetType, record: ProfileRecord | None) -> dict[str, str]:
    """Return the values that a body sets, by field; of a field that is named twice the last.

    An element that is as the record shows it is left out. Raises Invalid.
    """
    shown = {one.field_api_name: one for one in _field_data(roster, record)} if record else {}
    edited: dict[str, ValueIn] = {}
    for at, one in enumerate([] if sent is UNSET else sent):
        if all(getattr(one, form) is UNSET for form in _FORMS):
            raise Invalid(f"fieldDataList[{at}].fieldValue", Rule.REQUIRED)
        edited.pop(one.field_api_name, None)
        if not _is_as(one, shown.get(one.field_api_name)):
            edited[one.field_api_name] = one
    titles = {one.foreign_data_name for one in edited.values() if isinstance(one.foreign_data_name, str)}
    ids = _titled(roster, titles) if titles else {}
    return {name: _as_text(one, shown.get(name), ids) for name, one in edited.items()}


def _is_as(sent: ValueIn, shown: "FieldData | None") -> bool:
    """Tell whether an element is as it is shown, in the forms that it has."""
    forms = [form for form in _FORMS if getattr(sent, form) is not UNSET]
    return shown is not None and all(getattr(sent, form) == getattr(shown, form) for form in forms)


def _as_text(sent: ValueIn, shown: "FieldData | None", titled: Mapping[str, list[int]]) -> str:
    """Return the value of an element as text. Raises Invalid for what our own API alone can write."""
    if sent.field_value is not UNSET:
        return sent.field_value or ""
    if sent.tag_value_list is not UNSET:
        return ",".join(tag.tag_value for tag in sent.tag_value_list)
    if sent.option_name_list is not UNSET:
        return ",".join(sent.option_name_list)
    if sent.user_email is not UNSET:
        return sent.user_email
    if sent.foreign_data_name is not UNSET:
        return _only(sent.field_api_name, titled.get(sent.foreign_data_name, [])) if sent.foreign_data_name else ""
    if sent.rich_text is not UNSET:
        held = shown.rich_text.attachment_list if shown is not None and shown.rich_text is not UNSET else []
        if sent.rich_text.attachment_list != held:
            raise Invalid(sent.field_api_name, Rule.READ_ONLY)
        return sent.rich_text.content
    raise Invalid(sent.field_api_name, Rule.READ_ONLY)


def _titled(roster: Roster, titles: Collection[str]) -> dict[str, list[int]]:
    """Return the records that have one of these names: by name, ids."""
    main = roster.profile_fields.ids.first()
    found: dict[str, list[int]] = {}
    for record in roster.profile_records.rows.values():
        if record.values and record.values[0][0] == main and record.values[0][1] in titles:
            found.setdefault(record.values[0][1], []).append(record.id)
    return found


def _only(field: str, ids: list[int]) -> str:
    """Return the one id as text. Raises Invalid, or Conflict where there are several."""
    if not ids:
        raise Invalid(field, Rule.UNKNOWN)
    if len(ids) > 1:
        raise Conflict(Reason.SEVERAL, field)
    return str(ids[0])


# ── what is answered ─────────────────────────────────────────────────────────────────────────────────────────────


class FieldData(Wire, frozen=True, kw_only=True):
    """One value; the type says in which of the forms."""

    field_api_name: str
    field_type_api_name: str
    field_value: str | UnsetType = UNSET
    tag_value_list: list[Tag] | UnsetType = UNSET
    option_name_list: list[str] | UnsetType = UNSET
    foreign_data_name: str | UnsetType = UNSET
    user_email: str | UnsetType = UNSET
    rich_text: RichText | UnsetType = UNSET
    owner_result: Owner | UnsetType = UNSET
    sign_dto: Signature | UnsetType = UNSET
    attachment: Attachments | UnsetType = UNSET


_FORMS = tuple(name for name in ValueIn.__struct_fields__ if name != "field_api_name")


class UserInfo(Wire, frozen=True):
    """An agent's profile record."""

    data_id: int
    object_id: int
    user_info_name: str
    field_data_list: list[FieldData]


class RecordOut(Wire, frozen=True):
    id: int
    field_data_list: list[FieldData]


class FieldOut(Wire, frozen=True):
    field_api_name: str
    field_label: str
    field_type_api_name: str
    required: bool
    option_name_list: tuple[str, ...]


class RecordReply(DoneReply, frozen=True):
    data: RecordOut


class FieldsReply(DoneReply, frozen=True):
    data: list[FieldOut]


def user_info_piece(roster: Roster, record: ProfileRecord) -> bytes:
    """Return a record as the end of the object of an agent who holds it, with the comma before the next."""
    shown = UserInfo(record.id, roster.company.profile_object_id, _name(roster, record), _field_data(roster, record))
    return b',"userInfo":%b},' % _encode(shown)


def record(roster: Roster, record: ProfileRecord) -> Reply:
    return data(_encode(RecordOut(record.id, _field_data(roster, record))))


def fields(defined: list[ProfileField]) -> Reply:
    shown = [FieldOut(one.api_name, one.label, _type_name(one), one.required, one.options) for one in defined]
    return data(_encode(shown))


def _name(roster: Roster, record: ProfileRecord) -> str:
    """Return the value of the main field as it is written: the e-mail for an agent."""
    main = roster.profile_fields.ids.first()
    title = profiles.title(roster, record)
    if main is None or not title or roster.profile_fields[main].type != "staff":
        return title
    agent = roster.agents.get(int(title))
    return agent.email if agent is not None else ""


def _field_data(roster: Roster, record: ProfileRecord) -> list[FieldData]:
    """Return the values by ascending field; leave out one that names a deleted agent."""
    attached = dict(record.attached)
    shown = (
        _shown(roster, roster.profile_fields[field_id], text, attached.get(field_id, ""))
        for field_id, text in record.values
    )
    return [one for one in shown if one is not None]


def _shown(roster: Roster, field: ProfileField, text: str, attached: str) -> FieldData | None:
    shown = partial(FieldData, field_api_name=field.api_name, field_type_api_name=_type_name(field))
    match field.type:
        case "telephone" | "email":
            names, unnamed = values.tags_of(attached), _MOBILE if field.type == "telephone" else _MAILBOX
            return shown(tag_value_list=[Tag(names.get(part, unnamed), part) for part in text.split(",")])
        case "single_listbox" | "multi_listbox":
            return shown(option_name_list=text.split(","))
        case "lookup":
            return shown(foreign_data_name=profiles.title(roster, roster.profile_records[int(text)]))
        case "staff":
            agent = roster.agents.get(int(text))
            return None if agent is None else shown(user_email=agent.email)
        case "rich_text":
            return shown(rich_text=RichText(text, values.attachments_of(attached)))
        case "owner":  # these three are stored as the JSON that is shown
            return shown(owner_result=msgspec.json.decode(text, type=Owner))
        case "signature":
            return shown(sign_dto=msgspec.json.decode(text, type=Signature))
        case "attachment":
            return shown(attachment=msgspec.json.decode(text, type=Attachments))
        case _:
            return shown(field_value=text)


def _type_name(field: ProfileField) -> str:
    return f"field_type_{field.type}"
