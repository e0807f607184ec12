"""Looking for secrets where they do not belong: in whatever form they may have got there."""

import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterator, Mapping
from typing import NamedTuple
from urllib.parse import quote, quote_plus


class Leak(NamedTuple):
    """A secret, where it was found, and as what."""

    secret: str
    place: str
    form: str


def forms(secret: str) -> dict[str, bytes]:
    """Return the forms in which a secret would still be one."""
    raw = secret.encode()
    found = {
        "plain": raw,
        "hex": raw.hex().encode(),
        "HEX": raw.hex().upper().encode(),
        "percent-encoded": quote(secret, safe="").encode(),
        "form-encoded": quote_plus(secret).encode(),
        "percent-encoded throughout": "".join(f"%{byte:02X}" for byte in raw).encode(),
        "percent-encoded throughout, in lower case": "".join(f"%{byte:02x}" for byte in raw).encode(),
        "escaped as JSON": json.dumps(secret)[1:-1].encode(),
        "escaped as Python": repr(secret)[1:-1].encode(),
        "escaped as Python bytes": repr(raw)[2:-1].encode(),
        "UTF-16": secret.encode("utf-16-le"),
    }
    for offset in range(3):
        for name, encode in (("base64", b64encode), ("base64 for addresses", urlsafe_b64encode)):
            found[f"{name} at {offset}"] = _whole_digits(raw, offset, encode)
    return found


def _whole_digits(raw: bytes, offset: int, encode) -> bytes:
    """Return the digits of base64 that come from these bytes alone, where others stand before and after them."""
    first, last = -(-offset * 8 // 6), (offset + len(raw)) * 8 // 6
    return encode(bytes(offset) + raw)[first:last]


def find(secrets: Mapping[str, str], places: Mapping[str, bytes]) -> Iterator[Leak]:
    """Find secrets in places; both have names."""
    for name, secret in secrets.items():
        assert len(secret) >= 8, f"{name} is too short to be told from chance"
        for form, needle in forms(secret).items():
            for place, content in places.items():
                if needle in content:
                    yield Leak(name, place, form)
