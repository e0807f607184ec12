"""The values of an agent's profile as JSON, by the API names of their fields."""

from typing import Any

import msgspec
from msgspec import Struct

from deskroster.core import values
from deskroster.core.records import ProfileField
from deskroster.core.roster import Roster
from deskroster.core.values import RichText, Tag
from deskroster.dialect import Reply
from deskroster.dialects.own.shapes import written


class ProfilePatch(Struct, frozen=True):
    """The values to change, by API name: text, or the form in which ServiceGo shows them. Null clears one."""

    values: dict[str, Any]


class ProfileOut(Struct, frozen=True):
    """The values that are set, by API name; `profile_id` is null for an agent that has no profile record."""

    profile_id: int | None
    values: dict[str, Any]


def profile(roster: Roster, agent_id: int) -> Reply:
    id = roster.agents[agent_id].profile_id
    if id is None:
        return written(ProfileOut(None, {}))
    record = roster.profile_records[id]
    attached = dict(record.attached)
    shown = {
        field.api_name: _shown(roster, field, text, attached.get(field.id, ""))
        for field, text in ((roster.profile_fields[field_id], text) for field_id, text in record.values)
    }
    return written(ProfileOut(id, shown))


def _shown(roster: Roster, field: ProfileField, text: str, attached: str) -> Any:
    """Return a value in a form in which it can be written again."""
    match field.type:
        case "telephone" | "email":
            tags = values.tags_of(attached)
            return [Tag(tags.get(one, ""), one) for one in text.split(",")]
        case "single_listbox" | "multi_listbox":
            return text.split(",")
        case "staff":
            agent = roster.agents.get(int(text))
            return agent.email if agent else None
        case "rich_text":
            return RichText(text, values.attachments_of(attached))
        case "owner" | "signature" | "attachment":
            return msgspec.json.decode(text)
        case _:
            return text
