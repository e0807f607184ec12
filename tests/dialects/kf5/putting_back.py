"""What KF5 takes back as it was read."""

from tests.contract import Ask, PutBack

_EDITS = {
    "name": ("新名", "name"), "email": ("edited@test.cn", "email"), "phone": (13300000009, "mobile"),
    "landline": ("010", "landline"), "remark_name": ("r", "remark"), "agent_display_name": ("新", "alias"),
    "signature": ("s", "signature"), "details": ("d", "details"), "notes": ("n", "notes"),
    "language": ("en_us", "language"), "mark_star": ("1", "starred"), "photo": ("https://x/y", "avatar"),
}  # fmt: skip

PUT_BACKS = (
    PutBack(
        "group",
        "/groups.json",
        lambda answer: answer["groups"],
        lambda one: Ask("PUT", f"/groups/{one['id']}.json", {"group": one}),
        {"name": ("新名", "name"), "agents": ([{"id": 3, "name": "x"}, "5"], "member_ids")},
    ),
    PutBack(
        "agent",
        "/users.json",
        lambda answer: answer["users"],
        lambda one: Ask("PUT", f"/users/{one['id']}.json", {"user": one}),
        _EDITS,
    ),
)
