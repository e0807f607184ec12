"""Refusals in ServiceGo's words: three keys, and `code` is the HTTP status."""

import json

import pytest

from deskroster.core.problems import Busy, Unknown
from deskroster.dialect import Request
from deskroster.dialect.problems import Incident, TooMany, UnknownCompany
from deskroster.dialects.servicego.problems import render

pytestmark = pytest.mark.any_engine


def test_an_unknown_path_is_404(quiet_desk):
    for path in ("/v1/nothing", "/v2/user/1", "/v1", "/", "/v3/user", "/v1/user/1/2", "/v1/fields/1"):
        refused = quiet_desk.servicego.get(path, headers={"Accept-Language": "en"})

        assert {"code": 404, "message": "no such path", "visible": False} == refused.json()


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [("PATCH", "/v1/user", "GET, HEAD, POST"), ("POST", "/v1/user/1", "DELETE, GET, HEAD, PUT"),
     ("POST", "/v2/user", "GET, HEAD"), ("DELETE", "/v1/role", "GET, HEAD"),
     ("PATCH", "/v1/data", "DELETE, GET, HEAD, POST, PUT")],
)  # fmt: skip
def test_a_wrong_method_is_405_and_says_which_are_right(quiet_desk, method, path, allow):
    refused = quiet_desk.servicego.request(method, path)

    assert (405, 405, allow) == (refused.status_code, refused.json()["code"], refused.headers["Allow"])


@pytest.mark.parametrize(
    "body", [b"", b"null", b"[]", b'{"name":"a",}', b"\xef\xbb\xbf{}", b'{"name":"\xff"}', b'{"x":NaN}']
)
def test_a_body_that_is_no_json_object_is_400_and_not_visible(quiet_desk, body):
    for refused in (
        quiet_desk.servicego.post("/v1/userGroup", content=body),
        quiet_desk.servicego.put("/v1/user/2", content=body),
    ):
        assert {"code": 400, "message": "the body is malformed", "visible": False} == refused.json()


def test_another_media_type_is_415_and_a_large_body_413(quiet_desk):
    xml = quiet_desk.servicego.post("/v1/userGroup", content=b"{}", headers={"Content-Type": "text/xml"})
    large = quiet_desk.servicego.post("/v1/userGroup", json={"name": "x" * (1 << 20)})

    assert (415, 415) == (xml.status_code, xml.json()["code"])
    assert (413, 413) == (large.status_code, large.json()["code"])


def test_what_is_not_found_is_named_in_the_caller_s_language(quiet_desk):
    for path, zh, en in (
        ("/v1/user/99", "员工不存在", "no such agent"),
        ("/v1/userGroup/99", "员工组不存在", "no such group"),
        ("/v1/data?objectApiName=userInfo&id=99", "信息记录不存在", "no such profile record"),
    ):
        for language, message in (("zh-CN", zh), ("en", en)):
            refused = quiet_desk.servicego.get(path, headers={"Accept-Language": language})

            assert {"code": 404, "message": message, "visible": False} == refused.json()


@pytest.mark.parametrize(
    ("problem", "code", "visible", "headers"),
    [(Busy(), 503, False, (("Retry-After", "1"),)),
     (Unknown(), 503, False, (("Retry-After", "1"),)), (TooMany(7), 429, False, (("Retry-After", "7"),)),
     (Incident("abc"), 500, False, ()), (UnknownCompany(), 401, False, ())],
)  # fmt: skip
def test_what_the_server_refuses_has_the_same_three_keys(problem, code, visible, headers):
    reply = render(Request({"path": "/api/v1/user", "method": "GET", "headers": [], "query_string": b""}), problem)

    told = json.loads(reply.body)
    assert (code, headers) == (reply.status, reply.headers)
    assert {"code": code, "message": told["message"], "visible": visible} == told
    assert told["message"]


def test_a_doubled_slash_before_the_prefix_is_read_as_one(quiet_desk):
    assert 200 == quiet_desk.servicego.get("/", extensions={"target": b"//api/v1/role"}).status_code
