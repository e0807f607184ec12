"""Form bodies, and bodies that are encoded: what is read of them, and what is said of the others."""

from contextlib import suppress
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deskroster.dialect.forms import MAX_PAIRS, decode_form
from deskroster.dialect.problems import Malformed
from deskroster.dialect.request import FORM
from deskroster.dialects import DIALECTS
from tests.answers import check
from tests.contracts import CONTRACTS

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


OF_DIALECT = [pytest.param(dialect, id=dialect.name) for dialect in DIALECTS]


def create(desk, dialect, content, **headers):
    """Send a body to the create of what has a name alone."""
    return getattr(desk, dialect.name).post(CONTRACTS[dialect.name].named.creates, content=content, headers=headers)


def as_form(value, name=""):
    """Return the pairs of an object as a form."""
    if not isinstance(value, dict):
        return [(name, value)]
    return [pair for key, one in value.items() for pair in as_form(one, f"{name}[{key}]" if name else key)]


@pytest.mark.any_engine
@pytest.mark.parametrize("dialect", OF_DIALECT)
def test_a_form_is_read_or_refused_with_what_is_read(desk, dialect):
    named = CONTRACTS[dialect.name].named
    response = create(desk, dialect, urlencode(as_form(named.body("A+B 组"))), **{"Content-Type": FORM})

    if FORM in dialect.media:
        id = named.id(check(dialect.name, response, "ok"))
        assert "A+B 组" == desk.roster().table(named.kind)[id].name
    else:
        assert "send application/json" in str(check(dialect.name, response, "media"))


@pytest.mark.parametrize("body", ['{"name":"x"}', "[1]", ' \n{"a":1}'])
@pytest.mark.parametrize("dialect", OF_DIALECT)
def test_json_that_says_it_is_a_form_is_told_which_type_to_send(quiet_desk, dialect, body):
    response = create(quiet_desk, dialect, body, **{"Content-Type": FORM})

    assert "application/json" in str(check(dialect.name, response, "media"))


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "GZIP", "identity, gzip", "x" * 500])
@pytest.mark.parametrize("dialect", OF_DIALECT)
def test_a_body_that_is_encoded_is_refused_and_its_encoding_named(quiet_desk, dialect, encoding):
    response = create(quiet_desk, dialect, b"\x1f\x8b", **{"Content-Encoding": encoding})

    assert encoding.lower()[:64] in str(check(dialect.name, response, "media"))


@pytest.mark.parametrize("dialect", OF_DIALECT)
def test_each_encoding_that_is_named_counts(quiet_desk, dialect):
    client, named = getattr(quiet_desk, dialect.name), CONTRACTS[dialect.name].named
    twice = [("Content-Encoding", "identity"), ("Content-Encoding", "gzip")]

    assert "gzip" in str(check(dialect.name, client.post(named.creates, json=named.body("x"), headers=twice), "media"))


@pytest.mark.parametrize("dialect", OF_DIALECT)
def test_an_encoding_that_is_none_or_of_a_body_that_nobody_reads_is_ignored(desk, dialect):
    named, client = CONTRACTS[dialect.name].named, getattr(desk, dialect.name)
    for encoding in ("identity", "Identity", " identity "):
        response = client.post(named.creates, json=named.body("x"), headers={"Content-Encoding": encoding})
        check(dialect.name, response, "ok")
    check(dialect.name, client.get(named.lists, headers={"Content-Encoding": "gzip"}), "ok")
