"""Every way to change a request with good credentials, in every dialect that it fits."""

import shutil
from base64 import b64encode
from collections.abc import Callable, Iterable
from hashlib import sha256
from urllib.parse import quote

import pytest

from deskroster.core import keys
from deskroster.core.records import Agent, Company, Group, Key, Position, Secret
from deskroster.dialect.credentials import Basic, SignedQuery
from deskroster.dialects import DIALECTS
from deskroster.testing import Account, Signature, UdeskSignature
from tests import bad_inputs
from tests.answers import check
from tests.contracts import BY_NAME, CONTRACTS, lists
from tests.in_process import InProcess
from tests.world import ADMIN, DISABLED, LEFT, REVIEWED, STRANGER, password_hash

pytestmark = pytest.mark.any_engine

OF_DIALECT = [dialect.name for dialect in DIALECTS]
BY_QUERY = [dialect.name for dialect in DIALECTS if dialect.signature]
BY_BASIC = [dialect.name for dialect in DIALECTS if isinstance(dialect.credentials, Basic)]
SIGNED = [case for case in bad_inputs.AUTH if not case[0].startswith(("basic", "bearer"))]
BASIC = [case for case in bad_inputs.AUTH if case[0].startswith(("basic", "bearer"))]


class Pairs(list[tuple[str, str]]):
    """The parameters that sign a request, and how they do."""

    def __init__(self, pairs: Iterable[tuple[str, str]], how: SignedQuery) -> None:
        super().__init__(pairs)
        self.how = how


def parameters(desk, dialect: str, account=ADMIN, how: SignedQuery | None = None) -> Pairs:
    """Return what signs one request, in the usual way of a dialect if no other is given."""
    how = how or BY_NAME[dialect].credentials
    return Pairs(Signature(account, how, desk.clock).parameters().items(), how)


def get(desk, dialect: str, pairs: list[tuple[str, str]], host="demo.example.com", method="GET", **how):
    query = "&".join(f"{name}={quote(value, safe='%')}" for name, value in pairs)
    return desk.plain(host).request(method, f"{lists(dialect)}?{query}", **how)


def changed(**values: str | None) -> Callable[[Pairs], Pairs]:
    """Return what replaces parameters, and drops those that are None."""

    def change(pairs: Pairs) -> Pairs:
        given = [(name, values.get(name, value)) for name, value in pairs]
        return Pairs([(name, value) for name, value in given if value is not None], pairs.how)

    return change


def at(pairs: Pairs, timestamp: str) -> Pairs:
    """Return a right signature at another time."""
    values = {**dict(pairs), "timestamp": timestamp, "token": ADMIN.token}
    sign = sha256("&".join(values[part] for part in pairs.how.parts).encode()).hexdigest()
    return changed(timestamp=timestamp, sign=sign)(pairs)


def sign_of(pairs: Pairs) -> str:
    return dict(pairs)["sign"]


CHANGES: dict[str, Callable[[Pairs], list[tuple[str, str]]]] = {
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
    elsewhere = {"disabled-user", "left-user", "agent-writes"}  # in test_access.py
    below = {"cross-dialect", "cross-tenant", "replay", "replay-other-worker", "replay-after-restart"}

    assert {case[0] for case in SIGNED} == {*CHANGES, *below, *elsewhere}
    assert {case[0] for case in BASIC} == set(HEADERS)


@pytest.mark.parametrize(("name", "cls"), [(name, cls) for name, _, cls in SIGNED if name in CHANGES])
@pytest.mark.parametrize("dialect", BY_QUERY)
def test_a_changed_signature_is_refused(desk, dialect, name, cls):
    check_changed(desk, dialect, name, cls)


def check_changed(desk, dialect: str, name: str, cls: str) -> None:
    """Assert how a change is judged. Where the signature has nothing of what it is about, it has no effect."""
    pairs = parameters(desk, dialect)
    sent = CHANGES[name](pairs)

    answer = check(dialect, get(desk, dialect, sent), "ok" if sent == pairs else cls)

    if sent != pairs and cls == "unauth":
        check_doubt(dialect, name, answer)


def check_doubt(dialect: str, name: str, answer) -> None:
    """Assert the code of a refusal, where the dialect has one for this case and another for all that have none."""
    doubts = CONTRACTS[dialect].doubts
    if doubts:
        assert doubts.get(name, doubts["else"]) == answer["code"]


@pytest.mark.parametrize(("dialect", "form"), [(name, form) for name in BY_QUERY for form in CONTRACTS[name].forms])
def test_each_form_of_signature_is_good_for_one_call(desk, dialect, form):
    check(dialect, get(desk, dialect, parameters(desk, dialect, how=CONTRACTS[dialect].forms[form])), "ok")


@pytest.mark.parametrize(
    ("form", "version"), [("A", "v1"), ("A", None), ("B", "v1"), ("B", None), ("C", "v2"), ("C", "v9")]
)
def test_a_signature_counts_only_in_its_own_version(desk, form, version):
    made = UdeskSignature(ADMIN, desk.clock, form).parameters()
    pairs = [pair for pair in made.items() if pair[0] != "sign_version"]
    pairs += [("nonce", "n")] if form == "C" else []

    check("udesk", get(desk, "udesk", pairs + ([("sign_version", version)] if version else [])), "unauth")


@pytest.mark.parametrize("seconds", [-301, -300, 0, 300, 301])
@pytest.mark.parametrize("dialect", BY_QUERY)
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


@pytest.mark.parametrize("dialect", OF_DIALECT)
def test_credentials_of_one_company_open_nothing_in_another(desk, dialect):
    other = Account(id=1, email=ADMIN.email, password="other-password", token="token of the other")
    desk.add_company(Company(id=1, label="other", name="别家"), _others(other))
    named = CONTRACTS[dialect].named

    if BY_NAME[dialect].account:
        shown = check(dialect, getattr(desk.of(other), dialect).get(named.lists), "ok")
        assert ["other"] == named.names(shown)
    else:
        for account, host, cls in (
            (ADMIN, "demo.example.com", "ok"),
            (ADMIN, "other.example.com", "unauth"),
            (other, "other.example.com", "ok"),
            (other, "demo.example.com", "unauth"),
        ):
            check(dialect, getattr(desk.of(account, host), dialect).get(named.lists), cls)


def _others(account):
    hashed = password_hash(account.password)
    return [
        Group(id=1, name="other"),
        Position(id=1, name="other"),
        Agent(id=1, name="other", email=account.email, level="admin", password=hashed),
        Key(id=1, agent_id=1, name="k", secret=Secret(account.token)),
    ]


@pytest.mark.parametrize("account", [DISABLED, LEFT, REVIEWED])
@pytest.mark.parametrize("dialect", OF_DIALECT)
def test_who_is_not_active_is_answered_as_a_stranger(desk, dialect, account):
    """On both engines: on PostgreSQL a refusal waits for the database. Every route is in the proofs of identity."""
    path = CONTRACTS[dialect].named.lists
    stranger = getattr(desk.of(STRANGER), dialect).get(path)

    response = getattr(desk.of(account), dialect).get(path)

    check(dialect, response, "unauth")
    assert (stranger.status_code, stranger.content) == (response.status_code, response.content)


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
@pytest.mark.parametrize("dialect", BY_BASIC)
def test_basic_credentials_are_asked_for_until_they_are_right(desk, dialect, name, cls):
    user = {"user": {"name": "a", "email": "a@b.cn", "role": "agent", "password": "p:w"}}
    check("kf5", desk.kf5.post("/users.json", json=user), "ok")
    headers = [("Authorization", value) for value in HEADERS[name]]

    response = desk.plain().get(lists(dialect), headers=headers)

    check(dialect, response, cls if takes_passwords(dialect) else "unauth")
    assert (response.status_code == 401) == ("Basic realm=" in response.headers.get("www-authenticate", ""))


def takes_passwords(dialect: str) -> bool:
    """Tell whether a login password may stand where a token does."""
    log_in = CONTRACTS[dialect].log_in
    return log_in is not None and log_in.by is not None


@pytest.mark.parametrize("scheme", ["Basic", "basic", "BASIC", "bAsIc"])
@pytest.mark.parametrize("dialect", BY_BASIC)
def test_the_scheme_of_authorization_has_no_letter_case(quiet_desk, dialect, scheme):
    header = BY_NAME[dialect].credentials.prove(ADMIN.email, ADMIN.token, 0, "").headers["Authorization"]

    reply = quiet_desk.plain().get(lists(dialect), headers={"Authorization": header.replace("Basic", scheme)})

    check(dialect, reply, "ok")


@pytest.mark.parametrize("dialect", OF_DIALECT)
def test_a_key_counts_in_the_dialects_that_it_names_alone(desk, dialect):
    others = tuple(name for name in OF_DIALECT if name != dialect)
    for secret, good_for in (("theirs", others), ("ours", (dialect,))):
        desk.operate(lambda roster, caller, secret=secret, dialects=good_for: keys.create(
            roster, caller, ADMIN.id, secret, Secret(secret), int(desk.clock()), dialects=dialects
        ))  # fmt: skip

    for secret, cls in (("theirs", "unauth"), ("ours", "ok")):
        account = Account(id=ADMIN.id, email=ADMIN.email, password="-", token=secret)
        check(dialect, getattr(desk.of(account), dialect).get(CONTRACTS[dialect].named.lists), cls)
