"""What every answer has in common: pages, addresses, times, refusals, idempotency."""

import pytest

from deskroster.core.records import Company
from tests import world

pytestmark = pytest.mark.any_engine


def names(reply):
    return [group["name"] for group in reply.json()["groups"]]


@pytest.mark.parametrize("path", ["/groups", "/groups/", "/groups/1", "/groups/.json", "/groups.xml", "/users/me",
                                  "/.json", "", "/groups.JSON", "/groups/1/agents.json", "/%67roups.json"])  # fmt: skip
def test_a_path_that_is_none_is_404_with_or_without_credentials(quiet_desk, path):
    for client in (quiet_desk.kf5, quiet_desk.plain()):
        reply = client.get("/", extensions={"target": f"/apiv2{path}".encode()})

        assert 404 == reply.status_code
        assert "not_found" == reply.json()["error"]["code"]


def test_a_wrong_method_is_405_and_says_which_are_right(quiet_desk):
    reply = quiet_desk.kf5.patch("/groups/1.json")

    assert (405, "method_not_allowed") == (reply.status_code, reply.json()["error"]["code"])
    assert "DELETE, GET, HEAD, PUT" == reply.headers["Allow"]


def test_head_answers_as_get_without_the_body(quiet_desk):
    got, headed = quiet_desk.kf5.get("/groups.json"), quiet_desk.kf5.head("/groups.json")

    assert (got.status_code, got.headers, b"") == (headed.status_code, headed.headers, headed.content)


@pytest.mark.parametrize("body", [b"", b"   ", b"null", b"[]", b'"x"', b"{", b'{"group":{"name":"a"}} x', b"\xff",
                                  b'\xef\xbb\xbf{"group":{"name":"a"}}', b'{"group":{"name":"a"},"x":NaN}',
                                  b'{"group":{"name":"\\ud800"}}'])  # fmt: skip
@pytest.mark.parametrize(("method", "path"), [
    ("POST", "/groups.json"), ("PUT", "/groups/1.json"), ("POST", "/users.json"), ("PUT", "/users/2.json"),
    ("PUT", "/users/99.json"),
])  # fmt: skip
def test_a_body_of_the_wrong_form_is_400(quiet_desk, method, path, body):
    reply = quiet_desk.kf5.request(method, path, content=body)

    assert (400, "bad_request") == (reply.status_code, reply.json()["error"]["code"])
    assert "fields" not in reply.json()["error"]


def test_a_body_of_another_type_is_415_one_without_a_type_is_json_and_one_that_is_too_large_is_413(desk):
    text = desk.kf5.post("/groups.json", content=b"name=x", headers={"Content-Type": "text/plain"})
    large = desk.kf5.post("/groups.json", content=b" " * ((1 << 20) + 1))
    bare = desk.kf5.post("/groups.json", content=b'{"group":{"name":"x"}}')

    assert (415, "unsupported_media_type") == (text.status_code, text.json()["error"]["code"])
    assert (413, "too_large") == (large.status_code, large.json()["error"]["code"])
    assert 201 == bare.status_code


def test_a_bad_host_is_400(quiet_desk):
    reply = quiet_desk.kf5.get("/groups.json", headers={"Host": "a b"})

    assert (400, "bad_request") == (reply.status_code, reply.json()["error"]["code"])


@pytest.mark.parametrize(("sent", "size"), [
    ("", 3), ("page=1", 3), ("page=0", 3), ("page=-7", 3), ("page=x", 3), ("page=", 3), ("page=1.5", 3),
    ("page=1&page=2", 3), ("page[]=2", 3), ("page=%EF%BC%92", 3), ("page=2", 0), ("page=1000000", 0),
    (f"page={2**63}", 0), ("page=" + "9" * 5000, 0),
    ("per_page=2", 2), ("per_page=0", 1), ("per_page=-1", 1), ("per_page=101", 3), ("per_page=x", 3), ("per_page=", 3),
    ("per_page=1&per_page=2", 3), ("per_page=2&page=2", 1),
])  # fmt: skip
def test_page_and_per_page_out_of_range_are_clamped(quiet_desk, sent, size):
    reply = quiet_desk.kf5.get(f"/groups.json?{sent}")

    assert 200 == reply.status_code
    assert (size, 3) == (len(reply.json()["groups"]), reply.json()["count"])


def test_a_page_is_of_a_hundred_by_default_and_at_most(desk):
    for n in range(100):
        desk.kf5.post("/groups.json", json={"group": {"name": f"g{n}"}}).raise_for_status()

    for sent in ("", "?per_page=1000"):
        reply = desk.kf5.get(f"/groups.json{sent}").json()

        assert (100, 103) == (len(reply["groups"]), reply["count"])
        assert [group["id"] for group in reply["groups"]] == sorted(group["id"] for group in reply["groups"])


def test_following_next_page_visits_every_group_once_and_previous_page_leads_back(quiet_desk):
    client, url, seen, back = quiet_desk.kf5, "/groups.json?per_page=1", [], []
    while url:
        reply = client.get(url)
        seen += names(reply)
        last, url = url, reply.json()["next_page"]
    while last:
        reply = client.get(last)
        back += names(reply)
        last = reply.json()["previous_page"]

    assert ["售前", "After sales", "空组"] == seen == back[::-1]


def test_the_addresses_of_pages_keep_the_other_parameters(quiet_desk):
    reply = quiet_desk.kf5.get("/", extensions={
        "target": b'/apiv2/users.json?role=agent,admin&%70age=7&per_page=2&q=%E5%AE%A2+x&"<\xe5\xbc\xa0&page=2'
    })  # fmt: skip

    base = "http://demo.example.com/apiv2/users.json?role=agent,admin&per_page=2&q=%E5%AE%A2+x&%22%3C%E5%BC%A0&page="
    assert (base + "2", None) == (reply.json()["next_page"], reply.json()["previous_page"])


def test_the_only_page_has_no_neighbours(quiet_desk):
    reply = quiet_desk.kf5.get("/users/2/groups.json").json()

    assert (2, None, None) == (reply["count"], reply["next_page"], reply["previous_page"])


def test_a_page_past_the_end_is_empty_and_the_one_before_it_is_the_last(quiet_desk):
    past = quiet_desk.kf5.get("/groups.json?page=900&per_page=2").json()
    none = quiet_desk.kf5.get("/users/5/groups.json?page=900").json()

    assert ([], 3, None) == (past["groups"], past["count"], past["next_page"])
    assert "http://demo.example.com/apiv2/groups.json?per_page=2&page=2" == past["previous_page"]
    assert ([], 0, None, None) == (none["groups"], none["count"], none["next_page"], none["previous_page"])


@pytest.mark.parametrize("host", ["demo.example.com", "demo.example.com:8443", "127.0.0.1:8321", "[::1]:8321"])
def test_addresses_begin_with_the_host_and_port_that_the_client_used(desk, host):
    client = desk.of(world.ADMIN, host=host).kf5

    group = client.get("/groups/1.json").json()["group"]
    made = client.post("/groups.json", json={"group": {"name": "x"}})
    page = client.get("/users.json?per_page=1&page=2").json()

    assert f"http://{host}/apiv2/groups/1.json" == group["url"]
    assert f"http://{host}/apiv2/users/1.json" == group["agents"][0]["url"]
    assert f"http://{host}/apiv2/groups/4.json" == made.headers["Location"] == made.json()["group"]["url"]
    assert f"http://{host}/apiv2/users/2.json" == page["users"][0]["url"]
    assert page["next_page"].startswith(f"http://{host}/apiv2/users.json?")
    assert page["previous_page"].startswith(f"http://{host}/apiv2/users.json?")
    assert group == client.get(group["url"]).json()["group"]


def test_text_that_looks_like_our_marks_stays_as_it_is(desk):
    text = 'a\\u0000b "\\u0000" \x02 7 \x02 \\2 "last_login_at":null} "user_fields":[]'

    desk.kf5.put("/users/2.json", json={"user": {"details": text, "notes": "\\u0000", "name": "\\u0000x"}})

    user = desk.kf5.get("/users/2.json").json()["user"]
    assert (text, "\\u0000", "\\u0000x") == (user["details"], user["notes"], user["name"])
    assert 13 == len(user["user_fields"])
    assert user in desk.kf5.get("/users.json").json()["users"]


def test_times_are_in_the_company_s_time_zone(desk):
    desk.add_company(Company(id=1, label="other", name="Other", time_zone="America/New_York"), world.records())

    here, there = (desk.of(world.ADMIN, f"{label}.example.com").kf5.get("/groups/1.json").json()["group"]
                   for label in ("demo", "other"))  # fmt: skip

    assert ("2020-09-13 20:26:40", "2020-09-13 08:26:40") == (here["created_at"], there["created_at"])


def test_refusals_speak_the_language_that_the_client_accepts_else_the_company_s(quiet_desk):
    english = quiet_desk.kf5.get("/groups/99.json").json()["error"]
    chinese = quiet_desk.kf5.get("/groups/99.json", headers={"Accept-Language": "zh-CN"}).json()["error"]

    assert {"code": "not_found", "message": "no such group"} == english
    assert {"code": "not_found", "message": "客服组不存在"} == chinese


@pytest.mark.parametrize(("path", "body"), [
    ("/groups.json", {"group": {"name": "x", "agents": [1]}}),
    ("/users.json", {"user": {"name": "x", "email": "x@test.cn", "role": "agent", "password": "secret"}}),
])  # fmt: skip
def test_the_same_idempotency_key_gets_the_first_answer_again_and_creates_nothing(desk, path, body):
    first = desk.kf5.post(path, json=body, headers={"Idempotency-Key": "k"})
    number = desk.roster().number

    again = desk.kf5.post(path, json=body, headers={"Idempotency-Key": "k"})

    assert 201 == first.status_code == again.status_code
    assert (first.content, first.headers) == (again.content, again.headers)
    assert number == desk.roster().number


def test_a_repeated_answer_bears_the_address_of_who_asks_again(desk):
    how = {"json": {"group": {"name": "x"}}, "headers": {"Idempotency-Key": "k"}}
    desk.kf5.post("/groups.json", **how)

    again = desk.of(world.ADMIN, host="127.0.0.1:8321").kf5.post("/groups.json", **how)

    assert "http://127.0.0.1:8321/apiv2/groups/4.json" == again.headers["Location"] == again.json()["group"]["url"]


def test_an_idempotency_key_with_another_body_is_409_and_one_of_another_length_400(desk):
    desk.kf5.post("/groups.json", json={"group": {"name": "x"}}, headers={"Idempotency-Key": "k"})

    other = desk.kf5.post("/groups.json", json={"group": {"name": "y"}}, headers={"Idempotency-Key": "k"})
    empty = desk.kf5.post("/groups.json", json={"group": {"name": "y"}}, headers={"Idempotency-Key": ""})
    long = desk.kf5.post("/groups.json", json={"group": {"name": "y"}}, headers={"Idempotency-Key": "k" * 256})

    assert (409, "conflict") == (other.status_code, other.json()["error"]["code"])
    assert [(400, "bad_request")] * 2 == [(one.status_code, one.json()["error"]["code"]) for one in (empty, long)]
    assert 4 == len(desk.roster().groups)
