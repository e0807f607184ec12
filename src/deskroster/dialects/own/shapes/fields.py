"""Profile fields as JSON."""

from msgspec import Struct

from deskroster.core.records import FieldType, ProfileField
from deskroster.core.roster import Roster
from deskroster.dialects.own.shapes import encode


class FieldBody(Struct, frozen=True):
    """A field. `options` are for list boxes; of a cascade each is `parent,child`."""

    api_name: str
    label: str
    type: FieldType = "single_line"
    required: bool = False
    options: list[str] = []


class FieldPatch(Struct, frozen=True):
    label: str


class FieldOut(Struct, frozen=True):
    id: int
    api_name: str
    label: str
    type: FieldType
    required: bool
    options: tuple[str, ...]


class FieldList(Struct, frozen=True):
    items: list[FieldOut]
    total: int


def field_piece(roster: Roster, field: ProfileField) -> bytes:
    return encode(FieldOut(field.id, field.api_name, field.label, field.type, field.required, field.options))
