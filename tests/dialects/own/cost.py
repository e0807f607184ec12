"""The calls of our own API that cost most."""

from tests.proofs.load.cases import BODY, OPTIONS, QUERY, Case, texts
from tests.proofs.load.company import SHARED

_REFERENCE = {
    "positions": "position",
    "roles": "role",
    "permission-sets": "permission_set",
    "departments": "department",
}


WORST: dict[str, list[Case]] = {
    **{f"GET /v1/{path}": [Case("a thousand", f"/v1/{path}?per_page=1000")] for path in _REFERENCE},
    **{f"POST /v1/{path}": texts(f"/v1/{path}", {"name": ""}, "name") for path in _REFERENCE},
    **{
        f"PATCH /v1/{path}/{{id}}": [
            *texts(f"/v1/{path}/2", {"name": ""}, "name"),
            Case("what everyone has", f"/v1/{path}/{SHARED}", {"name": "Other"}, swept=True),
            Case("what everyone has, again", f"/v1/{path}/{SHARED}", {"name": "Another"}, swept=True),
        ]
        for path in _REFERENCE
    },
    **{
        f"DELETE /v1/{path}/{{id}}": [
            Case("what everyone has", f"/v1/{path}/{SHARED}"),
            Case("one", f"/v1/{path}/8"),
        ]
        for path in _REFERENCE
    },
    "GET /v1/profile-fields": [Case("all", "/v1/profile-fields?per_page=1000")],
    "POST /v1/profile-fields": [
        *texts("/v1/profile-fields", {"api_name": "a", "label": ""}, "label", "api_name"),
        Case("options", "/v1/profile-fields",
             {"api_name": "b", "label": "b", "type": "single_listbox", "options": OPTIONS}),
        Case("the same option", "/v1/profile-fields",
             {"api_name": "c", "label": "c", "type": "single_listbox", "options": ["a"] * (BODY // 5)}),
    ],
    "PATCH /v1/profile-fields/{id}": [
        Case("of all records", "/v1/profile-fields/1", {"label": "Town"}, swept=True),
    ],
    "DELETE /v1/profile-fields/{id}": [
        Case("of all records", "/v1/profile-fields/2"),
        Case("of none", "/v1/profile-fields/3"),
    ],
    "GET /v1/agents": [
        Case("first", "/v1/agents?per_page=1000"),
        Case("last", "/v1/agents?per_page=1000&page=100"),
        Case("an e-mail", "/v1/agents?email=" + "a" * QUERY),
    ],
    "GET /v1/agents/{id}": [Case("one", "/v1/agents/110")],
    "PATCH /v1/agents/{id}": texts("/v1/agents/120", {"sip_number": "8"}, "sip_number", "sip_password"),
    "GET /v1/agents/{id}/profile": [Case("one", "/v1/agents/110/profile")],
    "PATCH /v1/agents/{id}/profile": [
        Case("a text", "/v1/agents/120/profile", {"values": {"city": "a" * 900_000}}),
        Case("a list", "/v1/agents/120/profile", {"values": {"city": [{"tagName": "n", "tagValue": "1"}] * 20_000}}),
        Case("values", "/v1/agents/120/profile", {"values": {f"v{number}": "x" for number in range(60_000)}}),
    ],
    "PUT /v1/agents/{id}/password": [
        *texts("/v1/agents/2/password", {"password": ""}, "password"),
    ],
    "GET /v1/keys": [Case("all", "/v1/keys?per_page=1000")],
    "POST /v1/keys": [
        *texts("/v1/keys", {"agent_id": 2, "name": "", "dialects": []}, "name"),
        Case("dialects", "/v1/keys", {"agent_id": 2, "name": "n", "dialects": ["kf5"] * (BODY // 8)}),
    ],
    "DELETE /v1/keys/{id}": [Case("one", "/v1/keys/3")],
}  # fmt: skip
