"""Profile fields as JSON."""

from typing import Annotated

from msgspec import Meta, Struct

from deskroster.core.profiles import API_NAME, MAX_OPTIONS
from deskroster.core.records import FieldType, ProfileField
from deskroster.core.roster import Roster
from deskroster.dialect.limits import Name
from deskroster.dialects.own.shapes import encode

ApiName = Annotated[str, Meta(extra_json_schema={"pattern": f"^{API_NAME.pattern}$"})]
Options = Annotated[list[Name], Meta(extra_json_schema={"maxItems": MAX_OPTIONS})]


class FieldBody(Struct, frozen=True):
    """A field. `options` are for list boxes; of a cascade each is `parent,child`."""

    api_name: ApiName
    label: Name
    type: FieldType = "single_line"
    required: bool = False
    options: Options = []


class FieldPatch(Struct, frozen=True):
    label: Name


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
