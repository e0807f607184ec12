"""The advisory lock of an installation: a session that holds it for as long as the process has the data open.

To change the key or the location, a process takes the lock exclusively. All others share it.
"""

import os
import select
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextlib import suppress
from threading import Thread
from typing import TypeVar

import psycopg

from deskroster.ledger.engines.postgresql.connection import Primary, Session
from deskroster.ledger.engines.postgresql.worker import READ_TIMEOUT, ConnectionWorker
from deskroster.ledger.files.folder_lock import FolderInUse
from deskroster.texts import said

T = TypeVar("T")

ADVISORY_LOCK = 0x6465736B  # "desk"
"""First key of our advisory locks. Second key: 0, the installation is open; 1, a migration; 2, a write to all of it."""
RELEASE_TIMEOUT = 1.0  # seconds until the server notices that a process has gone, and releases its lock
KEEPALIVE_SECONDS = 10.0  # seconds between two queries on the idle session: a proxy may close a silent one
CHECK_SECONDS = 1.0  # seconds between two checks whether the session was lost, or the server is silent
_MIN_BACKOFF, _MAX_BACKOFF = 0.05, 0.5  # seconds of backoff between retries to connect

_NO_IDLE_TIMEOUT = """SELECT set_config(name, '0', false) FROM pg_settings
    WHERE name IN ('idle_session_timeout', 'idle_in_transaction_session_timeout')"""


class LockHolder(ConnectionWorker):
    """The connection that holds the advisory lock. A thread watches its socket, and reconnects when it is lost."""

    def __init__(self, primary: Primary) -> None:
        """Take the advisory lock, shared. Raises Failed, or FolderInUse."""
        super().__init__(primary, self._take_lock)
        self._exclusive = False
        self._without_read_timeout = False  # whether the running job has no read timeout
        self._stopped, self._stop = os.pipe()  # never written to: `close` closes the write end, which wakes the watcher
        self._watcher = Thread(target=self._watch, name="advisory-lock", daemon=True)
        try:
            self.run_now(lambda session: None)
        except BaseException:
            self._stop_watching()
            super().close()
            raise
        self._watcher.start()

    def lock_exclusively(self) -> None:
        """Take the advisory lock exclusively. Raises FolderInUse."""
        self._exclusive = True
        self._block_for(self._thread.submit(self._run_job, self._take_lock))

    def run_now(self, job: Callable[[Session], T]) -> T:
        """Run a job without a read timeout, and block until it is done."""

        def without_read_timeout(session: Session) -> T:
            self._without_read_timeout = True
            try:
                return job(session)
            finally:
                self._without_read_timeout = False

        return self._block_for(self._thread.submit(self._run_job, without_read_timeout))

    def close(self) -> None:
        self._closing = True
        self._stop_watching()
        super().close()

    def _stop_watching(self) -> None:
        os.close(self._stop)
        if self._watcher.ident is not None:
            self._watcher.join()
        os.close(self._stopped)

    def _watch(self) -> None:
        """Reconnect whenever the session is lost, with backoff, and run a query on it from time to time."""
        backoff, pinged = _MIN_BACKOFF, time.monotonic()
        while True:
            lost = self._wait_until_lost(CHECK_SECONDS)
            if self._closing:
                return
            if not lost and time.monotonic() - pinged < KEEPALIVE_SECONDS:
                continue
            pinged = time.monotonic()
            try:
                self._ping()
                backoff = _MIN_BACKOFF
            except Exception:  # noqa: BLE001 - retry, whatever it was
                select.select([self._stopped], [], [], backoff)
                backoff = min(2 * backoff, _MAX_BACKOFF)

    def _ping(self) -> None:
        """Run a query on the session, reconnecting if it has ended. Shut it down if its server is silent."""
        self._block_for(self._thread.submit(self._run_job, lambda session: session.script("SELECT 1")))

    def _block_for(self, running: "Future[T]") -> T:
        """Block until a job is done. Until then, apply the read timeout, unless a job without one is running.

        Nothing else applies it to this connection: there may be no event loop.
        """
        while not wait([running], timeout=CHECK_SECONDS).done:
            if self._closing:
                self._shut_down()
            elif not self._without_read_timeout:
                self.check_read_timeout(READ_TIMEOUT)
        return running.result()

    def _wait_until_lost(self, seconds: float) -> bool:
        """Wait up to `seconds` for the idle session to end; tell whether it has."""
        session = self._session
        if session is None:
            return True
        poll = select.poll()
        with suppress(psycopg.Error, OSError):  # the session was closed at this moment
            poll.register(session.connection.fileno(), select.POLLIN)
            poll.register(self._stopped, select.POLLIN)
            return bool(poll.poll(seconds * 1000))
        return True

    def _take_lock(self, session: Session) -> None:
        """Take the advisory lock: it is held until the session ends."""
        session.script(_NO_IDLE_TIMEOUT)
        if self._exclusive:
            session.connection.execute(f"SELECT pg_advisory_unlock_shared({ADVISORY_LOCK}, 0)")
        suffix = "" if self._exclusive else "_shared"
        deadline = time.monotonic() + RELEASE_TIMEOUT
        take = f"SELECT pg_try_advisory_lock{suffix}({ADVISORY_LOCK}, 0)"
        while session.connection.execute(take).fetchone() != (True,):
            if time.monotonic() > deadline:
                raise FolderInUse(said("other processes have {where} open", where=self._primary.where))
            time.sleep(_MIN_BACKOFF)
