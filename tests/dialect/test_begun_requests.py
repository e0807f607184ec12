"""A GET is begun when its head has been read. If it has to wait, it goes on from there, and takes no step twice."""

import asyncio
import gc
from types import CoroutineType

import httpx2
import pytest

from deskroster.core import company
from deskroster.core.company import CompanyFields
from deskroster.dialect.app import DialectApp
from deskroster.passwords import MAX_FAILURES, MAX_HASHES
from deskroster.testing import KF5Password
from tests.answers import check
from tests.in_process import InProcess, answer, scope_of, signed
from tests.world import AGENT

WRONG = AGENT.__class__(id=AGENT.id, email=AGENT.email, password="wrong", token="")


def by_password(desk: InProcess, account=AGENT) -> httpx2.Request:
    return next(KF5Password(account).auth_flow(desk.plain().build_request("GET", "/apiv2/groups.json")))


def by_signature(desk: InProcess) -> httpx2.Request:
    return signed(desk.udesk, "GET", "/user_groups")


async def served(desk: InProcess, request: httpx2.Request) -> httpx2.Response:
    """Answer a request as the server does: begin it, and go on with it if it has to wait."""
    scope = scope_of(desk, request)
    reply = desk.app.at_once(scope)
    if reply is None:
        return await answer(desk, request, scope)
    headers = [("content-type", reply.media.decode()), *reply.headers]
    return httpx2.Response(reply.status, headers=headers, content=reply.body, request=request)


@pytest.mark.any_engine
def test_a_get_that_has_to_wait_is_answered_from_where_it_was_begun(desk):
    async def ask():
        scope = scope_of(desk, request)
        assert desk.app.at_once(scope) is None  # a password is hashed in a thread
        return await answer(desk, request, scope)

    request = by_password(desk)

    check("kf5", desk.run(ask()), "ok")


def test_a_nonce_of_a_get_that_was_begun_is_spent_once(desk):
    first, second = by_signature(desk), by_signature(desk)

    for request in (first, second):
        check("udesk", desk.run(served(desk, request)), "ok")
    for request in (first, second):
        check("udesk", desk.run(served(desk, request)), "unauth")


@pytest.mark.any_engine
def test_a_call_that_was_begun_counts_once_against_the_limit(desk):
    desk.operate(lambda roster, caller: company.update(roster, caller, CompanyFields(calls_per_minute=3)))

    for _ in range(3):
        check("udesk", desk.run(served(desk, by_signature(desk))), "ok")
    check("udesk", desk.run(served(desk, by_signature(desk))), "toomany")


@pytest.mark.any_engine
def test_a_guess_that_was_begun_counts_once(desk):
    for _ in range(MAX_FAILURES):
        check("kf5", desk.run(served(desk, by_password(desk, WRONG))), "unauth")

    check("kf5", desk.run(served(desk, by_password(desk, WRONG))), "toomany")


def under_way() -> int:
    """Return how many requests are being judged."""
    coroutines = [one for one in gc.get_objects() if type(one) is CoroutineType]
    return sum(one.cr_code is DialectApp._judge.__code__ for one in coroutines)


@pytest.mark.parametrize("made", [by_password, by_signature])
def test_a_get_that_was_begun_and_never_goes_on_leaves_nothing(desk, made):
    complaints = []

    async def give_up():
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: complaints.append(context))
        for _ in range(3 * MAX_HASHES):
            desk.app.at_once(scope_of(desk, made(desk)))
        return under_way()

    gc.disable()  # nothing is left to it
    try:
        assert 0 == desk.run(give_up())
    finally:
        gc.enable()
    check("kf5", desk.run(served(desk, by_password(desk))), "ok")  # each hash has had its turn
    check("udesk", desk.run(served(desk, by_signature(desk))), "ok")
    desk.restart()
    assert [] == complaints


def test_control_a_get_that_is_begun_and_stays_is_noticed(desk):
    async def begin():
        scope = scope_of(desk, by_password(desk))
        desk.app.at_once(scope)
        return under_way()

    assert 1 == desk.run(begin())
