"""Signatures of the Udesk Open API, and logging in for its token."""

import shutil
from hashlib import sha256

import pytest

from deskroster.core import company, keys
from deskroster.core.company import CompanyFields
from deskroster.core.records import Agent, Company, Key, Secret
from deskroster.settings import Settings
from deskroster.testing import Account, UdeskSignature
from tests.answers import check
from tests.in_process import InProcess
from tests.world import ADMIN, AGENT, DISABLED, LEFT, STRANGER

pytestmark = pytest.mark.any_engine

ELSEWHERE = Account(id=1, email="admin@other.cn", password="other-password", token="other-token")


def parameters(desk, form="A", account=ADMIN):
    return UdeskSignature(account, desk.clock, form).parameters()


def log_in(desk, account=ADMIN, **changed):
    body = {"email": account.email, "password": account.password, **changed}
    return desk.plain().post("/open_api_v1/log_in", json=body)


@pytest.mark.parametrize(
    ("sign", "others"),
    [
        ("d3adf3c88abaddf53006eea8c5445020f209f4da85ed0720eb5652f8fa0f8b8e", "&nonce=nonce-1&sign_version=v2"),
        ("c04932a4eaa9332c6c7a23dc8d86061d6161ed18", "&nonce=nonce-1&sign_version=v2"),
        ("808f24bcb5d20760eee330883f1f934a60a05b67", ""),
    ],
    ids=["A", "B", "C"],
)
def test_the_vectors_of_the_contract_verify(desk, sign, others):
    account = Account(id=1, email="admin@example.com", password="-", token="11111111-2222-3333-4444-555555555555")
    agent = Agent(id=1, name="Vector", email=account.email, level="admin")
    key = Key(id=1, agent_id=1, name="api", secret=Secret(account.token))
    desk.add_company(Company(id=1, label="vector", name="Vector"), [agent, key])
    query = f"email={account.email}&timestamp=1700000000{others}&sign={sign}"

    check("udesk", desk.plain("vector.example.com").get(f"/open_api_v1/agents?{query}"), "ok")


@pytest.mark.parametrize("form", ["A", "B", "C"])
@pytest.mark.parametrize(("method", "path"), [("POST", "/user_groups"), ("PUT", "/user_groups/1")])
def test_a_signature_may_stand_in_the_body(desk, form, method, path):
    body = {"name": "新", **parameters(desk, form)}

    check("udesk", desk.plain().request(method, f"/open_api_v1{path}", json=body), "ok")


def test_each_parameter_is_looked_for_by_itself_in_the_query_first(desk):
    signed = parameters(desk, "C")
    body = {"name": "新", "sign": signed.pop("sign"), "email": "wrong@udesk.cn"}

    check("udesk", desk.plain().post("/open_api_v1/user_groups", params=signed, json=body), "ok")


def test_a_timestamp_in_the_body_may_be_a_number(desk):
    body = {"name": "新", **parameters(desk, "C")}

    check("udesk", desk.plain().post("/open_api_v1/user_groups", json={**body, "timestamp": 1_700_000_000}), "ok")


@pytest.mark.parametrize("value", [True, 1.0, [], {}, None])
def test_a_parameter_in_the_body_of_another_type_is_none(desk, value):
    body = {"name": "新", **parameters(desk, "C"), "timestamp": value}

    assert 20621 == check("udesk", desk.plain().post("/open_api_v1/user_groups", json=body), "unauth")["code"]


def test_where_the_query_lacks_one_a_malformed_body_is_400(desk):
    signed = parameters(desk)
    del signed["sign"]

    check("udesk", desk.plain().post("/open_api_v1/user_groups", params=signed, content="{"), "syntax")


def test_where_the_query_has_all_a_wrong_signature_comes_before_a_malformed_body(desk):
    signed = parameters(desk) | {"sign": "0" * 64}

    check("udesk", desk.plain().post("/open_api_v1/user_groups", params=signed, content="{"), "unauth")


def test_on_a_get_nothing_is_looked_for_in_a_body(desk):
    response = desk.plain().request("GET", "/open_api_v1/user_groups", json=parameters(desk))

    refusal = check("udesk", response, "unauth")
    assert (2059, "missing: email, timestamp, sign") == (refusal["code"], refusal["exception"])


@pytest.mark.parametrize(
    ("lacking", "code"),
    [(("sign",), 2059), (("email",), 2059), (("timestamp",), 20621), (("timestamp", "sign"), 20621)],
)
def test_a_signature_that_is_not_whole_is_told_what_is_missing(desk, lacking, code):
    sent = {name: value for name, value in parameters(desk).items() if name not in lacking}

    refusal = check("udesk", desk.plain().get("/open_api_v1/user_groups", params=sent), "unauth")

    assert (code, f"missing: {', '.join(lacking)}") == (refusal["code"], refusal["exception"])


@pytest.mark.parametrize("accepted", [("A",), ("B",), ("C",), ("A", "B")])
def test_a_company_accepts_the_forms_that_it_wants(desk, accepted):
    desk.operate(lambda roster, caller: company.update(roster, caller, CompanyFields(signature_forms=accepted)))

    for form in ("A", "B", "C"):
        response = desk.plain().get("/open_api_v1/agent_roles", params=parameters(desk, form))
        check("udesk", response, "ok" if form in accepted else "unauth")


@pytest.mark.parametrize("form", ["A", "B", "C"])
def test_the_form_of_a_signature_is_noted_in_the_keys_last_use(desk, form):
    desk.plain().get("/open_api_v1/agent_roles", params=parameters(desk, form))
    desk.restart()

    ledger = desk.run(desk.app.store.load(1))
    assert (1_700_000_000, form) == ledger.observed.last("key", 1)


def test_the_checks_come_in_the_order_of_the_contract(desk):
    """Timestamp form, skew, nonce, signature, reuse, administrator."""
    signed, agents = parameters(desk), parameters(desk, account=AGENT)
    wrong = {**signed, "timestamp": "x", "nonce": "", "sign": "0"}

    def code(query):
        return desk.plain().get("/open_api_v1/agent_roles", params=query).json()["code"]

    assert 20621 == code(wrong)
    assert 20622 == code({**wrong, "timestamp": "1600000000"})
    assert 20624 == code({**wrong, "timestamp": signed["timestamp"]})
    assert 2059 == code({**signed, "sign": "0"})
    assert 2015 == code(agents)
    assert 20623 == code(agents)


def test_a_sha_256_signature_without_a_nonce_is_not_known(desk):
    at = "1700000000"
    sign = sha256(f"{ADMIN.email}&{ADMIN.token}&{at}".encode()).hexdigest()

    response = desk.plain().get("/open_api_v1/agents", params={"email": ADMIN.email, "timestamp": at, "sign": sign})
    check("udesk", response, "unauth")


def test_in_the_demo_a_refused_signature_says_what_was_signed_and_no_token(prepared, tmp_path, clock):
    shutil.copytree(prepared, tmp_path / "demo")
    desk = InProcess(tmp_path / "demo", clock, explain_signatures=True)
    signed = parameters(desk) | {"sign": "0" * 64, "nonce": "n"}

    refusal = check("udesk", desk.plain().get("/open_api_v1/agents", params=signed), "unauth")

    assert "open api签名不对" == refusal["message"]
    assert f"form A: {ADMIN.email}&****&1700000000&n&v2" == refusal["exception"]
    desk.close()
    assert not Settings(data=tmp_path).explain_signatures


def test_the_token_of_an_administrator_is_the_same_each_time(desk):
    before = desk.roster().number

    for _ in range(3):
        assert {"code": 1000, "open_api_auth_token": ADMIN.token} == check("udesk", log_in(desk), "ok")

    assert before == desk.roster().number


def test_a_token_is_made_at_first_use_and_after_the_old_one_ended(desk):
    desk.operate(lambda roster, caller: keys.revoke(roster, caller, 1, 0))
    desk.operate(lambda roster, caller: keys.revoke(roster, caller, 7, 0))

    made = check("udesk", log_in(desk), "ok")["open_api_auth_token"]

    assert made not in (ADMIN.token, "")
    assert made == check("udesk", log_in(desk), "ok")["open_api_auth_token"]
    fresh = ADMIN.__class__(id=1, email=ADMIN.email, password="", token=made)
    check("udesk", desk.of(fresh).udesk.get("/agents"), "ok")
    desk.restart()
    assert made == check("udesk", log_in(desk), "ok")["open_api_auth_token"]


def test_a_key_that_is_good_for_another_dialect_only_is_no_token_here(desk):
    desk.operate(lambda roster, caller: keys.revoke(roster, caller, 1, 0))
    desk.operate(lambda roster, caller: keys.revoke(roster, caller, 7, 0))
    secret = Secret("for kf5 only")
    desk.operate(lambda roster, caller: keys.create(roster, caller, 1, "k", secret, 0, dialects=("kf5",)))

    assert "for kf5 only" != check("udesk", log_in(desk), "ok")["open_api_auth_token"]


@pytest.mark.parametrize(
    "lesser",
    [{"access": "read"}, {"access": "read", "dialects": ("udesk",)}, {"dialects": ("kf5", "own")}, {"expires_at": 1}],
    ids=str,
)
def test_the_token_can_do_all_that_the_vendor_s_can_whatever_older_keys_there_are(desk, lesser):
    for id in (1, 7):
        desk.operate(lambda roster, caller, id=id: keys.revoke(roster, caller, id, 0))
    secret = Secret("may do less")
    desk.operate(lambda roster, caller: keys.create(roster, caller, 1, "k", secret, 0, **lesser))

    made = check("udesk", log_in(desk), "ok")["open_api_auth_token"]

    account = ADMIN.__class__(id=1, email=ADMIN.email, password="", token=made)
    check("udesk", desk.of(account).udesk.post("/user_groups", json={"name": "售前"}), "ok")
    check("udesk", desk.of(account).udesk.delete("/user_groups/1"), "ok")
    assert made == check("udesk", log_in(desk), "ok")["open_api_auth_token"]


def test_a_full_key_that_is_younger_than_a_read_only_one_is_the_token(desk):
    desk.operate(lambda roster, caller: keys.revoke(roster, caller, 1, 0))
    secret = Secret("may do all here")
    desk.operate(lambda roster, caller: keys.create(roster, caller, 1, "k", secret, 0, dialects=("udesk",)))

    assert "may do all here" == check("udesk", log_in(desk), "ok")["open_api_auth_token"]


def test_who_has_no_room_for_another_key_is_refused_and_not_given_a_lesser_one(desk):
    desk.operate(lambda roster, caller: keys.revoke(roster, caller, 1, 0))
    for number in range(keys.MAX_KEYS - len(desk.roster().keys_of[1])):
        secret = Secret(f"read {number}")
        desk.operate(lambda roster, caller, s=secret: keys.create(roster, caller, 1, "k", s, 0, access="read"))

    assert "open_api_auth_token" not in log_in(desk).json()


@pytest.mark.parametrize("body", [{}, {"email": "a@b.cn"}, {"password": "p"}, {"email": True, "password": "p"}])
def test_logging_in_needs_an_email_and_a_password(quiet_desk, body):
    check("udesk", quiet_desk.plain().post("/open_api_v1/log_in", json=body), "invalid")


@pytest.mark.parametrize(
    ("account", "cls"),
    [(ADMIN, "ok"), (AGENT, "forbidden"), (DISABLED, 2005), (LEFT, 2005), (STRANGER, 2005), (ELSEWHERE, 2005)],
)
def test_udesk_gives_a_token_to_administrators_only(desk, account, cls):
    before = desk.roster().number
    login = {"email": account.email, "password": account.password}

    response = desk.plain().post("/open_api_v1/log_in", json=login)

    assert before == desk.roster().number
    if cls == 2005:
        refusal = check("udesk", response, "notfound")
        assert {"code": 2005, "message": "e-mail or password is wrong", "code_message": refusal["message"]} == refusal
    else:
        answer = check("udesk", response, cls)
        assert cls != "ok" or {"code": 1000, "open_api_auth_token": ADMIN.token} == answer
