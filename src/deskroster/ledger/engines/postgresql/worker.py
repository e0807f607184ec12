"""Lanes: connections to PostgreSQL, each with a thread of its own, that know when the server has fallen silent."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

import psycopg

from deskroster.core.problems import Damaged
from deskroster.ledger.engines import Failed, Gone, NotBegun
from deskroster.ledger.engines.postgresql.connection import Primary, Session, abort

T = TypeVar("T")

SILENT_SECONDS = 3.0  # for the next rows; then its machine stands still
_LOOK = 0.2  # seconds between two looks at how long a server has been silent, at least
_CORRUPT = (psycopg.errors.DataCorrupted, psycopg.errors.IndexCorrupted)


class Lane:
    """A thread with a connection. After an error the connection is thrown away, and the next job opens another."""

    def __init__(self, primary: Primary, greet: Callable[[Session], None] | None = None) -> None:
        self.waiting = False  # whether a job is running
        self._primary = primary
        self._greet = greet
        self._thread = ThreadPoolExecutor(1, "ledger")
        self._session: Session | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._closing = False

    @property
    def pid(self) -> int | None:
        """The process of the server that the connection is to."""
        session = self._session
        return None if session is None else session.connection.info.backend_pid

    async def run(self, job: Callable[[Session], T], silence: float = SILENT_SECONDS, within: float | None = None) -> T:
        """Run a job. Raises Gone when the server is waited for `silence` seconds at once, and says nothing.

        `within` so many seconds it must be done, else the connection is broken.
        """
        loop = asyncio.get_running_loop()
        deadline = None if within is None else loop.call_later(within, self.abort)
        self._listen(silence)
        try:
            return await loop.run_in_executor(self._thread, self._do, job)
        except asyncio.CancelledError:
            self._break()  # the job would go on in its thread, and nobody watch it
            raise
        finally:
            if deadline is not None:
                deadline.cancel()
            if self._watch is not None:
                self._watch.cancel()

    def run_now(self, job: Callable[[Session], T]) -> T:
        """Run a job and wait for it, without a loop."""
        return self._thread.submit(self._do, job).result()

    def start(self, job: Callable[[Session], object]) -> None:
        """Run a job some time, whatever comes of it."""
        self._thread.submit(self._do, job)

    def _listen(self, silence: float) -> None:
        left = silence - self.end_silence(silence)
        self._watch = asyncio.get_running_loop().call_later(max(left, _LOOK), self._listen, silence)

    def end_silence(self, silence: float) -> float:
        """Break the connection if its server has been waited for that long; return how long it has been."""
        session = self._session
        waited = 0.0 if session is None else session.connection.waiting
        if waited >= silence:
            self.abort()
        return waited

    def abort(self) -> None:
        """Break the connection, and try another host first: whatever waits for the server gets an error."""
        session = self._session
        if session is not None:
            self._primary.doubt(session.connection.pgconn)
            abort(session.connection)

    def close(self) -> None:
        """Let go of the connection. A job that goes on is broken off, and one that has not begun never does."""
        self._closing = True
        dropping = self._thread.submit(self._drop)
        while not wait([dropping], timeout=_LOOK).done:
            self._break()
        self._thread.shutdown()

    def _break(self) -> None:
        """Break the connection, for a reason of our own: the server is not to blame."""
        session = self._session
        if session is not None:
            abort(session.connection)

    def _do(self, job: Callable[[Session], T]) -> T:
        if self._closing:
            raise NotBegun
        self.waiting = True
        try:
            if self._session is not None and not self._session.in_transaction and self._is_over(self._session):
                self._drop()
            if self._session is None:
                self._session = Session(self._primary.connect())
                if self._greet is not None:
                    self._greet(self._session)
            return job(self._session)
        except psycopg.Error as error:
            self._drop()
            if isinstance(error, _CORRUPT):
                raise Damaged(f"{self._primary.where}: {error}") from error
            what = Gone if _is_gone(error) else Failed
            raise what(str(error).strip(), error.diag.constraint_name or "") from error
        except BaseException:
            self._drop()
            raise
        finally:
            self.waiting = False

    def _is_over(self, session: Session) -> bool:
        return session.ended() or not self._primary.has(session.connection.pgconn)

    def _drop(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.close()


def _is_gone(error: psycopg.Error) -> bool:
    """Tell whether it is the connection or the primary that went away, and not what was asked that failed."""
    code = error.sqlstate or ""
    return not code or code == "25006" or code.startswith(("08", "57P"))  # read-only, no connection, shut down
