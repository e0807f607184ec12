"""Fields: a record by the names of its fields, as the log and the column `more` have it, unknown ones included.

A field that came after 0.1.0 is left out where it has its default, as an older program would leave it out.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw
from msgspec.structs import asdict, replace

from deskroster.core.records import RECORDS, AnyRecord, Kind, Secret
from deskroster.ledger.disk.tables import STORED

FIRST: dict[Kind, tuple[str, ...]] = {
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
"""The fields that checksums take by their place: those of 0.1.0, columns first, then links, then secrets.

This never changes. Any other field counts by its name, and only where it is not its default.
"""
MEMBERS: dict[Kind, str] = {"agent": "group_ids", "group": "member_ids"}
LISTS = frozenset({*MEMBERS.values(), *STORED["agent"].links})
"""Tuples of ids: the log has which ids joined and which left. Of any other field it has the whole value."""
NONE_MORE = "{}"

Said = dict[str, Raw]
Unknown = tuple[tuple[str, Any], ...]

TYPES = {
    kind: {field.name: field.type for field in msgspec.structs.fields(of) if field.name != "more"}
    for kind, of in RECORDS.items()
}
DEFAULTS = {kind: {field.name: field.default for field in msgspec.structs.fields(of)} for kind, of in RECORDS.items()}
LATER: dict[Kind, frozenset[str]] = {
    kind: frozenset(TYPES[kind]).difference(FIRST[kind], ("id", MEMBERS.get(kind, ""))) for kind in TYPES
}
"""The fields that 0.1.0 did not have."""
LOOSE: dict[Kind, tuple[str, ...]] = {
    kind: tuple(sorted(LATER[kind].difference(stored.fields, stored.links, stored.secrets)))
    for kind, stored in STORED.items()
}
"""Those of them that stand in the column `more`."""
SECRET = '{"secret":true}'
"""Stands in the log for a secret. No field has such a value."""


def column(record: AnyRecord) -> str:
    """Return what the column `more` of a record holds."""
    loose = LOOSE[record.kind]
    if not loose and not record.more:
        return NONE_MORE
    default = DEFAULTS[record.kind]
    said = {name: getattr(record, name) for name in loose if getattr(record, name) != default[name]}
    said |= {name: Raw(value.encode()) for name, value in record.more if isinstance(value, str)}
    return msgspec.json.encode(dict(sorted(said.items()))).decode()


def from_column(kind: Kind, text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what a column `more` holds: the fields that are known, and those that are not."""
    known: dict[str, Any] = {}
    unknown: dict[str, Any] = {}
    if text != NONE_MORE:
        for name, value in _SAID.decode(text).items():
            if name in TYPES[kind]:
                known[name] = as_field(kind, name, value)
            else:
                unknown[name] = bytes(value).decode()
    return known, unknown


def unknown_secrets(record: AnyRecord) -> list[tuple[str, Secret]]:
    """Return the secrets of a record in fields that this version does not know."""
    return [one for one in record.more if isinstance(one[1], Secret)] if record.more else []


def whole(record: AnyRecord) -> dict[str, Any]:
    """Return all fields of a record, for the log."""
    said = asdict(record)
    del said["more"]
    for name in LATER[record.kind]:
        if said[name] == DEFAULTS[record.kind][name]:
            del said[name]
    for name, value in record.more:
        said[name] = _told(value)
    return said


def difference(before: AnyRecord, after: AnyRecord) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what has changed of a record: as it was, and as it is."""
    old: dict[str, Any] = {}
    new: dict[str, Any] = {}
    later, default = LATER[before.kind], DEFAULTS[before.kind]
    for name in before.__struct_fields__:
        was, now = getattr(before, name), getattr(after, name)
        if was is now or was == now:
            continue
        if name == "more":
            _differ(was, now, old, new)
        elif name in LISTS:
            old[name] = {"left": sorted(set(was).difference(now))}
            new[name] = {"joined": sorted(set(now).difference(was))}
        else:
            for said, value in ((old, was), (new, now)):
                if name not in later or value != default[name]:
                    said[name] = value
    return old, new


def _differ(was: Unknown, now: Unknown, old: dict[str, Any], new: dict[str, Any]) -> None:
    before, after = dict(was), dict(now)
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            for said, values in ((old, before), (new, after)):
                if name in values:
                    said[name] = _told(values[name])


def _told(value: str | Secret) -> Raw | Secret:
    return value if isinstance(value, Secret) else Raw(value.encode())


def read(text: str | None) -> Said:
    """Return one side of a change (before or after) from the log."""
    return {} if text is None else _SAID.decode(text)


def made(kind: Kind, text: str) -> AnyRecord:
    """Return a record that the log has whole. A secret in it is empty."""
    record = _READERS[kind].decode(text)
    said = _SAID.decode(text)
    unknown = said.keys() - TYPES[kind].keys()
    return replace(record, more=ordered({name: _untold(said[name]) for name in unknown})) if unknown else record


def changed(record: AnyRecord, before: Said, after: Said) -> AnyRecord:
    """Return a record after a change of the log. A secret that changed is empty."""
    kind = record.kind
    types, default = TYPES[kind], DEFAULTS[kind]
    new: dict[str, Any] = {}
    more = dict(record.more)
    for name in {**before, **after}:
        if name not in types:
            more.pop(name, None)
            if name in after:
                more[name] = _untold(after[name])
        elif name not in after:
            new[name] = default[name]
        elif name in LISTS:
            new[name] = _moved(getattr(record, name), before.get(name), after[name])
        else:
            new[name] = as_field(kind, name, after[name])
    return replace(record, **new, more=ordered(more))


def _moved(ids: tuple[int, ...], before: Raw | None, after: Raw) -> tuple[int, ...]:
    joined = msgspec.json.decode(after)
    if isinstance(joined, list):  # form 1
        return tuple(joined)
    left = _moves(before, "left")
    return tuple(sorted(set(ids).difference(left).union(joined["joined"])))


def moves(kind: Kind, before: Said, after: Said) -> tuple[list[int], list[int]]:
    """Return who joined and who left, as a change of an agent or a group tells it. In form 1 it tells all."""
    name = MEMBERS.get(kind, "")
    return _moves(after.get(name), "joined"), _moves(before.get(name), "left")


def _moves(said: Raw | None, what: str) -> list[int]:
    ids: list[int] | dict[str, list[int]] = [] if said is None else msgspec.json.decode(said)
    return ids if isinstance(ids, list) else ids[what]


def ordered(unknown: Mapping[str, Any]) -> Unknown:
    """Return unknown fields as a record holds them."""
    return tuple(sorted(unknown.items(), key=lambda one: one[0]))


def as_field(kind: Kind, name: str, value: Raw) -> Any:
    """Return the value of a field that is known. A secret is empty."""
    return msgspec.json.decode(value, type=TYPES[kind][name], dec_hook=_as_secret)


def marked(said: Said) -> list[str]:
    """Return the names of the fields that hold a secret."""
    return [name for name, value in said.items() if bytes(value) == SECRET.encode()]


def with_secrets(record: AnyRecord, secrets: Mapping[str, Secret | None]) -> AnyRecord:
    """Put secrets into fields, known or not, in the place of the empty ones."""
    known = {name: secret for name, secret in secrets.items() if name in TYPES[record.kind]}
    more = {name: secrets.get(name, value) for name, value in record.more}
    return replace(record, **known, more=ordered({name: value for name, value in more.items() if value is not None}))


def _untold(value: Raw) -> str | Secret:
    return Secret("") if bytes(value) == SECRET.encode() else bytes(value).decode()


def _as_secret(of: type, mark: Any) -> Secret:
    return Secret("")


_SAID = msgspec.json.Decoder(Said)
_READERS = {kind: msgspec.json.Decoder(of, dec_hook=_as_secret) for kind, of in RECORDS.items()}
