"""Verbs and queries on profile fields, which a company defines, and on the profile records that hold their values."""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from deskroster.core import text
from deskroster.core.access import Caller, Permission
from deskroster.core.changes import Change, changed, created, deleted
from deskroster.core.problems import Conflict, Invalid, Reason, Rule
from deskroster.core.records import FieldType, ProfileField, ProfileRecord
from deskroster.core.roster import Roster
from deskroster.core.table import Page, Window

MAX_FIELDS = 200  # of one company
MAX_OPTIONS = 1_000  # of one field
MAX_PARTS = 1_000  # of all the lists that one write sets
MAX_LIST = MAX_PARTS * (text.MAX_NAME + 1)  # characters of one list, commas included
READ_ONLY: frozenset[FieldType] = frozenset({"owner", "signature", "attachment"})
WITH_OPTIONS: frozenset[FieldType] = frozenset({"single_listbox", "multi_listbox", "cascade"})

LISTS: frozenset[FieldType] = frozenset({"telephone", "email", "multi_listbox"})

_SHOWN = 64  # characters of an unknown field's name that are shown
_API_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}", re.ASCII)
_DECIMAL = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,30})?")
_PHONE = re.compile(r"\+?[0-9][0-9 ()-]{2,30}")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DATE_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}")


def create_field(
    roster: Roster,
    caller: Caller,
    api_name: str,
    label: str,
    type: FieldType,
    *,
    required: bool = False,
    options: Iterable[str] = (),
) -> list[Change]:
    """Define a field. Raises Forbidden, Invalid, or Conflict when the API name is in use."""
    caller.must(Permission.WRITE_REFERENCE)
    if len(roster.profile_fields) >= MAX_FIELDS:
        raise Invalid("profile_fields", Rule.TOO_MANY, MAX_FIELDS)
    if not _API_NAME.fullmatch(api_name):
        raise Invalid("api_name", Rule.FORM)
    if api_name in roster.by_api_name:
        raise Conflict(Reason.NAME_TAKEN, "api_name")
    if required and (type in READ_ONLY or roster.profile_records):
        raise Invalid("required", Rule.CHOICE)
    field = ProfileField(
        id=roster.next_id("profile_field"),
        api_name=api_name,
        label=text.name("label", label),
        type=type,
        required=required,
        options=_options(type, options),
    )
    return [created(field)]


def rename_field(roster: Roster, caller: Caller, id: int, label: str) -> list[Change]:
    """Give a field another label. Raises Forbidden, NotFound or Invalid."""
    caller.must(Permission.WRITE_REFERENCE)
    return changed(roster.profile_fields.find(id), label=text.name("label", label))


def delete_field(roster: Roster, caller: Caller, id: int) -> list[Change]:
    """Delete a field that no record has a value of. Raises Forbidden, NotFound or Conflict."""
    caller.must(Permission.WRITE_REFERENCE)
    field = roster.profile_fields.find(id)
    if any(field_id == id for record in roster.profile_records for field_id, _ in record.values):
        raise Conflict(Reason.IN_USE)
    return [deleted(field)]


def create(roster: Roster, caller: Caller, values: Mapping[str, str]) -> list[Change]:
    """Create a record with these values by API name. Raises Forbidden or Invalid."""
    caller.must(Permission.WRITE_PROFILES)
    record = ProfileRecord(id=roster.next_id("profile_record"), values=_merged(roster, (), values))
    return [created(record)]


def update(roster: Roster, caller: Caller, id: int, values: Mapping[str, str]) -> list[Change]:
    """Change the named values; `""` clears one. Raises Forbidden, NotFound or Invalid."""
    caller.must(Permission.WRITE_PROFILES)
    record = roster.profile_records.find(id)
    return changed(record, values=_merged(roster, record.values, values))


def delete(roster: Roster, caller: Caller, id: int) -> list[Change]:
    """Delete a record that no agent holds and no other record points at. Raises Forbidden, NotFound or Conflict."""
    caller.must(Permission.WRITE_PROFILES)
    record = roster.profile_records.find(id)
    lookers = roster.mentions.get(("profile_record", id), set()) - {id}
    if id in roster.agents_with["profile_record"] or lookers:
        raise Conflict(Reason.IN_USE)
    return [deleted(record)]


def get(roster: Roster, caller: Caller, id: int) -> ProfileRecord:
    """Return a record. Raises Forbidden or NotFound."""
    caller.must(Permission.READ)
    return roster.profile_records.find(id)


def fields(roster: Roster, caller: Caller) -> list[ProfileField]:
    """Return the fields, by ascending id."""
    caller.must(Permission.READ)
    return list(roster.profile_fields)


def find_fields(roster: Roster, caller: Caller, window: Window) -> Page:
    """Return a page of the fields."""
    caller.must(Permission.READ)
    return roster.profile_fields.page(window)


def title(roster: Roster, record: ProfileRecord) -> str:
    """Return the value of the main field, which is the company's first; `""` without one."""
    main = roster.profile_fields.ids.first()
    return next((value for field_id, value in record.values if field_id == main), "")


def _options(type: FieldType, options: Iterable[str]) -> tuple[str, ...]:
    sent = dict.fromkeys(options)
    if len(sent) > MAX_OPTIONS:
        raise Invalid("options", Rule.TOO_MANY, MAX_OPTIONS)
    names = tuple(dict.fromkeys(text.name("options", option) for option in sent))
    if bool(names) != (type in WITH_OPTIONS):
        raise Invalid("options", Rule.CHOICE)
    commas = 1 if type == "cascade" else 0
    if any(name.count(",") != commas for name in names):
        raise Invalid("options", Rule.FORM)
    return names


def _merged(roster: Roster, held: Iterable[tuple[int, str]], wanted: Mapping[str, str]) -> tuple[tuple[int, str], ...]:
    values, parts = dict(held), 0
    for api_name, value in wanted.items():
        field_id = roster.by_api_name.get(api_name)
        if field_id is None:
            raise Invalid(api_name[:_SHOWN], Rule.UNKNOWN)
        field = roster.profile_fields[field_id]
        if field.type in LISTS:
            if len(value) > MAX_LIST:
                raise Invalid(api_name, Rule.TOO_LONG, MAX_LIST)
            parts += value.count(",") + 1
        if parts > MAX_PARTS:
            raise Invalid(api_name, Rule.TOO_MANY, MAX_PARTS)
        canonical = _canonical(roster, field, value)
        if canonical:
            values[field_id] = canonical
        else:
            values.pop(field_id, None)
    for field in roster.profile_fields:
        if field.required and field.id not in values:
            raise Invalid(field.api_name, Rule.REQUIRED)
    return tuple(sorted(values.items()))


def _canonical(roster: Roster, field: ProfileField, value: str) -> str:
    """Return a value as it is stored: the e-mail of an agent becomes its id, lists lose their repeats."""
    if field.type in READ_ONLY:
        raise Invalid(field.api_name, Rule.READ_ONLY)
    if not value:
        return ""
    name = field.api_name
    match field.type:
        case "single_line":
            return text.line(name, value)
        case "multi_line" | "rich_text":
            return text.text(name, value)
        case "date":
            return _timed(name, value, _DATE, "%Y-%m-%d")
        case "date_time":
            return _timed(name, value, _DATE_TIME, "%Y-%m-%d %H:%M:%S")
        case "numeric" | "percent":
            return _formed(name, value, _DECIMAL)
        case "telephone":
            return _each(value, lambda part: _formed(name, part, _PHONE))
        case "email":
            return _each(value, lambda part: text.email(name, part))
        case "single_listbox" | "cascade":
            return _option(field, value)
        case "multi_listbox":
            return _each(value, lambda part: _option(field, part))
        case "lookup":
            if not (len(value) < 20 and value.isascii() and value.isdigit() and value[0] != "0"):
                raise Invalid(name, Rule.FORM)
            if int(value) not in roster.profile_records:
                raise Invalid(name, Rule.UNKNOWN)
            return value
        case "staff":
            id = roster.by_email.get(value.lower()) if text.may_be_email(value) else None
            if id is None:
                raise Invalid(name, Rule.UNKNOWN)
            return str(id)
        case "owner" | "signature" | "attachment":
            raise AssertionError("read-only")


def _each(value: str, check: Callable[[str], str]) -> str:
    return ",".join(dict.fromkeys(check(part.strip()) for part in value.split(",")))


def _option(field: ProfileField, value: str) -> str:
    if value not in field.options:
        raise Invalid(field.api_name, Rule.CHOICE)
    return value


def _formed(name: str, value: str, form: re.Pattern[str]) -> str:
    if not form.fullmatch(value):
        raise Invalid(name, Rule.FORM)
    return value


def _timed(name: str, value: str, form: re.Pattern[str], layout: str) -> str:
    _formed(name, value, form)
    try:
        datetime.strptime(value, layout)
    except ValueError:
        raise Invalid(name, Rule.FORM) from None
    return value
