"""What Udesk takes back as it was read."""

from tests.contract import Ask, PutBack

_EDITS = {
    "nick_name": ("新名", "name"), "cellphone": (13300000009, "mobile"), "work_id": ("9", "job_number"),
    "aliase": ("新", "alias"), "im_ability_value": (99, "chat_skill"), "profile": ("dial", "channels"),
    "availability": ("false", "auto_assign"), "avatar": ("https://x/y", "avatar"), "lang": ("en-us", "language"),
    "im_welcomes": ("嗨", "welcome"), "user_group_ids": ([3], "group_ids"), "user_groups": ([{"id": 3}], "group_ids"),
    "agent_roles": ([{"id": 3}], "role_ids"), "departments": ([{"id": 2}], "department_ids"),
    "email": ("edited@test.cn", "email"), "duty": ("经理", "position_id"),
}  # fmt: skip


def _agent(one):
    return Ask("PUT", f"/agents/{one['id']}", {"agent": one})


def _group(one):
    return Ask("PUT", f"/user_groups/{one['id']}", one)


PUT_BACKS = (
    PutBack("agent", "/agents?with_disabled=true&per_page=100", lambda answer: answer["agents"], _agent, _EDITS),
    PutBack("agent", "/user_groups/1/agents", lambda answer: answer["user_group"]["agents"], _agent, _EDITS),
    PutBack(
        "group",
        "/user_groups?per_page=100",
        lambda answer: answer["user_groups"],
        _group,
        {"name": ("新名", "name")},
    ),
)
