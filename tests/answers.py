"""What class of answer a response is, as its dialect answers, and whether it has the dialect's shape exactly."""

import json
import re
from typing import Any

import httpx2

from tests.contract import Class
from tests.contracts import CONTRACTS


def check(dialect: str, response: httpx2.Response, expected: Class | str) -> dict[str, Any]:
    """Assert that a response is of a class, in the exact shape that the dialect gives it; return its body."""
    answers = CONTRACTS[dialect].answers
    told = f"{response.request.method} {response.request.url} → {response.status_code} {response.text[:400]}"
    assert response.headers["content-type"].startswith(("application/json", "application/problem+json")), told
    assert not re.search(r"<html|<!doctype|traceback|\.py\b|Error\(", response.text, re.IGNORECASE), told
    body = json.loads(response.content)
    assert isinstance(body, dict), told
    if expected == "ok":
        assert response.status_code in (200, 201), told
        assert answers.success == body.get("code"), told
        assert "error" not in body, told
        return body
    status, code = answers.of(expected)
    assert status == response.status_code, told
    shown = answers.code(response, body, expected)
    assert (shown in code) if isinstance(code, frozenset) else (code == shown), told
    if expected == "method":
        assert response.headers["allow"], told
    if expected == "toomany":
        assert int(response.headers["retry-after"]) > 0, told
    return body
