"""Profile records and their fields, both directions (`userInfo` on the vendor's page)."""

from functools import partial
from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from deskroster.core import profiles
from deskroster.core.problems import Invalid, Rule
from deskroster.core.records import ProfileField, ProfileRecord
from deskroster.core.roster import Roster
from deskroster.dialect import Reply, Request
from deskroster.dialects.servicego.envelope import DoneReply, Wire, data

OBJECT = "userInfo"
"""The one object whose records this dialect reads and writes."""

_MOBILE, _MAILBOX = "手机", "邮箱"

_encode = msgspec.json.Encoder().encode


# ── what is asked ────────────────────────────────────────────────────────────────────────────────────────────────


class ObjectQuery(Wire, frozen=True):
    object_api_name: Literal["userInfo"]


class RecordQuery(ObjectQuery, frozen=True):
    id: int


class ValueIn(Wire, frozen=True):
    """A value as text; `""` or null clears it."""

    field_api_name: str
    field_value: str | None


class NewRecordBody(Wire, frozen=True):
    object_api_name: Literal["userInfo"]
    field_data_list: list[ValueIn]


class RecordBody(Wire, frozen=True):
    """Only the fields named are changed."""

    id: int
    object_api_name: Literal["userInfo"]
    field_data_list: list[ValueIn] | UnsetType = UNSET


def check_object(request: Request) -> None:
    """Raise Invalid unless the query names the object that there is."""
    named = request.query.get("objectApiName")
    if named != OBJECT:
        raise Invalid("objectApiName", Rule.REQUIRED if named is None else Rule.CHOICE)


def values(sent: list[ValueIn] | UnsetType) -> dict[str, str]:
    """Return the values by field; of a field that is named twice the last."""
    return {} if sent is UNSET else {one.field_api_name: one.field_value or "" for one in sent}


# ── what is answered ─────────────────────────────────────────────────────────────────────────────────────────────


class Tag(Wire, frozen=True):
    tag_name: str
    tag_value: str


class Attachment(Wire, frozen=True):
    name: str
    doc_address: str
    size: int


class RichText(Wire, frozen=True):
    content: str
    attachment_list: list[Attachment]


class Attachments(Wire, frozen=True):
    attachment_list: list[Attachment]


class OwnerResult(Wire, frozen=True):
    owner_type: int
    owner_name: str


class SignDto(Wire, frozen=True):
    url: str
    time: str


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
    owner_result: OwnerResult | UnsetType = UNSET
    sign_dto: SignDto | UnsetType = UNSET
    attachment: Attachments | UnsetType = UNSET


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
    shown = (_shown(roster, roster.profile_fields[field_id], text) for field_id, text in record.values)
    return [one for one in shown if one is not None]


def _shown(roster: Roster, field: ProfileField, text: str) -> FieldData | None:
    shown = partial(FieldData, field_api_name=field.api_name, field_type_api_name=_type_name(field))
    match field.type:
        case "telephone":
            return shown(tag_value_list=[Tag(_MOBILE, part) for part in text.split(",")])
        case "email":
            return shown(tag_value_list=[Tag(_MAILBOX, part) for part in text.split(",")])
        case "single_listbox" | "multi_listbox":
            return shown(option_name_list=text.split(","))
        case "lookup":
            return shown(foreign_data_name=profiles.title(roster, roster.profile_records[int(text)]))
        case "staff":
            agent = roster.agents.get(int(text))
            return None if agent is None else shown(user_email=agent.email)
        case "rich_text":
            return shown(rich_text=RichText(text, []))
        case "owner":  # these three are stored as the JSON that is shown
            return shown(owner_result=msgspec.json.decode(text, type=OwnerResult))
        case "signature":
            return shown(sign_dto=msgspec.json.decode(text, type=SignDto))
        case "attachment":
            return shown(attachment=msgspec.json.decode(text, type=Attachments))
        case _:
            return shown(field_value=text)


def _type_name(field: ProfileField) -> str:
    return f"field_type_{field.type}"
