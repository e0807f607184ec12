"""Who asks? HTTP Basic with an agent's e-mail and one of its keys."""

from deskroster.core.roster import Roster
from deskroster.desk import Proof
from deskroster.dialect import Request
from deskroster.dialect.basic_auth import by_key, credentials
from deskroster.texts import said

NAME = "own"
SECURITY = {"key": {"type": "http", "scheme": "basic", "description": said("An agent's e-mail, and one of its keys.")}}


def authenticate(request: Request, roster: Roster, now: int) -> Proof:
    """Return whose key it is. Raises Unauthenticated; a login password is not asked for here."""
    email, secret = credentials(request)
    return by_key(roster, NAME, email, secret, now)
