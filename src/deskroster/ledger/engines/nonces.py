"""Nonces: what an engine stores of a spent one, and for how long. Each engine stores them in its own way."""

from hashlib import sha256

LIFETIME = 900  # seconds that a spent nonce is remembered


def digest(company_id: int, nonce: str) -> bytes:
    """Return the digest of a nonce, which is stored in its place: 16 bytes."""
    return sha256(f"{company_id}/{nonce}".encode("utf-8", "surrogatepass")).digest()[:16]
