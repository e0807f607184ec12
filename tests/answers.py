"""What class of answer a response is, by the table of the contracts, and whether it has the dialect's shape exactly."""

import json
import re
from typing import Any

import httpx2

# dialect → class → (HTTP status, Udesk's code or KF5's word; None: as the status)
CLASSES: dict[str, dict[str, tuple[int, Any]]] = {
    "udesk": {
        "syntax": (400, 2000), "invalid": (200, 2000), "conflict": (200, 2000), "notfound": (200, 2005),
        "nopath": (404, 2005), "unauth": (200, 2059), "forbidden": (200, 2015), "toolarge": (413, 2000),
        "toomany": (429, 2000), "method": (405, 2000), "media": (415, 2000), "nocompany": (200, 2002),
    },
    "kf5": {
        "syntax": (400, "bad_request"), "invalid": (422, "invalid"), "conflict": (409, "conflict"),
        "notfound": (404, "not_found"), "nopath": (404, "not_found"), "unauth": (401, "unauthorized"),
        "forbidden": (403, "forbidden"), "toolarge": (413, "too_large"), "toomany": (429, "too_many_requests"),
        "method": (405, "method_not_allowed"), "media": (415, "unsupported_media_type"),
        "nocompany": (401, "unauthorized"),
    },
    "servicego": {
        "syntax": (400, 400), "invalid": (400, 400), "conflict": (409, 409), "notfound": (404, 404),
        "nopath": (404, 404), "unauth": (401, 401), "forbidden": (403, 403), "toolarge": (413, 413),
        "toomany": (429, 429), "method": (405, 405), "media": (415, 415),
    },
    "own": {
        "syntax": (400, "malformed"), "invalid": (422, "invalid"), "conflict": (409, "conflict"),
        "notfound": (404, "not-found"), "nopath": (404, "unknown-path"), "unauth": (401, "unauthenticated"),
        "forbidden": (403, "forbidden"), "toolarge": (413, "too-large"), "toomany": (429, "too-many"),
        "method": (405, "method-not-allowed"), "media": (415, "media-type"), "nocompany": (404, "unknown-company"),
    },
}  # fmt: skip
UDESK_UNAUTH = {2059, 20621, 20622, 20623, 20624}


def check(dialect: str, response: httpx2.Response, expected: str) -> dict[str, Any]:
    """Assert that a response is of a class, in the exact shape that the dialect gives it; return its body."""
    told = f"{response.request.method} {response.request.url} → {response.status_code} {response.text[:400]}"
    assert response.headers["content-type"].startswith(("application/json", "application/problem+json")), told
    assert not re.search(r"<html|<!doctype|traceback|\.py\b|Error\(", response.text, re.IGNORECASE), told
    body = json.loads(response.content)
    assert isinstance(body, dict), told
    if expected == "ok":
        assert response.status_code in (200, 201), told
        assert {"udesk": 1000, "servicego": 200}.get(dialect) == body.get("code"), told
        assert "error" not in body, told
        return body
    status, code = CLASSES[dialect][expected]
    assert status == response.status_code, told
    shown = _SHAPES[dialect](response, body, expected)
    assert (shown in UDESK_UNAUTH) if (dialect, expected) == ("udesk", "unauth") else (code == shown), told
    if expected == "method":
        assert response.headers["allow"], told
    if expected == "toomany":
        assert int(response.headers["retry-after"]) > 0, told
    return body


def _udesk(response: httpx2.Response, body: dict[str, Any], expected: str) -> Any:
    assert {"code", "message", "code_message"} <= set(body) <= {"code", "message", "code_message", "exception"}
    assert body["message"] == body["code_message"]
    assert body["message"]
    return body["code"]


def _kf5(response: httpx2.Response, body: dict[str, Any], expected: str) -> Any:
    assert {"error"} == set(body)
    assert {"code", "message"} | ({"fields"} if expected == "invalid" else set()) == set(body["error"])
    assert body["error"]["message"]
    if expected == "invalid":
        assert all(isinstance(told, str) and told for told in body["error"]["fields"].values())
        assert body["error"]["fields"]
    if response.status_code == 401:
        assert response.headers["www-authenticate"].startswith('Basic realm="')
    return body["error"]["code"]


def _servicego(response: httpx2.Response, body: dict[str, Any], expected: str) -> Any:
    assert {"code", "message", "visible"} == set(body)
    assert body["message"]
    assert (expected in ("invalid", "conflict")) is body["visible"]
    return body["code"]


def _own(response: httpx2.Response, body: dict[str, Any], expected: str) -> Any:
    assert {"type", "title", "status", "detail"} <= set(body)
    assert response.status_code == body["status"]
    return body["type"].rpartition(":")[2]


_SHAPES = {"udesk": _udesk, "kf5": _kf5, "servicego": _servicego, "own": _own}
