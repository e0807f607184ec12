"""Who asks? HTTP Basic with a password or an API token (the permissions of KF5's page, 调用权限; RFC 7617)."""

from base64 import b64decode
from hmac import compare_digest

from deskroster.core import keys
from deskroster.core.access import Identity
from deskroster.core.problems import Doubt, Unauthenticated
from deskroster.core.roster import Roster
from deskroster.core.text import MAX_EMAIL
from deskroster.desk import Login, Proof, Signed
from deskroster.dialect import Request

_BY_TOKEN = "/token"  # ends the name of who sends a token instead of a password


def authenticate(request: Request, roster: Roster, now: int) -> Proof:
    """Return whose token it is, or the claim that a password is right. Raises Unauthenticated."""
    name, secret = _credentials(request)
    email = name.removesuffix(_BY_TOKEN)
    if len(email) > MAX_EMAIL:  # nobody's
        raise Unauthenticated(Doubt.WRONG)
    if email == name:
        return Login(email, secret)
    identity = _owner(roster, email, secret, now)
    if identity is None:
        raise Unauthenticated(Doubt.WRONG)
    return Signed(identity)


def _credentials(request: Request) -> tuple[str, str]:
    """Return name and secret, which the first colon separates."""
    sent = [value for name, value in request.scope["headers"] if name == b"authorization"]
    if len(sent) != 1:
        raise Unauthenticated(Doubt.MISSING)
    scheme, _, encoded = sent[0].strip().partition(b" ")
    try:
        decoded = b64decode(encoded.strip(), validate=True).decode()
    except ValueError:
        raise Unauthenticated(Doubt.MISSING) from None
    name, colon, secret = decoded.partition(":")
    if scheme.lower() != b"basic" or not colon or "\0" in decoded:
        raise Unauthenticated(Doubt.MISSING)
    return name, secret


def _owner(roster: Roster, email: str, token: str, now: int) -> Identity | None:
    """Return whose token it is, or None: an unknown e-mail costs the same as a wrong token."""
    right = [
        key
        for key in keys.tried(roster, email, "kf5", now)
        if compare_digest(key.secret.reveal().encode(), token.encode()) and key.id
    ]
    return Identity(agent_id=right[0].agent_id, key_id=right[0].id) if right else None
