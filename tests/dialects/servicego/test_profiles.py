"""Profile records and fields: `userInfo`, `/v1/data`, `/v1/fields`."""

import pytest

from deskroster.core import agents
from deskroster.core.agents import AgentFields
from deskroster.core.records import Agent, Company, Key, ProfileField, ProfileRecord, Secret
from deskroster.testing import Account
from tests import world
from tests.conftest import NOW

pytestmark = pytest.mark.any_engine

RECORD = "/v1/data?objectApiName=userInfo&id="


def field(name, type, **form):
    return {"fieldApiName": name, "fieldTypeApiName": f"field_type_{type}", **form}


SHOWN = [
    field("sysusername", "single_line", fieldValue="客服小二"),
    field("bio", "multi_line", fieldValue="一\n二"),
    field("page", "rich_text", richText={"content": "<b>hi</b>", "attachmentList": []}),
    field("born", "date", fieldValue="1990-01-31"),
    field("met", "date_time", fieldValue="2020-02-29 08:00:00"),
    field("height", "numeric", fieldValue="1.75"),
    field("share", "percent", fieldValue="0.3"),
    field("lianxidianhua", "telephone", tagValueList=[
        {"tagName": "手机", "tagValue": "13300000001"}, {"tagName": "手机", "tagValue": "13300000002"}]),
    field("mails", "email", tagValueList=[
        {"tagName": "邮箱", "tagValue": "a@test.cn"}, {"tagName": "邮箱", "tagValue": "b@test.cn"}]),
    field("shift", "single_listbox", optionNameList=["早班"]),
    field("skills", "multi_listbox", optionNameList=["中文", "English"]),
    field("city", "cascade", fieldValue="北京,海淀"),
    field("boss", "staff", userEmail="admin@udesk.cn"),
]  # fmt: skip


def write(desk, *pairs):
    values = [{"fieldApiName": name, "fieldValue": value} for name, value in pairs]
    return desk.servicego.post("/v1/data", json={"objectApiName": "userInfo", "fieldDataList": values})


def shown(desk, id):
    return desk.servicego.get(f"{RECORD}{id}").json()["data"]["fieldDataList"]


def test_an_agent_s_profile_shows_every_type_in_its_form(quiet_desk):
    assert {
        "dataId": 1, "objectId": 13, "userInfoName": "客服小二", "fieldDataList": SHOWN,
    } == quiet_desk.servicego.get("/v1/user/2").json()["data"]["userInfo"]  # fmt: skip


def test_a_record_is_shown_with_its_id(quiet_desk):
    answer = quiet_desk.servicego.get(f"{RECORD}1").json()

    assert {"code": 200, "message": "OK", "visible": False, "data": {"id": 1, "fieldDataList": SHOWN}} == answer


def test_a_look_up_shows_the_name_of_the_other_record(quiet_desk):
    assert [
        field("sysusername", "single_line", fieldValue="无人"), field("mentor", "lookup", foreignDataName="客服小二"),
    ] == shown(quiet_desk, 2)  # fmt: skip


def test_what_is_read_only_here_is_shown_in_its_own_form(desk):
    account = Account(id=1, email="a@other.cn", password="-", token="other")
    desk.add_company(
        Company(id=1, label="other", name="Other", profile_object_id=14),
        [
            ProfileField(id=1, api_name="o", label="o", type="owner"),
            ProfileField(id=2, api_name="s", label="s", type="signature"),
            ProfileField(id=3, api_name="f", label="f", type="attachment"),
            ProfileRecord(
                id=1,
                values=(
                    (1, '{"ownerType":1,"ownerName":"张三"}'),
                    (2, '{"url":"https://x/1.png","time":"2020-01-01 00:00:00"}'),
                    (3, '{"attachmentList":[{"name":"a.txt","docAddress":"https://x/a","size":3}]}'),
                ),
            ),
            Agent(id=1, name="A", email=account.email, level="admin", profile_id=1),
            Key(id=1, agent_id=1, name="api", secret=Secret(account.token)),
        ],
    )

    info = desk.of(account).servicego.get("/v1/user/1").json()["data"]["userInfo"]

    files = [{"name": "a.txt", "docAddress": "https://x/a", "size": 3}]
    assert 14 == info["objectId"]
    assert [
        field("o", "owner", ownerResult={"ownerType": 1, "ownerName": "张三"}),
        field("s", "signature", signDto={"url": "https://x/1.png", "time": "2020-01-01 00:00:00"}),
        field("f", "attachment", attachment={"attachmentList": files}),
    ] == info["fieldDataList"]


def test_a_record_is_created_by_text(desk):
    answer = write(
        desk, ("sysusername", "测试"), ("mentor", "1"), ("boss", "AGENT@udesk.cn"), ("skills", "English,中文,English"),
        ("share", "0.3"), ("lianxidianhua", "13300000001, 010-12345"), ("bio", ""), ("city", "上海,浦东"),
        ("born", None),
    )  # fmt: skip

    assert {"code": 200, "message": "OK", "visible": False, "data": {"id": 3}} == answer.json()
    assert [
        field("sysusername", "single_line", fieldValue="测试"),
        field("share", "percent", fieldValue="0.3"),
        field("lianxidianhua", "telephone", tagValueList=[
            {"tagName": "手机", "tagValue": "13300000001"}, {"tagName": "手机", "tagValue": "010-12345"}]),
        field("skills", "multi_listbox", optionNameList=["English", "中文"]),
        field("city", "cascade", fieldValue="上海,浦东"),
        field("mentor", "lookup", foreignDataName="客服小二"),
        field("boss", "staff", userEmail="agent@udesk.cn"),
    ] == shown(desk, 3)  # fmt: skip


BAD = [
    ("sysusername", "a\nb"), ("bio", "a\0"), ("page", "x" * 10_001), ("born", "1990-1-1"), ("born", "1990-02-30"),
    ("born", "1990-01-31\n1"), ("born", "1990-01-31 00:00:00"), ("met", "2020-02-29"), ("met", "2020-02-29 24:00:00"),
    ("height", "1,5"), ("height", "1e3"), ("height", "NaN"), ("height", "１"), ("share", "30%"), ("share", ".3"),
    ("lianxidianhua", "abc"), ("lianxidianhua", "13300000001,,13300000002"), ("mails", "a@test.cn,b"), ("mails", ","),
    ("shift", "夜班"), ("shift", "早班,晚班"), ("skills", "中文,Deutsch"), ("city", "北京"), ("city", "北京,浦东"),
    ("mentor", "99"), ("mentor", "x"), ("mentor", "01"), ("mentor", str(2**64)), ("boss", "no@test.cn"), ("boss", "2"),
    ("owner", "张三"), ("sign", "x"), ("files", "x"), ("owner", ""), ("nowhere", "x"), ("Sysusername", "x"), ("", "x"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), BAD)
def test_a_value_of_another_form_is_400_and_writes_nothing(quiet_desk, name, value):
    number = quiet_desk.roster().number

    refused = write(quiet_desk, ("sysusername", "good"), (name, value))

    assert (400, True) == (refused.status_code, refused.json()["visible"])
    assert refused.json()["message"].startswith(f"{name} ")
    assert number == quiet_desk.roster().number


@pytest.mark.parametrize(
    "values",
    [None, {}, ["x"], [{}], [{"fieldApiName": "bio"}], [{"fieldValue": "x"}],
     [{"fieldApiName": "height", "fieldValue": 1.0}], [{"fieldApiName": "lianxidianhua", "tagValueList": [{}]}],
     [{"fieldApiName": None, "fieldValue": "x"}]],
)  # fmt: skip
def test_values_of_another_shape_are_400(quiet_desk, values):
    body = {"objectApiName": "userInfo", "fieldDataList": values}

    for refused in (
        quiet_desk.servicego.post("/v1/data", json=body),
        quiet_desk.servicego.put("/v1/data", json=body | {"id": 2}),
    ):
        assert 400 == refused.status_code
        assert refused.json()["message"].startswith("fieldDataList")


@pytest.mark.parametrize("name", ["userinfo", "UserInfo", "customer", ""])
def test_another_object_is_400_in_every_call(quiet_desk, name):
    body = {"objectApiName": name, "fieldDataList": [], "id": 2}
    bodies = (
        quiet_desk.servicego.post("/v1/data", json=body | {"objectApiName": name or "x"}),
        quiet_desk.servicego.put("/v1/data", json=body),
    )
    for refused in (
        *bodies,
        quiet_desk.servicego.get(f"/v1/data?objectApiName={name}&id=2"),
        quiet_desk.servicego.delete(f"/v1/data?objectApiName={name}&id=2"),
        quiet_desk.servicego.get(f"/v1/fields?objectApiName={name}"),
    ):
        assert (400, True) == (refused.status_code, refused.json()["visible"])
        assert refused.json()["message"].startswith("objectApiName ")


def test_a_query_that_names_no_object_is_400_and_a_body_means_the_one_that_there_is(desk):
    for refused in (desk.servicego.get("/v1/data?id=2"), desk.servicego.get("/v1/fields")):
        assert "objectApiName is required" == refused.json()["message"]
    for body in ({}, {"objectApiName": None}, {"objectApiName": ""}):
        assert 200 == desk.servicego.post("/v1/data", json=body | {"fieldDataList": []}).status_code
    assert 200 == desk.servicego.put("/v1/data", json={"id": 2, "fieldDataList": []}).status_code


def test_a_change_touches_only_the_fields_named_and_answers_without_data(desk):
    values = [{"fieldApiName": "born", "fieldValue": ""}, {"fieldApiName": "sysusername", "fieldValue": "新"}]

    answer = desk.servicego.put("/v1/data", json={"objectApiName": "userInfo", "id": 1, "fieldDataList": values})

    assert {"code": 200, "message": "OK", "visible": False} == answer.json()
    expected = [field("sysusername", "single_line", fieldValue="新"), *SHOWN[1:3], *SHOWN[4:]]
    assert expected == shown(desk, 1)
    assert "新" == desk.servicego.get("/v1/user/2").json()["data"]["userInfo"]["userInfoName"]
    assert field("mentor", "lookup", foreignDataName="新") == shown(desk, 2)[1]


def test_a_change_without_values_changes_nothing(desk):
    number = desk.roster().number

    assert 200 == desk.servicego.put("/v1/data", json={"objectApiName": "userInfo", "id": 1}).status_code
    assert number == desk.roster().number


def test_of_a_field_named_twice_the_last_value_counts(desk):
    write(desk, ("sysusername", "a"), ("sysusername", "b"))

    assert [field("sysusername", "single_line", fieldValue="b")] == shown(desk, 3)


@pytest.mark.parametrize("id", [99, -1, "99"])
def test_changing_a_record_that_is_not_there_is_404(quiet_desk, id):
    body = {"objectApiName": "userInfo", "id": id, "fieldDataList": []}

    assert 404 == quiet_desk.servicego.put("/v1/data", json=body).status_code


def test_the_id_of_a_record_is_404_when_unknown_and_400_when_malformed(quiet_desk):
    for id in ("99", str(2**63)):
        assert 404 == quiet_desk.servicego.get(f"{RECORD}{id}").status_code
        assert 404 == quiet_desk.servicego.delete(f"{RECORD}{id}").status_code
    for id in ("x", "0", "-1", "01", "", "1&id=2"):  # 0 names none
        assert 400 == quiet_desk.servicego.get(f"{RECORD}{id}").status_code
        assert 400 == quiet_desk.servicego.delete(f"{RECORD}{id}").status_code
    assert "id is required" == quiet_desk.servicego.get("/v1/data?objectApiName=userInfo").json()["message"]
    for id in ("1 ", "x", 1.0, True, 0, None):
        assert 400 == quiet_desk.servicego.put("/v1/data", json={"objectApiName": "userInfo", "id": id}).status_code


def test_a_record_in_use_cannot_be_deleted(desk):
    of_an_agent = desk.servicego.delete(f"{RECORD}1")
    assert (409, True) == (of_an_agent.status_code, of_an_agent.json()["visible"])
    desk.servicego.put("/v1/user/2", json={"userInfo": None})
    assert 409 == desk.servicego.delete(f"{RECORD}1").status_code  # the other record looks it up
    assert {"code": 200, "message": "OK", "visible": False} == desk.servicego.delete(f"{RECORD}2").json()
    assert 200 == desk.servicego.delete(f"{RECORD}1").status_code
    assert 404 == desk.servicego.get(f"{RECORD}1").status_code


def test_agents_may_share_a_record(desk):
    desk.servicego.put("/v1/user/3", json={"userInfo": {"id": 1}})

    two = [desk.servicego.get(f"/v1/user/{id}").json()["data"]["userInfo"] for id in (2, 3)]
    assert two[0] == two[1]
    listed = desk.servicego.get("/v1/user").json()["data"]
    assert {2: two[0], 3: two[0]} == {one["id"]: one["userInfo"] for one in listed if "userInfo" in one}


def test_a_page_on_which_everyone_has_a_record_is_whole(desk):
    for id in (4, 5, 6):
        desk.servicego.put(f"/v1/user/{id}", json={"userInfo": {"id": 2}})

    listed = desk.servicego.get("/v1/user?pageSize=3").json()["data"]

    assert [2, 2, 2] == [one["userInfo"]["dataId"] for one in listed]


def test_a_record_without_a_main_field_has_an_empty_name(desk):
    id = write(desk, ("bio", "x")).json()["data"]["id"]
    desk.servicego.put("/v1/user/3", json={"userInfo": {"id": id}})

    assert "" == desk.servicego.get("/v1/user/3").json()["data"]["userInfo"]["userInfoName"]


def test_a_staff_field_follows_its_agent(desk):
    write(desk, ("boss", "agent@udesk.cn"))
    assert [field("boss", "staff", userEmail="agent@udesk.cn")] == shown(desk, 3)

    desk.servicego.put("/v1/user/6", json={"userInfo": {"id": 3}})
    desk.operate(lambda r, c: agents.update(r, c, 2, AgentFields(email="new@udesk.cn"), NOW))
    info = desk.servicego.get("/v1/user/6").json()["data"]["userInfo"]
    assert [field("boss", "staff", userEmail="new@udesk.cn")] == info["fieldDataList"]


def test_a_staff_field_goes_with_its_agent(desk):
    write(desk, ("sysusername", "a"), ("boss", "agent@udesk.cn"))
    shown(desk, 3)

    desk.servicego.delete("/v1/user/2")

    assert [field("sysusername", "single_line", fieldValue="a")] == shown(desk, 3)


def test_a_main_field_of_type_staff_names_the_record_by_the_agent_s_email(desk):
    account = Account(id=1, email="a@other.cn", password="-", token="other")
    desk.add_company(
        Company(id=1, label="other", name="Other"),
        [
            ProfileField(id=1, api_name="boss", label="b", type="staff"),
            ProfileField(id=2, api_name="mentor", label="m", type="lookup"),
            ProfileRecord(id=1, values=((1, "1"),)),
            ProfileRecord(id=2, values=((2, "1"),)),
            Agent(id=1, name="A", email=account.email, level="admin", profile_id=1),
            Key(id=1, agent_id=1, name="api", secret=Secret(account.token)),
        ],
    )
    client = desk.of(account).servicego

    assert "a@other.cn" == client.get("/v1/user/1").json()["data"]["userInfo"]["userInfoName"]
    looked_up = client.get(f"{RECORD}2").json()["data"]["fieldDataList"]
    assert [field("mentor", "lookup", foreignDataName="1")] == looked_up


def test_fields_are_listed_without_paging(quiet_desk):
    answer = quiet_desk.servicego.get("/v1/fields?objectApiName=userInfo").json()

    assert ["code", "message", "visible", "data"] == list(answer)
    assert [one.api_name for one in world.FIELDS] == [one["fieldApiName"] for one in answer["data"]]
    assert {
        "fieldApiName": "shift", "fieldLabel": "班次", "fieldTypeApiName": "field_type_single_listbox",
        "required": False, "optionNameList": ["早班", "晚班"],
    } == answer["data"][9]  # fmt: skip
    assert [] == answer["data"][0]["optionNameList"]


def test_a_name_that_a_client_made_up_is_not_repeated_at_length(quiet_desk):
    refused = write(quiet_desk, ("x" * 100_000, "y"))

    assert 400 == refused.status_code
    assert len(refused.content) < 300


def test_an_idempotency_key_creates_a_record_once(desk):
    body = {"objectApiName": "userInfo", "fieldDataList": []}
    ids = {
        desk.servicego.post("/v1/data", json=body, headers={"Idempotency-Key": "k"}).json()["data"]["id"] for _ in "12"
    }

    assert {3} == ids


def by_value(desk, field, value, method="GET", **body):
    if method == "PUT":
        named = {"uniqueFieldApiName": field, "uniqueFieldValue": value}
        return desk.servicego.put("/v1/data", json=named | body)
    query = {"objectApiName": "userInfo", "uniqueFieldApiName": field, "uniqueFieldValue": value}
    return desk.servicego.request(method, "/v1/data", params=query)


@pytest.mark.parametrize(("field", "value", "id"), [
    ("sysusername", "客服小二", 1), ("sysusername", " 无人\r", 2), ("mentor", "1", 2), ("boss", "ADMIN@udesk.cn", 1),
    ("lianxidianhua", "13300000002", 1), ("skills", "English", 1), ("skills", "中文,English", 1), ("bio", "一\n二", 1),
])  # fmt: skip
def test_a_record_is_found_by_a_value_that_no_other_has(desk, field, value, id):
    assert id == by_value(desk, field, value).json()["data"]["id"]
    values = [{"fieldApiName": "sysusername", "fieldValue": "改名"}]
    assert 200 == by_value(desk, field, value, "PUT", fieldDataList=values).status_code
    assert "改名" == shown(desk, id)[0]["fieldValue"]
    desk.servicego.put(
        "/v1/data", json={"id": 1, "fieldDataList": [{"fieldApiName": "sysusername", "fieldValue": "其他"}]}
    )
    assert 404 == by_value(desk, "sysusername", "客服小二", "DELETE").status_code


@pytest.mark.parametrize(("field", "value", "status"), [
    ("sysusername", "nobody", 404), ("mentor", "99", 404), ("boss", "nobody@test.cn", 404), ("born", "x", 404),
    ("nowhere", "x", 400), ("sysusername", "", 400), ("", "x", 400), ("owner", "张三", 404),
])  # fmt: skip
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_a_value_that_no_record_has_is_404_and_one_that_says_nothing_400(quiet_desk, method, field, value, status):
    assert status == by_value(quiet_desk, field, value, method).status_code


def test_a_value_that_several_records_have_is_409(desk):
    write(desk, ("sysusername", "客服小二"))

    for method in ("GET", "PUT", "DELETE"):
        refused = by_value(desk, "sysusername", "客服小二", method)
        assert (409, "sysusername several records have this value") == (refused.status_code, refused.json()["message"])


def test_an_id_that_is_not_0_wins_over_a_value(desk):
    query = f"{RECORD}2&uniqueFieldApiName=sysusername&uniqueFieldValue=客服小二"
    assert 2 == desk.servicego.get(query).json()["data"]["id"]
    assert 1 == desk.servicego.get(query.replace("id=2", "id=0")).json()["data"]["id"]
    body = {"uniqueFieldApiName": "sysusername", "uniqueFieldValue": "客服小二"}
    for id, expected in ((2, "无人"), (0, "客服小二"), (None, "客服小二")):
        assert 200 == desk.servicego.put("/v1/data", json=body | {"id": id}).status_code, expected


@pytest.mark.parametrize("value", ["", "%20"])
def test_an_empty_value_is_told_by_the_name_of_its_parameter(quiet_desk, value):
    query = f"objectApiName=userInfo&uniqueFieldApiName=bio&uniqueFieldValue={value}"

    assert "uniqueFieldValue cannot be empty" == quiet_desk.servicego.get(f"/v1/data?{query}").json()["message"]


@pytest.mark.parametrize("query", ["uniqueFieldApiName=bio", "uniqueFieldValue=x", "id=0",
                                   "uniqueFieldApiName=bio&uniqueFieldApiName=bio&uniqueFieldValue=x"])  # fmt: skip
def test_a_record_that_is_named_by_half_is_400(quiet_desk, query):
    assert 400 == quiet_desk.servicego.get(f"/v1/data?objectApiName=userInfo&{query}").status_code


def test_a_record_can_be_put_back_as_it_was_read(desk):
    for id in (1, 2):
        read, number = desk.servicego.get(f"{RECORD}{id}").json()["data"], desk.roster().number

        assert 200 == desk.servicego.put("/v1/data", json=read).status_code
        assert number == desk.roster().number


def test_a_look_up_in_its_reading_form_names_one_record(desk):
    def written(title):
        return desk.servicego.put("/v1/data", json={"id": 1, "fieldDataList": [
            {"fieldApiName": "mentor", "foreignDataName": title}]}).json()["message"]  # fmt: skip

    assert "OK" == written("无人")
    assert field("mentor", "lookup", foreignDataName="无人") in shown(desk, 1)
    assert "mentor does not exist" == written("nobody")
    write(desk, ("sysusername", "客服小二"))
    assert "mentor several records have this value" == written("客服小二")
    assert "OK" == written("")
    assert "mentor" not in {one["fieldApiName"] for one in shown(desk, 1)}


def test_a_phone_shows_the_tag_that_it_was_written_with(desk):
    tags = [{"tagName": "家人", "tagValue": "010-12345"}, {"tagName": "", "tagValue": "13300000009"}]
    desk.own.patch("/v1/agents/2/profile", json={"values": {"lianxidianhua": tags}}).raise_for_status()

    def phones():
        return next(one["tagValueList"] for one in shown(desk, 1) if one["fieldApiName"] == "lianxidianhua")

    assert [tags[0], {"tagName": "手机", "tagValue": "13300000009"}] == phones()
    for value in ("13300000009,010-12345", "13300000008, 010-12345"):  # by text, those that stay keep their tags
        body = {"id": 1, "fieldDataList": [{"fieldApiName": "lianxidianhua", "fieldValue": value}]}
        desk.servicego.put("/v1/data", json=body)
        assert [{"tagName": "手机", "tagValue": value[:11]}, tags[0]] == phones()
    for value in ("13300000008", "010-12345"):  # the tag went with its phone
        body = {"id": 1, "fieldDataList": [{"fieldApiName": "lianxidianhua", "fieldValue": value}]}
        desk.servicego.put("/v1/data", json=body)
        assert [{"tagName": "手机", "tagValue": value}] == phones()


def test_rich_text_keeps_its_attachments_when_its_text_is_changed(desk):
    files = [{"name": "a.txt", "docAddress": "https://x/a", "size": 3}]
    page = {"content": "<p>旧</p>", "attachmentList": files}
    desk.own.patch("/v1/agents/2/profile", json={"values": {"page": page}}).raise_for_status()

    desk.servicego.put(
        "/v1/data", json={"id": 1, "fieldDataList": [{"fieldApiName": "page", "fieldValue": "<p>新</p>"}]}
    )

    assert field("page", "rich_text", richText={"content": "<p>新</p>", "attachmentList": files}) in shown(desk, 1)
