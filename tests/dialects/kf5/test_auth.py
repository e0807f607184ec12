"""HTTP Basic with a password or a token, and what is answered to everything else."""

from base64 import b64encode

import httpx2
import pytest

from deskroster.testing import KF5Password, KF5Token
from tests import world

pytestmark = pytest.mark.any_engine

LISTS = ("/groups.json", "/groups/1.json", "/users.json", "/users/2.json", "/users/me.json",
         "/users/show_many.json?ids=1", "/users/search.json?query=a", "/users/2/groups.json")  # fmt: skip


def ask(desk, auth, path="/apiv2/groups.json", **how):
    return desk.plain().get(path, auth=auth, **how)


def with_header(desk, *values):
    return desk.plain().get("/apiv2/groups.json", headers=[("Authorization", value) for value in values])


def basic(credentials):
    return "Basic " + b64encode(credentials if isinstance(credentials, bytes) else credentials.encode()).decode()


def refusal(reply):
    return reply.status_code, reply.json()["error"]["code"], reply.headers.get("WWW-Authenticate")


UNAUTHORIZED = (401, "unauthorized", 'Basic realm="KF5", charset="UTF-8"')


def test_a_password_is_as_good_as_a_token(quiet_desk):
    by_password, by_token = ask(quiet_desk, KF5Password(world.AGENT)), ask(quiet_desk, KF5Token(world.AGENT))

    assert 200 == by_password.status_code
    assert by_token.content == by_password.content


@pytest.mark.parametrize("secret", [f"/token:{world.ADMIN.token}", f":{world.ADMIN.password}"])
def test_the_case_of_the_e_mail_does_not_count(quiet_desk, secret):
    assert 200 == with_header(quiet_desk, basic(world.ADMIN.email.upper() + secret)).status_code


def test_the_first_colon_separates_name_and_password(desk):
    desk.kf5.put("/users/2.json", json={"user": {"password": "p:w:组"}}).raise_for_status()

    assert 200 == with_header(desk, basic(f"{world.AGENT.email}:p:w:组")).status_code


@pytest.mark.parametrize("header", [
    "", "Basic", "Basic ", "Basic !!!", "Basic YQ", basic(""), basic(":"),
    basic("admin@udesk.cn:admin-password\0"), basic("é:é".encode("latin-1")), basic(b"\xff\xfe:\xff"),
    basic("admin@udesk.cn/token:"), basic("/token:admin-token"), basic("ådmin@udesk.cn:x"),
    basic("ådmin@udesk.cn/token:x"), basic("x" * 8192 + ":x"),
    basic("admin@udesk.cn/token:é"), basic(":admin-token"), basic("admin@udesk.cn:admin-token"),
    basic("admin@udesk.cn/token:admin-password"), basic("admin@udesk.cn/TOKEN:admin-token"),
    basic("admin@udesk.cn/token:agent-token"), basic("admin@udesk.cn /token:admin-token"),
    "Digest " + basic("admin@udesk.cn/token:admin-token")[6:],
    basic("admin@udesk.cn/token:admin-token")[6:], "é", basic("admin@udesk.cn/token:admin-token") + "=",
])  # fmt: skip
def test_credentials_that_are_not_right_or_are_none_are_401(desk, header):
    assert UNAUTHORIZED == refusal(with_header(desk, header.encode("latin-1")))


def test_credentials_are_judged_before_the_body_and_after_path_method_and_media_type(quiet_desk):
    plain = quiet_desk.plain()

    assert 404 == plain.post("/apiv2/nothing.json").status_code
    assert 405 == plain.patch("/apiv2/groups.json").status_code
    assert 415 == plain.post("/apiv2/groups.json", content=b"{", headers={"Content-Type": "text/xml"}).status_code
    assert 401 == plain.post("/apiv2/groups.json", content=b"{").status_code


def test_no_credentials_are_401_and_a_missing_right_is_403_and_asks_for_none(quiet_desk):
    assert UNAUTHORIZED == refusal(ask(quiet_desk, None))
    for account in (world.AGENT, world.READER):
        assert (403, "forbidden", None) == refusal(quiet_desk.of(account).kf5.delete("/groups/1.json"))


def test_eleven_wrong_attempts_in_a_row_lock_nobody_out(desk):
    for _ in range(11):
        assert 401 == ask(desk, httpx2.BasicAuth(world.AGENT.email, "wrong")).status_code

    assert 200 == ask(desk, KF5Password(world.AGENT)).status_code


@pytest.mark.parametrize("account", [world.AGENT, world.READER], ids=["a token", "a read-only one"])
def test_a_live_token_in_the_password_s_place_is_refused_and_is_no_guess(desk, account):
    mistaken = httpx2.BasicAuth(account.email, account.token)

    assert {401} == {ask(desk, mistaken).status_code for _ in range(25)}
    owner = world.AGENT if account is world.AGENT else world.ADMIN
    assert 200 == ask(desk, KF5Password(owner)).status_code


@pytest.mark.parametrize("account", [world.DISABLED, world.LEFT, world.REVIEWED])
def test_a_token_of_whoever_may_not_sign_in_the_password_s_place_is_a_guess_as_any(desk, account):
    mistaken = httpx2.BasicAuth(account.email, account.token)

    assert [401] * 20 + [429] == [ask(desk, mistaken).status_code for _ in range(21)]


def test_a_password_in_the_token_s_place_is_refused_and_is_no_guess(desk):
    mistaken = httpx2.BasicAuth(f"{world.AGENT.email}/token", world.AGENT.password)

    assert {401} == {ask(desk, mistaken).status_code for _ in range(25)}
    assert 200 == ask(desk, KF5Password(world.AGENT)).status_code


def test_credentials_that_are_none_count_as_no_guess(desk):
    for _ in range(25):
        with_header(desk, "Basic !!!")

    assert 200 == ask(desk, KF5Password(world.AGENT)).status_code
