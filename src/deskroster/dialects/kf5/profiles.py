"""A user's profile as KF5 shows it: names and readable values (`user_fields`)."""

import msgspec
from msgspec import Struct

from deskroster.core import profiles, values
from deskroster.core.records import ProfileField, ProfileRecord
from deskroster.core.roster import Roster


class UserField(Struct, frozen=True):
    name: str
    value: str


def fields_piece(roster: Roster, record: ProfileRecord) -> bytes:
    fields = ((roster.profile_fields.rows[id], value) for id, value in record.values)
    return msgspec.json.encode(
        [UserField(f"field_{field.id}", _readable(roster, field, value)) for field, value in fields]
    )


def _readable(roster: Roster, field: ProfileField, value: str) -> str:
    """Return a value as text for people: the name of an agent or an owner, the title of a record."""
    if field.type == "staff":
        agent = roster.agents.get(int(value))
        return agent.name if agent else ""
    if field.type == "lookup":
        record = roster.profile_records.get(int(value))
        return profiles.title(roster, record) if record else ""
    return values.readable(field, value)
