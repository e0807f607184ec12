"""What a writer does in ServiceGo, and where agents and groups are shown."""

from tests.proofs.durability import world
from tests.proofs.durability.world import Look, View, Write, ids


def writes(fresh: str, agent: int, group: int, some: list[int], staff: list[int]) -> dict[str, Write]:
    email = f"{fresh}@test.cn"
    new = {
        "email": email, "password": "long-enough", "realname": fresh, "position": {"id": 1}, "roleList": [{"id": 1}],
        "userGroupList": some,
    }  # fmt: skip
    made = {"name": fresh, "userList": [{"id": id} for id in staff]}
    change = {"realname": fresh, "userGroupList": some}
    return {
        "agent": Write("POST", "/v1/user", new, world.agent(email, fresh, some), "data.id", hashes=True),
        "group": Write("POST", "/v1/userGroup", made, world.group(fresh, staff), "data.id"),
        "=agent": Write("PUT", f"/v1/user/{agent}", change, world.change_agent(agent, fresh, some)),
        "=group": Write("PUT", f"/v1/userGroup/{group}", made, world.change_group(group, fresh, staff)),
        "-agent": Write("DELETE", f"/v1/user/{agent}", None, world.drop_agent(agent)),
        "-group": Write("DELETE", f"/v1/userGroup/{group}", None, world.drop_group(group)),
    }


LOOKS = {
    "agent": Look("/v1/user/{}", lambda told: View(told["data"]["realname"], frozenset(told["data"]["userGroupList"]))),
    "group": Look("/v1/userGroup/{}", lambda told: View(told["data"]["name"], ids(told["data"]["userList"]))),
}
