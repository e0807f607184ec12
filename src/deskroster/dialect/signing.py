"""Signed query strings: what the dialects whose clients sign them have in common."""

from hashlib import sha1, sha256
from hmac import compare_digest

from deskroster.core import keys
from deskroster.core.access import Identity
from deskroster.core.problems import Doubt, Skew, Unauthenticated
from deskroster.core.roster import Roster
from deskroster.core.text import MAX_EMAIL

MAX_SKEW = 300  # seconds
MAX_SIGN = 64  # hex digits

_DIGESTS = {64: sha256, 40: sha1}  # by the hex digits of a signature


def check_time(timestamp: str | None, now: int, explains: bool = False) -> None:
    """Raise Unauthenticated unless a timestamp (Unix seconds, or milliseconds of 13 digits) is about now."""
    if timestamp is None or not (1 <= len(timestamp) <= 13 and timestamp.isascii() and timestamp.isdigit()):
        raise Unauthenticated(Doubt.TIMESTAMP)
    seconds = int(timestamp) // 1000 if len(timestamp) == 13 else int(timestamp)
    if abs(seconds - now) > MAX_SKEW:
        raise Unauthenticated(Doubt.SKEW, skew=Skew(now, seconds, MAX_SKEW) if explains else None)


def signer(roster: Roster, dialect: str, email: str, rest: str, sign: str, now: int) -> Identity | None:
    """Return who signed `email&token&rest`, or None: an unknown e-mail takes as long as a wrong signature.

    The length of `sign` selects the hash; its hex digits may be in upper or lower case.
    """
    hashed = _DIGESTS.get(len(sign), sha256)
    given = sign[: MAX_SIGN + 1].lower().encode()  # a longer one is wrong whatever follows; the limit bounds the work
    email = email[: MAX_EMAIL + 1]  # likewise
    signed_with = None
    for key in keys.tried(roster, email, dialect, now):
        made = hashed(f"{email}&{key.secret.reveal()}&{rest}".encode()).hexdigest().encode()
        if compare_digest(made, given):
            signed_with = key
    if signed_with is None or not signed_with.id:  # the dummy key of an unknown e-mail has the id 0
        return None
    return Identity(agent_id=signed_with.agent_id, key_id=signed_with.id)
