"""Who asks? HTTP Basic with a password or an API token (the permissions of KF5's page, 调用权限)."""

from deskroster.core.problems import Doubt, Unauthenticated
from deskroster.core.roster import Roster
from deskroster.core.text import MAX_EMAIL
from deskroster.desk import Login, Proof
from deskroster.dialect import Request
from deskroster.dialect.basic_auth import by_key, credentials

_BY_TOKEN = "/token"  # the name ends with it if a token is sent instead of a password


def authenticate(request: Request, roster: Roster, now: int) -> Proof:
    """Return whose token it is, or the claim that a password is right. Raises Unauthenticated."""
    name, secret = credentials(request)
    email = name.removesuffix(_BY_TOKEN)
    if len(email) > MAX_EMAIL:  # no agent has it
        raise Unauthenticated(Doubt.WRONG)
    return Login(email, secret) if email == name else by_key(roster, "kf5", email, secret, now)
