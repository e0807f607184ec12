"""What the proofs of identity need to know of KF5: who loses what by which call, and what is secret."""

from typing import TYPE_CHECKING

from deskroster.testing import Account
from tests.contract import Ask, Demotion, Find, Loss
from tests.world import SECOND_ADMIN

if TYPE_CHECKING:
    from tests.proofs.identity.life import Life

WHO = SECOND_ADMIN.id

LOSSES = {
    "the password, in KF5": Loss("PUT", f"/users/{WHO}.json", {"user": {"password": "new"}}, "password"),
    "the level, in KF5": Loss("PUT", f"/users/{WHO}.json", {"user": {"role": "agent"}}, "all", "forbidden"),
    "the account, in KF5": Loss("DELETE", f"/users/{WHO}.json", None, "all"),
}
DEMOTIONS = {
    "deleted in KF5": Demotion(lambda id: Ask("DELETE", f"/users/{id}.json")),
    "demoted in KF5": Demotion(lambda id: Ask("PUT", f"/users/{id}.json", {"user": {"role": "agent"}})),
}
PROMOTIONS = {
    "promoted in KF5": lambda id: Ask("PUT", f"/users/{id}.json", {"user": {"role": "admin"}}),
}
FINDS = (Find("/users/search.json?query={}", "foreign", "nowhere"),)


def day(life: "Life", admin: Account) -> None:
    """Set passwords, and be refused with secrets in hand."""
    kf5 = life.of(admin).kf5
    user = {"name": "k", "email": "k@life.cn", "role": "admin", "password": life.secret("kf5's first password")}
    id = life.ask(kf5, "POST", "/users.json", json={"user": user}).json()["user"]["id"]
    life.ask(kf5, "PUT", f"/users/{id}.json", json={"user": {"password": life.secret("kf5's second password")}})
    for id in (2, 99):
        wrong = {"password": life.secret("too long") * 40, "email": "admin"}
        life.ask(kf5, "PUT", f"/users/{id}.json", json={"user": wrong})
    life.ask(kf5, "DELETE", "/users/1.json")
