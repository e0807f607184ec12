"""Verbs on a company: its creation, and its own settings."""

import re
from collections.abc import Callable, Iterable
from typing import Any

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import asdict

from deskroster.core import agents, keys, reference, text
from deskroster.core.access import OPERATOR, Caller, Permission
from deskroster.core.agents import AgentFields
from deskroster.core.changes import Change, changed
from deskroster.core.problems import Invalid, Rule, Wanted
from deskroster.core.records import AnyRecord, Company, Language, Secret, SignatureForm
from deskroster.core.roster import Roster

MAX_CALLS = 1_000_000  # a minute
MAX_ORIGINS = 100
MAX_ORIGIN = 300  # characters
FIRST_POSITION = 1  # its id: the position that a new company has, and gives to agents without one

Step = Callable[[Roster, Caller], list[Change]]
"""A verb that only creates."""

_DEFAULT_PORTS = {"http": ":80", "https": ":443"}
_ORIGIN = re.compile(r"(https?)://([a-z0-9](?:[a-z0-9._-]{0,251}[a-z0-9])?|\[[0-9a-f:.]{2,45}\])(:[1-9][0-9]{0,4})?")
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


class CompanyFields(Struct, frozen=True, kw_only=True):
    """The settings of a company to change. `UNSET` leaves one unchanged."""

    label: str | UnsetType = UNSET
    name: str | UnsetType = UNSET
    language: Language | UnsetType = UNSET
    time_zone: str | UnsetType = UNSET  # a name of the IANA database; the caller has checked that it exists
    signature_forms: Iterable[SignatureForm] | UnsetType = UNSET
    calls_per_minute: int | UnsetType = UNSET
    default_position_id: int | None | UnsetType = UNSET
    cors_origins: Iterable[str] | UnsetType = UNSET


class FirstAdministrator(Struct, frozen=True, kw_only=True):
    """The first administrator of a company, with a token and the names of a position and a role."""

    email: str
    name: str
    password: Secret  # the Argon2id hash
    token: Secret
    position: str
    role: str


def update(roster: Roster, caller: Caller, fields: CompanyFields) -> list[Change]:
    """Change the settings. Raises Forbidden or Invalid; only the database can tell whether a label is taken."""
    caller.must(Permission.WRITE_COMPANY)
    position_id = fields.default_position_id
    if isinstance(position_id, int) and position_id not in roster.positions:
        raise Invalid("default_position_id", Rule.UNKNOWN)
    return changed(roster.company, **_checked(fields))


def new(fields: CompanyFields, at: int) -> Company:
    """Return a new company. The ledger gives it its id. Raises Invalid."""
    for required in ("label", "name"):
        if getattr(fields, required) is UNSET:
            raise Invalid(required, Rule.REQUIRED)
    return Company(id=1, **{"default_position_id": FIRST_POSITION, **_checked(fields), "created_at": at})


def first_verbs(first: FirstAdministrator, at: int) -> list[Step]:
    """Return the verbs that create the first records of a company: position, role, administrator and key, id 1 each."""
    administrator = AgentFields(
        name=first.name,
        email=first.email,
        password=first.password,
        level="admin",
        role_ids=(1,),
        position_id=FIRST_POSITION,
    )
    return [
        lambda roster, caller: reference.create(roster, caller, "position", first.position),
        lambda roster, caller: reference.create(roster, caller, "role", first.role),
        lambda roster, caller: agents.create(roster, caller, administrator, at),
        lambda roster, caller: keys.create(roster, caller, 1, "first", first.token, at),
    ]


def first_records(company: Company, steps: Iterable[Step]) -> list[AnyRecord]:
    """Return the records that these verbs create, in their order, in an empty company. Raises their Problems."""
    roster = Roster(company)
    records: list[AnyRecord] = []
    for step in steps:
        for change in step(roster, OPERATOR):
            assert change.before is None
            assert change.after is not None
            roster.apply(change)
            records.append(change.after)
    return records


def _checked(fields: CompanyFields) -> dict[str, Any]:
    wanted: dict[str, Any] = {name: value for name, value in asdict(fields).items() if value is not UNSET}
    if fields.label is not UNSET and not _LABEL.fullmatch(fields.label):
        raise Invalid("label", Rule.FORM, wanted=Wanted.LABEL)
    if fields.name is not UNSET:
        wanted["name"] = text.name("name", fields.name)
    if fields.signature_forms is not UNSET:
        wanted["signature_forms"] = tuple(sorted(set(fields.signature_forms)))
        if not wanted["signature_forms"]:
            raise Invalid("signature_forms", Rule.EMPTY)
    if fields.calls_per_minute is not UNSET and not 0 <= fields.calls_per_minute <= MAX_CALLS:
        raise Invalid("calls_per_minute", Rule.RANGE)
    if fields.cors_origins is not UNSET:
        wanted["cors_origins"] = _origins(fields.cors_origins)
    return wanted


def _origins(sent: Iterable[str]) -> tuple[str, ...]:
    """Return origins as browsers send them (RFC 6454, section 6.2): in lower case, without a default port."""
    origins = set()
    for one in sent:
        origin = _ORIGIN.fullmatch(text.trimmed(one, MAX_ORIGIN).lower())
        if origin is None or len(one) > MAX_ORIGIN:
            raise Invalid("cors_origins", Rule.FORM, wanted=Wanted.ORIGIN)
        scheme, host, port = origin.groups()
        origins.add(f"{scheme}://{host}{'' if port == _DEFAULT_PORTS[scheme] else port or ''}")
    if len(origins) > MAX_ORIGINS:
        raise Invalid("cors_origins", Rule.TOO_MANY, MAX_ORIGINS)
    return tuple(sorted(origins))
