"""Who signed? The signature of ServiceGo: a digest of `email&api_token&timestamp` in the query."""

from deskroster.core.problems import Doubt, Unauthenticated
from deskroster.core.roster import Roster
from deskroster.desk import Proof, Signed
from deskroster.dialect import Request
from deskroster.dialect.query import REPEATED
from deskroster.dialect.signing import check_time, signer

PARAMETERS = ("email", "timestamp", "sign")
_FORMS = {64: "SHA-256", 40: "SHA-1"}  # by the hex digits of a signature


def authenticate(request: Request, roster: Roster, now: int) -> Proof:
    """Return whose signature it is; it has no nonce, so a replay is accepted. Raises Unauthenticated."""
    email, timestamp, sign = parameters = [request.query.get(name) for name in PARAMETERS]
    if REPEATED in parameters:
        raise Unauthenticated(Doubt.WRONG)
    if not email or not timestamp or not sign:
        raise Unauthenticated(Doubt.MISSING)
    check_time(timestamp, now, request.explains)
    identity = signer(roster, "servicego", email, timestamp, sign, now)
    if identity is None:
        form = _FORMS.get(len(sign), "?")
        raise Unauthenticated(Doubt.WRONG, f"{form}: {email}&****&{timestamp}" if request.explains else "")
    return Signed(identity, form=_FORMS[len(sign)])


def account(request: Request) -> str:
    """Return the e-mail by which the company is found: one host serves all of them."""
    return request.query.get("email", "")
