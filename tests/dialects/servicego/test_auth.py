"""The signature: `sign` over `email&token&timestamp`, by SHA-256 or SHA-1."""

import shutil
from hashlib import sha1, sha256
from urllib.parse import quote

import pytest

from deskroster.core.records import Agent, Company, Key, Secret
from deskroster.testing import Account
from tests import world
from tests.conftest import NOW
from tests.in_process import InProcess

pytestmark = pytest.mark.any_engine

ADMIN = world.ADMIN


def query(**changed):
    """Return a right query string of the administrator, with some parameters changed, or left out (None)."""
    parameters = {"email": ADMIN.email, "timestamp": str(NOW)}
    parameters |= {name: value for name, value in changed.items() if name in parameters}
    signed = f"{ADMIN.email}&{ADMIN.token}&{parameters['timestamp']}"
    parameters |= {"sign": sha256(signed.encode()).hexdigest()} | changed
    return "&".join(f"{name}={quote(value)}" for name, value in parameters.items() if value is not None)


@pytest.mark.parametrize(
    "sign",
    ["808f24bcb5d20760eee330883f1f934a60a05b67", "54d7bc745c58d8fa3826bd4770401e03e80ea3a155d75c50dd62ed5f04d2652d"],
)
def test_the_vectors_of_the_contract_verify(desk, sign):
    account = Account(id=1, email="admin@example.com", password="-", token="11111111-2222-3333-4444-555555555555")
    agent = Agent(id=1, name="Vector", email=account.email, level="admin")
    key = Key(id=1, agent_id=1, name="api", secret=Secret(account.token))
    desk.add_company(Company(id=1, label="vector", name="Vector"), [agent, key])
    target = f"/api/v1/user?email=admin@example.com&timestamp=1700000000&sign={sign}".encode()

    assert 200 == desk.plain().get("/", extensions={"target": target}).status_code


@pytest.mark.parametrize("digest", [sha1, sha256])
def test_the_sign_may_be_in_upper_case(quiet_desk, digest):
    sign = digest(f"{ADMIN.email}&{ADMIN.token}&{NOW}".encode()).hexdigest().upper()

    assert 200 == quiet_desk.plain().get(f"/api/v1/role?{query(sign=sign)}").status_code


def test_values_come_raw_in_any_order_and_the_query_may_end_in_a_bare_ampersand(quiet_desk):
    sign = sha256(f"{ADMIN.email}&{ADMIN.token}&{NOW}".encode()).hexdigest()
    target = f"/api/v1/role?sign={sign}&timestamp={NOW}&email={ADMIN.email}&".encode()

    assert 200 == quiet_desk.plain().get("/", extensions={"target": target}).status_code


def test_a_plus_in_the_email_stays_a_plus(desk):
    account = Account(id=7, email="a+b@test.cn", password="-", token="plus-token")
    agent = Agent(id=1, name="Plus", email=account.email, level="admin")
    key = Key(id=1, agent_id=1, name="api", secret=Secret(account.token))
    desk.add_company(Company(id=1, label="plus", name="Plus"), [agent, key])
    sign = sha256(f"a+b@test.cn&plus-token&{NOW}".encode()).hexdigest()
    target = f"/api/v1/user?email=a+b@test.cn&timestamp={NOW}&sign={sign}".encode()

    assert 200 == desk.plain().get("/", extensions={"target": target}).status_code


def test_a_timestamp_of_13_digits_is_in_milliseconds(quiet_desk):
    assert 200 == quiet_desk.plain().get(f"/api/v1/role?{query(timestamp=f'{NOW}123')}").status_code


def test_a_signature_may_come_again_because_it_has_no_nonce(quiet_desk):
    for _ in range(2):
        assert 200 == quiet_desk.plain().get(f"/api/v1/role?{query()}").status_code


@pytest.mark.parametrize(
    "changed",
    [
        {"sign": None}, {"email": None}, {"timestamp": None}, {"sign": ""}, {"email": ""}, {"timestamp": ""},
        {"sign": "0" * 64}, {"sign": "0" * 40}, {"sign": "é"}, {"sign": "0" * 63}, {"sign": "0" * 65},
        {"email": "stranger@udesk.cn"}, {"email": "ADMIN@udesk.cn"}, {"email": "ädmin@udesk.cn"},
        {"timestamp": str(NOW - 301)}, {"timestamp": str(NOW + 301)}, {"timestamp": "abc"}, {"timestamp": "-1"},
        {"timestamp": str(2**63)}, {"timestamp": "１７０００００００００"}, {"timestamp": f"{NOW - 301}000"},
    ],
)  # fmt: skip
def test_a_bad_or_missing_signature_is_401(quiet_desk, changed):
    refused = quiet_desk.plain().get(f"/api/v1/role?{query(**changed)}")

    assert 401 == refused.status_code
    assert {"code", "message", "visible"} == refused.json().keys()
    assert (401, False) == (refused.json()["code"], refused.json()["visible"])


@pytest.mark.parametrize("name", ["email", "timestamp", "sign"])
def test_a_signature_parameter_that_comes_twice_is_401(quiet_desk, name):
    right = query()
    repeated = next(part for part in right.split("&") if part.startswith(name))

    assert 401 == quiet_desk.plain().get(f"/api/v1/role?{right}&{repeated}").status_code
    assert 401 == quiet_desk.plain().get(f"/api/v1/role?{name}[]=x&{right}&{name}=x").status_code


def test_the_company_is_the_one_whose_credentials_verify_whatever_the_host(desk):
    other = Account(id=1, email=ADMIN.email, password="-", token="other-token")
    agent = Agent(id=1, name="Other", email=other.email, level="admin")
    key = Key(id=1, agent_id=1, name="api", secret=Secret(other.token))
    desk.add_company(Company(id=1, label="other", name="Other"), [agent, key])

    assert 6 == desk.of(ADMIN, host="other.example.com").servicego.get("/v1/user").json()["paging"]["total"]
    assert 1 == desk.of(other, host="nowhere.example.com").servicego.get("/v1/user").json()["paging"]["total"]
    assert 401 == desk.of(world.STRANGER).servicego.get("/v1/user").status_code
    assert 401 == desk.plain().get("/api/v1/user").status_code


def test_an_ill_formed_host_is_400(quiet_desk):
    assert 400 == quiet_desk.plain().get(f"/api/v1/role?{query()}", headers={"Host": "a b"}).status_code


def test_a_refusal_says_what_was_wrong_but_not_more(quiet_desk):
    plain = quiet_desk.plain()

    assert "email, timestamp or sign is missing" == plain.get("/api/v1/role").json()["message"]
    assert "timestamp is malformed" == plain.get(f"/api/v1/role?{query(timestamp='x')}").json()["message"]
    assert "the signature is wrong" == plain.get(f"/api/v1/role?{query(sign='x')}").json()["message"]
    agent = quiet_desk.of(world.AGENT).servicego
    assert {"code": 403, "message": "not allowed", "visible": False} == agent.get("/v1/role").json()
    zh = plain.get(f"/api/v1/role?{query(timestamp='1')}", headers={"Accept-Language": "zh-CN"})
    assert "timestamp 与服务器时间相差过大" == zh.json()["message"]


def test_only_a_demo_says_the_string_to_sign_with_the_token_masked(prepared, tmp_path, clock):
    shutil.copytree(prepared, tmp_path / "data")
    desk = InProcess(tmp_path / "data", clock, explain_signatures=True)
    message = desk.plain().get(f"/api/v1/role?{query(sign='0' * 40)}").json()["message"]
    desk.close()

    assert f"the signature is wrong (SHA-1: admin@udesk.cn&****&{NOW})" == message
