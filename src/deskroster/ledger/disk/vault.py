"""The installation key: encryption of secrets, and the keys that are derived from it."""

import base64
import binascii
import hashlib
import hmac
import os
import re
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from deskroster.ledger.files import atomic, forms
from deskroster.ledger.files.forms import form_of, mark, marked, newer
from deskroster.ledger.files.paths import shown
from deskroster.texts import said

VARIABLE = "DESKROSTER_KEY"
FILE = "key"
KEY_BYTES = 32
CHECKSUM_BYTES = 16  # without the byte with their form, which precedes them from form 2 on
_SEALED = b"drs"  # magic of a sealed value, from form 2 on; the form follows
_KEY_FORM = re.compile(r"form (\d{1,3})\b")
MAX_CACHED_KEYS = 1_024  # derived keys of checksums that are cached
_NONCE_BYTES = 12  # of AES-GCM (NIST SP 800-38D); random, so a key is good for 2^32 encryptions


class WrongKey(Exception):
    """The installation key is missing, malformed, readable by others, or not the one that sealed this data."""


class Vault:
    """Encryption with AES-256-GCM ("sealing"). A sealed value can be opened only with the same associated data."""

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise WrongKey(
                said("an installation key has {expected} bytes, this one {actual}", expected=KEY_BYTES, actual=len(key))
            )
        self._key = key
        self._cipher = AESGCM(self.derive("seal", 32))
        self._digest_key = self.derive("digest", 32)
        self.fingerprint = self.derive("fingerprint", 8).hex()
        self._checksums = lru_cache(MAX_CACHED_KEYS)(self._checksum_function)  # each takes an HMAC

    def reveal(self) -> bytes:
        """Return the installation key, to pass it to a child process."""
        return self._key

    def seal(self, value: bytes, associated_data: str) -> bytes:
        nonce, prefix = os.urandom(_NONCE_BYTES), _SEALED + mark(forms.SEALED)
        return prefix + nonce + self._cipher.encrypt(nonce, value, prefix + associated_data.encode())

    def open(self, sealed: bytes, associated_data: str) -> bytes:
        """Return the decrypted value. Raises WrongKey if the key or the associated data is another, or it was altered.

        Raises NewerData for a later form.
        """
        form = marked(sealed[len(_SEALED)]) if sealed[: len(_SEALED)] == _SEALED and len(sealed) > len(_SEALED) else 1
        with suppress(InvalidTag, ValueError):
            if 1 < form <= forms.SEALED:
                prefix = _SEALED + mark(form)
                return self._decrypted(sealed[len(prefix) :], prefix + associated_data.encode())
        with suppress(InvalidTag, ValueError):
            return self._decrypted(sealed, associated_data.encode())  # form 1, which may begin with any bytes
        if form > forms.SEALED:
            raise newer(said("the sealed value {address}", address=associated_data), form, forms.SEALED)
        raise WrongKey(said("the sealed value {address} cannot be opened", address=associated_data))

    def _decrypted(self, sealed: bytes, associated_data: bytes) -> bytes:
        return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], associated_data)

    def digest(self, purpose: str, *parts: bytes | str) -> bytes:
        """Return the HMAC-SHA256 of the parts. Each is prefixed with its length, so that parts cannot run together."""
        message = bytearray()
        for part in (purpose, *parts):
            data = part.encode() if isinstance(part, str) else part
            message += len(data).to_bytes(8, "big") + data
        return hmac.digest(self._digest_key, message, hashlib.sha256)

    def checksums(self, company_id: int, of: str, form: int | None = None) -> Callable[[tuple[Any, ...]], bytes]:
        """Return a function that computes the checksum of a row: keyed BLAKE2b (RFC 7693).

        In the newest form, unless another one is given.
        """
        return self._checksums(company_id, of, form or forms.CHECKSUM)

    def _checksum_function(self, company_id: int, of: str, form: int) -> Callable[[tuple[Any, ...]], bytes]:
        form_mark = () if form == 1 else (mark(form),)
        key = self.digest("row", *form_mark, str(company_id), of)
        prefix, encode = b"".join(form_mark), msgspec.msgpack.encode
        return lambda row: prefix + hashlib.blake2b(encode(row), digest_size=CHECKSUM_BYTES, key=key).digest()

    def has_checksum(self, company_id: int, of: str, row: tuple[Any, ...], written: bytes) -> bool:
        """Tell whether a row, which is the same in every form, has its checksum. Raises NewerData for a later form."""
        what = said("the checksum of the {record} of company {company_id}", record=of, company_id=company_id)
        form = form_of(what, written, CHECKSUM_BYTES, forms.CHECKSUM)
        return form > 0 and self.checksums(company_id, of, form)(row) == written

    def derive(self, purpose: str, length: int) -> bytes:
        """Derive a key of `length` bytes from the installation key and the purpose (HKDF, RFC 5869)."""
        info = b"deskroster " + purpose.encode()
        return HKDF(algorithm=SHA256(), length=length, salt=None, info=info).derive(self._key)


def address_of(company_id: int, kind: str, id: int | str, field: str) -> str:
    """Return the address of a sealed value: its company, kind, record and field. It is the associated data."""
    return f"{company_id}/{kind}/{id}/{field}"


def parse_key(text: str) -> bytes:
    """Decode a key of 64 hex digits, or in base64. Raises WrongKey, or NewerData for a later form."""
    text = text.strip()
    form = _KEY_FORM.match(text)  # form 1 contains no space
    if form is not None and int(form[1]) > forms.KEY:
        raise newer(said("the installation key"), int(form[1]), forms.KEY)
    try:
        key = bytes.fromhex(text) if len(text) == 2 * KEY_BYTES else base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        key = b""
    if len(key) != KEY_BYTES:
        raise WrongKey(said("an installation key is {length} bytes in hex or base64", length=KEY_BYTES))
    return key


def read_key(folder: Path, name: str = FILE) -> bytes | None:
    """Return the key from the environment, else from the folder's key file, else None. Raises WrongKey."""
    from_environment = os.environ.get(VARIABLE)
    if from_environment is not None and name == FILE:
        return parse_key(from_environment)
    path = folder / name
    try:
        if path.stat().st_mode & 0o077:
            raise WrongKey(said("{path} must be readable by its owner only (mode 0600)", path=shown(path)))
        text = path.read_text("ascii", "replace")
    except FileNotFoundError:
        return None
    if not text.strip():
        raise WrongKey(said("{path} is empty: put a copy of the installation key in its place", path=shown(path)))
    return parse_key(text)


def new_key() -> bytes:
    """Return a random installation key."""
    return os.urandom(KEY_BYTES)


def write_key(folder: Path, key: bytes, name: str = FILE) -> None:
    """Write a key to a new file of mode 0600, atomically. Raises FileExistsError, OSError."""
    atomic.put_new(folder / name, as_file(key))


def as_file(key: bytes) -> bytes:
    """Return the content of a key file."""
    return key.hex().encode() + b"\n"
