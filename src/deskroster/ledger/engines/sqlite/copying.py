"""Online backup of an open SQLite database, in slices, while its connection goes on reading and writing."""

import os
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

from deskroster.ledger.engines.sqlite.connection import plain

PAGES = 128  # pages of one slice: half a MiB
_PRAGMAS = ("journal_mode = OFF", "synchronous = OFF", "locking_mode = EXCLUSIVE", "temp_store = MEMORY")
"""Pragmas of the copy. An unfinished copy is deleted, and the caller syncs a finished one."""


class Copying:
    """A running online backup. The copy is a snapshot as of its last slice.

    SQLite applies each write of the same connection to the pages that are already copied
    (sqlite.org/c3ref/backup_finish.html). But `sqlite3` offers the backup only as one blocking call. So that call runs
    in a thread of its own, which pauses between slices. During a slice the connection's thread waits for it, so only
    one of the two uses the connection at a time.
    """

    def __init__(self, source: sqlite3.Connection, target: Path) -> None:
        self.error: Exception | None = None  # what ended it early
        self.done = False
        self._source = source
        self._target = target
        self._stopped = False
        self._resume, self._paused = threading.Semaphore(0), threading.Semaphore(0)
        self._thread = threading.Thread(target=self._run, name="copying", daemon=True)
        self._thread.start()

    def step(self) -> None:
        """Copy one slice. Call it in the connection's thread, outside any transaction."""
        if not self.done:
            self._resume.release()
            self._paused.acquire()

    def stop(self) -> None:
        """Stop using the connection, so that it can be closed. Call it in the connection's thread."""
        if not self.done:
            self._stopped = True
            self.step()
        self._thread.join()

    def _run(self) -> None:
        self._resume.acquire()
        try:
            if self._stopped:
                raise Interrupted
            self._copy()
        except Exception as error:  # noqa: BLE001 - the caller of the copy gets it
            self.error = error
        finally:
            self.done = True
            self._paused.release()

    def _copy(self) -> None:
        os.close(os.open(self._target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        with closing(plain(self._target)) as target:
            for pragma in _PRAGMAS:
                target.execute(f"PRAGMA {pragma}").fetchall()
            self._source.backup(target, pages=PAGES, progress=self._pause)

    def _pause(self, status: int, remaining: int, total: int) -> None:
        if status == sqlite3.SQLITE_DONE:
            return
        self._paused.release()
        self._resume.acquire()
        if self._stopped:
            raise Interrupted


class Interrupted(Exception):
    """The connection had to be closed before the copy was finished."""


def size(connection: sqlite3.Connection) -> int:
    """Return the size of a copy in bytes."""
    (pages,), (page,) = (connection.execute(f"PRAGMA {name}").fetchone() for name in ("page_count", "page_size"))
    return int(pages * page)


def sync(path: Path) -> None:
    """Fsync what is copied so far, so that no later fsync has to write all of it at once."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())
