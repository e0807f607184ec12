"""Torn: whether SQLite's log holds more behind its first broken frame than the one write that a crash may cut off.

SQLite takes its log up to the first frame that is not as it was written, and passes over all behind it in silence.
After a crash that is right for the last transaction, and wrong where a flipped bit hides what was durable before it.
Format: sqlite.org/fileformat2.html#the_write_ahead_log.
"""

import struct
from pathlib import Path

_HEAD = struct.Struct(">8I")  # magic, version, page size, checkpoint, two salts, two checksums
_FRAME = struct.Struct(">6I")  # page, pages of the database if it ends a transaction, two salts, two checksums
_MAGIC = 0x377F0682  # its last bit says that words are summed as big-endian
_PAGE = 4_096  # bytes, of every database of ours


def hides_transactions(log: Path) -> bool:
    """Tell whether at least two transactions stand whole or in part where SQLite will take none. Changes nothing.

    Damage to the very last one cannot be told from a write that was cut off.
    """
    try:
        data = log.read_bytes()
    except FileNotFoundError:
        return False
    if len(data) < _HEAD.size + _FRAME.size + _PAGE:
        return False
    magic, *_, salt, pepper, one, two = _HEAD.unpack_from(data)
    order = ">" if magic & 1 else "<"
    sums = (one, two)
    if magic & ~1 != _MAGIC or _summed(data[: _HEAD.size - 8], order, (0, 0)) != sums:
        return _ends(data, _HEAD.size, _FRAME.unpack_from(data, _HEAD.size)[2:4]) > 0  # the head was durable before all
    for at in range(_HEAD.size, len(data) - _FRAME.size - _PAGE + 1, _FRAME.size + _PAGE):
        its = _FRAME.unpack_from(data, at)
        page = data[at + _FRAME.size : at + _FRAME.size + _PAGE]
        sums = _summed(data[at : at + 8] + page, order, sums)
        if its[2:4] != (salt, pepper) or its[4:] != sums:
            return _ends(data, at, (salt, pepper)) > 1
    return False


def _ends(data: bytes, start: int, salts: tuple[int, ...]) -> int:
    """Count the frames from `start` on that end a transaction of this run of the log."""
    step = _FRAME.size + _PAGE
    frames = (_FRAME.unpack_from(data, at) for at in range(start, len(data) - step + 1, step))
    return sum(1 for _, pages, *rest in frames if pages and tuple(rest[:2]) == salts)


def _summed(data: bytes, order: str, sums: tuple[int, int]) -> tuple[int, int]:
    one, two = sums
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    for even, odd in zip(words[::2], words[1::2], strict=True):
        one = one + even + two & 0xFFFFFFFF
        two = two + odd + one & 0xFFFFFFFF
    return one, two
