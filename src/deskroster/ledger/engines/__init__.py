"""Engines: all that depends on which database holds the data: SQLite in a folder, or PostgreSQL anywhere."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

from sqlalchemy import Connection, Dialect
from sqlalchemy.dialects import sqlite

from deskroster.core.problems import Busy, Conflict, Reason, Refusal

if TYPE_CHECKING:
    from deskroster.ledger.engines.fence import Fence

T = TypeVar("T")

DIALECT: Dialect = sqlite.dialect(paramstyle="qmark")
"""The SQL that statements are written in. PostgreSQL understands all of it but for the question marks."""
LIMIT = " LIMIT "
"""Before the number of rows that a query gives at most: its rows may be in memory at once."""
PATIENCE = 5.0  # seconds that whoever was sent a request may wait for the database to begin with it
COMMIT_SECONDS = 4.0  # for a commit, which waits for its replica without end
BEGIN_SECONDS = 600.0  # for long work to begin, behind other long work
SCAN_SECONDS = 600.0  # for the next row, where the database reads all that it holds first
COPY_SECONDS = 600.0  # for a copy of the database, and for a process that looks it over
AHEAD = 300  # seconds that the clocks of processes may differ by
EVERY_COMPANY = 0  # whose rows a job sees that is of no company


class Cursor(Protocol):
    """The rows that a statement gives."""

    def __iter__(self) -> Iterator[Any]: ...
    def fetchone(self) -> Any: ...
    def fetchmany(self, size: int, /) -> list[Any]: ...
    def fetchall(self) -> list[Any]: ...


class Db(Protocol):
    """A connection as jobs use it, in a transaction that is not theirs to end. Its SQL is that of `DIALECT`."""

    def execute(self, statement: str, values: Sequence[Any] = ..., /) -> Cursor: ...
    def executemany(self, statement: str, rows: Iterable[Sequence[Any]], /) -> object: ...


Job = Callable[[Db], T]


class FolderInUse(Exception):
    """Another process serves this folder."""


class Failed(Exception):
    """PostgreSQL did not do it, or is out of reach. `constraint` is the one that was broken, if it was that."""

    def __init__(self, why: str, constraint: str = "") -> None:
        super().__init__(why)
        self.constraint = constraint


class Gone(Failed):
    """PostgreSQL went away before it could say what it did, or whether."""


class NotBegun(Failed):
    """The database had no time for it within the patience, or it was taken back: surely nothing was done."""

    def __init__(self, what: str = "it") -> None:
        super().__init__(f"the database has not got to {what} in time")


class Late(Failed):
    """It was begun, and has not ended within the patience: it cannot be said yet what came of it."""

    def __init__(self) -> None:
        super().__init__("the database has not finished in time")


class Outdated(Failed):
    """Another key, or another place, has come into force since this process opened the data. Says what to do."""


class NoRoom(Exception):
    """The disk has no room for a copy. Says how much it takes."""


class InDoubt(Exception):
    """A commit that is there and may be lost with its machine: nobody else has it yet. No log can tell."""


ERRORS = (sqlite3.Error, OSError, Failed)
"""What a database raises that could not do as it was asked."""


class Durable(NamedTuple):
    """What is durable: a company's last commit, number and hash, and how often the list of companies has changed.

    `unused` tells whether the nonce that was asked for had not been used; it is now.
    """

    number: int
    head: bytes
    companies: int
    unused: bool


class Held(Protocol):
    """The right to write for one company: nobody else does until it is released or committed. For one job at a time."""

    @property
    def number(self) -> int | None:
        """The number of the company's last commit; None where nobody but this process writes."""

    async def read(self, job: Job[T], patience: float = ...) -> T:
        """Run a job on what is durable, and give it up after that many seconds."""

    async def commit(self, job: Job[T], patience: float = ...) -> T:
        """Run a job and make what it writes durable. After an exception it may or may not be: settle.

        Raises NotBegun where it surely is not.
        """

    def withdraw(self) -> bool:
        """Take back a commit that has not begun: it raises NotBegun then. False if it has begun."""

    async def release(self) -> None:
        """Write nothing, and let others."""

    async def reject(self) -> None:
        """Write nothing, and look for another database: this one has less than there was."""


class Asking(Protocol):
    """Asks what is durable."""

    async def ask(self, company_id: int, nonce: bytes | None, now: int) -> Durable:
        """Return what is durable, of no earlier moment than this; spend a nonce with it. Raises Busy."""


class Engine(Protocol):
    """A database, and its connections. Jobs run in threads of its own; each sees the rows of one company, or all."""

    damage: str  # what was found broken; nothing is written any more
    alarm: Callable[[str], None]
    asking: "Asking | None"  # how to learn what others wrote; None where nobody else can
    fence: "Fence"  # what is compared where others may change the key or the place

    @property
    def where(self) -> str:
        """Where the data is, in words, without any secret."""

    @property
    def folder(self) -> Path | None:
        """The folder that this process alone has the data in, if it is so."""

    def condemn(self, damage: str) -> None:
        """Write nothing any more, and sound the alarm, once."""

    @property
    def in_doubt(self) -> bool:
        """Whether it cannot be said of some company if its last write was done."""

    def doubts(self, company_id: int) -> bool:
        """Tell whether it cannot be said if a company's last write was done."""

    async def read(self, job: Job[T], company_id: int = EVERY_COMPANY, patience: float = PATIENCE) -> T:
        """Run a short job on one snapshot, all of which may be in memory at once. Gives up after `patience` seconds."""

    async def read_long(self, job: Job[T], company_id: int = EVERY_COMPANY, silence: float = ...) -> T:
        """Run a job on one snapshot that may take minutes, and keep no short one waiting where that can be helped.

        Rows are fetched as they are wanted. Gives up a server that gives none for `silence` seconds.
        """

    async def copy(self, target: Path, otherwise: Job[None]) -> None:
        """Make a file of SQLite of what is durable, of one moment, while others read and write.

        Where the data is no file that can be copied, the job `otherwise` writes it, as `read_long`. Raises NoRoom.
        """

    async def write(self, job: Job[T], company_id: int = EVERY_COMPANY, silence: float = COMMIT_SECONDS) -> T:
        """Run a job in a transaction and make it durable. After an exception it may or may not be: settle.

        Gives up after `silence` seconds. Raises NotBegun where it surely is not done.
        """

    async def note(self, statement: str, values: Sequence[int], company_id: int) -> Any:
        """Run a statement in a transaction of its own, and return its row. It need not outlive a loss of power.

        The server never waits for this process in that transaction, so a process that stands still holds up no other.
        """

    async def hold(self, company_id: int) -> Held:
        """Wait for the right to write for a company."""

    async def settle(self, find: Job[T | None], company_id: int) -> T | None:
        """Return what `find` finds after a failed write, durable now; None if it surely is not there.

        Asks until that can be said. Raises Damaged.
        """

    def migrate(self, steps: Callable[[Connection], None], job: Job[None]) -> None:
        """Run the steps of a migration, and a job after them, in one transaction, before there is a loop."""

    def read_now(self, job: Job[T]) -> T:
        """Run a job on what is durable and wait for it: before there is a loop, and after."""

    def write_now(self, job: Job[T]) -> T:
        """Run a job in a transaction and wait until it is durable."""

    def harden_now(self) -> None:
        """Make what a killed process left durable, before it is shown."""

    def take_alone(self) -> None:
        """See to it that no other process has the data open. Raises FolderInUse."""

    async def aclose(self) -> None:
        """Let go of what belongs to the loop."""

    def close(self) -> None:
        """Let go of everything."""


async def in_time(waiting: Coroutine[Any, Any, T], patience: float, undo: Callable[[T], None]) -> T:
    """Return what is waited for. Raises NotBegun after `patience` seconds.

    `undo` is called with the result if the caller was cancelled before it could have that.

    `asyncio.timeout` needs a task around it, which a request has only from where it first waits.
    """
    task = asyncio.get_running_loop().create_task(waiting)

    def undone(done: asyncio.Task[T]) -> None:
        if not done.cancelled() and done.exception() is None:
            undo(done.result())

    try:
        await asyncio.wait([task], timeout=patience)
        if not task.done():
            task.cancel()
            await asyncio.wait([task])
    except BaseException:
        task.cancel()
        task.add_done_callback(undone)
        raise
    if task.cancelled():
        raise NotBegun
    return task.result()


@asynccontextmanager
async def within(patience: float, lock: asyncio.Lock) -> AsyncIterator[None]:
    """Have a lock, waited for so many seconds at most. Raises Busy.

    A lock that is not locked may still have waiters, behind whom a new one waits: between its release and their waking.
    """
    try:
        await in_time(lock.acquire(), patience, lambda _: lock.release())
    except NotBegun as error:
        raise Busy from error
    try:
        yield
    finally:
        lock.release()


def clash(error: Exception) -> Refusal | None:
    """Return what an error says that only the database can know: that another company has this label."""
    taken = isinstance(error, sqlite3.IntegrityError) and "companies.label" in str(error)
    if taken or (isinstance(error, Failed) and error.constraint == "uq_companies_label"):
        return Conflict(Reason.NAME_TAKEN, "label")
    return None
