"""Damage to SQLite's write-ahead log (WAL) that SQLite itself does not report.

SQLite reads its WAL up to the first frame with a wrong checksum, and silently ignores everything behind it. After a
crash that is right for the last transaction. It is wrong where a flipped bit hides transactions that were durable.
Format: sqlite.org/fileformat2.html#the_write_ahead_log.
"""

import struct
from pathlib import Path

_HEADER = struct.Struct(">8I")  # magic, version, page size, checkpoint, two salts, two checksums
_FRAME = struct.Struct(">6I")  # page; size of the database if it commits a transaction, else 0; salts; checksums
_MAGIC = 0x377F0682  # its last bit: checksums are over big-endian words
_PAGE = 4_096  # bytes, in every database of ours


def hides_transactions(wal_file: Path) -> bool:
    """Tell whether at least two transactions, whole or in part, are in frames that SQLite will ignore. Only reads.

    Damage to the very last transaction cannot be told from a write that a crash cut off.
    """
    try:
        data = wal_file.read_bytes()
    except FileNotFoundError:
        return False
    if len(data) < _HEADER.size + _FRAME.size + _PAGE:
        return False
    magic, *_, salt_1, salt_2, checksum_1, checksum_2 = _HEADER.unpack_from(data)
    byte_order = ">" if magic & 1 else "<"
    checksums = (checksum_1, checksum_2)
    if magic & ~1 != _MAGIC or _checksums(data[: _HEADER.size - 8], byte_order, (0, 0)) != checksums:
        # The header was durable before any frame, so this is damage and no torn write. The salts: of the first frame.
        return _commits(data, _HEADER.size, _FRAME.unpack_from(data, _HEADER.size)[2:4]) > 0
    for at in range(_HEADER.size, len(data) - _FRAME.size - _PAGE + 1, _FRAME.size + _PAGE):
        frame = _FRAME.unpack_from(data, at)
        page = data[at + _FRAME.size : at + _FRAME.size + _PAGE]
        checksums = _checksums(data[at : at + 8] + page, byte_order, checksums)
        if frame[2:4] != (salt_1, salt_2) or frame[4:] != checksums:
            return _commits(data, at, (salt_1, salt_2)) > 1
    return False


def _commits(data: bytes, start: int, salts: tuple[int, ...]) -> int:
    """Count the frames from `start` on that commit a transaction and have the current salts."""
    step = _FRAME.size + _PAGE
    frames = (_FRAME.unpack_from(data, at) for at in range(start, len(data) - step + 1, step))
    return sum(1 for _, pages, *rest in frames if pages and tuple(rest[:2]) == salts)


def _checksums(data: bytes, byte_order: str, checksums: tuple[int, int]) -> tuple[int, int]:
    checksum_1, checksum_2 = checksums
    words = struct.unpack(f"{byte_order}{len(data) // 4}I", data)
    for even, odd in zip(words[::2], words[1::2], strict=True):
        checksum_1 = checksum_1 + even + checksum_2 & 0xFFFFFFFF
        checksum_2 = checksum_2 + odd + checksum_1 & 0xFFFFFFFF
    return checksum_1, checksum_2
