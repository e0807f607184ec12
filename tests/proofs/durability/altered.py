"""The server altered: `python -m tests.proofs.durability.altered HOW serve …`.

Most ways break one promise; they are the negative controls, and a proof must notice each.
"""

import asyncio
import os
import sqlite3
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from deskroster import cli
from deskroster.ledger import ledger, store
from deskroster.ledger.disk import log
from deskroster.ledger.engines.postgresql import transactions
from deskroster.ledger.engines.postgresql.connection import Session
from deskroster.ledger.engines.sqlite import connection, engine, nonce_file

LATE = 0.1  # seconds that a transaction stays open after its writes were answered


def early() -> None:
    """Answer first, commit later."""
    began = time.monotonic()

    def committed(session: Session, job: Any) -> Any:
        nonlocal began
        result = job(session)
        if time.monotonic() - began > LATE:
            session.connection.execute("COMMIT")
            began = time.monotonic()
        return result

    def transaction(self: engine.SQLite, connection: sqlite3.Connection, job: Any) -> Any:
        nonlocal began
        if connection.in_transaction and time.monotonic() - began > LATE:
            connection.execute("COMMIT")
        if not connection.in_transaction:
            connection.execute("BEGIN IMMEDIATE")
            began = time.monotonic()
        return job(connection)

    snapshot = engine._snapshot
    _put(transactions, "commit", committed)
    _put(engine.SQLite, "_transaction", transaction)
    _put(engine, "_snapshot", lambda db, job: job(db) if db.in_transaction else snapshot(db, job))


def halved() -> None:
    """Write the tables in one transaction and the log in the next."""
    append = log.append

    def later(connection: sqlite3.Connection, *rest: Any) -> bytes:
        connection.execute("COMMIT")
        time.sleep(LATE)
        connection.execute("BEGIN IMMEDIATE")
        return append(connection, *rest)

    _put(log, "append", later)


def unsynced() -> None:
    """Leave it to the system when what was written goes to the disk."""
    pragmas = tuple("synchronous = OFF" if p.startswith("synchronous") else p for p in connection.PRAGMAS)
    _put(connection, "PRAGMAS", pragmas)


def forgetful() -> None:
    """Keep nonces where the next process does not find them."""
    _put(engine, "Nonces", lambda path, clock: nonce_file.Nonces(Path(mkdtemp()) / path.name, clock))


def guessing() -> None:
    """Take every failed write for one that was not done, and do not ask the log."""

    async def resolve(self: engine.SQLite, find: Any, company_id: int) -> None:
        return None

    _put(engine.SQLite, "resolve", resolve)


def keyless() -> None:
    """Forget the first answer to an idempotency key."""
    _put(ledger.idempotency, "store", lambda *_: None)


def stuck() -> None:
    """Never come back from a failed write."""

    async def resolve(self: engine.SQLite, find: Any, company_id: int) -> None:
        await asyncio.sleep(3600)

    _put(engine.SQLite, "resolve", resolve)


def in_place() -> None:
    """Look the data over in the thread that writes, as if nobody was served."""
    _put(store.Store, "check", store.Store.check_in_place)


def busy_log() -> None:
    """Break nothing: SQLite's log goes into the database file after every few writes, so that faults meet that too."""
    pragmas = tuple("wal_autocheckpoint = 20" if p.startswith("wal_auto") else p for p in connection.PRAGMAS)
    _put(connection, "PRAGMAS", pragmas)


def _put(where: Any, name: str, what: Any) -> None:
    assert hasattr(where, name)
    setattr(where, name, what)


WAYS: dict[str, Callable[[], None]] = {
    way.__name__: way for way in (early, halved, unsynced, forgetful, guessing, keyless, stuck, in_place, busy_log)
}

if __name__ == "__main__":
    WAYS[sys.argv.pop(1)]()
    sys.argv[0] = os.fspath(Path(__file__))
    cli.main()
