"""Who signed? The three signature forms of the Udesk Open API (README.md: A, B and C)."""

from deskroster.core.problems import Doubt, Unauthenticated
from deskroster.core.records import SignatureForm
from deskroster.core.roster import Roster
from deskroster.desk import Proof, Signed
from deskroster.dialect import Request
from deskroster.dialect.query import REPEATED
from deskroster.dialect.signing import check_time, signer

PARAMETERS = ("email", "timestamp", "sign", "nonce", "sign_version")
_NEEDED = PARAMETERS[:3]  # by every form
MAX_NONCE = 255  # characters

_FORMS: dict[tuple[str | None, int], SignatureForm] = {("v2", 64): "A", ("v2", 40): "B", (None, 40): "C"}
"""By `sign_version` and the number of hex digits of the signature."""


def authenticate(request: Request, roster: Roster, now: int) -> Proof:
    """Return whose signature it is. Raises Unauthenticated, or Malformed if the signature may be in the body.

    Checked in this order: form of the timestamp, skew, presence of the nonce, signature. The desk spends the nonce.
    """
    email, timestamp, sign, nonce, version = parameters = list(map(request.query.get, PARAMETERS))
    if request.route.body is not None and None in parameters:
        email, timestamp, sign, nonce, version = parameters = [_parameter(request, name) for name in PARAMETERS]
    if REPEATED in parameters:
        raise Unauthenticated(Doubt.WRONG)
    if timestamp is None:
        unsigned = parameters == [None] * len(PARAMETERS)
        raise Unauthenticated(Doubt.WRONG if unsigned else Doubt.TIMESTAMP, missing=_missing(parameters))
    check_time(timestamp, now, request.explains)
    if version == "v2" and not nonce:
        raise Unauthenticated(Doubt.NONCE_MISSING)
    if version not in (None, "v2"):
        raise Unauthenticated(Doubt.WRONG, known="v2" if request.explains else "")
    if email is None or sign is None:
        raise Unauthenticated(Doubt.WRONG, missing=_missing(parameters))
    if len(nonce or "") > MAX_NONCE:
        raise Unauthenticated(Doubt.WRONG)
    form = _FORMS.get((version, len(sign)))
    rest = f"{timestamp}&{nonce}&{version}" if version else f"{timestamp}"
    identity = signer(roster, "udesk", email, rest, sign, now)
    if identity is None or form not in roster.company.signature_forms:
        raise Unauthenticated(Doubt.WRONG, f"form {form or '?'}: {email}&****&{rest}" if request.explains else "")
    return Signed(identity, nonce if version else None, form)


def _missing(parameters: list[str | None]) -> tuple[str, ...]:
    return tuple(name for name, value in zip(_NEEDED, parameters, strict=False) if value is None)


def _parameter(request: Request, name: str) -> str | None:
    """Look in the query, then at the top level of the body, where some clients put their signature."""
    value = request.query.get(name)
    if value is not None:
        return value
    inside = request.json.get(name)
    return str(inside) if type(inside) in (str, int) else None
