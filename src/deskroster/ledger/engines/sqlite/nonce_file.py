"""Nonces in a memory-mapped file beside the database of one process, so that each is spent once, across restarts.

They expire by a monotonic clock: the time of day may be set ahead and back again, and what was spent before stays
spent.
"""

import mmap
import os
import re
import struct
from collections import deque
from hashlib import sha256
from math import floor
from pathlib import Path

from deskroster.clocks import Clock
from deskroster.core.problems import Busy
from deskroster.ledger.engines.nonces import LIFETIME, digest
from deskroster.ledger.files import atomic, forms
from deskroster.ledger.files.forms import newer
from deskroster.ledger.files.paths import shown

FILE = "nonces"
MAX_NONCES = 1 << 22  # stored at once: 4,600 a second without end; above it, Busy
_SEGMENT = 1 << 14  # entries by which the file grows
_DROPPED_AT_ONCE = 8  # expired entries that are dropped for each nonce that is spent, so that no call drops all of them
_HEADER = struct.Struct("<8s8sq8x")  # magic; digest of the boot id; Unix time less the monotonic clock, as last known
_MAGIC = b"drnonce%d" % forms.NONCES
_ENTRY = struct.Struct("<16sQ")  # digest; second of the monotonic clock at which it expires, 0 if the entry is free


class NoncesLost(OSError):
    """The file of spent nonces is empty, so spent nonces are unknown. Says what to do."""


class Nonces:
    """The digests of spent nonces: in a file, in the order of their use, and in a dict to look them up.

    What is written to the memory map belongs to the kernel, so it survives the process. The file is written anew when
    it is opened, by an atomic rename. Then it grows by a segment at a time; a segment whose nonces have all expired is
    reused. It needs no encryption: nonces are not secret.

    Expiry is in seconds of the monotonic clock. A process that opens the file in the same boot of the machine goes on
    by that clock. After a reboot, the remaining time of each nonce is computed by Unix time, and is a lifetime at most.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self._clock = clock
        self._boot = _boot(clock)
        self._offset = _offset(clock)
        entries = list(_live(path, clock).items())[-MAX_NONCES:]
        self._spent = dict(entries)  # digest → expiry
        self._segment_bytes = _ENTRY.size * _SEGMENT  # bytes of a segment
        self._file = _written(path, _HEADER.pack(_MAGIC, self._boot, self._offset), entries)
        self._map = mmap.mmap(self._file, 0)
        # Offsets of the segments, in the order of their use.
        self._segments = deque(range(_HEADER.size, len(self._map), self._segment_bytes))
        self._free: list[int] = []  # offsets of segments without a live entry
        self._first = self._segments[0]  # offset of the entry used longest ago
        self._next = _HEADER.size + _ENTRY.size * len(entries)
        self._segment_end = self._segments[-1] + self._segment_bytes
        self._first_expiry = entries[0][1] if entries else 0  # the expiry of the entry at `_first`

    def spend(self, company_id: int, nonce: str) -> bool:
        """Spend a nonce; False if it was spent within `LIFETIME`. It is in the file when this returns. Raises Busy."""
        nonce_digest, now = digest(company_id, nonce), floor(self._clock.steady())
        spent = self._spent
        if now < spent.get(nonce_digest, 0):
            return False
        if self._next == self._segment_end:
            self._next_segment(now)
        expiry = now + LIFETIME
        _ENTRY.pack_into(self._map, self._next, nonce_digest, expiry)
        self._next += _ENTRY.size
        spent[nonce_digest] = expiry
        if _offset(self._clock) != self._offset:  # the time of day was set
            self._offset = _offset(self._clock)
            _HEADER.pack_into(self._map, 0, _MAGIC, self._boot, self._offset)
        if now >= self._first_expiry:
            self._drop_expired(now, _DROPPED_AT_ONCE)
        return True

    def release(self, company_id: int, nonce: str) -> None:
        """Make a nonce that was spent lately unused again: its entry has expired."""
        nonce_digest = digest(company_id, nonce)
        expiry = self._spent.pop(nonce_digest, 0)
        end = len(self._map) if expiry else 0  # it is among the last entries, nearly always
        while (at := self._map.rfind(nonce_digest, _HEADER.size, end)) >= 0:
            is_entry = (at - _HEADER.size) % _ENTRY.size == 0
            if is_entry and _ENTRY.unpack_from(self._map, at) == (nonce_digest, expiry):
                _ENTRY.pack_into(self._map, at, nonce_digest, 0)
                return
            end = at + len(nonce_digest) - 1

    def close(self) -> None:
        self._map.close()
        os.close(self._file)

    def _drop_expired(self, now: int, most: int) -> None:
        """Drop up to `most` of the oldest entries that have expired."""
        for _ in range(most):
            if self._first == self._segments[0] + self._segment_bytes and len(self._segments) > 1:
                self._free.append(self._segments.popleft())
                self._first = self._segments[0]
            if self._first == self._next:
                return
            nonce_digest, self._first_expiry = _ENTRY.unpack_from(self._map, self._first)
            if now < self._first_expiry:
                return
            if self._spent.get(nonce_digest) == self._first_expiry:
                del self._spent[nonce_digest]
            self._first += _ENTRY.size

    def _next_segment(self, now: int) -> None:
        """Go on in the next segment. Raises Busy if there is none: all are in use, or the disk is full."""
        if not self._free and len(self._segments) * _SEGMENT >= MAX_NONCES:
            self._drop_expired(now, _SEGMENT + 1)
        if not self._free:
            self._grow()
        self._segments.append(self._free.pop())
        self._next = self._segments[-1]
        self._segment_end = self._next + self._segment_bytes

    def _grow(self) -> None:
        size = len(self._map)
        if size >= _HEADER.size + _ENTRY.size * MAX_NONCES:
            raise Busy
        try:
            if os.pwrite(self._file, bytes(self._segment_bytes), size) < self._segment_bytes:
                raise Busy
            larger_map = mmap.mmap(self._file, size + self._segment_bytes)
        except OSError:
            raise Busy from None
        self._map.close()
        self._map = larger_map
        self._free.append(size)


def _boot(clock: Clock) -> bytes:
    """Return a digest of the boot id, 8 bytes; zeros if the machine has none."""
    return sha256(clock.boot.encode()).digest()[:8] if clock.boot else bytes(8)


def _offset(clock: Clock) -> int:
    """Return Unix time less the monotonic clock. It changes when the time of day is set."""
    return round(clock() - clock.steady())


def _live(path: Path, clock: Clock) -> dict[bytes, int]:
    """Return the entries of a file that have not expired, in their order; none if the file is absent or foreign.

    Their expiry is converted to the monotonic clock, and is at most a lifetime ahead.

    Raises NoncesLost for a file of 0 bytes, which we never write.
    Raises NewerData for one of a later form: to ignore it would let spent nonces be used again.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return {}
    if not content:
        raise NoncesLost(
            f"{shown(path)} is empty, so signed requests of the last {LIFETIME // 60} minutes could be sent again;"
            " when it is older than that, remove it and start"
        )
    magic = re.match(rb"drnonce(\d)", content)
    form = int(magic[1]) if magic else 0
    if form > forms.NONCES:
        raise newer(shown(path), form, forms.NONCES)
    if len(content) < _HEADER.size or not form:
        return {}
    _, boot, offset = _HEADER.unpack_from(content)
    now = floor(clock.steady())
    if form == 1:  # form 1 has a shorter header, and its expiry is in Unix time
        shift = -_offset(clock)
    elif boot == _boot(clock) and any(boot):
        shift = 0
    else:
        shift = offset - _offset(clock)
    body = content[_HEADER.size :].rstrip(b"\0")  # the rest of a segment is free
    body += bytes(-len(body) % _ENTRY.size)
    entries = [
        (nonce_digest, min(expiry + shift, now + LIFETIME))
        for nonce_digest, expiry in _ENTRY.iter_unpack(body)
        if expiry
    ]
    return dict(sorted((entry for entry in entries if now < entry[1]), key=lambda entry: entry[1]))


def _written(path: Path, header: bytes, entries: list[tuple[bytes, int]]) -> int:
    """Write a new file with these entries, in whole segments, atomically; return its descriptor."""
    segments = max(1, -(-len(entries) // _SEGMENT))
    content = header + b"".join(_ENTRY.pack(*entry) for entry in entries)
    content = content.ljust(_HEADER.size + _ENTRY.size * _SEGMENT * segments, b"\0")
    atomic.put(path, content)
    return os.open(path, os.O_RDWR)
