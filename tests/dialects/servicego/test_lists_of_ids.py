"""Ids in the path of a deletion, one by one and as a list."""

import re

import pytest

from tests import bad_inputs
from tests.answers import check
from tests.dialect.test_bad_inputs import OTHERS_AGENT, cases
from tests.world import ADMIN

pytestmark = pytest.mark.any_engine


def delete(desk, target):
    """Send a raw target, without any normalising."""
    return desk.servicego.request("DELETE", "/", extensions={"target": f"/api{target}".encode()})


@pytest.mark.parametrize(("value", "cls"), cases(bad_inputs.IDS))
@pytest.mark.parametrize("path", ["/v1/user/", "/v1/userGroup/"])
def test_servicego_deletes_nothing_by_an_id_that_nothing_has(desk, path, value, cls):
    sent, before = value.replace("OTHER", str(OTHERS_AGENT)), desk.roster().number
    response = delete(desk, path + sent)

    if re.fullmatch("[1-9][0-9]*", sent):
        answer = check("servicego", response, "ok")["data"]
        assert {"successList": [], "successTotal": 0, "failTotal": 1, "total": 1} == {
            key: answer[key] for key in ("successList", "successTotal", "failTotal", "total")
        }
        assert [sent] == list(answer["failMap"])
        assert before == desk.roster().number
    elif sent == "1,2":
        check("servicego", response, "ok")
    else:
        check("servicego", response, "invalid")
        assert before == desk.roster().number


@pytest.mark.parametrize(("value", "cls"), cases(bad_inputs.ID_LISTS))
@pytest.mark.parametrize("path", ["/v1/user/", "/v1/userGroup/"])
def test_a_list_of_ids_in_a_path_is_taken_whole_or_not_at_all(desk, path, value, cls):
    sent = value.replace("SELF", str(ADMIN.id))
    before = desk.roster().number

    answer = check("servicego", delete(desk, path + sent), cls)

    if cls == "ok":
        data = answer["data"]
        assert len(set(sent.split(","))) == data["total"] == data["successTotal"] + data["failTotal"]
        assert set(sent.split(",")) == {*map(str, data["successList"]), *data["failMap"]}
        assert (str(ADMIN.id) in data["failMap"]) == (path == "/v1/user/")
    assert desk.roster().number == before + (cls == "ok" and data["successTotal"] > 0)
