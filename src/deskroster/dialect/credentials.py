"""How a client of a dialect proves who it is, as a value. Clients, the page of the API and printed commands use it.

The server's side of it is the dialect's `authenticate`.
"""

import hashlib
from base64 import b64encode
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, Protocol

from msgspec import Struct


class Proof(NamedTuple):
    """What a client adds to one request."""

    parameters: Mapping[str, str]  # of the query
    headers: Mapping[str, str]


class Credentials(Protocol):
    """One way to prove by an e-mail and a token who asks. A vendor with another way has a class of its own for it."""

    def prove(self, email: str, token: str, at: int, nonce: str) -> Proof:
        """Return what proves who sends a request at a time, in Unix seconds. The nonce was used by no other request."""

    def curl(self, email: str, token: str, address: str) -> str:
        """Return a command for any POSIX shell that proves who asks and gets an address, each time it is run."""

    @property
    def for_page(self) -> Mapping[str, Any]:
        """What `assets/reference.js` proves with who makes a call."""


class Basic(Struct, frozen=True):
    """HTTP Basic (RFC 7617): the token is the password, the e-mail the name, with a suffix where the vendor has one."""

    suffix: str = ""

    def prove(self, email: str, token: str, at: int, nonce: str) -> Proof:
        encoded = b64encode(f"{email}{self.suffix}:{token}".encode()).decode()
        return Proof({}, {"Authorization": f"Basic {encoded}"})

    def curl(self, email: str, token: str, address: str) -> str:
        return f"curl -s -u '{email}{self.suffix}:{token}' '{address}'"

    @property
    def for_page(self) -> Mapping[str, Any]:
        return {"suffix": self.suffix}


class SignedQuery(Struct, frozen=True, kw_only=True):
    """A digest of `parts`, joined by `&`, is the parameter `sign`; all parts but the token are parameters as well.

    A part is `email`, `token`, `timestamp` (Unix seconds), `nonce` or a name of `fixed`.
    """

    parts: tuple[str, ...]
    digest: Literal["SHA-256", "SHA-1"] = "SHA-256"
    fixed: Mapping[str, str] = {}

    def prove(self, email: str, token: str, at: int, nonce: str) -> Proof:
        values = {"email": email, "token": token, "timestamp": f"{at}", "nonce": nonce, **self.fixed}
        digest = hashlib.new(self.digest.replace("-", ""), self._joined(values).encode())
        return Proof({**self._sent(values), "sign": digest.hexdigest()}, {})

    def curl(self, email: str, token: str, address: str) -> str:
        values = {"email": email, "token": token, "timestamp": "$t", "nonce": "$n", **self.fixed}
        made = [command for part, command in _MADE_IN_A_SHELL.items() if part in self.parts]
        made.append(f's=$(printf %s "{self._joined(values)}" | {_DIGEST_IN_A_SHELL[self.digest]})')
        query = "&".join(f"{name}={value}" for name, value in {**self._sent(values), "sign": "$s"}.items())
        return "; ".join([*made, f'curl -s "{address}{"&" if "?" in address else "?"}{query}"'])

    @property
    def for_page(self) -> Mapping[str, Any]:
        return {"parts": self.parts, "digest": self.digest, "fixed": self.fixed}

    def _joined(self, values: Mapping[str, str]) -> str:
        return "&".join(values[part] for part in self.parts)

    def _sent(self, values: Mapping[str, str]) -> dict[str, str]:
        return {part: values[part] for part in self.parts if part != "token"}


_MADE_IN_A_SHELL = {"timestamp": "t=$(date +%s)", "nonce": "n=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \\n')"}
_DIGEST_IN_A_SHELL = {
    "SHA-256": "(openssl dgst -sha256 -r 2>/dev/null || sha256sum) | cut -c1-64",
    "SHA-1": "(openssl dgst -sha1 -r 2>/dev/null || sha1sum) | cut -c1-40",
}
"""Whichever of the two is there: a slim container lacks the one, a Mac the other."""
