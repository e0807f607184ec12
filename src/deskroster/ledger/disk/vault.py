"""The installation key: sealing and opening secrets, and what else is derived from it."""

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

VARIABLE = "DESKROSTER_KEY"
FILE = "key"
KEY_BYTES = 32
CHECKSUM_BYTES = 16  # and a byte before them that says their form, from form 2 on
_SEALED = b"drs"  # what a sealed value begins with, from form 2 on; then comes its form
_KEY_FORM = re.compile(r"form (\d{1,3})\b")
MAX_DERIVED = 1_024  # keys of checksums that are kept
_NONCE_BYTES = 12  # of AES-GCM (NIST SP 800-38D): random, so a key is good for 2^32 sealings


class WrongKey(Exception):
    """The installation key is missing, ill-formed, open to others, or not the one that sealed this data."""


class Vault:
    """Seals with AES-256-GCM. To open a value, the same `bound` must be given as when it was sealed."""

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise WrongKey(f"an installation key has {KEY_BYTES} bytes, this one {len(key)}")
        self._key = key
        self._cipher = AESGCM(self.derive("seal", 32))
        self._digest_key = self.derive("digest", 32)
        self.fingerprint = self.derive("fingerprint", 8).hex()
        self._checksums = lru_cache(MAX_DERIVED)(self._derived)  # to derive one takes an HMAC

    def reveal(self) -> bytes:
        """Return the installation key, to hand it to a process that this one starts."""
        return self._key

    def seal(self, value: bytes, bound: str) -> bytes:
        nonce, head = os.urandom(_NONCE_BYTES), _SEALED + mark(forms.SEALED)
        return head + nonce + self._cipher.encrypt(nonce, value, head + bound.encode())

    def open(self, sealed: bytes, bound: str) -> bytes:
        """Return the value. Raises WrongKey if it was sealed with another key, for another place, or was altered.

        Raises NewerData for a later form.
        """
        says = marked(sealed[len(_SEALED)]) if sealed[: len(_SEALED)] == _SEALED and len(sealed) > len(_SEALED) else 1
        with suppress(InvalidTag, ValueError):
            if 1 < says <= forms.SEALED:
                head = _SEALED + mark(says)
                return self._decrypted(sealed[len(head) :], head + bound.encode())
        with suppress(InvalidTag, ValueError):
            return self._decrypted(sealed, bound.encode())  # form 1, which begins with anything
        if says > forms.SEALED:
            raise newer(f"the sealed value {bound}", says, forms.SEALED)
        raise WrongKey(f"the sealed value {bound} cannot be opened")

    def _decrypted(self, sealed: bytes, bound: bytes) -> bytes:
        return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], bound)

    def digest(self, purpose: str, *parts: bytes | str) -> bytes:
        """Return the HMAC-SHA256 of the parts, each with its length, so that no two lists of parts are alike."""
        message = bytearray()
        for part in (purpose, *parts):
            data = part.encode() if isinstance(part, str) else part
            message += len(data).to_bytes(8, "big") + data
        return hmac.digest(self._digest_key, message, hashlib.sha256)

    def checksums(self, company_id: int, of: str, form: int | None = None) -> Callable[[tuple[Any, ...]], bytes]:
        """Return a function that computes the checksum of a row: keyed BLAKE2b (RFC 7693), so nobody else can make one.

        In the newest form, unless another one is asked for.
        """
        return self._checksums(company_id, of, form or forms.CHECKSUM)

    def _derived(self, company_id: int, of: str, form: int) -> Callable[[tuple[Any, ...]], bytes]:
        said = () if form == 1 else (mark(form),)
        key, head, encode = self.digest("row", *said, str(company_id), of), b"".join(said), msgspec.msgpack.encode
        return lambda row: head + hashlib.blake2b(encode(row), digest_size=CHECKSUM_BYTES, key=key).digest()

    def agrees(self, company_id: int, of: str, row: tuple[Any, ...], written: bytes) -> bool:
        """Tell whether a row that is the same in every form has its checksum. Raises NewerData for a later form."""
        form = form_of(f"the checksum of the {of} of company {company_id}", written, CHECKSUM_BYTES, forms.CHECKSUM)
        return form > 0 and self.checksums(company_id, of, form)(row) == written

    def derive(self, purpose: str, length: int) -> bytes:
        """Return `length` bytes that follow from the installation key and the purpose (HKDF, RFC 5869)."""
        info = b"deskroster " + purpose.encode()
        return HKDF(algorithm=SHA256(), length=length, salt=None, info=info).derive(self._key)


def bound(company_id: int, kind: str, id: int | str, field: str) -> str:
    """Return the place of a sealed value, to which it is bound: company, kind, record and field."""
    return f"{company_id}/{kind}/{id}/{field}"


def parse_key(text: str) -> bytes:
    """Return the key written as 64 hex digits or as base64. Raises WrongKey, or NewerData for a later form."""
    text = text.strip()
    later = _KEY_FORM.match(text)  # form 1 has no space in it
    if later is not None and int(later[1]) > forms.KEY:
        raise newer("the installation key", int(later[1]), forms.KEY)
    try:
        key = bytes.fromhex(text) if len(text) == 2 * KEY_BYTES else base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        key = b""
    if len(key) != KEY_BYTES:
        raise WrongKey(f"an installation key is {KEY_BYTES} bytes in hex or base64")
    return key


def read_key(folder: Path, name: str = FILE) -> bytes | None:
    """Return the key of the environment, else of the folder's file, else None. Raises WrongKey."""
    given = os.environ.get(VARIABLE)
    if given is not None and name == FILE:
        return parse_key(given)
    path = folder / name
    try:
        if path.stat().st_mode & 0o077:
            raise WrongKey(f"{shown(path)} must be readable by its owner only (mode 0600)")
        text = path.read_text("ascii", "replace")
    except FileNotFoundError:
        return None
    if not text.strip():
        raise WrongKey(f"{shown(path)} is empty: put a copy of the installation key in its place")
    return parse_key(text)


def new_key() -> bytes:
    """Return a random installation key."""
    return os.urandom(KEY_BYTES)


def write_key(folder: Path, key: bytes, name: str = FILE) -> None:
    """Write a key to a file of mode 0600 that did not exist, whole and durably. Raises FileExistsError, OSError."""
    atomic.put_new(folder / name, as_file(key))


def as_file(key: bytes) -> bytes:
    """Return the content of a key file."""
    return key.hex().encode() + b"\n"
