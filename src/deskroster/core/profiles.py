"""Verbs and queries on profile fields, which a company defines, and on the profile records that hold their values."""

import re
from collections.abc import Generator, Iterable, Mapping
from typing import Any

from msgspec.structs import replace

from deskroster.core import text, values
from deskroster.core.access import Caller, Permission
from deskroster.core.changes import Change, changed, created, deleted
from deskroster.core.problems import Conflict, Invalid, NotFound, Reason, Rule, Wanted
from deskroster.core.records import FieldType, ProfileField, ProfileRecord
from deskroster.core.roster import Roster
from deskroster.core.table import Page, Window
from deskroster.core.values import Value

MAX_FIELDS = 200  # of one company
MAX_OPTIONS = 1_000  # of one field
WITH_OPTIONS: frozenset[FieldType] = frozenset({"single_listbox", "multi_listbox", "cascade"})


Sent = Mapping[str, str | Value]
"""Values by API name: text as it is sent, or a value as it is stored."""

_STEP = 1_000  # records that a search looks at before others have their turn
_SHOWN = 64  # characters of an unknown field's name that are shown
API_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}", re.ASCII)


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
    """Define a field. Raises Forbidden, Invalid, or Conflict: its API name is in use, or records would lack a value."""
    caller.must(Permission.WRITE_REFERENCE)
    if len(roster.profile_fields) >= MAX_FIELDS:
        raise Invalid("profile_fields", Rule.TOO_MANY, MAX_FIELDS)
    if not API_NAME.fullmatch(api_name):
        raise Invalid("api_name", Rule.FORM, wanted=Wanted.API_NAME)
    if api_name in roster.by_api_name:
        raise Conflict(Reason.NAME_TAKEN, "api_name")
    if required and type in values.STRUCTURED:
        raise Invalid("required", Rule.INAPPLICABLE)
    if required and roster.profile_records:
        raise Conflict(Reason.RECORDS_EXIST, "required")
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
    field = roster.profile_fields.find(id)
    return changed(field, label=label if label == field.label else text.name("label", label))


def delete_field(roster: Roster, caller: Caller, id: int) -> list[Change]:
    """Delete a field that no record has a value of. Raises Forbidden, NotFound or Conflict."""
    caller.must(Permission.WRITE_REFERENCE)
    field = roster.profile_fields.find(id)
    if any(field_id == id for record in roster.profile_records for field_id, _ in record.values):
        raise Conflict(Reason.IN_USE)
    return [deleted(field)]


def create(roster: Roster, caller: Caller, wanted: Sent) -> list[Change]:
    """Create a record with these values. Raises Forbidden or Invalid."""
    caller.must(Permission.WRITE_PROFILES)
    return [created(_new(roster, wanted))]


def update(roster: Roster, caller: Caller, id: int, wanted: Sent) -> list[Change]:
    """Change the named values; an empty one clears. Raises Forbidden, NotFound or Invalid."""
    caller.must(Permission.WRITE_PROFILES)
    record = roster.profile_records.find(id)
    return changed(record, **_merged(roster, record, wanted))


def write_of_agent(roster: Roster, caller: Caller, agent_id: int, sent: Mapping[str, Any], at: int) -> list[Change]:
    """Change the values of an agent's profile, given as `values.structured` reads them; make a record if it has none.

    Raises Forbidden, NotFound or Invalid.
    """
    caller.must(Permission.WRITE_PROFILES)
    agent = roster.agents.find(agent_id)
    wanted = structured(roster, sent)
    if agent.profile_id is not None:
        return update(roster, caller, agent.profile_id, wanted)
    record = _new(roster, wanted)
    return [created(record), *changed(agent, profile_id=record.id, updated_at=at)]


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


def find_by_value(roster: Roster, caller: Caller, api_name: str, value: str) -> Generator[None, None, ProfileRecord]:
    """Find, in steps, the only record that has this value of a field, or in a list of values.

    Raises Forbidden, Invalid, NotFound, or Conflict where several have it.
    """
    caller.must(Permission.READ)
    field = _field(roster, api_name)
    if not text.trimmed(value, text.MAX_TEXT):
        raise Invalid(api_name, Rule.EMPTY)
    sought, found = _as_sought(roster, field, value), []
    for count, id in enumerate(list(roster.profile_records.ids)):
        record = roster.profile_records.get(id)
        if record is not None and _has(record, field, sought):
            found.append(id)
        if count % _STEP == 0:
            yield
    found = [id for id in found if id in roster.profile_records]
    if not found:
        raise NotFound("profile_record", value)
    if len(found) > 1:
        raise Conflict(Reason.SEVERAL, api_name)
    return roster.profile_records[found[0]]


def _as_sought(roster: Roster, field: ProfileField, value: str) -> str:
    """Return a value as a record that has it stores it. Raises NotFound where none can have it."""
    try:
        return values.canonical(roster, field, value)
    except Invalid:
        raise NotFound("profile_record", value[:_SHOWN]) from None


def _has(record: ProfileRecord, field: ProfileField, sought: str) -> bool:
    stored = next((value for field_id, value in record.values if field_id == field.id), None)
    return stored is not None and (stored == sought or (field.type in values.LISTS and sought in stored.split(",")))


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
    if type in WITH_OPTIONS and not names:
        raise Invalid("options", Rule.REQUIRED)
    if type not in WITH_OPTIONS and names:
        raise Invalid("options", Rule.INAPPLICABLE)
    commas, wanted = (1, Wanted.OPTION_OF_TWO) if type == "cascade" else (0, Wanted.OPTION)
    if any(name.count(",") != commas for name in names):
        raise Invalid("options", Rule.FORM, wanted=wanted)
    return names


def structured(roster: Roster, sent: Mapping[str, Any]) -> Sent:
    """Return values in the forms in which they are read as they are stored. Raises Invalid."""
    return {name: values.structured(roster, _field(roster, name), value) for name, value in sent.items()}


def _new(roster: Roster, wanted: Sent) -> ProfileRecord:
    record = ProfileRecord(id=roster.next_id("profile_record"))
    return replace(record, **_merged(roster, record, wanted))


def _field(roster: Roster, api_name: str) -> ProfileField:
    """Return a field by its API name. Raises Invalid."""
    field_id = roster.by_api_name.get(api_name)
    if field_id is None:
        raise Invalid(api_name[:_SHOWN], Rule.UNKNOWN)
    return roster.profile_fields[field_id]


def _merged(roster: Roster, record: ProfileRecord, wanted: Sent) -> dict[str, tuple[tuple[int, str], ...]]:
    """Return the fields of a record with these values. Raises Invalid."""
    texts, attached, parts = dict(record.values), dict(record.attached), 0
    for api_name, given in wanted.items():
        field = _field(roster, api_name)
        sent = given if isinstance(given, str) else given.text
        if field.type in values.LISTS:
            if len(sent) > values.MAX_LIST:
                raise Invalid(api_name, Rule.TOO_LONG, values.MAX_LIST)
            parts += sent.count(",") + 1
        if parts > values.MAX_PARTS:
            raise Invalid(api_name, Rule.TOO_MANY, values.MAX_PARTS)
        if isinstance(given, str):
            value = values.canonical(roster, field, given)
            texts[field.id], attached[field.id] = (
                value,
                values.attached_after(field, attached.get(field.id, ""), value),
            )
        else:
            texts[field.id], attached[field.id] = given
    for field in roster.profile_fields:
        if field.required and not texts.get(field.id):
            raise Invalid(field.api_name, Rule.REQUIRED)
    return {"values": _without_empty(texts), "attached": _without_empty(attached)}


def _without_empty(by_field: Mapping[int, str]) -> tuple[tuple[int, str], ...]:
    return tuple(sorted((id, value) for id, value in by_field.items() if value))
