"""Nonces in a memory-mapped file beside the database of one process, so that they are spent once, across restarts.

They expire by a clock that only goes forward: the time of day may be set ahead and back again, and what was spent
before is still spent.
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
MAX_NONCES = 1 << 22  # remembered at once: 4,600 a second without end; above it, Busy
_SEGMENT = 1 << 14  # entries by which the file grows
_FORGOTTEN_AT_ONCE = 8  # expired entries for each nonce that is spent, so that none of them waits for all
_HEADER = struct.Struct("<8s8sq8x")  # what file this is; which boot; Unix time less the steady clock, as last known
_MARK = b"drnonce%d" % forms.NONCES
_ENTRY = struct.Struct("<16sQ")  # digest, and the second (of the steady clock) from which it may be used again; 0: free


class NoncesLost(OSError):
    """The file of spent nonces does not say which they are. Says what to do."""


class Nonces:
    """Digests on file in the order of their use, and the same in memory to look them up.

    What is written to the map is the kernel's, and so outlives the process. The file is made anew when it is opened and
    put in place by renaming, so it is never half there. Then it grows by a segment at a time. A segment whose nonces
    have all expired is overwritten. It needs no secret: a nonce is none.

    Its seconds are of the steady clock. A process that opens the file in the same boot of the machine goes on by that
    clock; after another boot what is left of each is found by Unix time, and is a lifetime at most.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self._clock = clock
        self._boot = _boot(clock)
        self._offset = _offset(clock)
        entries = list(_live(path, clock).items())[-MAX_NONCES:]
        self._spent = dict(entries)  # digest: expiry
        self._bytes = _ENTRY.size * _SEGMENT  # of a segment
        self._file = _written(path, _HEADER.pack(_MARK, self._boot, self._offset), entries)
        self._map = mmap.mmap(self._file, 0)
        self._order = deque(range(_HEADER.size, len(self._map), self._bytes))  # the segments' places, in use's order
        self._free: list[int] = []  # the places of segments that hold nothing any more
        self._first = self._order[0]  # the place of the entry used longest ago
        self._next = _HEADER.size + _ENTRY.size * len(entries)
        self._until = self._order[-1] + self._bytes
        self._oldest = entries[0][1] if entries else 0  # the expiry at `_first`

    def spend(self, company_id: int, nonce: str) -> bool:
        """Use a nonce up; False if it was used within `LIFETIME`. It is on file when this returns. Raises Busy."""
        key, now = digest(company_id, nonce), floor(self._clock.steady())
        spent = self._spent
        if now < spent.get(key, 0):
            return False
        if self._next == self._until:
            self._turn_over(now)
        expiry = now + LIFETIME
        _ENTRY.pack_into(self._map, self._next, key, expiry)
        self._next += _ENTRY.size
        spent[key] = expiry
        if _offset(self._clock) != self._offset:  # the time of day was set
            self._offset = _offset(self._clock)
            _HEADER.pack_into(self._map, 0, _MARK, self._boot, self._offset)
        if now >= self._oldest:
            self._forget(now, _FORGOTTEN_AT_ONCE)
        return True

    def close(self) -> None:
        self._map.close()
        os.close(self._file)

    def _forget(self, now: int, most: int) -> None:
        """Forget up to so many of the entries used longest ago, as far as they have expired."""
        for _ in range(most):
            if self._first == self._order[0] + self._bytes and len(self._order) > 1:
                self._free.append(self._order.popleft())
                self._first = self._order[0]
            if self._first == self._next:
                return
            digest, self._oldest = _ENTRY.unpack_from(self._map, self._first)
            if now < self._oldest:
                return
            if self._spent.get(digest) == self._oldest:
                del self._spent[digest]
            self._first += _ENTRY.size

    def _turn_over(self, now: int) -> None:
        """Go on in another segment. Raises Busy if there is none: all are in use, or the disk is full."""
        if not self._free and len(self._order) * _SEGMENT >= MAX_NONCES:
            self._forget(now, _SEGMENT + 1)
        if not self._free:
            self._grow()
        self._order.append(self._free.pop())
        self._next = self._order[-1]
        self._until = self._next + self._bytes

    def _grow(self) -> None:
        size = len(self._map)
        if size >= _HEADER.size + _ENTRY.size * MAX_NONCES:
            raise Busy
        try:
            if os.pwrite(self._file, bytes(self._bytes), size) < self._bytes:
                raise Busy
            longer = mmap.mmap(self._file, size + self._bytes)
        except OSError:
            raise Busy from None
        self._map.close()
        self._map = longer
        self._free.append(size)


def _boot(clock: Clock) -> bytes:
    """Return what is kept of the name of a boot; zeros if it has none."""
    return sha256(clock.boot.encode()).digest()[:8] if clock.boot else bytes(8)


def _offset(clock: Clock) -> int:
    """Return Unix time less the steady clock: it changes when the time of day is set."""
    return round(clock() - clock.steady())


def _live(path: Path, clock: Clock) -> dict[bytes, int]:
    """Return the entries of a file that may still count, in their order; none of one that is absent or foreign.

    Their seconds are those of this clock, and none lies further ahead than a lifetime.

    Raises NoncesLost for one of 0 bytes, which we never leave.
    Raises NewerData for one of a later form: forgetting it would let what is spent be used again.
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
    said = re.match(rb"drnonce(\d)", content)
    form = int(said[1]) if said else 0
    if form > forms.NONCES:
        raise newer(shown(path), form, forms.NONCES)
    if len(content) < _HEADER.size or not form:
        return {}
    _, boot, offset = _HEADER.unpack_from(content)
    now = floor(clock.steady())
    if form == 1:  # its header holds no more, and its seconds are Unix time
        shift = -_offset(clock)
    elif boot == _boot(clock) and any(boot):
        shift = 0
    else:
        shift = offset - _offset(clock)
    body = content[_HEADER.size :].rstrip(b"\0")  # the rest of a segment is free
    body += bytes(-len(body) % _ENTRY.size)
    entries = [(key, min(until + shift, now + LIFETIME)) for key, until in _ENTRY.iter_unpack(body) if until]
    return dict(sorted((entry for entry in entries if now < entry[1]), key=lambda entry: entry[1]))


def _written(path: Path, header: bytes, entries: list[tuple[bytes, int]]) -> int:
    """Put a new file in place that holds these entries in whole segments, and return its descriptor."""
    segments = max(1, -(-len(entries) // _SEGMENT))
    content = header + b"".join(_ENTRY.pack(*entry) for entry in entries)
    content = content.ljust(_HEADER.size + _ENTRY.size * _SEGMENT * segments, b"\0")
    atomic.put(path, content)
    return os.open(path, os.O_RDWR)
