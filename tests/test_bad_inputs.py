"""Every bad input against every dialect and every field that it fits, in process and over a socket."""

import json
import re

import pytest

from deskroster.core.records import Agent, Company, Group
from deskroster.dialects import DIALECTS
from tests import bad_inputs, places
from tests.answers import check
from tests.places import Place
from tests.sampled import one_of_each
from tests.world import ADMIN

pytestmark = pytest.mark.any_engine

OTHERS_AGENT = OTHERS_GROUP = 2**40  # ids that only another company has


def cases(listed):
    return [pytest.param(value, cls, id=name) for name, value, cls in listed]


def by_id(listed: list[Place]):
    return [pytest.param(place, id=place.id) for place in listed]


FORBIDDEN_IN_TEXT = re.compile("[\x00\ud800-\udfff]")
INVISIBLE = {value for name, value, _ in bad_inputs.NAMES if name.endswith(("-only", "-invisible"))}
WHITE = " \u3000\u200b"


def judged(place: Place, value, cls: str) -> tuple[str, str]:
    """Return the class that a name gets in a field of another flavour or length, and what is shown of it."""
    if cls == "syntax" or (value is not None and not isinstance(value, str)):
        return cls, ""
    if value is None:
        return ("ok" if place.nullable else "invalid"), ""
    if place.flavour == "text":
        return ("invalid" if FORBIDDEN_IN_TEXT.search(value) else "ok"), value
    if place.flavour == "line" and (value in INVISIBLE or not value.strip(WHITE)):
        return "ok", ""
    if cls == "ok" or len(value) == 256:
        return ("ok" if len(value) <= place.limit else "invalid"), value
    return cls, value


@pytest.mark.parametrize(("value", "cls"), cases(bad_inputs.NAMES))
@pytest.mark.parametrize("place", one_of_each(by_id(places.NAMES), lambda place: (place.dialect, place.flavour)))
def test_a_name_is_kept_as_it_is_or_refused_whole(quiet_desk, place, value, cls):
    check_value(quiet_desk, place, value, *judged(place, value, cls))


@pytest.mark.parametrize(("value", "cls"), cases(bad_inputs.EMAILS))
@pytest.mark.parametrize("place", by_id(places.EMAILS))
def test_an_email_is_kept_as_it_is_or_refused_whole(desk, place, value, cls):
    if cls == "conflict" and value.startswith("1@"):
        check("kf5", desk.kf5.post("/users.json", json={"user": {"name": "一", "email": "1@test.cn"}}), "ok")

    check_value(desk, place, value, cls, value)


@pytest.mark.parametrize(("value", "cls"), cases(bad_inputs.MOBILES))
@pytest.mark.parametrize("place", by_id(places.STRICT_MOBILES))
def test_a_mobile_is_what_servicego_wants_of_one_or_refused(quiet_desk, place, value, cls):
    check_value(quiet_desk, place, value, cls, value)


@pytest.mark.parametrize(("value", "cls"), cases(bad_inputs.MOBILES))
@pytest.mark.parametrize("place", by_id(places.LOOSE_MOBILES))
def test_a_mobile_is_any_line_of_text_where_the_vendor_has_no_rule(quiet_desk, place, value, cls):
    is_line = isinstance(value, str) and value.isprintable()

    check_value(quiet_desk, place, value, "ok" if is_line else "invalid", value)


def check_value(desk, place: Place, value, cls: str, shown) -> None:
    clients, before = desk.of(ADMIN), desk.roster().number

    answer = check(place.dialect, place.write(clients, value), cls)

    if cls == "ok":
        assert shown == place.shown(clients, answer)
        assert desk.roster().number <= before + 1
        assert (place.method == "PUT") or desk.roster().number == before + 1
    else:
        assert before == desk.roster().number
    if cls == "invalid":
        told = str(answer).lower()
        assert any(name in told for name in (place.field, place.field.replace("_", " "), "fielddatalist[0].fieldvalue"))


ROUTES = [pytest.param(dialect, route, id=f"{dialect.name} {route.method} {route.path}")
          for dialect in DIALECTS for route in dialect.routes]  # fmt: skip
WITH_ID = [one for one in ROUTES if "{" in one.values[1].path]
WITH_BODY = [one for one in ROUTES if one.values[1].body is not None]
PAGED = [one for one in ROUTES if one.values[0].name != "own" and one.values[1].query is not None
         and {"page", "page_num"} & set(one.values[1].query.__struct_fields__)]  # fmt: skip
NEEDED = {"/users/show_many.json": {"ids": "1,2"}, "/users/search.json": {"query": "a"}}
SAMPLES = {"udesk": {"name": "a"}, "kf5": {"group": {"name": "a"}}, "servicego": {"name": "a"}, "own": {"name": "a"}}


def send(desk, dialect, method: str, target: str, **how):
    """Send a raw target, without any normalising, signed by the administrator."""
    client = getattr(desk.of(ADMIN), dialect.name)
    return client.request(method, "/", extensions={"target": (dialect.prefix + target).encode()}, **how)


def of_dialect(dialect, route) -> str:
    return dialect.name


def is_listed(dialect, route) -> bool:
    """Tell whether a path takes a list of ids."""
    return dialect.name == "servicego" and route.method == "DELETE"


@pytest.fixture(scope="module")
def beside_another(quiet_desk):
    """Give the installation with a second company."""
    agent = Agent(id=OTHERS_AGENT, name="别家", email="other@other.cn")
    quiet_desk.add_company(Company(id=1, label="other", name="别家"), [Group(id=OTHERS_GROUP, name="别家"), agent])
    return quiet_desk


@pytest.mark.parametrize(("value", "cls"), cases(bad_inputs.IDS))
@pytest.mark.parametrize(
    ("dialect", "route"), one_of_each([one for one in WITH_ID if not is_listed(*one.values)], of_dialect)
)
def test_an_id_that_nothing_has_is_not_found(beside_another, dialect, route, value, cls):
    desk = beside_another
    sent, before = value.replace("OTHER", str(OTHERS_AGENT)), desk.roster().number
    how = {} if route.body is None else {"json": SAMPLES[dialect.name]}

    answer = check(dialect.name, send(desk, dialect, route.method, re.sub(r"\{\w+\}", sent, route.path), **how), cls)

    assert before == desk.roster().number
    if dialect.name == "udesk":
        assert f"id={sent[:64]}" in answer["exception"]


@pytest.mark.parametrize(("value", "cls"), cases(bad_inputs.IDS))
@pytest.mark.parametrize("path", ["/v1/user/", "/v1/userGroup/"])
def test_servicego_deletes_nothing_by_an_id_that_nothing_has(desk, path, value, cls):
    sent, before = value.replace("OTHER", str(OTHERS_AGENT)), desk.roster().number
    response = send(desk, dialect_named("servicego"), "DELETE", path + sent)

    if re.fullmatch("[1-9][0-9]*", sent):
        answer = check("servicego", response, "ok")["data"]
        assert {"successList": [], "successTotal": 0, "failTotal": 1, "total": 1} == {
            key: answer[key] for key in ("successList", "successTotal", "failTotal", "total")
        }
        assert [sent] == list(answer["failMap"])
        assert before == desk.roster().number
    elif sent == "1,2":
        check("servicego", response, "ok")
    else:
        check("servicego", response, "invalid")
        assert before == desk.roster().number


@pytest.mark.parametrize(("value", "cls"), cases(bad_inputs.ID_LISTS))
@pytest.mark.parametrize("path", ["/v1/user/", "/v1/userGroup/"])
def test_a_list_of_ids_in_a_path_is_taken_whole_or_not_at_all(desk, path, value, cls):
    sent = value.replace("SELF", str(ADMIN.id))
    before = desk.roster().number

    answer = check("servicego", send(desk, dialect_named("servicego"), "DELETE", path + sent), cls)

    if cls == "ok":
        data = answer["data"]
        assert len(set(sent.split(","))) == data["total"] == data["successTotal"] + data["failTotal"]
        assert set(sent.split(",")) == {*map(str, data["successList"]), *data["failMap"]}
        assert (str(ADMIN.id) in data["failMap"]) == (path == "/v1/user/")
    assert desk.roster().number == before + (cls == "ok" and data["successTotal"] > 0)


@pytest.mark.parametrize(
    ("value", "cls"),
    [
        ([], "ok"), ([2, 1, 2], "ok"), ([0], "invalid"), ([-1], "invalid"), ([99], "invalid"), ([1, 99], "invalid"),
        (["1"], "invalid"), ([1.5], "invalid"), ([True], "invalid"), ([None], "invalid"), ([[1]], "invalid"),
        ([{"id": 1}], "invalid"), ({"id": 1}, "invalid"), ("1", "invalid"), (1, "invalid"), (False, "invalid"),
        ([2**63 - 1], "invalid"), ([2**63], "syntax"), ([1] * 10_000, "ok"), ([1] * 10_001, "invalid"),
    ],
    ids=lambda value: str(value)[:20],
)  # fmt: skip
@pytest.mark.parametrize(
    ("dialect", "method", "path", "body"),
    [
        ("udesk", "PUT", "/agents/2", lambda ids: {"agent": {"user_group_ids": ids}}),
        ("udesk", "PUT", "/agents/2", lambda ids: {"agent": {"agent_role_ids": ids}}),
        ("udesk", "PUT", "/agents/2", lambda ids: {"agent": {"department_ids": ids}}),
        ("kf5", "PUT", "/groups/3.json", lambda ids: {"group": {"agents": ids}}),
        ("kf5", "PUT", "/groups/3.json", lambda ids: {"agents": ids}),
        ("kf5", "POST", "/groups.json", lambda ids: {"group": {"name": "a"}, "agents": ids}),
        ("servicego", "PUT", "/v1/user/2", lambda ids: {"userGroupList": ids}),
        ("servicego", "PUT", "/v1/userGroup/3", lambda ids: {"userList": _refs(ids)}),
        ("servicego", "PUT", "/v1/user/2", lambda ids: {"roleList": _refs(ids)}),
    ],
    ids=lambda part: part("…").popitem()[0] if callable(part) else part,
)  # fmt: skip
def test_a_list_of_ids_in_a_body_is_a_set_of_what_exists(desk, dialect, method, path, body, value, cls):
    if value == [] and "roleList" in body([]):
        cls = "invalid"
    before = desk.roster()
    number, members = before.number, before.groups[3].member_ids

    check(dialect, places.send_json(getattr(desk, dialect), method, path, body(value)), cls)

    if cls != "ok":
        assert (number, members) == (desk.roster().number, desk.roster().groups[3].member_ids)


def _refs(ids):
    """Return ids as ServiceGo refers to them; what is no list stays as it is."""
    return [{"id": id} for id in ids] if isinstance(ids, list) else ids


@pytest.mark.parametrize(("value", "cls"), cases(bad_inputs.PAGING))
@pytest.mark.parametrize("part", ["number", "size"])
@pytest.mark.parametrize(("dialect", "route"), one_of_each(PAGED, of_dialect))
def test_a_page_out_of_range_is_clamped_or_in_servicego_refused(quiet_desk, dialect, route, part, value, cls):
    strict = dialect.name == "servicego"
    name = ("pageNum" if part == "number" else "pageSize") if strict else "page" if part == "number" else "per_page"
    sent = [(name, one) for one in value] if isinstance(value, tuple) else [(name, value)]
    if value == "page[]=1":
        sent = [(f"{name}[]", "1")]
    if part == "number" and value == "101":
        cls = "ok"
    if part == "size" and value == "1000000":
        cls = "invalid"
    path = re.sub(r"\{\w+\}", "1", route.path)
    query = [*sent, *NEEDED.get(route.path, {}).items()]

    answer = check(
        dialect.name,
        getattr(quiet_desk, dialect.name).get(path, params=query),
        cls if strict else "ok",
    )

    if dialect.name == "udesk":
        number = int(value) if value in ("101", "100", "1000000") else 1
        if part == "number" and value != str(2**63):
            assert number == answer["meta"]["current_page"]
        assert answer["meta"]["total_pages"] <= answer["meta"]["total_count"]
    if strict and cls == "ok" and part == "number" and value in ("100", "101", "1000000"):
        assert [] == answer["data"]
        assert int(value) == answer["paging"]["pageNum"]


@pytest.mark.parametrize(("value", "cls"), cases(bad_inputs.BODIES))
@pytest.mark.parametrize(("dialect", "route"), one_of_each(WITH_BODY, of_dialect))
def test_a_body_is_judged_by_its_form_before_anything_in_it(quiet_desk, dialect, route, value, cls):
    if route.empty_body and value == b"":
        cls = "ok"
    before = quiet_desk.roster().number
    target = re.sub(r"\{\w+\}", "2", route.path)

    response = send(quiet_desk, dialect, route.method, target, content=value,
                    headers={"Content-Type": "application/json"})  # fmt: skip

    if cls != "ok":
        check(dialect.name, response, cls)
        assert before == quiet_desk.roster().number
    else:
        assert response.status_code < 500
        json.loads(response.content)


TAKES_A_NAME = [("udesk", "/user_groups"), ("udesk", "/departments"), ("servicego", "/v1/userGroup")]


@pytest.mark.parametrize(("value", "cls"), [one for one in cases(bad_inputs.BODIES) if one.values[1] == "ok"])
@pytest.mark.parametrize(("dialect", "path"), TAKES_A_NAME)
def test_of_a_repeated_key_the_last_counts_and_an_unknown_one_has_no_effect(desk, dialect, path, value, cls):
    client = getattr(desk, dialect)

    answer = check(dialect, client.post(path, content=value, headers={"Content-Type": "application/json"}), cls)

    id = answer["id"] if dialect == "udesk" else answer["data"]["id"]
    table = desk.roster().departments if path == "/departments" else desk.roster().groups
    assert table[id].name == ("b" if b'"b"' in value else "a")
    assert [1, 6] == list(desk.roster().administrators)


@pytest.mark.parametrize(
    ("media", "cls"),
    [
        (None, "ok"), ("", "ok"), ("application/json", "ok"), ("Application/JSON; charset=utf-8", "ok"),
        ("text/plain", "media"), ("application/xml", "media"), ("application/x-www-form-urlencoded", "media"),
        ("application/jsonx", "media"), ("json", "media"), ("multipart/form-data; boundary=x", "media"),
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    ("dialect", "path", "body"),
    [
        ("udesk", "/user_groups", {"name": "a"}), ("kf5", "/groups.json", {"group": {"name": "a"}}),
        ("servicego", "/v1/userGroup", {"name": "a"}),
    ],
)  # fmt: skip
def test_a_body_is_json_or_says_nothing_of_what_it_is(desk, dialect, path, body, media, cls):
    before = desk.roster().number
    headers = {} if media is None else {"Content-Type": media}

    check(dialect, getattr(desk, dialect).post(path, content=json.dumps(body), headers=headers), cls)

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


def test_a_body_of_one_mebibyte_is_taken_and_a_byte_more_is_not(desk):
    for size, cls in ((1 << 20, "ok"), ((1 << 20) + 1, "toolarge")):
        content = '{"name":"a","x":"' + "x" * (size - len('{"name":"a","x":""}')) + '"}'
        for dialect, path in (("udesk", "/user_groups"), ("servicego", "/v1/userGroup")):
            check(dialect, getattr(desk, dialect).post(path, content=content), cls)


def dialect_named(name: str):
    return next(one for one in DIALECTS if one.name == name)
