"""The schema. Every constraint is named, and the company id comes first in every primary key."""

from typing import Any, NamedTuple, get_args

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    func,
)
from sqlalchemy.schema import SchemaItem

from deskroster.core.records import (
    RECORDS,
    SECRET_FIELDS,
    Access,
    Channels,
    FieldType,
    Kind,
    Language,
    Level,
    Seat,
    State,
)

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(constraint_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(constraint_name)s",
    }
)
_INTEGER = BigInteger().with_variant(Integer, "sqlite")  # STRICT tables of SQLite allow INTEGER, TEXT and BLOB
_STRICT: Any = {"sqlite_strict": True, "sqlite_with_rowid": False}
_DEFER: Any = {"deferrable": True, "initially": "DEFERRED"}  # checked at COMMIT: rows may be written in any order


def _table(name: str, key: tuple[str, ...], *items: SchemaItem) -> Table:
    first = [_KEY_COLUMNS[column](column) if column in _KEY_COLUMNS else _number(column) for column in key]
    return Table(name, metadata, *first, *items, PrimaryKeyConstraint(*key), **_STRICT)


def _records(name: str, *items: SchemaItem) -> Table:
    return _of_company(name, ("id",), *items, _more(), _bytes("checksum"))


def _of_company(name: str, key: tuple[str, ...], *items: SchemaItem) -> Table:
    owner = ForeignKeyConstraint(["company_id"], ["companies.company_id"], name="company", **_DEFER)
    return _table(name, ("company_id", *key), *items, owner)


def _foreign_key(field: str, table: str) -> ForeignKeyConstraint:
    target = [f"{table}.company_id", f"{table}.id"]
    return ForeignKeyConstraint(["company_id", field], target, name=field.removesuffix("_id"), **_DEFER)


def _number(name: str, nullable: bool = False) -> Column[Any]:
    return Column(name, _INTEGER, nullable=nullable)


def _text(name: str, nullable: bool = False) -> Column[Any]:
    return Column(name, Text, nullable=nullable)


def _json(name: str) -> Column[Any]:
    return Column(name, Text, nullable=False, info={"json": True})


def _more() -> Column[Any]:
    """Return the column `more`: JSON of the fields without a column, by name. Fields with their default are omitted."""
    return Column("more", Text, nullable=False, server_default="{}")


def _bytes(name: str) -> Column[Any]:
    return Column(name, LargeBinary, nullable=False)


def _flag(name: str, nullable: bool = False) -> list[SchemaItem]:
    column = Column(name, _INTEGER, nullable=nullable, info={"flag": True})
    return [column, CheckConstraint(f"{name} IN (0, 1)", name=name)]


def _choice(name: str, of: Any, nullable: bool = False) -> list[SchemaItem]:
    values = ", ".join(f"'{value}'" for value in get_args(of))
    column = Column(name, Text, nullable=nullable, info={"choice": True})
    return [column, CheckConstraint(f"{name} IN ({values})", name=name)]


_KEY_COLUMNS = {"kind": _text, "field": _text, "name": _text, "key": _bytes}


def _times() -> list[Column[Any]]:
    return [_number("created_at"), _number("updated_at")]


companies = _table(
    "companies", ("company_id",),
    _text("label"), _text("name"), *_choice("language", Language), _text("time_zone"), _json("signature_forms"),
    _number("calls_per_minute"), _number("profile_object_id"), _number("created_at"), _more(),
    _number("number"), Column("next_ids", Text, nullable=False), _bytes("head"), _bytes("anchor"), _bytes("checksum"),
    UniqueConstraint("label", name="label"),
)  # fmt: skip
installation = _table("installation", ("name",), _text("value"))

roles = _records("roles", _text("name"), _text("description"))
positions = _records("positions", _text("name"))
departments = _records(
    "departments", _text("name"), _number("parent_id", True), _foreign_key("parent_id", "departments")
)
permission_sets = _records("permission_sets", _text("name"))
profile_fields = _records(
    "profile_fields",
    _text("api_name"), _text("label"), *_choice("type", FieldType), *_flag("required"), _json("options"),
)  # fmt: skip
profile_records = _records("profile_records", _json("values"))
groups = _records("groups", _text("name"), *_times())
agents = _records(
    "agents",
    _text("name"), _text("email"), *_choice("level", Level), *_choice("state", State), *_flag("employed", True),
    _text("alias"), _text("mobile"), _text("job_number"), _number("position_id", True), _number("profile_id", True),
    *_choice("seat", Seat, True), *_flag("leads", True), *_choice("channels", Channels), _number("chat_skill"),
    *_flag("auto_assign"), *_choice("language", Language), _text("avatar"), _text("welcome"), _text("landline"),
    _text("remark"), _text("signature"), _text("details"), _text("notes"), *_flag("starred"),
    _text("callout_number"), _text("sip_number"), *_times(),
    _foreign_key("position_id", "positions"), _foreign_key("profile_id", "profile_records"),
)  # fmt: skip
Index("uq_agents_email", agents.c.company_id, func.lower(agents.c.email), unique=True)
Index("ix_agents_email", func.lower(agents.c.email))  # which companies have an agent with this address?
Index("ix_agents_position", agents.c.company_id, agents.c.position_id)
Index("ix_agents_profile", agents.c.company_id, agents.c.profile_id)
keys = _records(
    "keys",
    _number("agent_id"), _text("name"), *_choice("access", Access), _json("dialects"), _number("created_at"),
    _number("expires_at", True), _number("revoked_at", True), _foreign_key("agent_id", "agents"),
)  # fmt: skip
Index("ix_keys_agent", keys.c.company_id, keys.c.agent_id)


def _link(name: str, held: str, table: str) -> Table:
    link = _table(name, ("company_id", "agent_id", held), _foreign_key("agent_id", "agents"), _foreign_key(held, table))
    Index(f"ix_{name}_{held.removesuffix('_id')}", link.c.company_id, link.c[held])
    return link


memberships = _link("memberships", "group_id", "groups")
agent_roles = _link("agent_roles", "role_id", "roles")
agent_departments = _link("agent_departments", "department_id", "departments")
agent_permission_sets = _link("agent_permission_sets", "permission_set_id", "permission_sets")

secrets = _of_company("secrets", ("kind", "record_id", "field"), _bytes("sealed"))
"""Encrypted `Secret` fields. Those of a deleted record stay, so that it can be restored."""
commits = _of_company(
    "commits", ("number",),
    _number("at"), _number("agent_id", True), _text("dialect"), _text("address"), _text("request_id"),
    _text("note", True), _bytes("previous"), _bytes("hash"),
)  # fmt: skip
changes = _table(
    "changes", ("company_id", "number", "ordinal"),
    _text("kind"), _number("record_id"), _text("before", True), _text("after", True),
    ForeignKeyConstraint(["company_id", "number"], ["commits.company_id", "commits.number"], name="commit", **_DEFER),
)  # fmt: skip
replies = _of_company("replies", ("key",), _bytes("request"), _number("at"), _bytes("sealed"))
Index("ix_replies_at", replies.c.at)
verified = _of_company("verified", (), _number("number"), _bytes("checksum"))
"""Up to which commit the hash chain of the log is verified. Start-up goes on from there."""
observations = _of_company("observations", ("kind", "record_id"), _number("at"), _text("form"), _bytes("checksum"))
"""When a key was last used, with the form of its signature; when an agent last logged in. Not a part of the roster."""
_shared_metadata = MetaData()  # tables of PostgreSQL only: with SQLite this data is in memory, or in a file
nonces = Table("nonces", _shared_metadata, _number("company_id"), _bytes("digest"), _number("until"))
"""Spent nonces, and until when they are remembered."""


class Stored(NamedTuple):
    """How the records of a kind are stored: their table, and the tables of the links and secrets among their fields."""

    table: Table
    fields: tuple[str, ...]  # in the order of the table's columns, without `id` and `more`
    links: dict[str, Table]
    secrets: tuple[str, ...]


def _stored(kind: Kind, table: Table, **links: Table) -> Stored:
    own = RECORDS[kind].__struct_fields__
    names = [str(column.name) for column in table.columns]  # msgpack cannot encode SQLAlchemy's `quoted_name`
    fields = tuple(name for name in names if name in own and name not in ("id", "more"))
    return Stored(table, fields, links, SECRET_FIELDS.get(kind, ()))


STORED: dict[Kind, Stored] = {
    "company": _stored("company", companies),
    "role": _stored("role", roles),
    "position": _stored("position", positions),
    "department": _stored("department", departments),
    "permission_set": _stored("permission_set", permission_sets),
    "profile_field": _stored("profile_field", profile_fields),
    "profile_record": _stored("profile_record", profile_records),
    "group": _stored("group", groups),
    "agent": _stored(
        "agent", agents,
        role_ids=agent_roles, department_ids=agent_departments, permission_set_ids=agent_permission_sets,
    ),
    "key": _stored("key", keys),
}  # fmt: skip
