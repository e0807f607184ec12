"""Forms that clients of Udesk send."""

from urllib.parse import urlencode

import pytest

from deskroster.dialect.request import FORM
from deskroster.testing import UdeskSignature
from tests.answers import check
from tests.world import ADMIN

pytestmark = pytest.mark.any_engine


def sent(desk, method, path, form):
    content = form if isinstance(form, str) else urlencode(form)
    return desk.udesk.request(method, path, content=content, headers={"Content-Type": FORM})


def test_an_agent_is_created_changed_and_deleted_by_forms(desk):
    form = {
        "agent[email]": "a+b@udesk.cn", "agent[password]": "p", "agent[user_group_ids][]": "1",
        "agent[im_ability_value]": "7", "agent[availability]": "0",
    }  # fmt: skip
    made = check("udesk", sent(desk, "POST", "/agents", form), "ok")["agent"]
    assert ("a+b@udesk.cn", "a+b", [1], 7, False) == tuple(
        made[key] for key in ("email", "nick_name", "user_group_ids", "im_ability_value", "availability")
    )

    check("udesk", sent(desk, "PUT", f"/agents/{made['id']}", "agent[user_group_ids][]="), "ok")
    assert () == desk.roster().agents[made["id"]].group_ids

    check("udesk", sent(desk, "DELETE", "/agents/2", "owner_group_id=1&owner_id=1"), "ok")


def test_signature_parameters_may_stand_in_a_form(desk):
    signed = UdeskSignature(ADMIN, desk.clock).parameters()

    response = desk.plain().post(
        "/open_api_v1/user_groups",
        content=urlencode({"name": "A & B", **signed}),
        headers={"Content-Type": FORM},
    )

    check("udesk", response, "ok")
    assert "A & B" == desk.roster().groups[4].name
