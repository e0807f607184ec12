"""Hand-written SQL for each request, on the same server and dialect: only the three lists are answered otherwise.

`python -m bench.rivals.sql serve --data FOLDER …`; the lists are read from a copy of the folder's database.
"""

import sqlite3
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import msgspec

from deskroster.cli import main
from deskroster.core.access import Permission
from deskroster.core.table import Window
from deskroster.desk import Desk
from deskroster.dialect import Reply, Request
from deskroster.dialects import DIALECTS
from deskroster.dialects.udesk import shapes
from deskroster.dialects.udesk.shapes import AgentName, AgentOut, GroupAgentsOut, GroupOut, Meta, Named, RoleOut

COPY = "copy.db"

_encode = msgspec.json.Encoder().encode
_GROUPS = "SELECT id, name FROM groups WHERE company_id = 1 ORDER BY id LIMIT ? OFFSET ?"
_MEMBERS = """SELECT m.group_id, a.id, a.name FROM memberships m JOIN agents a ON a.company_id = 1 AND a.id = m.agent_id
    WHERE m.company_id = 1 AND m.group_id IN (%s) ORDER BY m.group_id, m.agent_id"""
_COUNT = "SELECT count(*) FROM groups WHERE company_id = 1"
_GROUP = "SELECT name FROM groups WHERE company_id = 1 AND id = ?"
_AGENTS = """SELECT a.id, a.name, a.email, a.mobile, a.job_number, a.chat_skill, a.channels, a.alias, a.level, p.name,
    a.state, a.avatar, a.language, a.auto_assign, a.welcome, a.callout_number, a.sip_number
    FROM memberships m JOIN agents a ON a.company_id = 1 AND a.id = m.agent_id
    LEFT JOIN positions p ON p.company_id = 1 AND p.id = a.position_id
    WHERE m.company_id = 1 AND m.group_id = ? ORDER BY m.agent_id LIMIT ? OFFSET ?"""
_COUNT_MEMBERS = "SELECT count(*) FROM memberships WHERE company_id = 1 AND group_id = ?"
_GROUPS_OF = """SELECT m.agent_id, g.id, g.name FROM memberships m
    JOIN groups g ON g.company_id = 1 AND g.id = m.group_id
    WHERE m.company_id = 1 AND m.agent_id IN (%s) ORDER BY m.agent_id, m.group_id"""
_ROLES_OF = """SELECT m.agent_id, r.id, r.name, r.description FROM agent_roles m
    JOIN roles r ON r.company_id = 1 AND r.id = m.role_id
    WHERE m.company_id = 1 AND m.agent_id IN (%s) ORDER BY m.agent_id, m.role_id"""
_DEPARTMENTS_OF = """SELECT m.agent_id, d.id, d.name FROM agent_departments m
    JOIN departments d ON d.company_id = 1 AND d.id = m.department_id
    WHERE m.company_id = 1 AND m.agent_id IN (%s) ORDER BY m.agent_id, m.department_id"""


class Lists:
    """The handlers, over one connection."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, cached_statements=512)

    def groups(self, request: Request, desk: Desk) -> Reply:
        request.caller.must(Permission.READ)
        window = shapes.window(request)
        found = self._db.execute(_GROUPS, (window.limit, window.start)).fetchall()
        members = self._by_first(_MEMBERS, [id for id, _ in found])
        (total,) = self._db.execute(_COUNT).fetchone()
        groups = [GroupOut(id, name, [AgentName(*one) for one in members[id]]) for id, name in found]
        return Reply(200, _encode(shapes.GroupsReply(1000, groups, _meta(window, total))))

    def members(self, request: Request, desk: Desk) -> Reply:
        request.caller.must(Permission.READ)
        id = request.path_id("group")
        window = shapes.window(request)
        (name,) = self._db.execute(_GROUP, (id,)).fetchone()
        found = self._db.execute(_AGENTS, (id, window.limit, window.start)).fetchall()
        (total,) = self._db.execute(_COUNT_MEMBERS, (id,)).fetchone()
        ids = [row[0] for row in found]
        groups, roles = self._by_first(_GROUPS_OF, ids), self._by_first(_ROLES_OF, ids)
        departments = self._by_first(_DEPARTMENTS_OF, ids)
        agents = [
            AgentOut(
                id=row[0], nick_name=row[1], email=row[2], cellphone=row[3], work_id=row[4], im_ability_value=row[5],
                profile=row[6], aliase=row[7], role_name=row[8], duty=row[9],
                user_group_ids=tuple(one[0] for one in groups[row[0]]),
                disable_status="enable" if row[10] == "enabled" else "disable", avatar=row[11],
                lang="zh-cn" if row[12] == "zh" else "en-us", availability=bool(row[13]), im_welcomes=row[14],
                user_groups=[Named(*one) for one in groups[row[0]]],
                agent_roles=[RoleOut(*one) for one in roles[row[0]]],
                departments=[Named(*one) for one in departments[row[0]]],
                agent_callout_display_number=row[15], number=row[16], password="",
            )
            for row in found
        ]  # fmt: skip
        one = GroupAgentsOut(id, name, agents)
        return Reply(200, _encode(shapes.GroupAgentsReply(1000, one, [one], _meta(window, total))))

    def _by_first(self, statement: str, ids: list[int]) -> dict[int, list[tuple[Any, ...]]]:
        rows: dict[int, list[tuple[Any, ...]]] = defaultdict(list)
        for first, *rest in self._db.execute(statement % ",".join("?" * len(ids)), ids):
            rows[first].append(tuple(rest))
        return rows


def _meta(window: Window, total: int) -> Meta:
    return Meta(window.number, -(-total // window.limit), total)


def _replace_lists(path: Path) -> None:
    """Put the handlers in the place of the product's own."""
    lists = Lists(path)
    mine = {("GET", "/user_groups"): lists.groups, ("GET", "/user_groups/{id}/agents"): lists.members}
    udesk = DIALECTS[0]
    routes = tuple(
        msgspec.structs.replace(route, handler=mine[route.method, route.path])
        if (route.method, route.path) in mine
        else route
        for route in udesk.routes
    )
    msgspec.structs.force_setattr(udesk, "routes", routes)


if __name__ == "__main__":
    _replace_lists(Path(sys.argv[sys.argv.index("--data") + 1]) / COPY)
    main()
