"""What a dialect answers it takes back: every object of a GET may be sent to the PUT of the same resource as it is."""

import json
from random import Random
from typing import Any

import pytest

from deskroster.core import agents, groups, profiles
from deskroster.core.agents import AgentFields
from deskroster.core.changes import Change
from deskroster.core.records import Secret
from deskroster.dialect.routing import Router
from deskroster.dialects import DIALECTS
from tests.contract import PutBack
from tests.contracts import CONTRACTS
from tests.random_verbs import attempt

PUT_BACKS = [
    pytest.param(dialect.name, back, id=f"{dialect.name} {back.id} {back.kind}")
    for dialect in DIALECTS
    for back in CONTRACTS[dialect.name].put_backs
]
EDITS = [pytest.param(*case.values, key, id=f"{case.id} {key}") for case in PUT_BACKS for key in case.values[1].edits]
LEFT, EDITED = 5, 2  # agents
PROFILE = {
    "sysusername": "负责人", "lianxidianhua": [{"tagName": "家", "tagValue": "010-12345"}], "mentor": "1",
    "page": {"content": "<b>页</b>", "attachmentList": [{"name": "a", "docAddress": "https://x/a", "size": 1}]},
    "owner": {"ownerType": 1, "ownerName": "张三"}, "sign": {"url": "https://x/s", "time": "2024-01-01 00:00:00"},
    "files": {"attachmentList": [{"name": "b", "docAddress": "https://x/b", "size": 2}]},
}  # fmt: skip


@pytest.fixture
def odd(desk):
    """Give a company of which no dialect alone could have written everything."""
    writes = {
        EDITED: AgentFields(
            mobile="+86 133-0000-0001 转 8", name="一" * 200, sip_number="8001", sip_password=Secret("sip"),
            role_ids=[], employed=False, callout_number="010-1",
        ),
        LEFT: AgentFields(mobile="分机 8", employed=False),
        3: AgentFields(profile_id=2, position_id=None),
    }  # fmt: skip
    for id, fields in writes.items():
        desk.operate(lambda r, c, id=id, fields=fields: agents.update(r, c, id, fields, 5))
    desk.operate(lambda r, c: profiles.write_of_agent(r, c, 6, PROFILE, 5))
    return desk


def read(desk, dialect: str, back: PutBack) -> list[Any]:
    found = back.objects(getattr(desk, dialect).get(back.lists).json())
    assert found
    return found


def put(desk, dialect: str, back: PutBack, one: Any):
    """Send an object to its PUT. Assert that this succeeds."""
    method, path, body = back.puts(one)
    response = getattr(desk, dialect).request(method, path, json=json.loads(json.dumps(body)))
    success = CONTRACTS[dialect].answers.success
    assert response.status_code == 200, response.text
    assert success is None or response.json()["code"] == success, response.text


@pytest.mark.any_engine
@pytest.mark.parametrize(("dialect", "back"), PUT_BACKS)
def test_what_is_read_can_be_put_back_and_changes_nothing(odd, dialect, back):
    before = odd.roster().number

    for one in read(odd, dialect, back):
        put(odd, dialect, back, one)

    assert before == odd.roster().number


@pytest.mark.parametrize(("dialect", "back"), PUT_BACKS)
def test_text_that_an_earlier_version_took_can_be_put_back(desk, monkeypatch, dialect, back):
    with monkeypatch.context() as earlier:
        earlier.setattr("deskroster.core.text.trimmed", lambda value, limit: value)
        earlier.setattr("deskroster.core.text._checked", lambda field, value, limit: value)
        fields = AgentFields(name="\u200e客服\r\n", alias="\u3000小")
        desk.operate(lambda r, c: agents.update(r, c, EDITED, fields, 5))
        desk.operate(lambda r, c: groups.update(r, c, 1, 5, name="售\u202e前\r"))
    before = desk.roster().number

    for one in read(desk, dialect, back):
        put(desk, dialect, back, one)

    assert before == desk.roster().number


@pytest.mark.any_engine
@pytest.mark.parametrize(("dialect", "back", "key"), EDITS)
def test_with_one_key_edited_exactly_that_field_changes(odd, dialect, back, key):
    value, field = back.edits[key]
    id = EDITED if back.kind == "agent" else 1
    one = next(one for one in read(odd, dialect, back) if one["id"] == id)
    before, number = odd.roster().table(back.kind)[id], odd.roster().number

    put(odd, dialect, back, one | {key: value})

    after = odd.roster().table(back.kind)[id]
    changed = {each for each in before.__struct_fields__ if getattr(before, each) != getattr(after, each)}
    assert number + 1 == odd.roster().number
    assert {field} == changed - {"updated_at"}


@pytest.mark.parametrize("dialect", [pytest.param(dialect, id=dialect.name) for dialect in DIALECTS])
def test_every_put_of_a_resource_that_is_read_is_tried(quiet_desk, dialect):
    contract, router = CONTRACTS[dialect.name], Router(dialect.routes, dialect.suffix)
    asks = [back.puts(read(quiet_desk, dialect.name, back)[0]) for back in contract.put_backs]
    tried = {router.match(ask.method, ask.path)[0].path for ask in asks}

    untried = {route.path for route in dialect.routes if route.method == "PUT"} - tried
    assert not untried or "put_backs" in contract.none_of


@pytest.mark.parametrize("seed", range(6))
def test_whatever_has_been_written_what_is_read_can_be_put_back(desk, seed):
    random = Random(seed)
    for _ in range(60):
        desk.operate(lambda roster, caller: _without_the_caller(attempt(random, roster)))
    before = desk.roster().number

    for dialect, contract in CONTRACTS.items():
        for back in contract.put_backs:
            for one in back.objects(getattr(desk, dialect).get(back.lists).json()):
                put(desk, dialect, back, one)

    assert before == desk.roster().number


def _without_the_caller(changes: list[Change]) -> list[Change]:
    """Return changes after which the tests can still ask as they do; none if there are others."""
    asked_for = {("agent", 1), ("group", 1)}
    spared = all(one.kind not in ("company", "key") and (one.kind, one.id) not in asked_for for one in changes)
    return changes if spared else []


def test_control_a_core_that_checks_what_has_not_changed_is_noticed(desk, monkeypatch):
    monkeypatch.setattr(agents, "_unchanged", lambda value, held: False)
    dialect, back = next(case.values for case in PUT_BACKS if case.values[1].kind == "agent")

    with pytest.raises(AssertionError):
        test_text_that_an_earlier_version_took_can_be_put_back(desk, monkeypatch, dialect, back)
