"""HTTP Basic (RFC 7617) with a key as the password, for every dialect that uses it."""

from base64 import b64decode
from hmac import compare_digest

from deskroster.core import keys
from deskroster.core.access import Identity
from deskroster.core.problems import Doubt, Unauthenticated
from deskroster.core.roster import Roster
from deskroster.desk import Signed
from deskroster.dialect.request import Headers, Request


def credentials(request: Request) -> tuple[str, str]:
    """Return name and secret, which the first colon separates.

    Raises Unauthenticated unless there is exactly one Authorization header with UTF-8 and without NUL.
    """
    headers: Headers = request.scope["headers"]
    sent = [value for name, value in headers if name == b"authorization"]
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


def by_key(roster: Roster, dialect: str, email: str, secret: str, now: int) -> Signed:
    """Return whose key `secret` is. Raises Unauthenticated; an unknown e-mail takes as long as a wrong key."""
    right = [
        key
        for key in keys.tried(roster, email, dialect, now)
        if compare_digest(key.secret.reveal().encode(), secret.encode()) and key.id
    ]
    if not right:
        raise Unauthenticated(Doubt.WRONG)
    return Signed(Identity(agent_id=right[0].agent_id, key_id=right[0].id))
