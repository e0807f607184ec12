"""What a writer does in KF5, and where agents and groups are shown."""

from tests.proofs.durability import world
from tests.proofs.durability.world import Look, View, Write, ids


def writes(fresh: str, agent: int, group: int, some: list[int], staff: list[int]) -> dict[str, Write]:
    email = f"{fresh}@test.cn"
    user, made = {"name": fresh, "email": email, "role": "agent"}, {"name": fresh, "agents": staff}
    renamed = {"user": {"name": fresh}}
    return {
        "agent": Write("POST", "/users.json", {"user": user}, world.agent(email, fresh, []), "user.id"),
        "group": Write("POST", "/groups.json", {"group": made}, world.group(fresh, staff), "group.id"),
        "=agent": Write("PUT", f"/users/{agent}.json", renamed, world.change_agent(agent, fresh, None)),
        "=group": Write("PUT", f"/groups/{group}.json", {"group": made}, world.change_group(group, fresh, staff)),
        "-agent": Write("DELETE", f"/users/{agent}.json", None, world.drop_agent(agent)),
        "-group": Write("DELETE", f"/groups/{group}.json", None, world.drop_group(group)),
    }


LOOKS = {
    "agent": Look("/users/{}.json", lambda told: View(told["user"]["name"], ids(told["user"]["groups_info"]))),
    "group": Look("/groups/{}.json", lambda told: View(told["group"]["name"], ids(told["group"]["agents"]))),
}
