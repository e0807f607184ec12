"""Who may what, and the rule that a company keeps an enabled administrator."""

import pytest

from deskroster.core import agents, groups, keys
from deskroster.core.access import (
    OF_ADMINISTRATORS,
    OF_AGENTS,
    OF_READERS,
    OPERATOR,
    Caller,
    Identity,
    resolve,
)
from deskroster.core.agents import AgentFields
from deskroster.core.problems import Conflict, Forbidden, Reason, Unauthenticated
from deskroster.core.records import Secret
from deskroster.core.table import Window
from tests.random_verbs import filled
from tests.world import ADMIN, AGENT, DISABLED, LEFT, READER, REVIEWED, SECOND_ADMIN, password_hash

pytestmark = pytest.mark.once

AT = 1_700_000_000
READER_KEY = 7


@pytest.fixture
def roster():
    return filled()


def perform(roster, changes):
    for change in changes:
        roster.apply(change)


def signed_by(roster, account, key_id=None):
    return resolve(roster, Identity(agent_id=account.id, key_id=key_id or account.id), AT)


@pytest.mark.parametrize(
    ("account", "key_id", "permissions"),
    [(ADMIN, 1, OF_ADMINISTRATORS), (AGENT, 2, OF_AGENTS), (READER, READER_KEY, OF_READERS)],
)
def test_a_caller_may_what_level_and_key_allow(roster, account, key_id, permissions):
    assert permissions == signed_by(roster, account, key_id).permissions


@pytest.mark.parametrize("account", [DISABLED, LEFT, REVIEWED])
def test_who_is_not_active_is_nobody(roster, account):
    with pytest.raises(Unauthenticated):
        signed_by(roster, account)


def test_a_revoked_or_expired_key_proves_nothing(roster):
    perform(roster, keys.create(roster, OPERATOR, 1, "short", Secret("s"), AT - 10, expires_at=AT))
    perform(roster, keys.revoke(roster, OPERATOR, 1, AT))

    for key_id in (1, 8, 99):
        with pytest.raises(Unauthenticated):
            signed_by(roster, ADMIN, key_id)


def test_a_password_counts_only_as_long_as_its_hash_stands(roster):
    identity = Identity(agent_id=2, password_hash=password_hash(AGENT.password).reveal())
    assert OF_AGENTS == resolve(roster, identity, AT).permissions

    perform(roster, agents.update(roster, OPERATOR, 2, AgentFields(password=Secret("another hash")), AT))

    with pytest.raises(Unauthenticated):
        resolve(roster, identity, AT)


def test_an_agent_may_not_write(roster):
    caller = signed_by(roster, AGENT)

    for write in (
        lambda: groups.create(roster, caller, "甲", (), AT),
        lambda: groups.delete_many(roster, caller, [1]),
        lambda: agents.update(roster, caller, 2, AgentFields(name="甲"), AT),
        lambda: keys.find(roster, caller, Window(0, 100)),
    ):
        with pytest.raises(Forbidden):
            write()


def test_of_two_administrators_who_demote_each_other_one_is_refused(roster):
    first, second = signed_by(roster, ADMIN), signed_by(roster, SECOND_ADMIN)
    perform(roster, agents.update(roster, first, SECOND_ADMIN.id, AgentFields(level="agent"), AT))

    with pytest.raises(Forbidden):
        agents.update(roster, signed_by(roster, SECOND_ADMIN), ADMIN.id, AgentFields(level="agent"), AT)
    with pytest.raises(Conflict) as refused:
        agents.update(roster, second, ADMIN.id, AgentFields(level="agent"), AT)
    assert Reason.LAST_ADMINISTRATOR is refused.value.reason


@pytest.mark.parametrize(
    "fields",
    [
        AgentFields(level="agent"), AgentFields(state="disabled"), AgentFields(state="review"),
        AgentFields(employed=False),
    ],
)  # fmt: skip
def test_the_last_enabled_administrator_stays_one(roster, fields):
    perform(roster, agents.update(roster, OPERATOR, SECOND_ADMIN.id, AgentFields(state="disabled"), AT))

    with pytest.raises(Conflict) as refused:
        agents.update(roster, OPERATOR, ADMIN.id, fields, AT)

    assert Reason.LAST_ADMINISTRATOR is refused.value.reason


def test_a_disabled_administrator_can_be_deleted(roster):
    perform(roster, agents.update(roster, OPERATOR, SECOND_ADMIN.id, AgentFields(state="disabled"), AT))

    perform(roster, agents.delete(roster, OPERATOR, SECOND_ADMIN.id))

    assert [ADMIN.id] == list(roster.administrators)


def test_of_all_administrators_in_one_batch_the_last_stays(roster):
    caller = Caller(agent_id=None, permissions=OF_ADMINISTRATORS)

    done = agents.delete_many(roster, caller, [ADMIN.id, SECOND_ADMIN.id])

    assert [SECOND_ADMIN.id] == list(done.refused)
    assert [1, 7, 1] == [change.id for change in done.changes]  # the keys of the first, and the first itself


def test_nobody_deletes_oneself(roster):
    with pytest.raises(Conflict) as refused:
        agents.delete(roster, signed_by(roster, ADMIN), ADMIN.id)

    assert Reason.ONESELF is refused.value.reason


def test_who_left_is_enabled_only_when_employed_again(roster):
    with pytest.raises(Conflict) as refused:
        agents.update(roster, OPERATOR, LEFT.id, AgentFields(state="enabled"), AT)
    assert Reason.HAS_LEFT is refused.value.reason

    perform(roster, agents.update(roster, OPERATOR, LEFT.id, AgentFields(employed=True), AT))
    assert "disabled" == roster.agents[LEFT.id].state
    perform(roster, agents.update(roster, OPERATOR, LEFT.id, AgentFields(state="enabled", employed=True), AT))
    assert roster.agents[LEFT.id].active
