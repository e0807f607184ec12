"""The least that a durable create takes here: one bare loop on SQLite, as durably, that hashes and chains as we must.

Each turn checks one signature, encodes the record and its commit, signs the row and the end of the log (keyed BLAKE2b),
chains the commit (SHA-256), writes the four rows, and commits. There is no HTTP, no roster and no rule in it.
"""

import hashlib
import hmac
import sqlite3
import time
from pathlib import Path

import msgspec

from bench.load import Result
from bench.measure import Cost

_KEY, _TOKEN = bytes(32), "11111111-2222-3333-4444-555555555555"
_TABLES = """
    CREATE TABLE companies (company_id INTEGER PRIMARY KEY, number INTEGER NOT NULL, next_ids TEXT NOT NULL,
        head BLOB NOT NULL, anchor BLOB NOT NULL) STRICT;
    CREATE TABLE groups (company_id INTEGER NOT NULL, id INTEGER NOT NULL, name TEXT NOT NULL,
        created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL, checksum BLOB NOT NULL,
        PRIMARY KEY (company_id, id)) STRICT, WITHOUT ROWID;
    CREATE TABLE commits (company_id INTEGER NOT NULL, number INTEGER NOT NULL, at INTEGER NOT NULL, agent_id INTEGER,
        dialect TEXT NOT NULL, address TEXT NOT NULL, request_id TEXT NOT NULL, note TEXT, previous BLOB NOT NULL,
        hash BLOB NOT NULL, PRIMARY KEY (company_id, number)) STRICT, WITHOUT ROWID;
    CREATE TABLE changes (company_id INTEGER NOT NULL, number INTEGER NOT NULL, ordinal INTEGER NOT NULL,
        kind TEXT NOT NULL, record_id INTEGER NOT NULL, before TEXT, after TEXT,
        PRIMARY KEY (company_id, number, ordinal)) STRICT, WITHOUT ROWID;
    INSERT INTO companies VALUES (1, 0, '{}', x'', x'');
"""


def loop(path: Path, count: int) -> Cost:
    """Create `count` groups in a new database, a commit each; return what that cost."""
    path.unlink(missing_ok=True)
    db = sqlite3.connect(path, isolation_level=None)
    for pragma in ("locking_mode = EXCLUSIVE", "journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        db.execute(f"PRAGMA {pragma}").fetchall()
    db.executescript(_TABLES)
    head = bytes(32)
    used, began = time.thread_time(), time.perf_counter()
    for number in range(1, count + 1):
        head = _create(db, number, head)
    seconds, used = time.perf_counter() - began, time.thread_time() - used
    db.close()
    return Cost(Result(answered=count, refused=0, seconds=seconds, body_bytes=0, p50=0, p99=0, sample=""), used)


def _create(db: sqlite3.Connection, number: int, previous: bytes) -> bytes:
    name, at = f"Load {number}", 1_700_000_000
    signed = hashlib.sha256(f"admin@example.com&{_TOKEN}&{at}&{number}&v2".encode()).hexdigest()
    assert hmac.compare_digest(signed, signed)
    after = msgspec.json.encode({"id": number, "name": name, "created_at": at, "updated_at": at}).decode()
    facts = (1, number, at, 1, "udesk", "127.0.0.1", f"{number:016x}", None)
    told = ("group", number, None, after)
    head = hashlib.sha256(previous + msgspec.json.encode((facts, (told,)))).digest()
    next_ids = msgspec.json.encode({"group": number + 1}).decode()
    db.execute("BEGIN IMMEDIATE")
    db.execute(
        "INSERT INTO groups VALUES (?, ?, ?, ?, ?, ?)", (1, number, name, at, at, _signed((number, name, at, at)))
    )
    db.execute("INSERT INTO commits VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", (*facts, previous, head))
    db.execute("INSERT INTO changes VALUES (?, ?, ?, ?, ?, ?, ?)", (1, number, 0, *told))
    end = (number, next_ids, head)
    db.execute("UPDATE companies SET number = ?, next_ids = ?, head = ?, anchor = ?", (*end, _signed(end)))
    db.execute("COMMIT")
    return head


def _signed(row: tuple[object, ...]) -> bytes:
    return hashlib.blake2b(msgspec.msgpack.encode(row), digest_size=16, key=_KEY).digest()
