"""What a writer does in Udesk, and where an agent is shown."""

from tests.proofs.durability import world
from tests.proofs.durability.world import Look, View, Write


def writes(fresh: str, agent: int, group: int, some: list[int], staff: list[int]) -> dict[str, Write]:
    email = f"{fresh}@test.cn"
    new = {"email": email, "password": "long-enough", "nick_name": fresh, "user_group_ids": some}
    change = {"nick_name": fresh, "user_group_ids": some}
    owner = {"owner_id": 1, "owner_group_id": 1}
    return {
        "agent": Write("POST", "/agents", {"agent": new}, world.agent(email, fresh, some), "agent.id", hashes=True),
        "group": Write("POST", "/user_groups", {"name": fresh}, world.group(fresh, []), "id"),
        "=agent": Write("PUT", f"/agents/{agent}", {"agent": change}, world.change_agent(agent, fresh, some)),
        "=group": Write("PUT", f"/user_groups/{group}", {"name": fresh}, world.change_group(group, fresh, None)),
        "-agent": Write("DELETE", f"/agents/{agent}", owner, world.drop_agent(agent)),
        "-group": Write("DELETE", f"/user_groups/{group}", None, world.drop_group(group)),
    }


LOOKS = {
    "agent": Look(
        "/agents/get_agent?type=id&content={}",
        lambda told: View(told["agent"]["nick_name"], frozenset(told["agent"]["user_group_ids"])),
    ),
}
