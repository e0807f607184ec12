"""The values of profile fields: the forms in which they are written and stored.

A value is stored as text. What the text does not say is attached to it as JSON: the tags of phones and e-mails, and the
attachments of rich text. An owner, a signature and an attachment are stored as JSON themselves.
"""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

import msgspec
from msgspec import Struct

from deskroster.core import text
from deskroster.core.problems import Invalid, Rule, Wanted
from deskroster.core.records import FieldType, ProfileField
from deskroster.core.roster import Roster

MAX_PARTS = 1_000  # of all the lists that one write sets
MAX_LIST = MAX_PARTS * (text.MAX_NAME + 1)  # characters of one list, commas included
MAX_ATTACHMENTS = 100  # of one value

LISTS: frozenset[FieldType] = frozenset({"telephone", "email", "multi_listbox"})
TAGGED: frozenset[FieldType] = frozenset({"telephone", "email"})

_TEXTS: frozenset[FieldType] = frozenset({"multi_line", "rich_text"})
_DECIMAL = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,30})?")
_PHONE = re.compile(r"\+?[0-9][0-9 ()-]{2,30}")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DATE_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}")


class Value(NamedTuple):
    """A value as it is stored; an empty text is none."""

    text: str
    attached: str = ""


class Tag(Struct, frozen=True, rename="camel"):
    """A phone or an e-mail, and what it is called."""

    tag_name: str
    tag_value: str


class Attachment(Struct, frozen=True, rename="camel"):
    """A file that is kept elsewhere; `size` in bytes."""

    name: str
    doc_address: str
    size: int


class Attachments(Struct, frozen=True, rename="camel"):
    """The value of a field of the type attachment."""

    attachment_list: list[Attachment]


class RichText(Struct, frozen=True, rename="camel"):
    """The value of a field of the type rich_text."""

    content: str
    attachment_list: list[Attachment]


class Owner(Struct, frozen=True, rename="camel"):
    """Who is responsible; `owner_type` is the vendor's number of what that is."""

    owner_type: int
    owner_name: str


class Signature(Struct, frozen=True, rename="camel"):
    """An address of the signature's picture, and when it was made (`yyyy-MM-dd HH:mm:ss`)."""

    url: str
    time: str


STRUCTURED: dict[FieldType, type[Owner | Signature | Attachments]] = {
    "owner": Owner,
    "signature": Signature,
    "attachment": Attachments,
}
"""The types that have no form as text."""

S = TypeVar("S", bound=Struct)


def structured(roster: Roster, field: ProfileField, value: Any) -> Value:
    """Return a value, given in the form in which it is read, as it is stored. Null clears. Raises Invalid.

    Text is a form of every type but the structured ones; phones and e-mails are also a list of tags, list boxes a list
    of names, rich text also an object with attachments.
    """
    name = field.api_name
    if value is None:
        return Value("")
    match field.type:
        case "owner":
            owner = _object(name, value, Owner)
            return _stored(Owner(owner.owner_type, text.name(name, owner.owner_name)))
        case "signature":
            signed = _object(name, value, Signature)
            time = _timed(name, signed.time, _DATE_TIME, "%Y-%m-%d %H:%M:%S", Wanted.DATE_TIME)
            return _stored(Signature(_address(name, signed.url), time))
        case "attachment":
            attachments = _attachments(name, _object(name, value, Attachments).attachment_list)
            return _stored(Attachments(attachments)) if attachments else Value("")
        case "rich_text" if isinstance(value, dict):
            rich = _object(name, value, RichText)
            attachments = _attachments(name, rich.attachment_list)
            attached = msgspec.json.encode(attachments).decode() if attachments else ""
            return Value(canonical(roster, field, rich.content), attached)
        case "telephone" | "email" if isinstance(value, list):
            tags = [_object(name, one, Tag) for one in value]
            by_value = {
                canonical(roster, field, tag.tag_value): text.line(name, tag.tag_name) for tag in tags if tag.tag_value
            }
            return Value(canonical(roster, field, ",".join(by_value)), tagged(by_value))
        case "single_listbox" | "multi_listbox" if isinstance(value, list):
            if not all(isinstance(one, str) for one in value):
                raise Invalid(name, Rule.TYPE, wanted=Wanted.TEXTS)
            return Value(canonical(roster, field, ",".join(value)))
        case _ if isinstance(value, str):
            return Value(canonical(roster, field, value))
        case _:
            raise Invalid(name, Rule.TYPE, wanted=Wanted.TEXT)


def tags_of(attached: str) -> dict[str, str]:
    """Return by phone or e-mail what it is called, of those that were written with a tag."""
    return msgspec.json.decode(attached, type=dict[str, str]) if attached else {}


def tagged(tags: dict[str, str]) -> str:
    """Return the tags of phones or e-mails as they are attached; those without a name are left out."""
    named = {value: name for value, name in tags.items() if name}
    return msgspec.json.encode(named).decode() if named else ""


def attachments_of(attached: str) -> list[Attachment]:
    """Return the attachments of rich text."""
    return msgspec.json.decode(attached, type=list[Attachment]) if attached else []


def attached_after(field: ProfileField, attached: str, value: str) -> str:
    """Return what stays attached to a value that is now another text: the tags of what is still in it."""
    if field.type not in TAGGED or not attached:
        return attached if value else ""
    kept = set(value.split(","))
    return tagged({one: name for one, name in tags_of(attached).items() if one in kept})


def readable(field: ProfileField, value: str) -> str:
    """Return a stored value as text for people, where it stands for itself."""
    match field.type:
        case "owner":
            return msgspec.json.decode(value, type=Owner).owner_name
        case "signature":
            return msgspec.json.decode(value, type=Signature).url
        case "attachment":
            return ",".join(one.name for one in msgspec.json.decode(value, type=Attachments).attachment_list)
        case _:
            return value


def canonical(roster: Roster, field: ProfileField, value: str) -> str:
    """Return a value, given as text, as it is stored: the e-mail of an agent becomes its id, lists lose their repeats.

    Empty if there is none. Raises Invalid.
    """
    name = field.api_name
    if field.type in STRUCTURED:
        raise Invalid(name, Rule.READ_ONLY)
    if field.type not in _TEXTS:
        value = text.trimmed(value, MAX_LIST if field.type in LISTS else text.MAX_NAME)
    if not value:
        return ""
    match field.type:
        case "single_line":
            return text.line(name, value)
        case "multi_line" | "rich_text":
            return text.text(name, value)
        case "date":
            return _timed(name, value, _DATE, "%Y-%m-%d", Wanted.DATE)
        case "date_time":
            return _timed(name, value, _DATE_TIME, "%Y-%m-%d %H:%M:%S", Wanted.DATE_TIME)
        case "numeric" | "percent":
            return _formed(name, value, _DECIMAL, Wanted.DECIMAL)
        case "telephone":
            return _each(
                value, lambda part: _formed(name, text.without_marks(part, text.MAX_PHONE), _PHONE, Wanted.PHONE)
            )
        case "email":
            return _each(value, lambda part: text.email(name, part))
        case "single_listbox" | "cascade":
            return _option(field, value)
        case "multi_listbox":
            return _each(value, lambda part: _option(field, part))
        case "lookup":
            if not (len(value) < 20 and value.isascii() and value.isdigit() and value[0] != "0"):
                raise Invalid(name, Rule.FORM, wanted=Wanted.ID)
            if int(value) not in roster.profile_records:
                raise Invalid(name, Rule.UNKNOWN)
            return value
        case "staff":
            id = roster.by_email.get(value.lower()) if text.may_be_email(value) else None
            if id is None:
                raise Invalid(name, Rule.UNKNOWN)
            return str(id)
        case "owner" | "signature" | "attachment":
            raise AssertionError("no form as text")


def _each(value: str, check: Callable[[str], str]) -> str:
    return ",".join(dict.fromkeys(check(text.trimmed(part, text.MAX_NAME)) for part in value.split(",")))


def _option(field: ProfileField, value: str) -> str:
    if value not in field.options:
        raise Invalid(field.api_name, Rule.CHOICE)
    return value


def _formed(name: str, value: str, form: re.Pattern[str], wanted: Wanted) -> str:
    if not form.fullmatch(value):
        raise Invalid(name, Rule.FORM, wanted=wanted)
    return value


def _timed(name: str, value: str, form: re.Pattern[str], layout: str, wanted: Wanted) -> str:
    _formed(name, value, form, wanted)
    try:
        datetime.strptime(value, layout)
    except ValueError:
        raise Invalid(name, Rule.FORM, wanted=wanted) from None
    return value


def _object(name: str, value: Any, wanted: type[S]) -> S:
    try:
        return msgspec.convert(value, wanted)
    except msgspec.ValidationError:
        raise Invalid(name, Rule.TYPE, wanted=Wanted.OBJECT) from None


def _stored(value: Struct) -> Value:
    return Value(msgspec.json.encode(value).decode())


def _attachments(name: str, sent: list[Attachment]) -> list[Attachment]:
    if len(sent) > MAX_ATTACHMENTS:
        raise Invalid(name, Rule.TOO_MANY, MAX_ATTACHMENTS)
    if any(one.size < 0 for one in sent):
        raise Invalid(name, Rule.RANGE)
    return [Attachment(text.name(name, one.name), _address(name, one.doc_address), one.size) for one in sent]


def _address(name: str, value: str) -> str:
    return text.name(name, value, text.MAX_URL)
