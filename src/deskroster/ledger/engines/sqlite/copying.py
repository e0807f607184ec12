"""Copying: an open SQLite database to a file, in slices, while its connection goes on reading and writing."""

import os
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

from deskroster.ledger.engines.sqlite.connection import plain

PAGES = 128  # of one slice: half a MiB
_PRAGMAS = ("journal_mode = OFF", "synchronous = OFF", "locking_mode = EXCLUSIVE", "temp_store = MEMORY")
"""Of the copy: one that is not finished is thrown away, and whoever wants it durable syncs it."""


class Copying:
    """A copy that is being made by SQLite's online backup, of one moment: that of its last slice.

    SQLite carries each write of the same connection over to the pages that were copied before it
    (sqlite.org/c3ref/backup_finish.html). `sqlite3` offers the backup as one call that blocks. So that call has a
    thread of its own, which waits between two slices; in a slice the thread of the connection waits for it. Only one
    of the two uses the connection at a time.
    """

    def __init__(self, source: sqlite3.Connection, target: Path) -> None:
        self.error: Exception | None = None  # what ended it before its time
        self.done = False
        self._source = source
        self._target = target
        self._stopped = False
        self._go, self._waits = threading.Semaphore(0), threading.Semaphore(0)
        self._thread = threading.Thread(target=self._run, name="copying", daemon=True)
        self._thread.start()

    def step(self) -> None:
        """Copy a slice. To be called in the thread of the connection, outside any transaction."""
        if not self.done:
            self._go.release()
            self._waits.acquire()

    def stop(self) -> None:
        """Let go of the connection, before it is closed. In its thread."""
        if not self.done:
            self._stopped = True
            self.step()
        self._thread.join()

    def _run(self) -> None:
        self._go.acquire()
        try:
            if self._stopped:
                raise Interrupted
            self._copy()
        except Exception as error:  # noqa: BLE001 - it belongs to whoever asked for the copy
            self.error = error
        finally:
            self.done = True
            self._waits.release()

    def _copy(self) -> None:
        os.close(os.open(self._target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        with closing(plain(self._target)) as target:
            for pragma in _PRAGMAS:
                target.execute(f"PRAGMA {pragma}").fetchall()
            self._source.backup(target, pages=PAGES, progress=self._between)

    def _between(self, status: int, remaining: int, total: int) -> None:
        if status == sqlite3.SQLITE_DONE:
            return
        self._waits.release()
        self._go.acquire()
        if self._stopped:
            raise Interrupted


class Interrupted(Exception):
    """The connection had to be closed before the copy was finished."""


def size(connection: sqlite3.Connection) -> int:
    """Return how many bytes a copy would have."""
    (pages,), (page,) = (connection.execute(f"PRAGMA {name}").fetchone() for name in ("page_count", "page_size"))
    return int(pages * page)


def sync(path: Path) -> None:
    """Write to the disk what there is of a copy, so that no later sync has to wait for all of it at once."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())
