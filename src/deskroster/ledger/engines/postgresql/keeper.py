"""The keeper: the session whose advisory lock says that a process has an installation open."""

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
from deskroster.ledger.engines.postgresql.worker import SILENT_SECONDS, Lane
from deskroster.ledger.files.folder_lock import FolderInUse

T = TypeVar("T")

OPENED = 0x6465736B  # "desk": the advisory lock of processes that have the installation open
LEAVE_SECONDS = 1.0  # in which the server notices that a process has gone
LOOK_SECONDS = 10.0  # between two queries on an idle session: a proxy on the way may end one that says nothing
TICK_SECONDS = 1.0  # after which it is noticed that this process has thrown a session away, or that a server is silent
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 0.5  # seconds between attempts to make a session

_NEVER_IDLE = """SELECT set_config(name, '0', false) FROM pg_settings
    WHERE name IN ('idle_session_timeout', 'idle_in_transaction_session_timeout')"""


class Keeper(Lane):
    """A lane that always has a session, with the lock. A thread watches its socket, and has it made again at once."""

    def __init__(self, primary: Primary) -> None:
        """Take the lock, shared. Raises Failed, or FolderInUse."""
        super().__init__(primary, self._keep)
        self._alone = False
        self._long = False  # whether it is at a job that may wait long for the server
        self._over, self._open = os.pipe()  # nothing is written to it: it is closed in the end
        self._watching = Thread(target=self._watch_over, name="keeper", daemon=True)
        try:
            self.run_now(lambda session: None)
        except BaseException:
            self._end_watching()
            super().close()
            raise
        self._watching.start()

    def lock_exclusively(self) -> None:
        """Take the lock so that nobody shares it. Raises FolderInUse."""
        self._alone = True
        self._waited_for(self._thread.submit(self._do, self._keep))

    def run_now(self, job: Callable[[Session], T]) -> T:
        """Run a job that may wait long for the server, and wait for it."""

        def long(session: Session) -> T:
            self._long = True
            try:
                return job(session)
            finally:
                self._long = False

        return self._waited_for(self._thread.submit(self._do, long))

    def close(self) -> None:
        self._end_watching()
        super().close()

    def _end_watching(self) -> None:
        os.close(self._open)
        if self._watching.ident is not None:
            self._watching.join()
        os.close(self._over)

    def _watch_over(self) -> None:
        """Make the session again whenever it is lost, and let it say something from time to time."""
        pause, asked = _FIRST_PAUSE, time.monotonic()
        while not self._must_end(0.0):
            if not self._lost(TICK_SECONDS) and time.monotonic() - asked < LOOK_SECONDS:
                continue
            asked = time.monotonic()
            try:
                self._look()
                pause = _FIRST_PAUSE
            except Exception:  # noqa: BLE001 - whatever it was, it is tried again
                if self._must_end(pause):
                    return
                pause = min(2 * pause, _LONGEST_PAUSE)

    def _look(self) -> None:
        """Say something on the session, or on a new one where it has ended. One whose server is silent is broken."""
        self._waited_for(self._thread.submit(self._do, lambda session: session.script("SELECT 1")))

    def _waited_for(self, running: "Future[T]") -> T:
        """Wait for a job, and for what is done before it. A server that is silent is not waited for, but at long jobs.

        Nothing else breaks a connection of the keeper: no loop may be running.
        """
        while not wait([running], timeout=TICK_SECONDS).done:
            if self._must_end(0.0):
                self._break()
            elif not self._long:
                self.end_silence(SILENT_SECONDS)
        return running.result()

    def _must_end(self, seconds: float) -> bool:
        """Tell whether this process has nothing more to do with it, perhaps within some seconds."""
        return bool(select.select([self._over], [], [], seconds)[0])

    def _lost(self, seconds: float) -> bool:
        """Wait until something has come on a connection that is asked nothing, or for so long; tell whether it has."""
        session = self._session
        if session is None:
            return True
        poll = select.poll()
        with suppress(psycopg.Error, OSError):  # it was closed this moment
            poll.register(session.connection.fileno(), select.POLLIN)
            poll.register(self._over, select.POLLIN)
            return bool(poll.poll(seconds * 1000))
        return True

    def _keep(self, session: Session) -> None:
        """Say, as long as the session lasts, that a process has the installation open."""
        session.script(_NEVER_IDLE)
        if self._alone:
            session.connection.execute(f"SELECT pg_advisory_unlock_shared({OPENED}, 0)")
        kind = "" if self._alone else "_shared"
        until = time.monotonic() + LEAVE_SECONDS
        while session.connection.execute(f"SELECT pg_try_advisory_lock{kind}({OPENED}, 0)").fetchone() != (True,):
            if time.monotonic() > until:
                raise FolderInUse(f"other processes have {self._primary.where} open")
            time.sleep(_FIRST_PAUSE)
