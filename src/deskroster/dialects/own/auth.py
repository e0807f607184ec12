"""Who asks? HTTP Basic with an agent's e-mail and one of its keys (RFC 7617)."""

import base64
import binascii
from hmac import compare_digest

from deskroster.core import keys
from deskroster.core.access import Identity
from deskroster.core.problems import Doubt, Unauthenticated
from deskroster.core.roster import Roster
from deskroster.desk import Proof, Signed
from deskroster.dialect import Request

NAME = "own"
SECURITY = {"key": {"type": "http", "scheme": "basic", "description": "An agent's e-mail, and one of its keys."}}


def authenticate(request: Request, roster: Roster, now: int) -> Proof:
    """Return whose key it is. Raises Unauthenticated; a login password is not asked for here."""
    email, secret = _credentials(request.header(b"authorization"))
    found = None
    for key in keys.tried(roster, email, NAME, now):
        if compare_digest(key.secret.reveal().encode(), secret.encode()) and key.id:
            found = Identity(agent_id=key.agent_id, key_id=key.id)
    if found is None:
        raise Unauthenticated(Doubt.WRONG)
    return Signed(found)


def _credentials(header: str | None) -> tuple[str, str]:
    if header is None:
        raise Unauthenticated(Doubt.MISSING)
    scheme, _, encoded = header.partition(" ")
    try:
        email, colon, secret = base64.b64decode(encoded.strip(" \t"), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise Unauthenticated(Doubt.MISSING) from None
    if scheme.lower() != "basic" or not colon:
        raise Unauthenticated(Doubt.MISSING)
    return email, secret
