"""Who may ask: HTTP Basic with a password or a token, and what is answered to everybody else."""

from base64 import b64encode

import httpx2
import pytest

from deskroster.core import keys
from deskroster.core.records import Company, Secret
from deskroster.testing import Account, KF5Password, KF5Token
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


UNAUTHORIZED = (401, "unauthorized", 'Basic realm="KF5"')


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("account", [world.ADMIN, world.AGENT, world.READER])
def test_an_agent_and_an_administrator_may_read(quiet_desk, path, account):
    assert 200 == quiet_desk.of(account).kf5.get(path).status_code


def test_a_password_is_as_good_as_a_token(quiet_desk):
    by_password, by_token = ask(quiet_desk, KF5Password(world.AGENT)), ask(quiet_desk, KF5Token(world.AGENT))

    assert 200 == by_password.status_code
    assert by_token.content == by_password.content


def test_the_case_of_the_e_mail_and_of_the_scheme_does_not_count(quiet_desk):
    shouted = basic(f"{world.ADMIN.email.upper()}/token:{world.ADMIN.token}").replace("Basic", "bAsIc")

    assert 200 == with_header(quiet_desk, shouted).status_code


def test_the_first_colon_separates_name_and_password(desk):
    desk.kf5.put("/users/2.json", json={"user": {"password": "p:w:组"}}).raise_for_status()

    assert 200 == with_header(desk, basic(f"{world.AGENT.email}:p:w:组")).status_code


@pytest.mark.parametrize(("method", "path", "body"), [
    ("POST", "/groups.json", {"group": {"name": "x"}}),
    ("PUT", "/groups/1.json", {"group": {"name": "x"}}),
    ("DELETE", "/groups/1.json", None),
    ("POST", "/users.json", {"user": {"name": "x", "email": "x@test.cn"}}),
    ("PUT", "/users/2.json", {"user": {"name": "x"}}),
    ("DELETE", "/users/3.json", None),
    ("POST", "/groups.json", []),
    ("DELETE", "/groups/99.json", None),
])  # fmt: skip
@pytest.mark.parametrize("account", [world.AGENT, world.READER])
def test_only_an_administrator_may_write_and_that_is_judged_before_body_and_id(quiet_desk, account, method, path, body):
    before = quiet_desk.roster().number

    reply = quiet_desk.of(account).kf5.request(method, path, json=body)

    assert (403, "forbidden", None) == refusal(reply)
    assert before == quiet_desk.roster().number


@pytest.mark.parametrize("header", [
    "", "Basic", "Basic ", "Basic !!!", "Basic YQ", basic("abc"), basic(""), basic(":"), basic(b"a\0:b"),
    basic("admin@udesk.cn:admin-password\0"), basic("é:é".encode("latin-1")), basic(b"\xff\xfe:\xff"),
    basic("admin@udesk.cn:"), basic("admin@udesk.cn/token:"), basic("/token:admin-token"), basic("ådmin@udesk.cn:x"),
    basic("ådmin@udesk.cn/token:x"), basic("admin@udesk.cn:" + "x" * 8192), basic("x" * 8192 + ":x"),
    basic("admin@udesk.cn/token:é"), basic(":admin-token"), basic("admin@udesk.cn:admin-token"),
    basic("admin@udesk.cn/token:admin-password"), basic("admin@udesk.cn/TOKEN:admin-token"),
    basic("admin@udesk.cn/token:agent-token"), basic("admin@udesk.cn /token:admin-token"),
    "Bearer admin-token", "Digest " + basic("admin@udesk.cn/token:admin-token")[6:],
    basic("admin@udesk.cn/token:admin-token")[6:], "é", basic("admin@udesk.cn/token:admin-token") + "=",
])  # fmt: skip
def test_credentials_that_are_not_right_or_are_none_are_401(desk, header):
    assert UNAUTHORIZED == refusal(with_header(desk, header.encode("latin-1")))


def test_no_credentials_are_401(quiet_desk):
    assert UNAUTHORIZED == refusal(ask(quiet_desk, None))


def test_several_authorization_headers_are_401_even_if_all_are_right(quiet_desk):
    right = basic(f"{world.ADMIN.email}/token:{world.ADMIN.token}")

    assert UNAUTHORIZED == refusal(with_header(quiet_desk, right, right))


@pytest.mark.parametrize("auth", [KF5Password, KF5Token])
def test_stranger_wrong_secret_and_whoever_may_not_work_are_not_to_be_told_apart(desk, auth):
    wrong = Account(id=1, email=world.ADMIN.email, password="wrong", token="wrong")
    accounts = (world.STRANGER, wrong, world.DISABLED, world.LEFT, world.REVIEWED)

    replies = [ask(desk, auth(account)) for account in accounts]

    assert {401} == {reply.status_code for reply in replies}
    assert 1 == len({reply.content for reply in replies})
    assert 1 == len({tuple(reply.headers.items()) for reply in replies})


def test_credentials_are_judged_before_the_body_and_after_path_method_and_media_type(quiet_desk):
    plain = quiet_desk.plain()

    assert 404 == plain.post("/apiv2/nothing.json").status_code
    assert 405 == plain.patch("/apiv2/groups.json").status_code
    assert 415 == plain.post("/apiv2/groups.json", content=b"{", headers={"Content-Type": "text/xml"}).status_code
    assert 401 == plain.post("/apiv2/groups.json", content=b"{").status_code


def test_eleven_wrong_attempts_in_a_row_lock_nobody_out(desk):
    for _ in range(11):
        assert 401 == ask(desk, httpx2.BasicAuth(world.AGENT.email, "wrong")).status_code

    assert 200 == ask(desk, KF5Password(world.AGENT)).status_code


def test_after_twenty_failures_in_a_minute_passwords_of_the_account_wait(desk, clock):
    for n in range(20):
        desk.address = f"10.0.0.{n}"
        ask(desk, httpx2.BasicAuth(world.AGENT.email, "wrong"))
    desk.address = "10.0.1.1"

    reply = ask(desk, KF5Password(world.AGENT))

    assert (429, "too_many_requests") == refusal(reply)[:2]
    clock.now += int(reply.headers["Retry-After"])
    assert 200 == ask(desk, KF5Password(world.AGENT)).status_code


def test_after_twenty_failures_in_a_minute_passwords_from_the_address_wait(desk):
    for n in range(20):
        ask(desk, httpx2.BasicAuth(f"nobody{n}@test.cn", "wrong"))

    assert 429 == ask(desk, KF5Password(world.AGENT)).status_code
    desk.address = "10.0.1.1"
    assert 200 == ask(desk, KF5Password(world.AGENT)).status_code


def test_tokens_and_remembered_passwords_are_served_while_guesses_wait(desk):
    ask(desk, KF5Password(world.AGENT)).raise_for_status()
    for _ in range(21):
        last = ask(desk, httpx2.BasicAuth(world.AGENT.email, "wrong"))

    assert 429 == last.status_code
    assert 200 == ask(desk, KF5Password(world.AGENT)).status_code
    assert 200 == ask(desk, KF5Token(world.AGENT)).status_code


def test_a_wrong_token_is_answered_401_however_often_it_comes_and_slows_no_password_down(desk):
    wrong = httpx2.BasicAuth(f"{world.AGENT.email}/token", "wrong")

    assert {401} == {ask(desk, wrong).status_code for _ in range(25)}
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


def test_a_changed_password_ends_the_old_one_at_once(desk):
    ask(desk, KF5Password(world.AGENT)).raise_for_status()

    desk.kf5.put("/users/2.json", json={"user": {"password": "another"}}).raise_for_status()

    assert 401 == ask(desk, KF5Password(world.AGENT)).status_code
    assert 200 == ask(desk, httpx2.BasicAuth(world.AGENT.email, "another")).status_code


@pytest.mark.parametrize("auth", [KF5Password, KF5Token])
def test_disabling_an_agent_ends_its_credentials_at_once(desk, auth):
    ask(desk, auth(world.AGENT)).raise_for_status()

    desk.udesk.put("/agents/2", json={"agent": {"disable_status": "disable"}}).raise_for_status()

    assert UNAUTHORIZED == refusal(ask(desk, auth(world.AGENT)))


def test_a_key_of_another_dialect_is_no_kf5_token(desk):
    for name, dialects in (("theirs", ("udesk", "servicego")), ("ours", ("kf5",))):
        desk.operate(lambda roster, caller, name=name, dialects=dialects: keys.create(
            roster, caller, 2, name, Secret(name), int(desk.clock()), dialects=dialects
        ))  # fmt: skip

    assert 401 == ask(desk, httpx2.BasicAuth(f"{world.AGENT.email}/token", "theirs")).status_code
    assert 200 == ask(desk, httpx2.BasicAuth(f"{world.AGENT.email}/token", "ours")).status_code


def test_each_live_key_is_a_token_and_an_expired_or_revoked_one_is_none(desk, clock):
    now = int(clock())
    desk.operate(lambda roster, caller: keys.create(roster, caller, 2, "k", Secret("k"), now, expires_at=now + 60))
    second = httpx2.BasicAuth(f"{world.AGENT.email}/token", "k")
    assert 200 == ask(desk, second).status_code
    assert 200 == ask(desk, KF5Token(world.AGENT)).status_code

    clock.now += 60
    desk.operate(lambda roster, caller: keys.revoke(roster, caller, 2, now))

    assert 401 == ask(desk, second).status_code
    assert 401 == ask(desk, KF5Token(world.AGENT)).status_code


def test_an_unknown_company_is_401_and_one_company_s_token_is_nothing_to_another(desk):
    other = Account(id=1, email=world.ADMIN.email, password="x", token="other-token")
    desk.add_company(Company(id=1, label="other", name="Other"), [
        record for record in world.records() if record.kind != "key"
    ])  # fmt: skip
    assert UNAUTHORIZED == refusal(desk.of(world.ADMIN, host="nobody.example.com").kf5.get("/groups.json"))
    assert UNAUTHORIZED == refusal(desk.of(world.ADMIN, host="other.example.com").kf5.get("/groups.json"))

    desk.operate(lambda roster, caller: keys.create(roster, caller, 1, "k", Secret(other.token), 1), "other")

    assert 200 == desk.of(other, host="other.example.com").kf5.get("/groups.json").status_code
    assert 401 == desk.of(other).kf5.get("/groups.json").status_code
