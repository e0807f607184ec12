"""The default position of a company: of an agent that is created without one."""

import pytest

from deskroster.core import company, reference
from deskroster.core.company import CompanyFields
from deskroster.core.problems import Conflict, Invalid
from tests.answers import check
from tests.world import new_email

pytestmark = pytest.mark.any_engine


def set_default(desk, id):
    desk.operate(lambda roster, caller: company.update(roster, caller, CompanyFields(default_position_id=id)))


def made(desk, **more):
    agent = {"email": new_email(), "password": "p", "nick_name": "x", **more}
    return check("udesk", desk.udesk.post("/agents", json={"agent": agent}), "ok")["id"]


def test_an_agent_that_is_created_without_a_position_gets_the_default(desk):
    assert desk.roster().agents[made(desk)].position_id is None
    set_default(desk, 3)

    id = made(desk)

    assert 3 == desk.roster().agents[id].position_id
    assert {"id": 3} == desk.servicego.get(f"/v1/user/{id}").json()["data"]["position"]
    set_default(desk, None)
    assert desk.roster().agents[made(desk)].position_id is None


def test_one_that_names_a_position_has_that_one_and_null_is_none_named(desk):
    set_default(desk, 3)

    assert 1 == desk.roster().agents[made(desk, duty="客服专员")].position_id
    for duty in (None, ""):
        assert 3 == desk.roster().agents[made(desk, duty=duty)].position_id


def test_a_later_null_clears_it_and_who_was_there_stays_as_they_are(desk):
    set_default(desk, 3)
    id = made(desk)

    check("udesk", desk.udesk.put(f"/agents/{id}", json={"agent": {"duty": None}}), "ok")

    assert desk.roster().agents[id].position_id is None
    assert desk.roster().agents[3].position_id is None


def test_the_default_position_cannot_be_removed(desk):
    set_default(desk, 3)
    refused = desk.own.delete("/v1/positions/3")
    assert (409, "in_use") == (refused.status_code, refused.json()["reason"])

    set_default(desk, None)

    assert 200 == desk.own.delete("/v1/positions/3").status_code


def test_the_default_is_a_position_that_there_is(desk):
    for id in (99, 0, -1):
        with pytest.raises(Invalid):
            set_default(desk, id)


@pytest.mark.once
def test_a_default_that_an_earlier_version_has_removed_is_none(desk, monkeypatch):
    set_default(desk, 3)
    with monkeypatch.context() as earlier:
        earlier.setattr(reference, "default_position_id", lambda roster: None)
        desk.operate(lambda roster, caller: reference.delete(roster, caller, "position", 3))

    assert desk.roster().agents[made(desk)].position_id is None
    set_default(desk, 1)
    with pytest.raises(Conflict):
        desk.operate(lambda roster, caller: reference.delete(roster, caller, "position", 1))
