"""Verbs and queries on groups and who is in them."""

from collections.abc import Iterable

from msgspec import UNSET, UnsetType

from deskroster.core import text
from deskroster.core.access import Caller, Permission
from deskroster.core.changes import Batch, Change, changed, created, deleted
from deskroster.core.problems import NotFound, Problem
from deskroster.core.records import Group
from deskroster.core.roster import Roster
from deskroster.core.table import Page, Window

CROWD = 20_000  # memberships on one page of groups; a page with more is made in steps


def create(roster: Roster, caller: Caller, name: str, member_ids: Iterable[int], at: int) -> list[Change]:
    """Create a group with these agents in it. Raises Forbidden or Invalid."""
    caller.must(Permission.WRITE_GROUPS)
    group = Group(
        id=roster.next_id("group"),
        name=text.name("name", name),
        member_ids=roster.agents.id_set("member_ids", member_ids),
        created_at=at,
        updated_at=at,
    )
    return [created(group)]


def update(
    roster: Roster,
    caller: Caller,
    id: int,
    at: int,
    *,
    name: str | UnsetType = UNSET,
    member_ids: Iterable[int] | UnsetType = UNSET,
) -> list[Change]:
    """Rename a group, or replace its members. Raises Forbidden, NotFound or Invalid."""
    caller.must(Permission.WRITE_GROUPS)
    group = roster.groups.find(id)
    wanted_name = group.name if name is UNSET or name == group.name else text.name("name", name)
    wanted_members = group.member_ids if member_ids is UNSET else roster.agents.id_set("member_ids", member_ids)
    if (wanted_name, wanted_members) == (group.name, group.member_ids):
        return []
    return changed(group, name=wanted_name, member_ids=wanted_members, updated_at=at)


def delete(roster: Roster, caller: Caller, id: int) -> list[Change]:
    """Delete a group; its agents stay. Raises Forbidden or NotFound."""
    caller.must(Permission.WRITE_GROUPS)
    return [deleted(roster.groups.find(id))]


def delete_many(roster: Roster, caller: Caller, ids: Iterable[int]) -> Batch:
    """Delete the groups that exist; return NotFound for each other id. Raises Forbidden."""
    caller.must(Permission.WRITE_GROUPS)
    changes: list[Change] = []
    refused: dict[int, Problem] = {}
    for id in dict.fromkeys(ids):
        group = roster.groups.get(id)
        if group is None:
            refused[id] = NotFound("group", id)
        else:
            changes.append(deleted(group))
    return Batch(changes, refused)


def get(roster: Roster, caller: Caller, id: int) -> Group:
    """Return a group. Raises Forbidden or NotFound."""
    caller.must(Permission.READ)
    return roster.groups.find(id)


def find(roster: Roster, caller: Caller, window: Window) -> Page:
    """Return a page of the groups."""
    caller.must(Permission.READ)
    return roster.groups.page(window)


def of_agent(roster: Roster, caller: Caller, agent_id: int, window: Window) -> Page:
    """Return a page of the groups that an agent is in. Raises Forbidden or NotFound."""
    caller.must(Permission.READ)
    agent = roster.agents.find(agent_id)
    return roster.groups.page(window, agent.group_ids, owner=agent)


def crowded(roster: Roster, page: Page) -> bool:
    """Return whether the groups on a page have more than `CROWD` memberships."""
    if len(page.ids) * roster.largest_group <= CROWD:
        return False
    rows = roster.groups.rows
    return sum(len(rows[i].member_ids) for i in page.ids) > CROWD


def members(roster: Roster, caller: Caller, id: int, window: Window) -> Page:
    """Return a page of the agents in a group. Raises Forbidden or NotFound."""
    caller.must(Permission.READ)
    group = roster.groups.find(id)
    return roster.agents.page(window, group.member_ids, owner=group)
