"""What ServiceGo takes back as it was read."""

from tests.contract import Ask, PutBack

_EDITS = {
    "realname": ("新名", "name"), "mobile": (13300000009, "mobile"), "agentRole": ("leader", "leads"),
    "position": ({"id": "3"}, "position_id"), "roleList": ([{"id": 3}], "role_ids"),
    "userGroupList": ({"1": 3}, "group_ids"), "userInfo": ({"dataId": 2}, "profile_id"),
}  # fmt: skip

PUT_BACKS = (
    PutBack(
        "agent",
        "/v1/user?pageSize=100",
        lambda answer: answer["data"],
        lambda one: Ask("PUT", f"/v1/user/{one['id']}", one),
        _EDITS,
    ),
    PutBack(
        "group",
        "/v1/userGroup?pageSize=100",
        lambda answer: answer["data"],
        lambda one: Ask("PUT", f"/v1/userGroup/{one['id']}", one),
        {"name": ("新名", "name"), "userList": ([{"id": "3"}], "member_ids")},
    ),
    PutBack(
        "profile_record",
        "/v1/user?pageSize=90",
        lambda answer: [one["userInfo"] for one in answer["data"] if "userInfo" in one],
        lambda one: Ask("PUT", "/v1/data", {"id": one["dataId"], "fieldDataList": one["fieldDataList"]}),
        {},
    ),
)
