"""The fields of records by name, as the log and the column `more` store them, including unknown fields.

A field that was added after 0.1.0 is omitted where it has its default value, as an older version omits it.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw
from msgspec.structs import asdict, replace

from deskroster.core.records import RECORDS, AnyRecord, Kind, Secret
from deskroster.ledger.disk.tables import STORED

POSITIONAL: dict[Kind, tuple[str, ...]] = {
    "company": (
        "label", "name", "language", "time_zone", "signature_forms", "calls_per_minute", "profile_object_id",
        "created_at",
    ),
    "role": ("name", "description"),
    "position": ("name",),
    "department": ("name", "parent_id"),
    "permission_set": ("name",),
    "profile_field": ("api_name", "label", "type", "required", "options"),
    "profile_record": ("values",),
    "group": ("name", "created_at", "updated_at"),
    "agent": (
        "name", "email", "level", "state", "employed", "alias", "mobile", "job_number", "position_id", "profile_id",
        "seat", "leads", "channels", "chat_skill", "auto_assign", "language", "avatar", "welcome", "landline", "remark",
        "signature", "details", "notes", "starred", "callout_number", "sip_number", "created_at", "updated_at",
        "role_ids", "department_ids", "permission_set_ids", "sip_password", "password",
    ),
    "key": (
        "agent_id", "name", "access", "dialects", "created_at", "expires_at", "revoked_at", "secret",
    ),
}  # fmt: skip
"""The fields that a checksum covers by position: those of 0.1.0, columns first, then links, then secrets.

This never changes. A checksum covers any other field by name, and only if it differs from its default.
"""
MEMBERS: dict[Kind, str] = {"agent": "group_ids", "group": "member_ids"}
LISTS = frozenset({*MEMBERS.values(), *STORED["agent"].links})
"""Tuples of ids. The log stores which ids were added and which removed; of any other field, the whole value."""
EMPTY_MORE = "{}"

RawFields = dict[str, Raw]
UnknownFields = tuple[tuple[str, Any], ...]

TYPES = {
    kind: {field.name: field.type for field in msgspec.structs.fields(of) if field.name != "more"}
    for kind, of in RECORDS.items()
}
DEFAULTS = {kind: {field.name: field.default for field in msgspec.structs.fields(of)} for kind, of in RECORDS.items()}
LATER: dict[Kind, frozenset[str]] = {
    kind: frozenset(TYPES[kind]).difference(POSITIONAL[kind], ("id", MEMBERS.get(kind, ""))) for kind in TYPES
}
"""The fields that were added after 0.1.0."""
IN_MORE: dict[Kind, tuple[str, ...]] = {
    kind: tuple(sorted(LATER[kind].difference(stored.fields, stored.links, stored.secrets)))
    for kind, stored in STORED.items()
}
"""Those of them that are stored in the column `more`."""
SECRET_MARK = '{"secret":true}'
"""Stands for a secret in the log. No other field can have this value."""


def more_column(record: AnyRecord) -> str:
    """Return the value of the column `more` for a record."""
    in_more = IN_MORE[record.kind]
    if not in_more and not record.more:
        return EMPTY_MORE
    default = DEFAULTS[record.kind]
    fields = {name: getattr(record, name) for name in in_more if getattr(record, name) != default[name]}
    fields |= {name: Raw(value.encode()) for name, value in record.more if isinstance(value, str)}
    return msgspec.json.encode(dict(sorted(fields.items()))).decode()


def read_more_column(kind: Kind, text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the fields in a column `more`: the known ones decoded, and the unknown ones as JSON."""
    known: dict[str, Any] = {}
    unknown: dict[str, Any] = {}
    if text != EMPTY_MORE:
        for name, value in _RAW_FIELDS.decode(text).items():
            if name in TYPES[kind]:
                known[name] = decode_field(kind, name, value)
            else:
                unknown[name] = bytes(value).decode()
    return known, unknown


def unknown_secrets(record: AnyRecord) -> list[tuple[str, Secret]]:
    """Return the secrets of a record in fields that this version does not know."""
    return [field for field in record.more if isinstance(field[1], Secret)] if record.more else []


def all_fields(record: AnyRecord) -> dict[str, Any]:
    """Return all fields of a record, for the log."""
    fields = asdict(record)
    del fields["more"]
    for name in LATER[record.kind]:
        if fields[name] == DEFAULTS[record.kind][name]:
            del fields[name]
    for name, value in record.more:
        fields[name] = _encodable(value)
    return fields


def difference(before: AnyRecord, after: AnyRecord) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the fields of a record that have changed: with their old values, and with their new ones."""
    old: dict[str, Any] = {}
    new: dict[str, Any] = {}
    later, default = LATER[before.kind], DEFAULTS[before.kind]
    for name in before.__struct_fields__:
        was, now = getattr(before, name), getattr(after, name)
        if was is now or was == now:
            continue
        if name == "more":
            _unknown_difference(was, now, old, new)
        elif name in LISTS:
            old[name] = {"left": sorted(set(was).difference(now))}
            new[name] = {"joined": sorted(set(now).difference(was))}
        else:
            for fields, value in ((old, was), (new, now)):
                if name not in later or value != default[name]:
                    fields[name] = value
    return old, new


def _unknown_difference(
    before_more: UnknownFields, after_more: UnknownFields, old: dict[str, Any], new: dict[str, Any]
) -> None:
    before, after = dict(before_more), dict(after_more)
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            for fields, values in ((old, before), (new, after)):
                if name in values:
                    fields[name] = _encodable(values[name])


def _encodable(value: str | Secret) -> Raw | Secret:
    return value if isinstance(value, Secret) else Raw(value.encode())


def raw_fields(text: str | None) -> RawFields:
    """Return the fields in one side of a change in the log, before or after, undecoded."""
    return {} if text is None else _RAW_FIELDS.decode(text)


def new_record(kind: Kind, text: str) -> AnyRecord:
    """Return a record of which the log has all fields. Its secrets are empty."""
    record = _READERS[kind].decode(text)
    fields = _RAW_FIELDS.decode(text)
    unknown = fields.keys() - TYPES[kind].keys()
    if not unknown:
        return record
    return replace(record, more=ordered({name: _decode_unknown(fields[name]) for name in unknown}))


def changed_record(record: AnyRecord, before: RawFields, after: RawFields) -> AnyRecord:
    """Apply a change in the log to a record, and return the new record. Secrets that changed are empty."""
    kind = record.kind
    types, default = TYPES[kind], DEFAULTS[kind]
    new: dict[str, Any] = {}
    more = dict(record.more)
    for name in {**before, **after}:
        if name not in types:
            more.pop(name, None)
            if name in after:
                more[name] = _decode_unknown(after[name])
        elif name not in after:
            new[name] = default[name]
        elif name in LISTS:
            new[name] = _changed_ids(getattr(record, name), before.get(name), after[name])
        else:
            new[name] = decode_field(kind, name, after[name])
    return replace(record, **new, more=ordered(more))


def _changed_ids(ids: tuple[int, ...], before: Raw | None, after: Raw) -> tuple[int, ...]:
    added = msgspec.json.decode(after)
    if isinstance(added, list):  # form 1 has the whole list
        return tuple(added)
    removed = _ids_of(before, "left")
    return tuple(sorted(set(ids).difference(removed).union(added["joined"])))


def membership_changes(kind: Kind, before: RawFields, after: RawFields) -> tuple[list[int], list[int]]:
    """Return the ids that were added to and removed from the members of a group, or the groups of an agent.

    In form 1: all new ids, and all old ids.
    """
    name = MEMBERS.get(kind, "")
    return _ids_of(after.get(name), "joined"), _ids_of(before.get(name), "left")


def _ids_of(raw: Raw | None, key: str) -> list[int]:
    ids: list[int] | dict[str, list[int]] = [] if raw is None else msgspec.json.decode(raw)
    return ids if isinstance(ids, list) else ids[key]


def ordered(unknown: Mapping[str, Any]) -> UnknownFields:
    """Return unknown fields in the form in which a record holds them."""
    return tuple(sorted(unknown.items(), key=lambda one: one[0]))


def decode_field(kind: Kind, name: str, value: Raw) -> Any:
    """Decode the value of a known field. A secret is empty."""
    return msgspec.json.decode(value, type=TYPES[kind][name], dec_hook=_empty_secret)


def secret_fields(fields: RawFields) -> list[str]:
    """Return the names of the fields that hold a secret."""
    return [name for name, value in fields.items() if bytes(value) == SECRET_MARK.encode()]


def with_secrets(record: AnyRecord, secrets: Mapping[str, Secret | None]) -> AnyRecord:
    """Set the secrets of a record, in known and unknown fields, which were empty."""
    known = {name: secret for name, secret in secrets.items() if name in TYPES[record.kind]}
    more = {name: secrets.get(name, value) for name, value in record.more}
    return replace(record, **known, more=ordered({name: value for name, value in more.items() if value is not None}))


def _decode_unknown(value: Raw) -> str | Secret:
    return Secret("") if bytes(value) == SECRET_MARK.encode() else bytes(value).decode()


def _empty_secret(of: type, mark: Any) -> Secret:
    return Secret("")


_RAW_FIELDS = msgspec.json.Decoder(RawFields)
_READERS = {kind: msgspec.json.Decoder(of, dec_hook=_empty_secret) for kind, of in RECORDS.items()}
