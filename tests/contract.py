"""What a dialect brings to the suites that run over all dialects: the types. `tests/contracts.py` finds the values.

A dialect fills them in `tests/dialects/<name>/contract.py` as `CONTRACT`. A field without a default has to be filled;
what a dialect has none of is empty and stands in `none_of`, with the reason. Beside it stand `transcripts`, if there is
a vendor's page, and `cost.py` with `WORST`: for each route the calls that cost most.
"""

from collections.abc import Callable, Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import httpx2
from msgspec import Struct

from deskroster.core.pieces import Encoder
from deskroster.core.records import AnyRecord, Kind
from deskroster.dialect import Dialect, Route
from deskroster.dialect.credentials import Credentials
from deskroster.testing import Account

if TYPE_CHECKING:
    from tests.proofs.durability.world import Look, Write
    from tests.proofs.identity.life import Life

Level = Literal["anyone", "agent", "reader", "admin"]
"""Who at least: anyone unsigned; an agent; an administrator, if only with a read-only key; or one who may write."""

Class = Literal[
    "syntax", "invalid", "conflict", "notfound", "nopath", "unauth", "forbidden", "toolarge", "toomany", "method",
    "media", "nocompany", "host",
]  # fmt: skip
"""Classes of refusals. `host`: an ill-formed Host header; `nocompany`: a host that no company has."""


class Ask(NamedTuple):
    """A request; its path is below the dialect's prefix."""

    method: str
    path: str
    body: Any = None


class Call(NamedTuple):
    """A request that an administrator may make, on the company of `world`, with what it needs to be answered well."""

    level: Level
    path: str
    body: Any = None
    many_ids: bool = False  # whether the path takes several ids, each judged by itself

    def send(self, dialect: Dialect, route: Route, client: httpx2.Client, prefix: str = "") -> httpx2.Response:
        return client.request(route.method, prefix + self.path, json=self.body)


class Answers(Struct, frozen=True, kw_only=True):
    """How answers are told apart."""

    success: int | None  # `code` of every success; None: it has none
    refusals: Mapping[Class, tuple[int, Any]]  # HTTP status, and the code; a frozenset: one of these
    code: Callable[[httpx2.Response, Any, Class], Any]
    """Assert that a refusal, given with its decoded body, has the dialect's shape exactly; return its code."""
    required: str = "is required"  # matches what is said, in English, of a field that is missing
    unknown_id: Callable[[Any, str], None] = lambda body, sent: None
    """Assert what else is said of an id that nothing has."""

    def of(self, expected: Class) -> tuple[int, Any]:
        """Return status and code of a class. An ill-formed host is a syntax error, unless the dialect says else."""
        return self.refusals.get(expected) or self.refusals["syntax"]


class Named(Struct, frozen=True, kw_only=True):
    """The list, and the create that takes a name alone, of one kind of record: suites read and write by these."""

    kind: Kind
    lists: str
    creates: str
    body: Callable[[str], Any]  # by the name
    id: Callable[[Any], int]  # of what was created, from the answer
    names: Callable[[Any], list[str]]  # from the answer to the list


class Worded(NamedTuple):
    """A call that is refused in the language that the client accepts."""

    ask: Ask
    refused: Class = "invalid"


class Paging(Struct, frozen=True, kw_only=True):
    """The parameters that ask for a page."""

    number: str
    size: str
    refuses: bool  # what is out of range; else it is clamped
    check: Callable[[Any, str, Any], None] = lambda body, part, sent: None
    """Assert what a page shows that was asked for with this `number` or `size`."""


Flavour = Literal["name", "line", "number", "text"]
"""`number`: a phone or a job number, which loses invisible marks wherever they stand."""


class Place(NamedTuple):
    """A field that a call writes."""

    dialect: str
    method: str
    path: str
    field: str  # as a refusal names it
    body: Callable[[Any], Any]
    shown: Callable[[Any, Any], Any]  # what was written, from the clients and the answer to the write
    flavour: Flavour = "name"
    limit: int = 255
    nullable: bool = False

    @property
    def id(self) -> str:
        return f"{self.dialect} {self.method} {self.path} {self.field}"

    def write(self, clients: Any, value: Any) -> httpx2.Response:
        """Send a value, and keep lone surrogates in it as JSON escapes."""
        return send_json(getattr(clients, self.dialect), self.method, self.path, self.body(value))


class IdList(NamedTuple):
    """A list of ids in a body."""

    method: str
    path: str  # of agent 2 or group 3, where it changes one
    body: Callable[[Any], Any]
    may_be_empty: bool = True


class PutBack(NamedTuple):
    """A list whose objects a PUT takes back as they were read; `kind` is what it changes."""

    kind: Kind
    lists: str
    objects: Callable[[Any], list[Any]]
    puts: Callable[[Any], Ask]  # from an object
    edits: Mapping[str, tuple[Any, str]]  # key → another value, and the field of the record that it changes

    @property
    def id(self) -> str:
        return self.lists.partition("?")[0]


class LogIn(Struct, frozen=True, kw_only=True):
    """How a login password is tried: with each request, as `by` has it, or by a call of its own, `ask`."""

    name: str
    by: Credentials | None = None
    ask: Callable[[str, str], Ask] | None = None  # by e-mail and password
    wrong: Class = "unauth"  # what a wrong one is answered with


class Page(Struct, frozen=True, kw_only=True):
    """The company that the vendor's page shows: that of the transcripts, `transcripts/*.http` in the same folder."""

    host: str
    admin: Account
    records: tuple[AnyRecord, ...]  # beside the administrator
    examples: int  # that stand on the page


class Listing(NamedTuple):
    """A list as the agreement reads it."""

    path: str
    rows: Callable[[Any], list[Any]]
    total: Callable[[Any], int] | None = None
    newest_first: bool = False


class Agreement(Struct, frozen=True, kw_only=True):
    """How a dialect names agents and groups, for the comparison with all others. What it has no call for is None."""

    create_group: Callable[[str, list[int]], Ask] | None = None  # by name and members
    group_made: Callable[[Any], int] | None = None
    creates_with_members: bool = True
    rename_group: Callable[[int, str], Ask] | None = None
    set_members: Callable[[int, list[int]], Ask] | None = None
    delete_groups: Callable[[list[int]], Ask] | None = None
    create_agent: Callable[[str, str, str], Ask] | None = None  # by name, e-mail and mobile
    agent_made: Callable[[Any], int] | None = None
    change_agent: Callable[[int, str, str], Ask] | None = None  # by name and mobile
    set_groups: Callable[[int, list[int]], Ask] | None = None  # of an agent
    set_level: Callable[[int, str], Ask] | None = None
    set_state: Callable[[int, str], Ask] | None = None
    states: tuple[str, ...] = ("enabled", "disabled", "review")
    set_employed: Callable[[int, bool, bool], Ask] | None = None  # and whether it is enabled as well
    delete_agents: Callable[[list[int]], Ask] | None = None
    deleted: Callable[[Any], list[int]] | None = None  # who is gone, of several; None: it deletes one at a time
    groups: Listing | None = None  # rows: (id, name, {id of a member: name, None where it is not shown})
    agents: Listing | None = None  # rows: as `agent` has them
    enabled: Listing | None = None  # rows: ids
    agent: Callable[[Any, int], dict[str, Any]] | None = None  # what is shown of one, from the model
    one_agent: Callable[[int], Ask] | None = None
    check_agent: Callable[[Any, int, Any], None] | None = None  # from the model, the id and the answer
    one_group: Callable[[int], Ask] | None = None
    members: Callable[[Any], list[int]] | None = None
    lists: tuple[str, ...] = ()  # every list, asked for anew after each write
    # Routes that write neither an agent nor a group, or what other dialects say nothing of.
    beside: frozenset[str] = frozenset()


class Loss(NamedTuple):
    """A call by which agent 6 loses its key, its password, or the right to ask at all."""

    method: str
    path: str
    body: Any
    closes: Literal["key", "password", "all"]
    refused: Class = "unauth"


class Demotion(NamedTuple):
    """A call by which an agent may cease to be an enabled administrator."""

    ask: Callable[[int], Ask]
    refused: Callable[[Any, int], None] | None = None  # asserts it of a successful answer; None: it is a conflict


class Find(NamedTuple):
    """What finds an agent; `{}` in the path is the text. The other company of the suite has `there`."""

    path: str
    there: str
    nowhere: str


IN_OTHER = ("foreign@other.cn", "nobody1@other.cn")  # an e-mail for Find


class Contract(Struct, frozen=True, kw_only=True):
    """What the suites need of a dialect."""

    none_of: Mapping[str, str] = {}  # field → why it is empty

    # calls and answers
    calls: Mapping[str, Call]  # by method and path of each route
    answers: Answers
    named: Named
    worded: Worded

    # values
    paging: Paging | None
    texts: tuple[Place, ...]
    emails: tuple[Place, ...]
    strict_mobiles: tuple[Place, ...]  # where they must look like one
    loose_mobiles: tuple[Place, ...]  # where they are any line of text
    id_lists: tuple[IdList, ...]
    put_backs: tuple[PutBack, ...]  # one for each list whose objects a PUT takes
    top_level_names: tuple[
        tuple[str, Kind], ...
    ]  # creates that read `name` at the top of the body, and what they create
    moments: tuple[str, ...] = ()  # fields of bodies that hold a moment

    # who asks
    forms: Mapping[str, Credentials]  # every way to prove by a token who asks
    log_in: LogIn | None
    doubts: Mapping[str, Any] = {}  # case of bad_inputs.AUTH, or `else` → its code, where they have more than one

    # the vendor's page
    page: Page | None

    # agreement with all others
    agreement: Agreement | None

    # identity
    losses: Mapping[str, Loss]
    demotions: Mapping[str, Demotion]
    promotions: Mapping[str, Callable[[int], Ask]] = {}
    ids_in_query: Mapping[str, Callable[[int], str]]  # route → its query, where an id may stand in it
    ids_in_body: Mapping[str, Mapping[str, Callable[[int], Any]]]  # route → field that holds ids → a body
    finds: tuple[Find, ...]
    found_otherwise: frozenset[str] = frozenset()  # routes with an id that do not look it up by `Table.find`
    in_hand: tuple[tuple[ModuleType, str], ...] = ()  # functions of the dialect that are given secrets
    day: "Callable[[Life, Account], None] | None"  # its calls that make, change or show secrets

    # cost, and durability
    pieces: tuple[tuple[Kind, Encoder], ...]  # what it holds encoded
    cached: frozenset[str]  # the lists whose answers are cached, as routes: `GET /user_groups`
    crowds: Callable[[int], str] | None  # the list of groups with their members: a page of 100, the last of so many
    writer: "Callable[[str, int, int, list[int], list[int]], dict[str, Write]] | None"
    """By a new name, an agent, a group, some groups and some agents of the writer: its writes, by kind."""
    looks: "Mapping[str, Look]"  # `agent` and `group`: where one is shown


def send_json(client: httpx2.Client, method: str, path: str, body: Any) -> httpx2.Response:
    import json

    return client.request(method, path, content=json.dumps(body), headers={"Content-Type": "application/json"})


def inside(*path: str) -> Callable[[Any, Any], Any]:
    """Return what reads a part of the answer to a write."""

    def shown(clients: Any, answer: Any) -> Any:
        for part in path:
            answer = answer[part]
        return answer

    return shown
