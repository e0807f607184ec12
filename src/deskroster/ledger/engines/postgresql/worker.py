"""Workers of the connection pool: a connection with a thread of its own, and a read timeout."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

import psycopg

from deskroster.core.problems import Damaged
from deskroster.ledger.engines import Failed, Gone, NotBegun
from deskroster.ledger.engines.postgresql.connection import Primary, Session, abort
from deskroster.texts import foreign, said

T = TypeVar("T")

READ_TIMEOUT = 3.0  # seconds that the server may send nothing while it is waited for; then its machine is frozen
_CHECK_SECONDS = 0.2  # seconds between two checks of the read timeout, at least
_CORRUPT = (psycopg.errors.DataCorrupted, psycopg.errors.IndexCorrupted)


class ConnectionWorker:
    """A thread with a connection. After an error the connection is closed, and the next job opens another."""

    def __init__(self, primary: Primary, prepare: Callable[[Session], None] | None = None) -> None:
        self.busy = False  # whether a job is running
        self._primary = primary
        self._prepare = prepare
        self._thread = ThreadPoolExecutor(1, "ledger")
        self._session: Session | None = None
        self._read_timer: asyncio.TimerHandle | None = None
        self._closing = False

    @property
    def pid(self) -> int | None:
        """The process id of the server's backend."""
        session = self._session
        return None if session is None else session.connection.info.backend_pid

    async def run(
        self, job: Callable[[Session], T], read_timeout: float = READ_TIMEOUT, total_timeout: float | None = None
    ) -> T:
        """Run a job. Raises Gone when the server sends nothing for `read_timeout` seconds while it is waited for.

        The connection is shut down if the job is not done after `total_timeout` seconds.
        """
        loop = asyncio.get_running_loop()
        deadline = None if total_timeout is None else loop.call_later(total_timeout, self.abort)
        self._watch_read_timeout(read_timeout)
        try:
            return await loop.run_in_executor(self._thread, self._run_job, job)
        except asyncio.CancelledError:
            self._shut_down()  # the job would go on in its thread, with no timeout
            raise
        finally:
            if deadline is not None:
                deadline.cancel()
            if self._read_timer is not None:
                self._read_timer.cancel()

    def run_now(self, job: Callable[[Session], T]) -> T:
        """Run a job and block until it is done, without an event loop."""
        return self._thread.submit(self._run_job, job).result()

    def run_in_background(self, job: Callable[[Session], object]) -> None:
        """Queue a job, and ignore its result."""
        self._thread.submit(self._run_job, job)

    def _watch_read_timeout(self, read_timeout: float) -> None:
        remaining = read_timeout - self.check_read_timeout(read_timeout)
        self._read_timer = asyncio.get_running_loop().call_later(
            max(remaining, _CHECK_SECONDS), self._watch_read_timeout, read_timeout
        )

    def check_read_timeout(self, read_timeout: float) -> float:
        """Shut down the connection if the server has been silent for `read_timeout`; return the seconds of silence."""
        session = self._session
        waited = 0.0 if session is None else session.connection.seconds_waiting
        if waited >= read_timeout:
            self.abort()
        return waited

    def abort(self) -> None:
        """Shut down the connection, and try another host first. Whoever waits for the server gets an error."""
        session = self._session
        if session is not None:
            self._primary.prefer_others(session.connection.pgconn)
            abort(session.connection)

    def close(self) -> None:
        """Close the connection. A running job is aborted, and a queued one never starts."""
        self._closing = True
        disconnecting = self._thread.submit(self._disconnect)
        while not wait([disconnecting], timeout=_CHECK_SECONDS).done:
            self._shut_down()
        self._thread.shutdown()

    def _shut_down(self) -> None:
        """Shut down the connection for a reason of our own: the host stays the preferred one."""
        session = self._session
        if session is not None:
            abort(session.connection)

    def _run_job(self, job: Callable[[Session], T]) -> T:
        if self._closing:
            raise NotBegun
        self.busy = True
        try:
            if self._session is not None and not self._session.in_transaction and self._has_ended(self._session):
                self._disconnect()
            if self._session is None:
                self._session = Session(self._primary.connect())
                if self._prepare is not None:
                    self._prepare(self._session)
            return job(self._session)
        except psycopg.Error as error:
            self._disconnect()
            if isinstance(error, _CORRUPT):
                raise Damaged(said("{where}: {error}", where=self._primary.where, error=foreign(error))) from error
            exception_type = Gone if _is_connection_lost(error) else Failed
            raise exception_type(foreign(error), error.diag.constraint_name or "") from error
        except BaseException:
            self._disconnect()
            raise
        finally:
            self.busy = False

    def _has_ended(self, session: Session) -> bool:
        return session.has_ended() or not self._primary.is_current(session.connection.pgconn)

    def _disconnect(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.close()


def _is_connection_lost(error: psycopg.Error) -> bool:
    """Tell whether the connection or the primary was lost, and not the statement failed."""
    code = error.sqlstate or ""
    return not code or code == "25006" or code.startswith(("08", "57P"))  # read-only, no connection, shutdown
