"""Users, who are the roster's agents, in KF5's words."""

import httpx2
import pytest

from deskroster.core import agents, company
from deskroster.core.agents import AgentFields
from deskroster.core.company import CompanyFields
from deskroster.testing import KF5Password, KF5Token
from tests import world
from tests.in_process import signed

pytestmark = pytest.mark.any_engine

BASE = "http://demo.example.com/apiv2"


def user(desk, id):
    return desk.kf5.get(f"/users/{id}.json").json()["user"]


def ids(reply):
    assert 200 == reply.status_code
    assert reply.json()["count"] == len(reply.json()["users"])
    return [one["id"] for one in reply.json()["users"]]


def invalid(reply):
    assert (422, "invalid") == (reply.status_code, reply.json()["error"]["code"])
    return list(reply.json()["error"]["fields"])


def conflict(reply):
    assert (409, "conflict") == (reply.status_code, reply.json()["error"]["code"])
    assert "fields" not in reply.json()["error"]
    return reply.json()["error"]["message"]


def test_a_user_has_every_key_that_the_contract_names(quiet_desk):
    expected = {
        "id": 1, "url": f"{BASE}/users/1.json", "email": "admin@udesk.cn", "name": "Admin", "remark_name": "",
        "agent_display_name": "", "mark_star": 0, "role": "admin", "phone": "", "phone_bind": False, "landline": "",
        "signature": "", "details": "", "notes": "", "organization_id": None, "language": "zh_cn",
        "created_at": "2020-09-13 20:26:41", "updated_at": "2020-09-13 20:26:41", "last_login_at": None,
        "status": "active", "groups_info": [{"id": 1, "name": "售前", "display_name": "售前"}], "photo": "", "tags": [],
        "user_fields": [],
    }  # fmt: skip

    assert expected == user(quiet_desk, 1)
    assert expected == quiet_desk.kf5.get("/users/me.json").json()["user"]
    assert expected == quiet_desk.kf5.get("/users.json").json()["users"][0]


def test_me_is_who_asks(quiet_desk):
    assert 2 == quiet_desk.of(world.AGENT).kf5.get("/users/me.json").json()["user"]["id"]


def test_the_status_tells_who_may_work(quiet_desk):
    statuses = {one["id"]: one["status"] for one in quiet_desk.kf5.get("/users.json").json()["users"]}

    expected = {1: "active", 2: "active", 3: "suspended", 4: "suspended", 5: "unverified", 6: "active"}
    assert expected == statuses


def test_groups_info_is_an_array_of_the_groups_with_their_name_twice(quiet_desk):
    expected = [{"id": 1, "name": "售前", "display_name": "售前"},
                {"id": 2, "name": "After sales", "display_name": "After sales"}]  # fmt: skip

    assert expected == user(quiet_desk, 2)["groups_info"]


def test_user_fields_are_the_profile_as_readable_text_under_the_vendor_s_names(desk):
    fields = {field["name"]: field["value"] for field in user(desk, 2)["user_fields"]}

    assert "客服小二" == fields["field_1"]
    assert "一\n二" == fields["field_2"]
    assert "中文,English" == fields["field_11"]
    assert "Admin" == fields["field_14"]
    assert "field_13" not in fields
    desk.operate(lambda roster, caller: agents.update(roster, caller, 3, AgentFields(profile_id=2), 1))
    assert [{"name": "field_1", "value": "无人"}, {"name": "field_13", "value": "客服小二"}] == user(desk, 3)[
        "user_fields"
    ]


def test_user_fields_follow_the_profile_and_the_agents_it_names(desk):
    desk.kf5.get("/users.json")

    desk.kf5.put("/users/1.json", json={"user": {"name": "新名"}}).raise_for_status()

    listed = next(one for one in desk.kf5.get("/users.json").json()["users"] if one["id"] == 2)
    assert {"name": "field_14", "value": "新名"} in listed["user_fields"]
    assert listed == user(desk, 2)


def test_the_last_login_is_the_last_time_that_a_password_let_the_agent_in(desk, clock):
    desk.of(world.AGENT).kf5.get("/users/me.json")
    assert user(desk, 2)["last_login_at"] is None

    clock.now += 60
    desk.plain().get("/apiv2/groups.json", auth=KF5Password(world.AGENT)).raise_for_status()

    assert "2023-11-15 06:14:20" == user(desk, 2)["last_login_at"]
    listed = desk.kf5.get("/users.json").json()["users"]
    assert ["2023-11-15 06:14:20" if one["id"] == 2 else None for one in listed] == [
        one["last_login_at"] for one in listed
    ]
    assert 13 == len(listed[1]["user_fields"])
    assert listed[1] == user(desk, 2)


@pytest.mark.parametrize(("sent", "expected"), [
    ("", [1, 2, 3, 4, 5, 6]), ("?role=", [1, 2, 3, 4, 5, 6]), ("?role=agent", [2, 3, 4, 5]), ("?role=admin", [1, 6]),
    ("?role=agent,admin", [1, 2, 3, 4, 5, 6]), ("?role=admin%2Cagent", [1, 2, 3, 4, 5, 6]), ("?role=end_user", []),
    ("?role=end_user,admin", [1, 6]), ("?unknown=1", [1, 2, 3, 4, 5, 6]),
])  # fmt: skip
def test_users_are_filtered_by_role(quiet_desk, sent, expected):
    assert expected == ids(quiet_desk.kf5.get(f"/users.json{sent}"))


@pytest.mark.parametrize("sent", ["owner", "agent,", "Admin", "agent&role=admin"])
def test_a_role_that_is_none_is_422(quiet_desk, sent):
    assert ["role"] == invalid(quiet_desk.kf5.get(f"/users.json?role={sent}"))


def test_a_filtered_list_is_paged_and_counted_by_itself(quiet_desk):
    reply = quiet_desk.kf5.get("/users.json?role=agent&per_page=3&page=2").json()

    assert ([5], 4) == ([one["id"] for one in reply["users"]], reply["count"])
    assert f"{BASE}/users.json?role=agent&per_page=3&page=1" == reply["previous_page"]


@pytest.mark.parametrize(("sent", "expected"), [
    ("1,2", [1, 2]), ("2,1,2", [1, 2]), ("1,99,x,,-1,01,1.0,%D9%A1,3", [1, 3]), ("", []), ("x", []),
    (f"{2**63},{'9' * 5000},1", [1]), ("1&ids=2", []),
])  # fmt: skip
def test_show_many_leaves_unknown_and_malformed_ids_out(quiet_desk, sent, expected):
    assert expected == ids(quiet_desk.kf5.get(f"/users/show_many.json?ids={sent}"))


def test_show_many_takes_a_hundred_ids_and_no_more(quiet_desk):
    hundred = ",".join(map(str, range(1, 101)))

    assert [1, 2, 3, 4, 5, 6] == ids(quiet_desk.kf5.get(f"/users/show_many.json?ids={hundred}"))
    assert ["ids"] == invalid(quiet_desk.kf5.get(f"/users/show_many.json?ids={hundred},101"))


@pytest.mark.parametrize(("sent", "expected"), [
    ("adm", [1]), ("ADMIN", [1]), ("小二", [2]), ("1330000", [2]), ("@udesk.cn", [1, 2, 3, 4, 5, 6]), ("nothing", []),
    ("", [1, 2, 3, 4, 5, 6]), ("a+b", []), ("%00", []), ("a&query=b", []),
])  # fmt: skip
def test_search_finds_a_part_of_name_e_mail_or_phone_whatever_its_case(quiet_desk, sent, expected):
    assert expected == ids(quiet_desk.kf5.get(f"/users/search.json?query={sent}"))


def test_show_many_without_ids_and_search_without_a_query_are_422(quiet_desk):
    assert ["ids"] == invalid(quiet_desk.kf5.get("/users/show_many.json"))
    assert ["query"] == invalid(quiet_desk.kf5.get("/users/search.json"))


def test_show_many_and_search_are_paged(quiet_desk):
    for path in ("show_many.json?ids=1,2,3", "search.json?query=a"):
        reply = quiet_desk.kf5.get(f"/users/{path}&per_page=1&page=2").json()

        assert 1 == len(reply["users"])
        assert f"{BASE}/users/{path}&per_page=1&page=3" == reply["next_page"]


@pytest.mark.parametrize("id", ["0", "01", "99", "x", str(2**63), "show", "1%00"])
def test_an_id_that_is_none_is_404_before_the_body_is_looked_at(quiet_desk, id):
    for method in ("GET", "PUT", "DELETE"):
        target = f"/apiv2/users/{id}.json".encode()
        reply = quiet_desk.kf5.request(method, "/", content=b'{"user":{"name":1}}', extensions={"target": target})

        assert (404, "not_found") == (reply.status_code, reply.json()["error"]["code"])


def test_creating_a_user_answers_201_with_it_and_where_it_is(desk):
    wanted = {
        "name": "New", "email": "New@Test.cn", "role": "admin", "password": "secret", "phone": "+86 (10) 1234 #5",
        "landline": "010-1", "remark_name": "r", "agent_display_name": "d", "signature": " s\ns", "details": " d",
        "notes": "\tn", "language": "en_us", "mark_star": 1, "photo": "https://example.com/a.gif",
    }  # fmt: skip

    reply = desk.kf5.post("/users.json", json={"user": wanted})

    made = reply.json()["user"]
    assert (201, f"{BASE}/users/7.json") == (reply.status_code, reply.headers["Location"])
    del wanted["password"]
    assert wanted == {key: made[key] for key in wanted}
    assert (7, "active", "2023-11-15 06:13:20") == (made["id"], made["status"], made["created_at"])
    assert made == user(desk, 7)
    assert 200 == desk.plain().get("/apiv2/users.json", auth=httpx2.BasicAuth("new@test.cn", "secret")).status_code


def test_a_user_needs_no_more_than_name_and_e_mail_and_is_an_agent_who_cannot_log_in(desk):
    made = desk.kf5.post("/users.json", json={"user": {"name": "New", "email": "new@test.cn", "role": "agent"}}).json()[
        "user"
    ]

    assert ("agent", "active") == (made["role"], made["status"])
    for password in ("", "None", "null"):
        assert 401 == desk.plain().get("/apiv2/users.json", auth=httpx2.BasicAuth("new@test.cn", password)).status_code


@pytest.mark.parametrize(("changed", "field"), [
    ({"name": None}, "name"), ({"name": ""}, "name"), ({"name": "\u3000"}, "name"), ({"name": "x" * 256}, "name"),
    ({"name": 1.0}, "name"), ({"name": "a\x7f"}, "name"),
    ({"email": None}, "email"), ({"email": ""}, "email"), ({"email": 1}, "email"),
    ({"email": "\u0430dmin@udesk.cn"}, "email"), ({"email": ["a@test.cn"]}, "email"), ({"email": "test.cn"}, "email"),
    ({"role": "end_user"}, "role"), ({"role": None}, "role"), ({"role": ""}, "role"), ({"role": 1}, "role"),
    ({"password": "x" * 129}, "password"), ({"password": True}, "password"), ({"password": "a\0b"}, "password"),
    ({"phone": "1" * 33}, "phone"), ({"phone": 1.5}, "phone"), ({"phone": "1\n2"}, "phone"),
    ({"landline": "1" * 33}, "landline"), ({"remark_name": "x" * 256}, "remark_name"),
    ({"agent_display_name": "x" * 256}, "agent_display_name"), ({"signature": "x" * 10_001}, "signature"),
    ({"details": "\0"}, "details"), ({"notes": []}, "notes"), ({"language": "zh-cn"}, "language"),
    ({"language": 1}, "language"), ({"mark_star": 2}, "mark_star"), ({"mark_star": True}, "mark_star"),
    ({"photo": "x" * 2_049}, "photo"), ({"photo": "a\nb"}, "photo"),
])  # fmt: skip
def test_a_value_that_breaks_a_rule_is_422_names_the_field_and_writes_nothing(quiet_desk, changed, field):
    before = quiet_desk.roster().number

    new = {"user": {"name": "New", "email": "new@test.cn", "role": "agent"} | changed}
    assert [field] == invalid(quiet_desk.kf5.post("/users.json", json=new))
    assert [field] == invalid(quiet_desk.kf5.put("/users/2.json", json={"user": changed}))
    assert before == quiet_desk.roster().number


@pytest.mark.parametrize("changed", [{"password": None}, {"password": ""}, {"language": None}, {"mark_star": None},
                                     {"language": ""}, {"mark_star": ""}])  # fmt: skip
def test_what_says_nothing_counts_as_absent_of_a_new_user_and_is_422_in_a_change(desk, changed):
    new = {"user": {"name": "New", "email": "new@test.cn", "role": "agent"} | changed}

    assert list(changed) == invalid(desk.kf5.put("/users/2.json", json={"user": changed}))
    assert 201 == desk.kf5.post("/users.json", json=new).status_code
    made = user(desk, 7)
    assert ("zh_cn", 0) == (made["language"], made["mark_star"])


@pytest.mark.parametrize("role", [{}, {"role": None}, {"role": ""}, {"role": "end_user"}])
def test_a_customer_is_refused_with_a_sentence_that_only_staff_is_kept(quiet_desk, role):
    new = {"user": {"name": "New", "email": "new@test.cn"} | role}

    refused = quiet_desk.kf5.post("/users.json", json=new)

    assert ["role"] == invalid(refused)
    assert "role has to be agent or admin: only staff is kept here" == refused.json()["error"]["message"]


@pytest.mark.parametrize(("body", "field"), [
    ({}, "user"), ({"user": None}, "user"), ({"user": []}, "user"), ({"name": "x"}, "user"), ({"user": {}}, "name"),
    ({"user": {"name": "x"}}, "email"), ({"user": {"email": "x@test.cn"}}, "name"),
])  # fmt: skip
def test_what_a_new_user_must_have_is_422_without_it(quiet_desk, body, field):
    assert [field] == invalid(quiet_desk.kf5.post("/users.json", json=body))


def test_a_password_of_1_or_128_characters_is_taken(desk):
    for password in ("p", "密" * 128):
        desk.kf5.put("/users/2.json", json={"user": {"password": password}}).raise_for_status()

        auth = httpx2.BasicAuth(world.AGENT.email, password)
        assert 200 == desk.plain().get("/apiv2/users/me.json", auth=auth).status_code


def test_a_password_is_replaced_and_never_removed(desk):
    assert ["password"] == invalid(desk.kf5.put("/users/2.json", json={"user": {"password": None}}))

    assert 200 == desk.plain().get("/apiv2/users/me.json", auth=KF5Password(world.AGENT)).status_code


def test_no_answer_holds_a_password_or_its_hash(desk):
    made = desk.kf5.post(
        "/users.json", json={"user": {"name": "x", "email": "x@test.cn", "role": "agent", "password": "hunter2"}}
    )

    for reply in (made, desk.kf5.get("/users.json"), desk.kf5.get("/users/7.json")):
        assert "password" not in reply.text
        assert "hunter2" not in reply.text
        assert "$argon2" not in reply.text


def test_what_is_absent_stays_what_is_null_is_cleared(desk):
    filled = {"phone": "1", "landline": "2", "remark_name": "r", "agent_display_name": "d", "signature": "s",
              "details": "d", "notes": "n", "photo": "p", "language": "en_us", "mark_star": 1}  # fmt: skip
    desk.kf5.put("/users/3.json", json={"user": filled}).raise_for_status()
    before = user(desk, 3)

    kept = desk.kf5.put("/users/3.json", json={"user": {"name": "Renamed"}}).json()["user"]
    assert {**before, "name": "Renamed"} == kept
    texts = ["phone", "landline", "remark_name", "agent_display_name", "signature", "details", "notes", "photo"]
    cleared = desk.kf5.put("/users/3.json", json={"user": dict.fromkeys(texts)}).json()["user"]
    assert {**kept, **dict.fromkeys(texts, "")} == cleared


def test_a_user_sent_back_as_it_was_read_changes_nothing(desk):
    before = desk.roster().number

    reply = desk.kf5.put("/users/2.json", json={"user": user(desk, 2)})

    assert (200, before) == (reply.status_code, desk.roster().number)


def test_the_status_and_all_that_is_read_only_has_no_effect(desk):
    unwritten = {"id": 9, "status": "active", "groups_info": [], "tags": ["x"], "user_fields": [], "is_admin": True,
                 "created_at": "x", "phone_bind": True, "organization_id": 5, "last_login_at": "x"}  # fmt: skip
    before = user(desk, 3)

    assert before == desk.kf5.put("/users/3.json", json={"user": unwritten}).json()["user"]


def test_the_role_sets_the_level_and_with_it_what_the_user_may(desk):
    desk.kf5.put("/users/2.json", json={"user": {"role": "admin"}}).raise_for_status()
    assert 200 == desk.of(world.AGENT).kf5.delete("/groups/3.json").status_code

    desk.kf5.put("/users/2.json", json={"user": {"role": "agent"}}).raise_for_status()
    assert 403 == desk.of(world.AGENT).kf5.delete("/groups/2.json").status_code


def test_an_e_mail_in_use_is_409_whatever_its_case(desk):
    new = {"user": {"name": "x", "email": "ADMIN@udesk.cn", "role": "agent"}}

    assert "the e-mail is already in use" == conflict(desk.kf5.post("/users.json", json=new))
    conflict(desk.kf5.put("/users/2.json", json=new))
    assert 200 == desk.kf5.put("/users/1.json", json=new).status_code
    assert "ADMIN@udesk.cn" == user(desk, 1)["email"]


def test_deleting_a_user_answers_200_with_an_empty_object_and_ends_its_credentials(desk):
    reply = desk.kf5.delete("/users/2.json")

    assert (200, {}) == (reply.status_code, reply.json())
    assert 404 == desk.kf5.get("/users/2.json").status_code == desk.kf5.delete("/users/2.json").status_code
    assert 401 == desk.plain().get("/apiv2/groups.json", auth=KF5Token(world.AGENT)).status_code
    assert [1] == [one["id"] for one in desk.kf5.get("/groups/1.json").json()["group"]["agents"]]


def test_nobody_deletes_oneself_and_the_last_administrator_stays(desk):
    assert "you cannot delete yourself" == conflict(desk.kf5.delete("/users/1.json"))
    desk.kf5.put("/users/6.json", json={"user": {"role": "agent"}}).raise_for_status()

    assert "the last enabled administrator must stay" == conflict(
        desk.kf5.put("/users/1.json", json={"user": {"role": "agent"}})
    )
    assert 200 == desk.kf5.delete("/users/6.json").status_code


def test_two_administrators_who_demote_each_other_at_once_leave_one(desk):
    first = signed(desk.kf5, "PUT", "/users/6.json", json={"user": {"role": "agent"}})
    second = signed(desk.of(world.SECOND_ADMIN).kf5, "PUT", "/users/1.json", json={"user": {"role": "agent"}})

    assert [200, 403] == sorted(reply.status_code for reply in desk.together(first, second))
    assert 1 == len(desk.roster().administrators)


def test_what_another_dialect_wrote_is_shown_as_it_is(desk):
    wanted = {"email": "u@test.cn", "password": "secret", "nick_name": "U", "aliase": "别名", "cellphone": "分机 8"}
    made = desk.udesk.post("/agents", json={"agent": {**wanted, "lang": "en-us", "disable_status": "disable"}}).json()

    shown = user(desk, made["id"])

    expected = ("U", "别名", "分机 8", "en_us", "suspended")
    assert expected == tuple(shown[key] for key in ("name", "agent_display_name", "phone", "language", "status"))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("role=agent,admin", [1, 2, 3, 4, 5, 6]), ("role[]=agent&role[]=admin", [1, 2, 3, 4, 5, 6]),
        ("role[]=admin", [1, 6]), ("role%5B%5D=admin", [1, 6]), ("role[]=end_user", []),
        ("role[0]=admin", [1, 6]),
        ("role%5B3%5D=agent&role[]=admin", [1, 2, 3, 4, 5, 6]), ("role=agent&role[]=admin", [1, 2, 3, 4, 5, 6]),
        ("role=end_user,admin", [1, 6]),
    ],
)  # fmt: skip
def test_roles_may_be_listed_with_commas_or_as_an_array(quiet_desk, query, expected):
    assert expected == ids(quiet_desk.kf5.get(f"/users.json?{query}"))


# Agent n was created n seconds after 2020-09-13 20:26:40 in Shanghai.
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("created_start=1600000003", [3, 4, 5, 6]), ("created_end=1600000003", [1, 2]),
        ("created_start=1600000002&created_end=1600000005", [2, 3, 4]),
        ("created_start=2020-09-13 20:26:45", [5, 6]), ("created_start=2020-09-13+20:26:45%20", [5, 6]),
        ("created_start=2020-09-14", []), ("created_end=2020-09-14", [1, 2, 3, 4, 5, 6]),
        ("created_start=2030-01-01", []), ("updated_start=1600000006", [6]), ("updated_end=2020-09-13", []),
        ("created_start=1600000002&updated_end=1600000004", [2, 3]), ("created_start=1600000002&role=admin", [6]),
        ("created_start=1600000005&created_end=1600000002", []), ("created_start=0", [1, 2, 3, 4, 5, 6]),
    ],
)  # fmt: skip
def test_users_are_filtered_by_time(quiet_desk, query, expected):
    assert expected == ids(quiet_desk.kf5.get(f"/users.json?{query}"))


@pytest.mark.parametrize("value", ["", "x", "2020-9-1", "2020-09-13T20:26:45", "2020-02-30", "-1", "1.5",
                                   "２０２０-09-13", "2020-09-13 25:00:00", "1" * 13])  # fmt: skip
@pytest.mark.parametrize("name", ["created_start", "created_end", "updated_start", "updated_end"])
def test_a_time_of_another_form_is_422(quiet_desk, name, value):
    assert [name] == invalid(quiet_desk.kf5.get("/users.json", params={name: value}))


@pytest.mark.parametrize(("query", "expected"), [
    ("created_order=desc", [6, 5, 4, 3, 2, 1]), ("created_order=asc", [1, 2, 3, 4, 5, 6]),
    ("updated_order=desc", [2, 6, 5, 4, 3, 1]), ("updated_order=asc", [1, 3, 4, 5, 6, 2]),
    ("updated_order=desc&created_order=asc", [1, 2, 3, 4, 5, 6]), ("updated_order=DESC&per_page=2&page=2", [5, 4]),
    ("updated_order=desc&role=admin", [6, 1]),
])  # fmt: skip
def test_users_are_ordered_by_time(desk, query, expected):
    desk.operate(lambda roster, caller: agents.update(roster, caller, 2, AgentFields(alias="x"), 1_700_000_000))
    reply = desk.kf5.get(f"/users.json?{query}")

    assert expected == [one["id"] for one in reply.json()["users"]]


@pytest.mark.parametrize("value", ["", "up", "asc,desc"])
def test_another_order_is_422(quiet_desk, value):
    assert ["updated_order"] == invalid(quiet_desk.kf5.get("/users.json", params={"updated_order": value}))


def test_pages_of_filtered_users_lead_to_one_another(quiet_desk):
    reply = quiet_desk.kf5.get("/users.json?created_start=1600000002&created_order=desc&per_page=2").json()

    assert ([6, 5], 5) == ([one["id"] for one in reply["users"]], reply["count"])
    assert [4, 3] == [one["id"] for one in quiet_desk.kf5.get(reply["next_page"]).json()["users"]]


def test_user_fields_of_values_without_a_form_as_text_are_readable(desk):
    written = {
        "owner": {"ownerType": 1, "ownerName": "张三"}, "sign": {"url": "https://x/s", "time": "2024-01-01 00:00:00"},
        "files": {"attachmentList": [{"name": "a.txt", "docAddress": "https://x/a", "size": 1}]},
    }  # fmt: skip
    desk.own.patch("/v1/agents/3/profile", json={"values": written}).raise_for_status()

    assert {"张三", "https://x/s", "a.txt"} == {field["value"] for field in user(desk, 3)["user_fields"]}


def test_a_new_user_has_the_default_position_of_the_company(desk):
    desk.operate(lambda roster, caller: company.update(roster, caller, CompanyFields(default_position_id=3)))
    new = {"user": {"name": "New", "email": "new@test.cn", "role": "agent"}}

    id = desk.kf5.post("/users.json", json=new).json()["user"]["id"]

    assert {"id": 3} == desk.servicego.get(f"/v1/user/{id}").json()["data"]["position"]
