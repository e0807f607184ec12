"""Promise 6: nothing is written but what a call is for, whatever else a body or a query names."""

import json
import shutil
from typing import Any

import msgspec
import pytest
from msgspec.structs import asdict, replace

from deskroster.core import agents
from deskroster.core.agents import AgentFields
from deskroster.core.records import RECORDS, Secret
from deskroster.dialects import kf5
from deskroster.testing import StillClock
from tests.calls import CALLS, ROUTES, name_of
from tests.in_process import InProcess
from tests.proofs.identity.guarded import NOW, speak
from tests.world import ADMIN, cheap_hasher

pytestmark = pytest.mark.any_engine

# What a stranger might try, beside every field of every record in snake and in camel case; and values that would show.
INVENTED = (
    "is_admin", "isAdmin", "admin", "administrator", "superuser", "role", "role_name", "roleName", "roles", "password",
    "password_hash", "passwordHash", "hashed_password", "permissions", "permission", "access", "scopes", "company_id",
    "companyId", "tenant", "agent_id", "agentId", "user_id", "owner", "id", "_id", "ids", "token", "api_token",
    "open_api_token", "open_api_auth_token", "secret", "secret_key", "number", "disable_status", "status", "jobStatus",
    "availability", "verified", "deleted", "deleted_at", "__proto__", "constructor", "__class__", "kind", "before",
    "after",
)  # fmt: skip
VALUES: dict[str, Any] = {
    "level": "admin", "state": "review", "employed": False, "name": "planted", "email": "planted@test.cn",
    "access": "read", "dialects": ["kf5"], "channels": "im", "language": "en", "seat": "plain", "leads": True,
    "role": "admin", "role_name": "admin", "status": 3, "jobStatus": 0, "disable_status": "disable", "starred": True,
    "password": "planted-password", "sip_password": "planted", "secret": "planted", "avatar": "planted", "id": 1,
    "revoked_at": 1, "expires_at": 1, "created_at": 1, "updated_at": 1, "agent_id": 1, "chat_skill": 77,
    "auto_assign": False, "options": ["planted"], "required": True, "values": [[1, "planted"]], "type": "single_line",
}  # fmt: skip
WRITING = [pytest.param(d, r, id=name_of(d, r)) for d, r in ROUTES if r.method != "GET"]


def camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.title() for part in rest)


def extras() -> dict[str, Any]:
    """Return every name that a body might hold, each with a value that would show."""
    fields = {name: None for record in RECORDS.values() for name in record.__struct_fields__}
    ids = {name: [1] for name in fields if name.endswith("_ids")}
    tempting = {name: VALUES.get(name, ids.get(name, 1 if name.endswith("_id") else "planted"))
                for name in (*fields, *INVENTED)}  # fmt: skip
    return tempting | {camel(name): value for name, value in tempting.items()}


def careless(body: Any, shape: Any) -> Any:
    """Return a body with every name added, in each of its objects, that its shape does not say."""
    match shape:
        case msgspec.inspect.Metadata():
            return careless(body, shape.type)
        case msgspec.inspect.UnionType():
            fitting = [one for one in shape.types if isinstance(one, FITS.get(type(body), ()))]
            return careless(body, fitting[0]) if fitting else body
        case msgspec.inspect.CollectionType():
            return [careless(one, shape.item_type) for one in body]
        case msgspec.inspect.StructType():
            known = {field.encode_name: field.type for field in shape.fields}
            written = {name: careless(value, known[name]) for name, value in body.items()}
            return {name: value for name, value in extras().items() if name not in known} | written
    return body


FITS = {
    dict: (msgspec.inspect.StructType, msgspec.inspect.Metadata),
    list: (msgspec.inspect.CollectionType, msgspec.inspect.Metadata),
}


@pytest.fixture
def fresh(prepared, tmp_path):
    """Give what opens a copy of the prepared company, as often as it is called."""
    opened: list[InProcess] = []

    def open_copy() -> InProcess:
        folder = tmp_path / str(len(opened))
        shutil.copytree(prepared, folder)
        opened.append(InProcess(folder, StillClock(NOW)))
        return opened[-1]

    yield open_copy
    for desk in opened:
        desk.close()


@pytest.mark.parametrize(("dialect", "route"), WRITING)
def test_a_call_writes_only_its_own_fields(fresh, dialect, route):
    plain, planted = fresh(), fresh()

    asked = ask(plain, dialect, route, {}), ask(planted, dialect, route, extras())

    assert asked[0].status_code == asked[1].status_code, asked[1].text
    assert hidden(asked[0].text) == hidden(asked[1].text)
    assert written(plain) == written(planted)


def ask(desk, dialect, route, more):
    """Make the good call of a route, with `more` in its body and its query."""
    call = CALLS[name_of(dialect, route)]
    client = getattr(desk.of(ADMIN), dialect.name)
    body, query = call.body, {}
    if more:
        shape = msgspec.inspect.type_info(route.body) if route.body else None
        body = more if shape is None else careless(body or {}, shape)
        known = {field.encode_name for field in msgspec.inspect.type_info(route.query).fields} if route.query else set()
        query = {name: value for name, value in more.items() if name not in known | set(dialect.signature)}
    if route.needs is None:
        client = desk.plain()
        call = call._replace(path=dialect.prefix + call.path)
    path, _, first = call.path.partition("?")
    pairs = "&".join(filter(None, [first, *(f"{name}={value}" for name, value in query.items() if type(value) is str)]))
    return client.request(route.method, f"{path}?{pairs}", json=body)


def written(desk) -> dict[str, Any]:
    """Return the whole company, its new hashes and tokens by what they are and not by what they happen to be."""
    roster = desk.roster()
    found = {(kind, record.id): shown(record) for kind in RECORDS if kind != "company" for record in roster.table(kind)}
    return {"company": asdict(roster.company), "number": roster.number, **{str(key): one for key, one in found.items()}}


def shown(record):
    return {name: secret(value) if isinstance(value, Secret) else value for name, value in asdict(record).items()}


def secret(value: Secret) -> str:
    text = value.reveal()
    for known in ("long-enough", "p", "planted-password", "planted"):
        if text.startswith("$argon2") and cheap_hasher().verify(known, text):
            return f"the hash of {known}"
    return "a token" if len(text) == 36 and text.count("-") == 4 else text


def hidden(text: str) -> str:
    """Return an answer without the token that it may show once."""
    body = json.loads(text)
    return json.dumps({name: "…" if name == "secret" else value for name, value in body.items()}, sort_keys=True)


@pytest.mark.parametrize("name", ["level", "state", "sip_password", "group_ids"])
def test_control_a_handler_that_writes_whatever_it_is_sent_is_noticed(fresh, name):
    plain, planted = fresh(), fresh()
    for desk in (plain, planted):
        speak(desk, careless_kf5(name))
    route = next(route for route in kf5.DIALECT.routes if (route.method, route.path) == ("PUT", "/users/{id}.json"))

    for desk, more in ((plain, {}), (planted, extras())):
        assert 200 == ask(desk, kf5.DIALECT, route, more).status_code

    assert written(plain) != written(planted)


def careless_kf5(name):
    """Return the dialect with an update of users that writes this field too, if it is sent."""

    async def update_user(request, desk):
        sent = request.json["user"].get(name)
        value = Secret(sent) if sent and name == "sip_password" else sent
        fields = AgentFields() if sent is None else AgentFields(**{name: value})
        return await request.submit(
            lambda roster, caller: agents.update(roster, caller, 2, fields, NOW),
            lambda roster, done: kf5.routes.shapes.NOTHING,
        )

    routes = tuple(
        replace(route, handler=update_user) if (route.method, route.path) == ("PUT", "/users/{id}.json") else route
        for route in kf5.DIALECT.routes
    )
    return replace(kf5.DIALECT, routes=routes)


def test_every_field_of_every_record_is_tried():
    tried = set(extras())

    assert all(set(record.__struct_fields__) <= tried for record in RECORDS.values())
    assert len(tried) > 100


def test_the_names_go_into_every_object():
    body = {"realname": "x", "roleList": [{"id": 1}], "position": {"id": 1}}
    shape = next(msgspec.inspect.type_info(r.body) for d, r in ROUTES if name_of(d, r) == "servicego PUT /v1/user/{id}")

    made = careless(body, shape)

    for one in (made, made["roleList"][0], made["position"]):
        assert {"is_admin", "level", "password_hash"} <= set(one)
    assert 1 == made["position"]["id"]
