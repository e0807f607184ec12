"""Every route of every dialect as every kind of caller."""

import re
import shutil

import pytest

from deskroster.core.records import Agent, Company, Key, Secret
from deskroster.testing import StillClock
from tests.answers import check
from tests.calls import CALLS, ROUTES, name_of
from tests.in_process import InProcess
from tests.ledger.support import NOW
from tests.world import ADMIN, AGENT, DISABLED, LEFT, READER, REVIEWED, STRANGER

pytestmark = pytest.mark.any_engine

# Who asks → what each level of route answers.
EXPECTED = {
    "nobody": {"agent": "unauth", "reader": "unauth", "admin": "unauth"},
    "a stranger": {"agent": "unauth", "reader": "unauth", "admin": "unauth"},
    "a disabled agent": {"agent": "unauth", "reader": "unauth", "admin": "unauth"},
    "one whose account is in review": {"agent": "unauth", "reader": "unauth", "admin": "unauth"},
    "one who has left": {"agent": "unauth", "reader": "unauth", "admin": "unauth"},
    "an administrator of another company": {"agent": "unauth", "reader": "unauth", "admin": "unauth"},
    "an agent": {"agent": "ok", "reader": "forbidden", "admin": "forbidden"},
    "an administrator with a read-only key": {"agent": "ok", "reader": "ok", "admin": "forbidden"},
    "an administrator": {"agent": "ok", "reader": "ok", "admin": "ok"},
}
FOREIGNER = ADMIN.__class__(id=1, email="admin@other.cn", password="other-password", token="other-token")
ACCOUNTS = {
    "a stranger": STRANGER, "a disabled agent": DISABLED, "one who has left": LEFT,
    "one whose account is in review": REVIEWED, "an agent": AGENT,
    "an administrator of another company": FOREIGNER, "an administrator with a read-only key": READER,
    "an administrator": ADMIN,
}  # fmt: skip
SIGNED = [pytest.param(dialect, route, id=name_of(dialect, route)) for dialect, route in ROUTES if route.needs]


def needs(case) -> str:
    """Return who may call the route of a case, as its good call says."""
    return CALLS[name_of(*case.values)].level


def test_every_route_has_an_entry():
    assert set(CALLS) == {name_of(dialect, route) for dialect, route in ROUTES}


@pytest.fixture(scope="module")
def beside_another(prepared, tmp_path_factory):
    """Give an installation with a second company, for calls that change nothing."""
    desk = InProcess(shutil.copytree(prepared, tmp_path_factory.mktemp("both") / "data"), StillClock(NOW))
    add_other_company(desk)
    yield desk
    desk.close()


@pytest.mark.parametrize("who", EXPECTED)
@pytest.mark.parametrize(("dialect", "route"), SIGNED)
def test_a_route_answers_whom_it_is_for(request, dialect, route, who):
    call = CALLS[name_of(dialect, route)]
    expected = EXPECTED[who][call.level]
    foreign = who == "an administrator of another company"
    writes = expected == "ok" and route.method != "GET"
    desk = request.getfixturevalue("desk" if writes else "beside_another" if foreign else "quiet_desk")
    before = desk.roster().number
    if who == "nobody":
        response = call.send(dialect, route, desk.plain(), dialect.prefix)
    else:
        response = call.send(dialect, route, getattr(desk.of(ACCOUNTS[who]), dialect.name))

    if foreign and dialect.account:
        assert_another_company_answered(desk, response)
    else:
        check(dialect.name, response, expected)
    assert before + (writes and call.level == "admin") == desk.roster().number


@pytest.mark.parametrize("account", [AGENT, READER], ids=["an agent", "an administrator with a read-only key"])
@pytest.mark.parametrize(("dialect", "route"), [one for one in SIGNED if needs(one) == "admin"])
def test_a_missing_right_is_refused_before_ids_and_bodies_are_read(quiet_desk, dialect, route, account):
    client, before = getattr(quiet_desk.of(account), dialect.name), quiet_desk.roster().number
    how = {} if route.body is None else {"content": b"no JSON", "headers": {"Content-Type": "application/json"}}

    response = client.request(route.method, re.sub(r"\{\w+\}", "99", route.path), **how)

    check(dialect.name, response, "forbidden")
    assert before == quiet_desk.roster().number


def add_other_company(desk) -> None:
    agent = Agent(id=1, name="别家", email=FOREIGNER.email, level="admin")
    key = Key(id=1, agent_id=1, name="k", secret=Secret(FOREIGNER.token))
    desk.add_company(Company(id=1, label="other", name="别家"), [agent, key])


def assert_another_company_answered(desk, response) -> None:
    """ServiceGo has one host for all companies: the credentials say whose data is meant."""
    assert response.status_code < 500
    for agent in desk.roster().agents:
        assert agent.email not in response.text
    for group in desk.roster().groups:
        assert group.name not in response.text
