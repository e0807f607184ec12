"""What of a body within its size would still hold the process."""

from urllib.parse import urlencode

from deskroster.dialect.forms import MAX_PAIRS
from deskroster.dialect.request import FORM
from deskroster.dialect.strict_json import MAX_CONTAINERS
from tests.world import ADMIN


def test_a_body_has_so_many_objects_and_lists(quiet_desk):
    def sent(containers):
        body = b'{"group":{"name":"n"},"ignored":[' + b",".join([b"{}"] * (containers - 3)) + b"]}"
        return quiet_desk.kf5.put("/groups/3.json", content=body, headers={"Content-Type": "application/json"})

    assert 200 == sent(MAX_CONTAINERS).status_code
    assert 400 == sent(MAX_CONTAINERS + 1).status_code


def test_a_form_has_so_many_pairs(quiet_desk):
    def sent(pairs):
        login = urlencode({"email": ADMIN.email, "password": ADMIN.password})
        body = login + "&a=b" * (pairs - 2)
        return quiet_desk.plain().post("/open_api_v1/log_in", content=body, headers={"Content-Type": FORM})

    assert 1000 == sent(MAX_PAIRS).json()["code"]
    assert 400 == sent(MAX_PAIRS + 1).status_code
