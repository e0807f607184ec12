"""Every bad input against every dialect and every field that it fits, in process and over a socket."""

import json
import re
from urllib.parse import parse_qsl

import pytest
from msgspec.inspect import type_info

from deskroster.core import agents
from deskroster.core.agents import AgentFields
from deskroster.core.records import Agent, Company, Group
from deskroster.dialects import DIALECTS
from tests import bad_inputs, places
from tests.answers import check
from tests.calls import CALLS, name_of
from tests.contract import Place, send_json
from tests.contracts import BY_NAME, CONTRACTS
from tests.sampled import one_of_each
from tests.world import ADMIN

pytestmark = pytest.mark.any_engine

OTHERS_AGENT = OTHERS_GROUP = 2**40  # ids that only another company has
ANOTHER = AgentFields(name="一", email="1@test.cn")


def cases(listed):
    return [pytest.param(value, cls, id=name) for name, value, cls in listed]


def by_id(listed: list[Place]):
    return [pytest.param(place, id=place.id) for place in listed]


FORBIDDEN_IN_TEXT = re.compile("[\x00\ud800-\udfff]")
INVISIBLE = {value for name, value, _ in bad_inputs.NAMES if name.endswith(("-only", "-invisible"))}
MARKS = "\u00ad\u061c\u200b\u200c\u200d\u200e\u200f\u202e\u2060\ufeff"  # those of the list
ENDS = f" \t\r\n\u3000{MARKS}"


def judged(place: Place, value, cls: str) -> tuple[str, str]:
    """Return the class that a name gets in a field of another flavour or length, and what is shown of it."""
    if type(value) is int and cls == "ok":
        return ("ok" if BY_NAME[place.dialect].lenient else "invalid"), str(value)
    if cls == "syntax" or (value is not None and not isinstance(value, str)):
        return cls, ""
    if value is None:
        return ("ok" if place.nullable else "invalid"), ""
    if place.flavour == "text":
        return ("invalid" if FORBIDDEN_IN_TEXT.search(value) else "ok"), value.rstrip(ENDS).lstrip(MARKS)
    if place.flavour != "name" and (value in INVISIBLE or not value.strip(ENDS)):
        return "ok", ""
    if place.flavour == "number":
        value = value.translate(dict.fromkeys(map(ord, MARKS)))
    if place.flavour == "number" and cls == "invalid" and len(value) < 256 and value.isprintable():
        cls = "ok"  # what is forbidden in it was a mark
    shown = bad_inputs.READ_AS.get(value, value.strip(ENDS))
    if cls == "ok" or len(value) == 256:
        return ("ok" if len(shown) <= place.limit else "invalid"), shown
    return cls, shown


@pytest.mark.parametrize(("value", "cls"), cases(bad_inputs.NAMES))
@pytest.mark.parametrize("place", one_of_each(by_id(places.NAMES), lambda place: (place.dialect, place.flavour)))
def test_a_name_is_kept_as_it_is_or_refused_whole(quiet_desk, place, value, cls):
    check_value(quiet_desk, place, value, *judged(place, value, cls))


@pytest.mark.parametrize(("value", "cls"), cases(bad_inputs.EMAILS))
@pytest.mark.parametrize("place", by_id(places.EMAILS))
def test_an_email_is_kept_as_it_is_or_refused_whole(desk, place, value, cls):
    if cls == "conflict" and value.startswith("1@"):
        desk.operate(lambda roster, caller: agents.create(roster, caller, ANOTHER, int(desk.clock())))

    check_value(desk, place, value, cls, bad_inputs.READ_AS.get(value, value) if cls == "ok" else value)


@pytest.mark.parametrize(("value", "cls"), cases(bad_inputs.MOBILES))
@pytest.mark.parametrize("place", by_id(places.STRICT_MOBILES))
def test_a_mobile_is_what_the_vendor_wants_of_one_or_refused(quiet_desk, place, value, cls):
    check_value(quiet_desk, place, value, cls, bad_inputs.READ_AS.get(value, value))


@pytest.mark.parametrize(("value", "cls"), cases(bad_inputs.MOBILES))
@pytest.mark.parametrize("place", by_id(places.LOOSE_MOBILES))
def test_a_mobile_is_any_line_of_text_where_the_vendor_has_no_rule(quiet_desk, place, value, cls):
    shown = bad_inputs.READ_AS.get(value, value)

    check_value(quiet_desk, place, value, "ok" if shown.isprintable() else "invalid", shown)


def check_value(desk, place: Place, value, cls: str, shown) -> None:
    clients, before = desk.of(ADMIN), desk.roster().number

    answer = check(place.dialect, place.write(clients, value), cls)

    if cls == "ok":
        assert shown == place.shown(clients, answer)
        assert desk.roster().number <= before + 1
        assert (place.method != "POST") or desk.roster().number == before + 1
    else:
        assert before == desk.roster().number
    if cls == "invalid":
        told = str(answer).lower()
        assert any(name in told for name in (place.field, place.field.replace("_", " "), "fielddatalist[0].fieldvalue"))


def is_paged(dialect, route) -> bool:
    paging = CONTRACTS[dialect.name].paging
    return route.query is not None and paging.number in asked_by(route)


def asked_by(route) -> set[str]:
    """Return the parameters that a route has in its query."""
    return {field.encode_name for field in type_info(route.query).fields}


ROUTES = [pytest.param(dialect, route, id=name_of(dialect, route)) for dialect in DIALECTS for route in dialect.routes]
WITH_ID = [one for one in ROUTES if "{" in one.values[1].path]
WITH_BODY = [one for one in ROUTES if one.values[1].body is not None]
ID_LISTS = [
    pytest.param(name, listed, id=f"{name} {listed.method} {listed.path} {listed.body('…')}")
    for name, contract in CONTRACTS.items()
    for listed in contract.id_lists
]
PAGED = [one for one in ROUTES if is_paged(*one.values)]
WITH_A_NAME = [pytest.param(dialect, id=dialect.name) for dialect in DIALECTS]


def send(desk, dialect, method: str, target: str, **how):
    """Send a raw target, without any normalising, signed by the administrator."""
    client = getattr(desk.of(ADMIN), dialect.name)
    return client.request(method, "/", extensions={"target": (dialect.prefix + target).encode()}, **how)


def of_dialect(dialect, route) -> str:
    return dialect.name


def takes_many_ids(dialect, route) -> bool:
    return CALLS[name_of(dialect, route)].many_ids


@pytest.fixture(scope="module")
def beside_another(quiet_desk):
    """Give the installation with a second company."""
    agent = Agent(id=OTHERS_AGENT, name="别家", email="other@other.cn")
    quiet_desk.add_company(Company(id=1, label="other", name="别家"), [Group(id=OTHERS_GROUP, name="别家"), agent])
    return quiet_desk


@pytest.mark.parametrize(("value", "cls"), cases(bad_inputs.IDS))
@pytest.mark.parametrize(
    ("dialect", "route"), one_of_each([one for one in WITH_ID if not takes_many_ids(*one.values)], of_dialect)
)
def test_an_id_that_nothing_has_is_not_found(beside_another, dialect, route, value, cls):
    desk = beside_another
    sent, before = value.replace("OTHER", str(OTHERS_AGENT)), desk.roster().number
    how = {} if route.body is None else {"json": CALLS[name_of(dialect, route)].body}

    answer = check(dialect.name, send(desk, dialect, route.method, re.sub(r"\{\w+\}", sent, route.path), **how), cls)

    assert before == desk.roster().number
    CONTRACTS[dialect.name].answers.unknown_id(answer, sent)


@pytest.mark.parametrize(
    ("value", "cls"),
    [
        ([], "ok"), ([2, 1, 2], "ok"), ([0], "invalid"), ([-1], "invalid"), ([99], "invalid"), ([1, 99], "invalid"),
        (["1 "], "invalid"), ([1.5], "invalid"), ([True], "invalid"), ([None], "invalid"), ([[1]], "invalid"),
        ([{}], "invalid"), ({"id": 1}, "invalid"), ("1", "invalid"), (1, "invalid"), (False, "invalid"),
        ([2**63 - 1], "invalid"), ([2**63], "syntax"), ([1] * 10_000, "ok"), ([1] * 10_001, "invalid"),
    ],
    ids=lambda value: str(value)[:20],
)  # fmt: skip
@pytest.mark.parametrize(("dialect", "listed"), ID_LISTS)
def test_a_list_of_ids_in_a_body_is_a_set_of_what_exists(desk, dialect, listed, value, cls):
    if value == [] and not listed.may_be_empty:
        cls = "invalid"
    before = desk.roster()
    number, members = before.number, before.groups[3].member_ids

    check(dialect, send_json(getattr(desk, dialect), listed.method, listed.path, listed.body(value)), cls)

    if cls != "ok":
        assert (number, members) == (desk.roster().number, desk.roster().groups[3].member_ids)


@pytest.mark.parametrize(("value", "cls"), cases(bad_inputs.PAGING))
@pytest.mark.parametrize("part", ["number", "size"])
@pytest.mark.parametrize(("dialect", "route"), one_of_each(PAGED, of_dialect))
def test_a_page_out_of_range_is_clamped_or_refused(quiet_desk, dialect, route, part, value, cls):
    paging = CONTRACTS[dialect.name].paging
    name = paging.number if part == "number" else paging.size
    sent = [(name, one) for one in value] if isinstance(value, tuple) else [(name, value)]
    if value == "page[]=1":
        sent = [(f"{name}[]", "1")]
    if part == "number" and value == "101":
        cls = "ok"
    if part == "size" and value == "1000000":
        cls = "invalid"
    needed = [pair for pair in query_of(dialect, route) if pair[0] not in (paging.number, paging.size)]
    path = re.sub(r"\{\w+\}", "1", route.path)

    answer = check(
        dialect.name,
        getattr(quiet_desk, dialect.name).get(path, params=[*sent, *needed]),
        cls if paging.refuses else "ok",
    )

    paging.check(answer, part, value)


def query_of(dialect, route) -> list[tuple[str, str]]:
    """Return the query of the good call of a route."""
    return parse_qsl(CALLS[name_of(dialect, route)].path.partition("?")[2])


@pytest.mark.parametrize(("value", "cls"), cases(bad_inputs.BODIES))
@pytest.mark.parametrize(("dialect", "route"), one_of_each(WITH_BODY, of_dialect))
def test_a_body_is_judged_by_its_form_before_anything_in_it(request, dialect, route, value, cls):
    if route.empty_body and value == b"":
        cls = "ok"
    # What is accepted may delete what other tests need.
    desk = request.getfixturevalue("desk" if cls == "ok" else "quiet_desk")
    before = desk.roster().number
    target = re.sub(r"\{\w+\}", "2", route.path)

    response = send(desk, dialect, route.method, target, content=value, headers={"Content-Type": "application/json"})

    if cls != "ok":
        check(dialect.name, response, cls)
        assert before == desk.roster().number
    else:
        assert response.status_code < 500
        json.loads(response.content)


TAKES_A_NAME = [
    pytest.param(name, path, kind, id=f"{name}-{path}")
    for name, contract in CONTRACTS.items()
    for path, kind in contract.top_level_names
]


@pytest.mark.parametrize(("value", "cls"), [one for one in cases(bad_inputs.BODIES) if one.values[1] == "ok"])
@pytest.mark.parametrize(("dialect", "path", "kind"), TAKES_A_NAME)
def test_of_a_repeated_key_the_last_counts_and_an_unknown_one_has_no_effect(desk, dialect, path, kind, value, cls):
    client = getattr(desk, dialect)

    answer = check(dialect, client.post(path, content=value, headers={"Content-Type": "application/json"}), cls)

    made = desk.roster().table(kind)[CONTRACTS[dialect].named.id(answer)]
    assert made.name == ("b" if b'"b"' in value else "a")
    assert [1, 6] == list(desk.roster().administrators)


@pytest.mark.parametrize(
    ("media", "cls"),
    [
        (None, "ok"), ("", "ok"), ("application/json", "ok"), ("Application/JSON; charset=utf-8", "ok"),
        ("text/plain", "media"), ("application/xml", "media"), ("application/x-www-form-urlencoded", "media"),
        ("application/jsonx", "media"), ("json", "media"), ("multipart/form-data; boundary=x", "media"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("dialect", WITH_A_NAME)
def test_a_body_is_json_or_says_nothing_of_what_it_is(desk, dialect, media, cls):
    named, before = CONTRACTS[dialect.name].named, desk.roster().number
    headers = {} if media is None else {"Content-Type": media}
    content = json.dumps(named.body("a"))

    check(dialect.name, getattr(desk, dialect.name).post(named.creates, content=content, headers=headers), cls)

    assert desk.roster().number == before + (cls == "ok")


@pytest.mark.parametrize("depth", [64, 65])
@pytest.mark.parametrize(("open", "close"), [("[", "]"), ('{"a":', "}")])
def test_a_body_may_have_64_levels(desk, depth, open, close):
    content = '{"name":"a","x":' + open * (depth - 1) + "1" + close * (depth - 1) + "}"

    response = desk.udesk.post("/user_groups", content=content)

    check("udesk", response, "ok" if depth == 64 else "syntax")


@pytest.mark.parametrize(
    ("number", "cls"),
    [
        (2**63 - 1, "ok"), (-(2**63), "ok"), (2**63, "syntax"), (-(2**63) - 1, "syntax"), (2**64, "syntax"),
        ("1e308", "ok"), ("1e309", "syntax"), ("-0", "ok"), ("1E+2", "ok"), ("0.1e-400", "ok"),
    ],
)  # fmt: skip
def test_a_number_in_a_body_is_one_that_64_bits_hold(desk, number, cls):
    check("udesk", desk.udesk.post("/user_groups", content=f'{{"name":"a","x":[{number}]}}'), cls)


@pytest.mark.parametrize("dialect", WITH_A_NAME)
def test_a_body_of_one_mebibyte_is_taken_and_a_byte_more_is_not(desk, dialect):
    named = CONTRACTS[dialect.name].named
    for size, cls in ((1 << 20, "ok"), ((1 << 20) + 1, "toolarge")):
        content = json.dumps({**named.body("a"), "x": ""})[:-2]
        content += "x" * (size - len(content) - 2) + '"}'

        check(dialect.name, getattr(desk, dialect.name).post(named.creates, content=content), cls)
