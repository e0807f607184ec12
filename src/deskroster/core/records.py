"""The records of a company: frozen facts, each with an id that is counted per kind and never used again.

Times are Unix seconds in UTC. A tuple of ids is ascending and holds no id twice. Text that was never set is `""`;
a choice that was never made is `None`.
"""

from typing import Any, ClassVar, Literal, final, get_args

from msgspec import Struct

Kind = Literal[
    "company", "role", "position", "department", "permission_set", "profile_field", "profile_record", "group", "agent",
    "key",
]  # fmt: skip
"""What a record is about. The order is one in which records may be written: who is pointed at comes first."""
KINDS: tuple[Kind, ...] = get_args(Kind)

Level = Literal["agent", "admin"]
State = Literal["enabled", "disabled", "review"]
Access = Literal["read", "write"]
Language = Literal["zh", "en"]
Seat = Literal["plain", "phone"]
Channels = Literal["all", "im", "call", "ticket", "dial"]
FieldType = Literal[
    "single_line", "multi_line", "rich_text", "date", "date_time", "numeric", "percent", "telephone", "email",
    "single_listbox", "multi_listbox", "cascade", "lookup", "staff", "owner", "signature", "attachment",
]  # fmt: skip
SignatureForm = Literal["A", "B", "C"]


@final
class Secret:
    """A value that may be compared and used but never shown: its `repr` is masked and nothing encodes it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)


class Record(Struct, frozen=True, gc=False, kw_only=True):
    """What every record has: the kind it is of, and its id (1 to 2^63-1).

    `more` holds the fields that a later version has given it, by ascending name: JSON text, or a `Secret`. `replace`
    carries them along, so nothing that this version does to a record loses them. A new field has a default, which never
    changes; it stands in no table of its own (see CONTRIBUTING.md).
    """

    kind: ClassVar[Kind]
    id: int
    more: tuple[tuple[str, Any], ...] = ()


class Company(Record, frozen=True, gc=False, kw_only=True):
    """The company's own settings. `label` is the first label of the host name that finds it."""

    kind: ClassVar[Kind] = "company"
    label: str
    name: str
    language: Language = "zh"
    time_zone: str = "Asia/Shanghai"
    signature_forms: tuple[SignatureForm, ...] = ("A", "B", "C")
    calls_per_minute: int = 0  # of the dialects that count them; 0 is no limit
    profile_object_id: int = 13
    created_at: int = 0
    default_position_id: int | None = None  # of an agent that is created without a position
    cors_origins: tuple[str, ...] = ()  # whose pages may call from a browser


class Role(Record, frozen=True, gc=False, kw_only=True):
    """What an agent does."""

    kind: ClassVar[Kind] = "role"
    name: str
    description: str = ""


class Position(Record, frozen=True, gc=False, kw_only=True):
    """The job an agent has."""

    kind: ClassVar[Kind] = "position"
    name: str


class Department(Record, frozen=True, gc=False, kw_only=True):
    """A unit of the firm, below `parent_id` or at the top."""

    kind: ClassVar[Kind] = "department"
    name: str
    parent_id: int | None = None


class PermissionSet(Record, frozen=True, gc=False, kw_only=True):
    """What the product lets the agent do. It confers nothing here."""

    kind: ClassVar[Kind] = "permission_set"
    name: str


class ProfileField(Record, frozen=True, gc=False, kw_only=True):
    """A field that the company defined for its staff. `options` are names; of a cascade, `parent,child`."""

    kind: ClassVar[Kind] = "profile_field"
    api_name: str
    label: str
    type: FieldType
    required: bool = False
    options: tuple[str, ...] = ()


class ProfileRecord(Record, frozen=True, gc=False, kw_only=True):
    """Values of profile fields as canonical text: (field id, text) by ascending field id, the empty left out."""

    kind: ClassVar[Kind] = "profile_record"
    values: tuple[tuple[int, str], ...] = ()
    attached: tuple[tuple[int, str], ...] = ()  # what a value has beside it, as JSON: see `profiles`


class Group(Record, frozen=True, gc=False, kw_only=True):
    """A named set of agents that work is routed to. The roster keeps `member_ids` and `Agent.group_ids` agreeing."""

    kind: ClassVar[Kind] = "group"
    name: str
    member_ids: tuple[int, ...] = ()
    created_at: int = 0
    updated_at: int = 0


class Agent(Record, frozen=True, gc=False, kw_only=True):
    """A member of staff who serves customers."""

    kind: ClassVar[Kind] = "agent"
    name: str
    email: str  # as it was given; compared in lower case
    level: Level = "agent"
    state: State = "enabled"
    employed: bool | None = None  # None counts as employed
    alias: str = ""
    mobile: str = ""
    job_number: str = ""
    group_ids: tuple[int, ...] = ()
    role_ids: tuple[int, ...] = ()
    department_ids: tuple[int, ...] = ()
    permission_set_ids: tuple[int, ...] = ()
    position_id: int | None = None
    profile_id: int | None = None
    seat: Seat | None = None
    leads: bool | None = None
    channels: Channels = "all"
    chat_skill: int = 10
    auto_assign: bool = True
    language: Language = "zh"
    avatar: str = ""
    welcome: str = ""
    landline: str = ""
    remark: str = ""
    signature: str = ""
    details: str = ""
    notes: str = ""
    starred: bool = False
    callout_number: str = ""
    sip_number: str = ""
    sip_password: Secret | None = None
    password: Secret | None = None  # an Argon2id hash; None cannot log in by password
    created_at: int = 0
    updated_at: int = 0

    @property
    def active(self) -> bool:
        """Whether the agent may work, and so sign and log in."""
        return self.state == "enabled" and self.employed is not False

    @property
    def governs(self) -> bool:
        """Whether the agent is an administrator who may work."""
        return self.level == "admin" and self.active


class Key(Record, frozen=True, gc=False, kw_only=True):
    """A caller's secret: the vendors' API token. No dialects named: good for all."""

    kind: ClassVar[Kind] = "key"
    agent_id: int
    name: str
    secret: Secret
    access: Access = "write"
    dialects: tuple[str, ...] = ()
    created_at: int = 0
    expires_at: int | None = None
    revoked_at: int | None = None

    def live(self, now: int) -> bool:
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


AnyRecord = Company | Role | Position | Department | PermissionSet | ProfileField | ProfileRecord | Group | Agent | Key
RECORDS: dict[Kind, type[AnyRecord]] = {
    cls.kind: cls
    for cls in (
        Company, Role, Position, Department, PermissionSet, ProfileField, ProfileRecord, Group, Agent, Key,
    )
}  # fmt: skip
SECRET_FIELDS: dict[Kind, tuple[str, ...]] = {"agent": ("sip_password", "password"), "key": ("secret",)}
"""The fields that hold a `Secret`. Their values stand in no log."""
