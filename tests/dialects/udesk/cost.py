"""The calls of Udesk that cost most."""

from tests.proofs.load.cases import BODY, GONE, QUERY, Case, pages, paths, texts
from tests.proofs.load.company import AGENTS, CROWD, CROWDED

_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_EMAIL = "a" * 60 + "*@" + ".".join(["b" * 50] * 3) + ".cn"
_AGENT = {"agent": {"email": "*@test.cn", "nick_name": "新", "password": "p"}}

WORST: dict[str, list[Case]] = {
    "GET /user_groups": [*pages("/user_groups", "page", "per_page", 1_000)],
    "POST /user_groups": texts("/user_groups", {"name": ""}, "name"),
    "PUT /user_groups/{id}": [
        *texts("/user_groups/1", {"name": ""}, "name"),
        Case("a crowd", f"/user_groups/{CROWDED}", {"name": "Crowd"}, swept=True),
    ],
    "DELETE /user_groups/{id}": [
        Case("a hundred in it", "/user_groups/300", swept=True, again=paths("/user_groups/{}", 301))
    ],
    "GET /user_groups/{id}/agents": [
        *pages(f"/user_groups/{CROWDED}/agents", "page", "per_page", CROWD),
    ],
    "GET /agents": [
        *pages("/agents", "page", "per_page", AGENTS),
        *pages("/agents", "page", "per_page", AGENTS, "&with_disabled=true"),
    ],
    "GET /agents/get_agent": [
        Case("an e-mail", "/agents/get_agent?type=email&content=" + "a" * QUERY),
        Case("an id", f"/agents/get_agent?type=id&content={AGENTS}"),
    ],
    "POST /agents": [
        *texts("/agents", _AGENT, "nick_name", "aliase", "im_welcomes", "avatar", "email", "cellphone", "duty"),
        Case("a long e-mail", "/agents", {"agent": {**_AGENT["agent"], "email": _EMAIL}}),
        Case("all groups", "/agents", {"agent": {**_AGENT["agent"], "user_group_ids": list(range(1, 1_001))}}),
        Case("ids", "/agents", {"agent": {**_AGENT["agent"], "agent_role_ids": [1] * 400_000}}),
        Case("ids as they may be", "/agents", {"agent": {**_AGENT["agent"], "agent_role_ids": [1] * 10_000}}),
    ],
    "PUT /agents/{id}": [
        *texts("/agents/30", {"agent": {"nick_name": "n"}}, "nick_name", "im_welcomes"),
        Case("all groups", "/agents/30", {"agent": {"user_group_ids": list(range(1, 1_001))}}, swept=True,
             undo={"agent": {"user_group_ids": []}}),
        Case("no group", "/agents/30", {"agent": {"user_group_ids": []}}, swept=True,
             undo={"agent": {"user_group_ids": list(range(1, 1_001))}}),
    ],
    "DELETE /agents/{id}": [
        Case("of the crowd", "/agents/40", swept=True, again=paths("/agents/{}", 1_040, 10)),
        Case("none", f"/agents/{GONE}"),
    ],
    "GET /callcenter_analysis/agents_of_group": [
        *pages(f"/callcenter_analysis/agents_of_group?group_id={CROWDED}", "page", "perpage", CROWD),
    ],
    "GET /agent_roles": [Case("all", "/agent_roles")],
    "GET /departments": [Case("all", "/departments")],
    "POST /departments": texts("/departments", {"name": ""}, "name"),
    "POST /log_in": [
        Case("a stranger", "/log_in", {"email": "a" * 900_000, "password": "p"}),
        Case("a password", "/log_in", {"email": "agent2@example.com", "password": "p" * 900_000}),
        Case("a form", "/log_in", b"a=%41&" * (BODY // 6), headers=_FORM),
        Case("a form as large as may be", "/log_in", b"a=%41&" * 10_000, headers=_FORM),
    ],
}  # fmt: skip
