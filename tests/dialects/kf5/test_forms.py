"""Forms that clients of KF5 send."""

import pytest

from deskroster.dialect.request import FORM
from tests.answers import check

pytestmark = pytest.mark.any_engine


def sent(desk, method, path, form, media=FORM):
    return desk.kf5.request(method, path, content=form, headers={"Content-Type": media})


def test_groups_and_users_are_written_by_forms(desk):
    made = sent(desk, "POST", "/groups.json", "group[name]=新&group[agents][]=2&group[agents][]=3")
    assert (201, [2, 3]) == (made.status_code, [one["id"] for one in made.json()["group"]["agents"]])

    changed = sent(desk, "PUT", "/users/2.json", "user[mark_star]=1&user[role]=admin", f"{FORM}; charset=UTF-8")
    assert (1, "admin") == (changed.json()["user"]["mark_star"], changed.json()["user"]["role"])

    wrong = sent(desk, "PUT", "/groups/1.json", "group[agents]=x").json()["error"]
    assert {"agents": "is of the wrong type: an array of integers is wanted"} == wrong["fields"]


@pytest.mark.parametrize(("form", "cls"), [
    ("a=1&a[b]=2", "syntax"), ("group[name]=%ff", "syntax"), (b"group[name]=\xff", "syntax"), ("", "invalid"),
])  # fmt: skip
def test_a_form_that_cannot_be_read_is_a_syntax_error_and_an_empty_one_names_nothing(quiet_desk, form, cls):
    check("kf5", sent(quiet_desk, "POST", "/groups.json", form), cls)


def test_the_same_form_with_the_same_idempotency_key_creates_once(desk):
    headers = {"Content-Type": FORM, "Idempotency-Key": "k"}
    answers = [desk.kf5.post("/groups.json", content=b"group[name]=x", headers=headers) for _ in range(2)]

    assert answers[0].json() == answers[1].json()
    assert 4 == len(desk.roster().groups)


def test_a_refusal_says_what_is_wanted_in_the_language_of_the_client(quiet_desk):
    def said(language):
        body, headers = {"group": {"agents": {}}}, {"Accept-Language": language}
        return quiet_desk.kf5.put("/groups/1.json", json=body, headers=headers).json()["error"]["fields"]["agents"]

    assert ("类型错误, 应为整数数组", "is of the wrong type: an array of integers is wanted") == (
        said("zh"),
        said("en"),
    )
