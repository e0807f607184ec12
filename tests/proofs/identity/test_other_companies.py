"""Promise 6: what is another company's does not exist, whoever asks for it by whatever means."""

from itertools import chain

import msgspec
import pytest

from deskroster.core.problems import Forbidden
from deskroster.core.records import (
    Agent,
    Company,
    Department,
    Group,
    Key,
    PermissionSet,
    Position,
    ProfileField,
    ProfileRecord,
    Role,
    Secret,
)
from deskroster.core.table import Table
from deskroster.testing import Account
from tests.answers import check
from tests.calls import CALLS, ROUTES, name_of
from tests.contracts import CONTRACTS
from tests.world import ADMIN, AGENT, DISABLED, LEFT, READER, STRANGER

pytestmark = pytest.mark.any_engine

THERE, NOWHERE = 501, 601  # an id of every kind in the other company, and one in neither
FOREIGN_ADMIN = Account(id=501, email="foreign@other.cn", password="foreign-password", token="foreign-token")
THIRD_ADMIN = Account(id=1, email="admin@third.cn", password="", token="third-token")
THIRD_AGENT = Account(id=2, email="agent@third.cn", password="", token="third-plain-token")

# Where else than in a path an id may be sent: route → query, or the body of each field. And what finds an agent.
IN_QUERY = {f"{n} {route}": made for n, contract in CONTRACTS.items() for route, made in contract.ids_in_query.items()}
IN_BODY = {f"{n} {route}": made for n, contract in CONTRACTS.items() for route, made in contract.ids_in_body.items()}
FINDS = [(name, *find) for name, contract in CONTRACTS.items() for find in contract.finds]
LABELS = ("demo", "other", "third")
WITH_ID = [(d, r) for d, r in ROUTES if "{id}" in r.path]


@pytest.fixture(scope="module")
def desks(quiet_desk):
    """Give three companies: `demo`, one with a record of every kind that has an id of its own, and a small one."""
    id, at = THERE, {"created_at": 1_600_000_000, "updated_at": 1_600_000_000}
    quiet_desk.add_company(
        Company(id=1, label="other", name="别家", language="en"),
        [
            Role(id=id, name="there"), Position(id=id, name="there"), Department(id=id, name="there"),
            PermissionSet(id=id, name="there"), ProfileField(id=id, api_name="there", label="x", type="single_line"),
            ProfileRecord(id=id, values=((id, "there"),)), Group(id=id, name="there", **at),
            Agent(id=id, name="there", email=FOREIGN_ADMIN.email, level="admin", mobile="13900000501",
                  job_number="J-501", group_ids=(id,), position_id=id, **at),
            Key(id=id, agent_id=id, name="k", secret=Secret(FOREIGN_ADMIN.token)),
        ],
    )  # fmt: skip
    quiet_desk.add_company(
        Company(id=1, label="third", name="三", language="en"),
        [
            Role(id=1, name="x"), Position(id=1, name="x"), Department(id=1, name="x"), Group(id=1, name="x"),
            Agent(id=1, name="x", email=THIRD_ADMIN.email, level="admin"),
            Agent(id=2, name="x", email=THIRD_AGENT.email),
            Key(id=1, agent_id=1, name="k", secret=Secret(THIRD_ADMIN.token)),
            Key(id=2, agent_id=2, name="k", secret=Secret(THIRD_AGENT.token)),
        ],
    )  # fmt: skip
    return quiet_desk


CALLERS = {
    "an administrator": (ADMIN, "demo"), "an agent": (AGENT, "demo"), "a read-only key": (READER, "demo"),
    "a disabled agent": (DISABLED, "demo"), "a departed agent": (LEFT, "demo"), "a stranger": (STRANGER, "demo"),
    "an administrator of a third company": (THIRD_ADMIN, "third"), "an agent of a third": (THIRD_AGENT, "third"),
    "an administrator of a third company at the other's host": (THIRD_ADMIN, "other"),
}  # fmt: skip


def calls(dialect, route):
    """Return requests of a route, each with a place for an id: in the path, the query or the body."""
    name = name_of(dialect, route)
    path, _, query = CALLS[name].path.partition("?")
    body = CALLS[name].body
    if "{id}" in route.path:
        yield lambda id: (route.path.replace("{id}", str(id)), query, body)
    if name in IN_QUERY:
        yield lambda id: (path, IN_QUERY[name](id), body)
    for made in IN_BODY.get(name, {}).values():
        yield lambda id, made=made: (path, query, made(id))


def unlike(desk, dialect, route, call, account, company) -> list[str]:
    """Return what is answered to a call with the other company's id and with nobody's, where that differs."""
    client = getattr(desk.of(account, f"{company}.example.com"), dialect.name)
    seen = []
    for id in (THERE, NOWHERE):
        path, query, body = call(id)
        response = client.request(route.method, f"{path}?{query}" if query else path, json=body)
        shown = response.text.replace(f"{id}", "<id>")
        headers = {name: value for name, value in response.headers.items() if name != "content-length"}
        seen.append(f"{response.status_code} {headers} {shown}")
    return [] if seen[0] == seen[1] else seen


@pytest.mark.parametrize("who", CALLERS)
@pytest.mark.parametrize(
    ("dialect", "route"), [pytest.param(d, r, id=name_of(d, r)) for d, r in ROUTES if [*calls(d, r)]]
)
def test_an_id_of_another_company_does_not_exist(desks, dialect, route, who):
    before = [desks.roster(label).number for label in LABELS]

    for call in calls(dialect, route):
        assert [] == unlike(desks, dialect, route, call, *CALLERS[who])

    assert before == [desks.roster(label).number for label in LABELS]


@pytest.mark.parametrize("who", CALLERS)
@pytest.mark.parametrize(("dialect", "path", "there", "nowhere"), FINDS)
def test_what_finds_an_agent_of_another_company_finds_nobody(desks, dialect, path, there, nowhere, who):
    account, company = CALLERS[who]
    client = getattr(desks.of(account, f"{company}.example.com"), dialect)

    seen = {client.get(path.format(one)).text.replace(one, "<one>") for one in (there, nowhere)}

    assert 1 == len(seen), seen


def test_an_email_of_another_company_is_free(desk):
    desk.add_company(Company(id=1, label="other", name="x"), [Agent(id=1, name="x", email="taken@test.cn")])

    check(
        "kf5",
        desk.kf5.post("/users.json", json={"user": {"name": "x", "email": "taken@test.cn", "role": "agent"}}),
        "ok",
    )


def test_an_idempotency_key_of_another_company_is_free(desk):
    account = Account(id=ADMIN.id, email="admin@other.cn", password="", token="t")
    there = [
        Agent(id=1, name="x", email=account.email, level="admin"),
        Key(id=1, agent_id=1, name="k", secret=Secret("t")),
    ]
    desk.add_company(Company(id=1, label="other", name="x"), there)
    how = {"json": {"name": "one"}, "headers": {"Idempotency-Key": "the-same"}}

    ours = check("udesk", desk.udesk.post("/user_groups", **how), "ok")
    theirs = check("udesk", desk.of(account, "other.example.com").udesk.post("/user_groups", **how), "ok")

    assert (4, 1) == (ours["id"], theirs["id"])
    assert ["one"] == [group.name for group in desk.roster("other").groups]


def test_control_another_answer_for_what_is_elsewhere_is_noticed(desks, monkeypatch):
    whole = Table.find

    def careless(table, id):
        if id == THERE:
            raise Forbidden
        return whole(table, id)

    monkeypatch.setattr(Table, "find", careless)

    noticed = {name_of(dialect, route)
               for dialect, route in WITH_ID for call in calls(dialect, route)
               if unlike(desks, dialect, route, call, *CALLERS["an administrator"])}  # fmt: skip

    unaware = {f"{name} {route}" for name, contract in CONTRACTS.items() for route in contract.found_otherwise}
    assert {name_of(*one) for one in WITH_ID} - unaware <= noticed


def test_every_id_that_a_body_may_hold_is_swept():
    held = {
        (name_of(dialect, route), name)
        for dialect, route in ROUTES if route.body is not None
        for name in ids_in(msgspec.inspect.type_info(route.body))
    }  # fmt: skip

    assert held == {(name, field) for name, spots in IN_BODY.items() for field in spots}


def ids_in(shape):
    """Return the names in a shape of what holds ids."""
    if isinstance(shape, msgspec.inspect.StructType):
        found = set()
        for field in shape.fields:
            name, inside = field.encode_name, [*parts(field.type)]
            of_ids = any({"id"} <= {one.encode_name for one in part.fields} <= {"id", "dataId"} for part in inside
                         if isinstance(part, msgspec.inspect.StructType))  # fmt: skip
            plain = any(isinstance(part, msgspec.inspect.IntType) for part in inside)
            if of_ids or (plain and (name == "id" or name.endswith(("_id", "_ids", "List")) or name == "agents")):
                found.add(name)
            else:
                found |= set(chain.from_iterable(ids_in(part) for part in inside))
        return found
    return set()


def parts(shape):
    """Return a type, or those that it is a union or a list of."""
    if isinstance(shape, msgspec.inspect.Metadata):
        return parts(shape.type)
    if isinstance(shape, msgspec.inspect.UnionType):
        return [inner for one in shape.types for inner in parts(one)]
    if isinstance(shape, msgspec.inspect.CollectionType):
        return [*parts(shape.item_type)]
    return [shape]
