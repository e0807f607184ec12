"""Form bodies: what Udesk and KF5 read of them, and what the others say."""

from contextlib import suppress
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deskroster.dialect.forms import MAX_PAIRS, decode_form
from deskroster.dialect.problems import Malformed
from deskroster.dialect.request import FORM
from deskroster.testing import UdeskSignature
from tests.answers import check
from tests.world import ADMIN

READ = [
    ("", {}),
    ("a=1", {"a": "1"}),
    ("a=1&a=2", {"a": "2"}),
    ("a", {"a": ""}),
    ("a=b=c", {"a": "b=c"}),
    ("&&a=1&", {"a": "1"}),
    ("=1", {}),
    ("a=%E4%BD%A0", {"a": "你"}),
    ("a=你", {"a": "你"}),
    ("a=x+y", {"a": "x y"}),
    ("a=x%2By", {"a": "x+y"}),
    ("email=a+b@x.cn", {"email": "a+b@x.cn"}),
    ("agent[email]=a+b%2Bc@x.cn", {"agent": {"email": "a+b+c@x.cn"}}),
    ("a[b]=1&a[c]=2", {"a": {"b": "1", "c": "2"}}),
    ("a%5Bb%5D=1", {"a": {"b": "1"}}),
    ("a[b][c][d]=1", {"a": {"b": {"c": {"d": "1"}}}}),
    ("a[]=1&a[]=2", {"a": ["1", "2"]}),
    ("a[]=", {"a": []}),
    ("a[]=&a[]=1", {"a": ["", "1"]}),
    ("a[0]=1&a[2]=3", {"a": {"0": "1", "2": "3"}}),
    ("a[][id]=1&a[][id]=2", {"a": [{"id": "1"}, {"id": "2"}]}),
    ("a[][id]=1&a[][x]=y&a[][id]=2", {"a": [{"id": "1", "x": "y"}, {"id": "2"}]}),
    ("a[b][]=1", {"a": {"b": ["1"]}}),
    ("a[b=1", {"a[b": "1"}),
    ("a]b=1", {"a]b": "1"}),
    ("[b]=1", {"[b]": "1"}),
    ("a[b]c=1", {"a[b]c": "1"}),
    ("a[[b]]=1", {"a[[b]]": "1"}),
    ("a[][]=1", {"a": [["1"]]}),
]
REFUSED = [
    "a=1&a[b]=2", "a[b]=1&a=2", "a[]=1&a[b]=2", "a[b]=1&a[]=2", "a[]=1&a=2", "a[b]=1&a[b][c]=2", "a=%ff", "%ff=1",
    "a" + "[b]" * 64 + "=1", "&" * MAX_PAIRS,
]  # fmt: skip


@pytest.mark.once
@pytest.mark.parametrize(("body", "expected"), READ)
def test_a_form_is_read_as_rails_and_php_read_it(body, expected):
    assert expected == decode_form(body.encode())


@pytest.mark.once
@pytest.mark.parametrize(
    "body", [*(one.encode() for one in REFUSED), b"a=\xff", b"\xe4=1"], ids=lambda body: str(body[:30])
)
def test_a_form_that_contradicts_itself_is_malformed(body):
    with pytest.raises(Malformed):
        decode_form(body)


@pytest.mark.once
@given(st.binary(max_size=60) | st.text("a[]=&%+1", max_size=30).map(str.encode))
def test_whatever_a_form_is_it_is_read_or_malformed(body):
    with suppress(Malformed):
        assert isinstance(decode_form(body), dict)


def sent(desk, dialect, method, path, form, media=FORM):
    content = form if isinstance(form, bytes | str) else urlencode(form)
    return getattr(desk, dialect).request(method, path, content=content, headers={"Content-Type": media})


@pytest.mark.any_engine
def test_a_client_of_udesk_may_send_forms(desk):
    form = {"agent[email]": "a+b@udesk.cn", "agent[password]": "p", "agent[user_group_ids][]": "1",
            "agent[im_ability_value]": "7", "agent[availability]": "0"}  # fmt: skip
    made = check("udesk", sent(desk, "udesk", "POST", "/agents", form), "ok")["agent"]
    assert ("a+b@udesk.cn", "a+b", [1], 7, False) == tuple(
        made[key] for key in ("email", "nick_name", "user_group_ids", "im_ability_value", "availability")
    )
    check("udesk", sent(desk, "udesk", "PUT", f"/agents/{made['id']}", "agent[user_group_ids][]="), "ok")
    assert () == desk.roster().agents[made["id"]].group_ids
    check("udesk", sent(desk, "udesk", "POST", "/user_groups", "name=A+%26+B"), "ok")
    assert "A & B" == desk.roster().groups[4].name
    check("udesk", sent(desk, "udesk", "DELETE", "/agents/2", "owner_group_id=1&owner_id=1"), "ok")


@pytest.mark.any_engine
def test_a_client_of_kf5_may_send_forms(desk):
    made = sent(desk, "kf5", "POST", "/groups.json", "group[name]=新&group[agents][]=2&group[agents][]=3")
    assert (201, [2, 3]) == (made.status_code, [one["id"] for one in made.json()["group"]["agents"]])
    changed = sent(desk, "kf5", "PUT", "/users/2.json", "user[mark_star]=1&user[role]=admin", f"{FORM}; charset=UTF-8")
    assert (1, "admin") == (changed.json()["user"]["mark_star"], changed.json()["user"]["role"])
    wrong = sent(desk, "kf5", "PUT", "/groups/1.json", "group[agents]=x").json()["error"]
    assert {"agents": "is of the wrong type: an array of integers is wanted"} == wrong["fields"]


def test_signature_parameters_may_stand_in_a_form(desk):
    signed = UdeskSignature(ADMIN, desk.clock).parameters()

    response = desk.plain().post("/open_api_v1/user_groups", content=urlencode({"name": "x", **signed}),
                                 headers={"Content-Type": FORM})  # fmt: skip

    check("udesk", response, "ok")


def test_the_same_form_with_the_same_idempotency_key_creates_once(desk):
    answers = [
        desk.kf5.post("/groups.json", content=b"group[name]=x", headers={"Content-Type": FORM, "Idempotency-Key": "k"})
        for _ in range(2)
    ]

    assert answers[0].json() == answers[1].json()
    assert 4 == len(desk.roster().groups)


@pytest.mark.parametrize("form", ["a=1&a[b]=2", "group[name]=%ff", "", b"group[name]=\xff"])
def test_a_form_that_cannot_be_read_is_a_syntax_error(quiet_desk, form):
    expected = "invalid" if form == "" else "syntax"  # an empty form is an object without a name

    check("kf5", sent(quiet_desk, "kf5", "POST", "/groups.json", form), expected)


@pytest.mark.parametrize("body", ['{"group":{"name":"x"}}', "[1]", ' \n{"a":1}'])
@pytest.mark.parametrize("dialect", ["udesk", "kf5"])
def test_json_that_says_it_is_a_form_is_told_which_type_to_send(quiet_desk, dialect, body):
    path = "/groups.json" if dialect == "kf5" else "/user_groups"

    told = check(dialect, sent(quiet_desk, dialect, "POST", path, body), "media")

    assert "send Content-Type: application/json" in str(told)


@pytest.mark.parametrize("dialect", ["servicego", "own"])
def test_the_others_read_no_forms_and_say_what_they_read(quiet_desk, dialect):
    path = "/v1/userGroup" if dialect == "servicego" else "/v1/positions"

    told = check(dialect, sent(quiet_desk, dialect, "POST", path, "name=x"), "media")

    assert "send application/json" in str(told)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "GZIP", "identity, gzip", "x" * 500])
@pytest.mark.parametrize("dialect", ["udesk", "kf5", "servicego", "own"])
def test_a_body_that_is_encoded_is_refused_and_its_encoding_named(quiet_desk, dialect, encoding):
    path = {"udesk": "/user_groups", "kf5": "/groups.json", "servicego": "/v1/userGroup", "own": "/v1/positions"}[
        dialect
    ]

    response = getattr(quiet_desk, dialect).post(path, content=b"\x1f\x8b", headers={"Content-Encoding": encoding})

    assert encoding.lower()[:64] in str(check(dialect, response, "media"))


def test_an_encoding_that_is_none_or_of_a_body_that_nobody_reads_is_ignored(desk):
    for encoding in ("identity", "Identity", " identity "):
        check(
            "udesk", desk.udesk.post("/user_groups", json={"name": "x"}, headers={"Content-Encoding": encoding}), "ok"
        )
    check("udesk", desk.udesk.get("/user_groups", headers={"Content-Encoding": "gzip"}), "ok")
    check("kf5", desk.kf5.delete("/groups/1.json", headers={"Content-Encoding": "gzip"}), "ok")
