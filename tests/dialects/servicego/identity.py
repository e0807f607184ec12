"""What the proofs of identity need to know of ServiceGo: who loses what by which call, where ids stand, secrets."""

from typing import TYPE_CHECKING, Any

from deskroster.testing import Account
from tests.contract import IN_OTHER, Ask, Demotion, Find, Loss
from tests.world import SECOND_ADMIN

if TYPE_CHECKING:
    from tests.proofs.identity.life import Life

WHO = SECOND_ADMIN.id
STAFF = {
    "email": "new@test.cn", "password": "long-enough", "realname": "新", "position": {"id": 1}, "roleList": [{"id": 1}],
}  # fmt: skip
RECORD = {"objectApiName": "userInfo", "fieldDataList": [{"fieldApiName": "sysusername", "fieldValue": "新"}]}

LOSSES = {
    "the state, in ServiceGo": Loss("PUT", f"/v1/user/{WHO}", {"status": 2}, "all"),
    "the state, to a review": Loss("PUT", f"/v1/user/{WHO}", {"status": 3}, "all"),
    "the job": Loss("PUT", f"/v1/user/{WHO}", {"jobStatus": 0}, "all"),
    "the account, in ServiceGo": Loss("DELETE", f"/v1/user/{WHO}", None, "all"),
}


def stays(answer: Any, id: int) -> None:
    """A deletion says of each whom it names whether it is gone."""
    assert "员工不可删除" == answer["data"]["failMap"][str(id)]


DEMOTIONS = {
    "deleted in ServiceGo": Demotion(lambda id: Ask("DELETE", f"/v1/user/{id}"), stays),
    "deleted in ServiceGo with others": Demotion(lambda id: Ask("DELETE", f"/v1/user/4,{id},99"), stays),
    "disabled in ServiceGo": Demotion(lambda id: Ask("PUT", f"/v1/user/{id}", {"status": 2})),
    "put into review": Demotion(lambda id: Ask("PUT", f"/v1/user/{id}", {"status": 3})),
    "marked as left": Demotion(lambda id: Ask("PUT", f"/v1/user/{id}", {"jobStatus": 0})),
    "marked as left and disabled": Demotion(lambda id: Ask("PUT", f"/v1/user/{id}", {"jobStatus": 0, "status": 2})),
}
PROMOTIONS = {
    "employed again": lambda id: Ask("PUT", f"/v1/user/{id}", {"jobStatus": 1, "status": 1}),
    "all deleted in ServiceGo": lambda id: Ask("DELETE", "/v1/user/6,2,1"),
}

IDS_IN_QUERY = {
    "GET /v1/user": lambda id: f"positionId={id}",
    "GET /v2/user": lambda id: f"type=1&value={id}",
    "GET /v1/data": lambda id: f"objectApiName=userInfo&id={id}",
    "DELETE /v1/data": lambda id: f"objectApiName=userInfo&id={id}",
}
IDS_IN_BODY = {
    "POST /v1/user": {
        "position": lambda id: {**STAFF, "position": {"id": id}},
        "roleList": lambda id: {**STAFF, "roleList": [{"id": 1}, {"id": id}]},
        "userGroupList": lambda id: {**STAFF, "userGroupList": [id]},
        "userInfo": lambda id: {**STAFF, "userInfo": {"id": id}},
    },
    "PUT /v1/user/{id}": {
        "position": lambda id: {"position": {"id": id}},
        "roleList": lambda id: {"roleList": [{"id": id}]},
        "userGroupList": lambda id: {"userGroupList": [1, id]},
        "userInfo": lambda id: {"userInfo": {"id": id}},
    },
    "POST /v1/userGroup": {"userList": lambda id: {"name": "x", "userList": [{"id": id}]}},
    "PUT /v1/userGroup/{id}": {"userList": lambda id: {"userList": [{"id": id}]}},
    "PUT /v1/data": {"id": lambda id: {**RECORD, "id": id}},
}
FINDS = (
    Find("/v2/user?type=2&value={}", *IN_OTHER),
    Find("/v2/user?type=3&value={}", "13900000501", "13900000601"),
    Find("/v2/user?type=4&value={}", "J-501", "J-601"),
)


def day(life: "Life", admin: Account) -> None:
    """Set a password."""
    staff = {
        "realname": "s", "email": "s@life.cn", "password": life.secret("servicego's first password"),
        "position": {"id": 1}, "roleList": [{"id": 1}],
    }  # fmt: skip
    life.ask(life.of(admin).servicego, "POST", "/v1/user", json=staff, headers={"Idempotency-Key": "one"})
