"""Every way to change a request with good credentials, in every dialect that it fits."""

import shutil
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha1, sha256
from urllib.parse import quote

import pytest

from deskroster.core import keys
from deskroster.core.records import Agent, Company, Key, Secret
from deskroster.testing import KF5Password, KF5Token, ServiceGoSignature, UdeskSignature
from tests import bad_inputs, world
from tests.answers import check
from tests.in_process import InProcess
from tests.world import ADMIN, AGENT, DISABLED, LEFT, READER, REVIEWED, STRANGER, password_hash

pytestmark = pytest.mark.any_engine

Pairs = list[tuple[str, str]]
READS = {"udesk": "/open_api_v1/user_groups", "servicego": "/api/v1/userGroup", "kf5": "/apiv2/groups.json"}
HAVE_NO_NONCE = {
    "no-nonce-v2",
    "version-unknown",
    "replay",
    "replay-other-worker",
    "replay-after-restart",
    "nonce-2kib",
}
SIGNED = [case for case in bad_inputs.AUTH if not case[0].startswith(("basic", "bearer"))]
BASIC = [case for case in bad_inputs.AUTH if case[0].startswith(("basic", "bearer"))]
EXACTLY = {  # Udesk's code, where it is not 2059
    "no-timestamp": 20621, "timestamp-text": 20621, "timestamp-2^63": 20621, "timestamp-fullwidth": 20621,
    "old": 20622, "future": 20622, "replay": 20623, "replay-other-worker": 20623, "replay-after-restart": 20623,
    "no-nonce-v2": 20624,
}  # fmt: skip


def parameters(desk, dialect: str, account=ADMIN, form="A") -> Pairs:
    made = UdeskSignature(account, desk.clock, form) if dialect == "udesk" else ServiceGoSignature(account, desk.clock)
    return list(made.parameters().items())


def get(desk, dialect: str, pairs: Pairs, host="demo.example.com", method="GET", **how):
    query = "&".join(f"{name}={quote(value, safe='%')}" for name, value in pairs)
    return desk.plain(host).request(method, f"{READS[dialect]}?{query}", **how)


def changed(**values: str | None) -> Callable[[Pairs], Pairs]:
    """Return what replaces parameters, and drops those that are None."""

    def change(pairs: Pairs) -> Pairs:
        pairs = [(name, values.get(name, value)) for name, value in pairs]
        return [(name, value) for name, value in pairs if value is not None]

    return change


def at(pairs: Pairs, timestamp: str) -> Pairs:
    """Return a right signature at another time."""
    email, rest = dict(pairs)["email"], dict(pairs)
    tail = [timestamp, rest["nonce"], rest["sign_version"]] if "nonce" in rest else [timestamp]
    sign = sha256("&".join([email, ADMIN.token, *tail]).encode()).hexdigest()
    return changed(timestamp=timestamp, sign=sign)(pairs)


def sign_of(pairs: Pairs) -> str:
    return dict(pairs)["sign"]


CHANGES: dict[str, Callable[[Pairs], Pairs]] = {
    "no-sign": changed(sign=None),
    "no-email": changed(email=None),
    "no-timestamp": changed(timestamp=None),
    "no-nonce-v2": changed(nonce=None),
    "sign-empty": changed(sign=""),
    "sign-short": lambda pairs: changed(sign=sign_of(pairs)[:-1])(pairs),
    "sign-long": lambda pairs: changed(sign=sign_of(pairs) + "0")(pairs),
    "sign-upper": lambda pairs: changed(sign=sign_of(pairs).upper())(pairs),
    "sign-nonascii": changed(sign="%C3%A9"),
    "sign-twice": lambda pairs: [*pairs, ("sign", "0" * 64)],
    "email-twice": lambda pairs: [("email", "a"), *pairs],
    "email-array": lambda pairs: [("email[]" if name == "email" else name, value) for name, value in pairs],
    "email-case": changed(email="ADMIN@udesk.cn"),
    "downgrade": changed(sign_version=None),
    "version-unknown": changed(sign_version="v9"),
    "old": lambda pairs: at(pairs, str(int(dict(pairs)["timestamp"]) - 301)),
    "future": lambda pairs: at(pairs, str(int(dict(pairs)["timestamp"]) + 301)),
    "timestamp-ms": lambda pairs: at(pairs, dict(pairs)["timestamp"] + "000"),
    "timestamp-text": lambda pairs: at(pairs, "abc"),
    "timestamp-2^63": lambda pairs: at(pairs, str(2**63)),
    "timestamp-fullwidth": lambda pairs: at(pairs, dict(pairs)["timestamp"].replace("1", "１")),
    "nonce-2kib": lambda pairs: _with_nonce(pairs, "n" * 2048),
    "param-after-sign": lambda pairs: [*pairs, ("per_page", "1")],
}


def _with_nonce(pairs: Pairs, nonce: str) -> Pairs:
    return at(changed(nonce=nonce)(pairs), dict(pairs)["timestamp"])


def test_every_case_is_tried():
    by_name = {"cross-dialect", "cross-tenant", "replay", "replay-other-worker", "replay-after-restart",
               "disabled-user", "left-user", "agent-writes"}  # fmt: skip

    assert {case[0] for case in SIGNED} == {*CHANGES, *by_name}
    assert {case[0] for case in BASIC} == set(HEADERS)


@pytest.mark.parametrize(("name", "cls"), [(name, cls) for name, _, cls in SIGNED if name in CHANGES])
@pytest.mark.parametrize("dialect", ["udesk", "servicego"])
def test_a_changed_signature_is_refused(desk, dialect, name, cls):
    if dialect == "servicego" and name in (*HAVE_NO_NONCE, "downgrade"):
        cls = "ok"  # its signature has no nonce and no version: these have no effect

    answer = check(dialect, get(desk, dialect, CHANGES[name](parameters(desk, dialect))), cls)

    if dialect == "udesk" and cls == "unauth":
        assert EXACTLY.get(name, 2059) == answer["code"]


@pytest.mark.parametrize("form", ["A", "B", "C"])
def test_each_form_of_signature_is_good_for_one_call(desk, form):
    check("udesk", get(desk, "udesk", parameters(desk, "udesk", form=form)), "ok")


@pytest.mark.parametrize(
    ("form", "version"), [("A", "v1"), ("A", None), ("B", "v1"), ("B", None), ("C", "v2"), ("C", "v9")]
)
def test_a_signature_counts_only_in_its_own_version(desk, form, version):
    pairs = [pair for pair in parameters(desk, "udesk", form=form) if pair[0] != "sign_version"]
    pairs += [("nonce", "n")] if form == "C" else []

    check("udesk", get(desk, "udesk", pairs + ([("sign_version", version)] if version else [])), "unauth")


@pytest.mark.parametrize("seconds", [-301, -300, 0, 300, 301])
@pytest.mark.parametrize("dialect", ["udesk", "servicego"])
def test_a_clock_may_be_five_minutes_off(desk, dialect, seconds):
    pairs = parameters(desk, dialect)

    response = get(desk, dialect, at(pairs, str(int(dict(pairs)["timestamp"]) + seconds)))

    check(dialect, response, "ok" if abs(seconds) <= 300 else "unauth")


def test_a_replayed_request_is_refused_for_fifteen_minutes(desk):
    pairs = parameters(desk, "udesk")
    check("udesk", get(desk, "udesk", pairs), "ok")

    assert 20623 == check("udesk", get(desk, "udesk", pairs), "unauth")["code"]
    desk.address = "10.1.1.1"
    assert 20623 == check("udesk", get(desk, "udesk", pairs), "unauth")["code"]
    desk.clock.now += 899
    assert 20623 == check("udesk", get(desk, "udesk", at(pairs, str(int(desk.clock())))), "unauth")["code"]
    desk.clock.now += 1
    check("udesk", get(desk, "udesk", at(pairs, str(int(desk.clock())))), "ok")


def test_a_replayed_request_is_refused_after_a_restart(desk):
    pairs = parameters(desk, "udesk")
    check("udesk", get(desk, "udesk", pairs), "ok")

    desk.restart()

    assert 20623 == check("udesk", get(desk, "udesk", pairs), "unauth")["code"]


@pytest.mark.once
def test_a_replayed_request_is_refused_by_who_takes_over_a_folder_that_was_never_closed(desk, tmp_path):
    pairs = parameters(desk, "udesk")
    check("udesk", get(desk, "udesk", pairs), "ok")
    shutil.copytree(desk.folder, tmp_path / "after-a-crash")

    successor = InProcess(tmp_path / "after-a-crash", desk.clock)

    assert 20623 == check("udesk", get(successor, "udesk", pairs), "unauth")["code"]
    successor.close()


def test_a_nonce_is_spent_only_by_a_right_signature(desk):
    pairs = parameters(desk, "udesk")
    check("udesk", get(desk, "udesk", changed(sign="0" * 64)(pairs)), "unauth")

    check("udesk", get(desk, "udesk", pairs), "ok")


@pytest.mark.parametrize("length", [1, 255, 256])
def test_a_nonce_has_at_most_255_characters(desk, length):
    pairs = _with_nonce(parameters(desk, "udesk"), "n" * length)

    check("udesk", get(desk, "udesk", pairs), "ok" if length < 256 else "unauth")


def test_a_udesk_signature_opens_nothing_in_servicego(desk):
    check("servicego", get(desk, "servicego", parameters(desk, "udesk")), "unauth")


@pytest.mark.parametrize("dialect", ["udesk", "kf5", "servicego"])
def test_credentials_of_one_company_open_nothing_in_another(desk, dialect):
    token = Account("token of the other")
    desk.add_company(Company(id=1, label="other", name="别家"), _others(token))

    if dialect == "servicego":
        shown = check(dialect, desk.of(token).servicego.get("/v1/user"), "ok")
        assert ["other"] == [one["realname"] for one in shown["data"]]
    else:
        path = READS[dialect].replace("/open_api_v1", "").replace("/apiv2", "")
        check(dialect, getattr(desk.of(ADMIN, "demo.example.com"), dialect).get(path), "ok")
        check(dialect, getattr(desk.of(ADMIN, "other.example.com"), dialect).get(path), "unauth")
        check(dialect, getattr(desk.of(token, "other.example.com"), dialect).get(path), "ok")
        check(dialect, getattr(desk.of(token, "demo.example.com"), dialect).get(path), "unauth")


def Account(token: str):
    return world.ADMIN.__class__(id=1, email=ADMIN.email, password="other-password", token=token)


def _others(account):
    hashed = password_hash(account.password)
    agent = Agent(id=1, name="other", email=account.email, level="admin", password=hashed)
    return [agent, Key(id=1, agent_id=1, name="k", secret=Secret(account.token))]


@pytest.mark.parametrize("account", [STRANGER, DISABLED, LEFT, REVIEWED])
@pytest.mark.parametrize("dialect", ["udesk", "servicego", "kf5"])
def test_who_is_not_active_is_answered_as_a_stranger(desk, dialect, account):
    path = READS[dialect].removeprefix("/open_api_v1").removeprefix("/apiv2").removeprefix("/api")
    stranger = getattr(desk.of(STRANGER), dialect).get(path)

    response = getattr(desk.of(account), dialect).get(path)

    check(dialect, response, "unauth")
    assert (stranger.status_code, stranger.content) == (response.status_code, response.content)


@pytest.mark.parametrize(
    ("dialect", "account", "method", "cls"),
    [
        ("udesk", AGENT, "GET", "forbidden"), ("udesk", AGENT, "POST", "forbidden"),
        ("servicego", AGENT, "GET", "forbidden"), ("servicego", AGENT, "POST", "forbidden"),
        ("kf5", AGENT, "GET", "ok"), ("kf5", AGENT, "POST", "forbidden"),
        ("udesk", READER, "GET", "ok"), ("udesk", READER, "POST", "forbidden"),
        ("servicego", READER, "GET", "ok"), ("servicego", READER, "POST", "forbidden"),
        ("kf5", READER, "GET", "ok"), ("kf5", READER, "POST", "forbidden"),
    ],
)  # fmt: skip
def test_an_agent_and_a_read_only_key_write_nothing(desk, dialect, account, method, cls):
    path = READS[dialect].removeprefix("/open_api_v1").removeprefix("/apiv2").removeprefix("/api")
    before = desk.roster().number

    check(dialect, getattr(desk.of(account), dialect).request(method, path, json={} if method == "POST" else None), cls)

    assert before == desk.roster().number


def basic(credentials: bytes) -> str:
    return "Basic " + b64encode(credentials).decode()


HEADERS: dict[str, list[str]] = {
    "basic-none": [],
    "basic-not-b64": ["Basic !!!"],
    "basic-no-colon": [basic(b"abc")],
    "basic-nul": [basic(b"a\0:b")],
    "basic-colon-in-password": [basic(b"a@b.cn:p:w")],
    "basic-latin1": [basic("a@b.cn:é".encode("latin-1"))],
    "basic-8kib": [basic(ADMIN.email.encode() + b":" + b"p" * 8192)],
    "basic-empty-password": [basic(ADMIN.email.encode() + b":")],
    "basic-twice": [basic(f"{ADMIN.email}:{ADMIN.password}".encode())] * 2,
    "bearer-on-basic": [f"Bearer {ADMIN.token}"],
}


@pytest.mark.parametrize(("name", "cls"), [(name, cls) for name, _, cls in BASIC])
def test_kf5_asks_for_basic_credentials_until_they_are_right(desk, name, cls):
    user = {"user": {"name": "a", "email": "a@b.cn", "password": "p:w"}}
    check("kf5", desk.kf5.post("/users.json", json=user), "ok")
    headers = [("Authorization", value) for value in HEADERS[name]]

    check("kf5", desk.plain().get(READS["kf5"], headers=headers), cls)


@pytest.mark.parametrize("scheme", ["Basic", "basic", "BASIC"])
def test_the_scheme_of_authorization_has_no_letter_case(desk, scheme):
    header = basic(f"{ADMIN.email}:{ADMIN.password}".encode()).replace("Basic", scheme)

    check("kf5", desk.plain().get(READS["kf5"], headers={"Authorization": header}), "ok")


def test_kf5_takes_a_password_and_a_token_and_an_email_of_any_case(desk):
    shouting = ADMIN.__class__(id=1, email=ADMIN.email.upper(), password=ADMIN.password, token=ADMIN.token)
    for account in (ADMIN, shouting):
        for auth in (KF5Password(account), KF5Token(account)):
            check("kf5", desk.plain().get(READS["kf5"], auth=auth), "ok")
    for auth in (KF5Password(STRANGER), (ADMIN.email, ADMIN.token), (f"{ADMIN.email}/token", ADMIN.password)):
        check("kf5", desk.plain().get(READS["kf5"], auth=auth), "unauth")


def test_a_revoked_key_opens_nothing_from_then_on(desk):
    check("kf5", desk.kf5.get("/groups.json"), "ok")

    desk.operate(lambda roster, caller: keys.revoke(roster, caller, 1, int(desk.clock())))

    for dialect in READS:
        path = READS[dialect].removeprefix("/open_api_v1").removeprefix("/apiv2").removeprefix("/api")
        check(dialect, getattr(desk, dialect).get(path), "unauth")


def test_the_vectors_of_the_contracts_are_signed_so():
    email, token, at, nonce = "admin@example.com", "11111111-2222-3333-4444-555555555555", "1700000000", "nonce-1"
    five, three = f"{email}&{token}&{at}&{nonce}&v2".encode(), f"{email}&{token}&{at}".encode()

    assert "d3adf3c88abaddf53006eea8c5445020f209f4da85ed0720eb5652f8fa0f8b8e" == sha256(five).hexdigest()
    assert "c04932a4eaa9332c6c7a23dc8d86061d6161ed18" == sha1(five).hexdigest()
    assert "808f24bcb5d20760eee330883f1f934a60a05b67" == sha1(three).hexdigest()
    assert "54d7bc745c58d8fa3826bd4770401e03e80ea3a155d75c50dd62ed5f04d2652d" == sha256(three).hexdigest()
