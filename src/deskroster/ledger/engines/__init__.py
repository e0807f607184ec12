"""Engines: everything that depends on which database holds the data, behind one protocol. One folder for each.

A further engine is a folder here and no edit elsewhere. `known` finds it; its `__init__` offers `known.EnginePackage`.
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, TypeVar

from sqlalchemy import Connection, Dialect
from sqlalchemy.dialects import sqlite

from deskroster.clocks import Clock
from deskroster.core.problems import Conflict, Reason, Refusal
from deskroster.texts import Text, said

if TYPE_CHECKING:
    from deskroster.ledger.engines.fence import Fence

T = TypeVar("T")

DIALECT: Dialect = sqlite.dialect(paramstyle="qmark")
"""The SQL dialect that statements are compiled to. An engine translates what its database spells in another way."""
LIMIT = " LIMIT "
"""Marks a query whose rows are all fetched at once. Other queries may be streamed through a server-side cursor."""
REQUEST_TIMEOUT = 5.0  # seconds that a request waits for a connection, or for its job to start
COMMIT_TIMEOUT = 4.0  # seconds; a commit waits for the synchronous standby, which may never answer
BEGIN_TIMEOUT = 600.0  # seconds that long work waits in the queue, behind other long work
SCAN_TIMEOUT = 600.0  # seconds until the next row, where the database has to read all its data first
COPY_TIMEOUT = 600.0  # seconds for a copy of the database, or for a process that checks one
MAX_CLOCK_SKEW = 300  # seconds by which the clocks of processes may differ
EVERY_COMPANY = 0  # the company id of a job that sees the rows of all companies
MINUTE = 60  # seconds for which a call counts against the rate limit


class Cursor(Protocol):
    """The rows that a statement returns."""

    def __iter__(self) -> Iterator[Any]: ...
    def fetchone(self) -> Any: ...
    def fetchmany(self, size: int, /) -> list[Any]: ...
    def fetchall(self) -> list[Any]: ...


class Db(Protocol):
    """A connection in a transaction, which a job must neither commit nor roll back. Its SQL is that of `DIALECT`."""

    def execute(self, statement: str, values: Sequence[Any] = ..., /) -> Cursor: ...
    def executemany(self, statement: str, rows: Iterable[Sequence[Any]], /) -> object: ...

    @property
    def bytewise(self) -> str:
        """The collation that compares text by its bytes."""

    def has_table(self, name: str) -> bool:
        """Tell whether the table exists."""

    def declared(self) -> list[str]:
        """Return the declarations of all tables, indexes and triggers, in a stable order."""

    def faults(self, most: int, *, quickly: bool = False) -> Iterator[str]:
        """Yield the errors of the database's own integrity check, at most `most`."""

    def dangling(self) -> Iterator[str]:
        """Yield the foreign key violations."""

    def moment(self, ours: float) -> float:
        """Return Unix time by the clock that all processes share: the database's; `ours` if there is one process."""

    def product(self) -> str:
        """Return the name of the database and its version."""

    def unbound_role(self) -> str | None:
        """Return the connected role if it bypasses row-level security; None if it is bound by it, or there is none."""

    def shrink_cache(self) -> None:
        """Free the page cache, after a scan that reads each page once."""

    def damage(self, error: Exception) -> "Damage | None":
        """Classify an error of a statement as damage to the data; None if it is none, or aborted the transaction."""


Job = Callable[[Db], T]
Damage = Literal["value", "table"]
"""A stored value or page cannot be read ("value"), or a table or a column is missing ("table")."""


class Failed(Exception):
    """The database refused the statement, or is unreachable. `constraint` names the violated constraint, if any."""

    def __init__(self, why: Text, constraint: str = "") -> None:
        super().__init__(why)
        self.constraint = constraint


class DiskFailed(Failed):
    """The local disk that holds the data is full, or fails."""


class BadTables(Failed):
    """A statement does not fit the schema: a table or a column is missing."""


class Gone(Failed):
    """The connection was lost before the database reported the outcome."""


class NotBegun(Failed):
    """Timeout before the job started, or the job was cancelled in the queue: certainly nothing was done."""

    def __init__(self) -> None:
        super().__init__(said("the database has not got to it in time"))


class Late(Failed):
    """Timeout of a job that has started: its outcome is unknown."""

    def __init__(self) -> None:
        super().__init__(said("the database has not finished in time"))


class Outdated(Failed):
    """The key, the location or the schema has changed since this process opened the data. Says what to do."""


class NoRoom(Exception):
    """The disk has no room for a copy. Says how much it needs."""


class InDoubt(Exception):
    """Synchronous replication of a commit failed: only the primary has it, so a failover may lose it."""


ERRORS = (OSError, Failed)
"""What an engine raises when the database could not do the work."""


class Durable(NamedTuple):
    """The durable state of a company: number and hash of its last commit; how often the list of companies has changed.

    All three are None where only this process writes. `unused`: the nonce had not been used before, and is spent now.
    """

    number: int | None
    head: bytes | None
    companies: int | None
    unused: bool


class WriteLock(Protocol):
    """The write lock of a company, held until it is released or committed. It runs one job at a time."""

    @property
    def number(self) -> int | None:
        """The number of the company's last commit; None where only this process writes."""

    async def read(self, job: Job[T], timeout: float = ...) -> T:
        """Run a job on what is durable, with a timeout in seconds."""

    async def commit(self, job: Job[T], timeout: float = ...) -> T:
        """Run a job and commit, with a timeout in seconds. Raises NotBegun where certainly nothing was done.

        After any other exception the outcome is unknown: see `Engine.resolve`.
        """

    def withdraw(self) -> bool:
        """Cancel a commit that has not started, so that it raises NotBegun. Return False if it has started."""

    async def release(self) -> None:
        """Roll back, and release the lock."""

    async def reject(self) -> None:
        """Roll back and connect to another server: this one lacks commits that were durable."""


class Engine(Protocol):
    """A database and its connections. Jobs run in threads of the engine; each sees the rows of one company, or all."""

    shared: bool  # whether other processes may write to the same data
    blocks: bool  # whether a long read blocks all other jobs
    queue_timeout: float  # seconds that a verb may wait in the queue
    damage: str  # which damage was found; writes are refused since
    alarm: Callable[[str], None]
    fence: "Fence"  # compares the epoch, where others may change the key or the location

    @property
    def where(self) -> Text:
        """Where the data is, for messages, without any secret."""

    @property
    def folder(self) -> Path | None:
        """The data folder, if it holds the data and this engine holds its lock; None if the data is elsewhere."""

    def serve(self, clock: Clock) -> None:
        """Open what only a server needs: the store of nonces, the counters of the rate limit."""

    def mark_damaged(self, damage: str) -> None:
        """Refuse all writes from now on, and call the alarm, once."""

    @property
    def in_doubt(self) -> bool:
        """Whether the outcome of the last write is unknown for some company."""

    def doubts(self, company_id: int) -> bool:
        """Tell whether the outcome of the last write of a company is unknown."""

    def fresh(self, company_id: int, nonce: str | None, now: int) -> Durable | Awaitable[Durable]:
        """Return the durable state as of now or later, and spend a nonce. Raises Busy.

        Not an awaitable where only this process writes. `now` is Unix time in seconds.
        """

    def release(self, company_id: int, nonce: str) -> None | Awaitable[None]:
        """Make a nonce unused again: the request that has just spent it is refused, and may be sent again as it is.

        Not an awaitable where only this process serves the company. An awaitable may raise `ERRORS`; then the nonce is
        released when it comes again.
        """

    def count_call(self, company_id: int, limit: int) -> int | Awaitable[int]:
        """Count a call against a limit per minute; return 0 if it was counted, else the seconds until one may be.

        Not an awaitable where only this process serves the company. An awaitable may raise `ERRORS`.
        """

    async def expire(self) -> None:
        """Delete what the engine itself stores and has expired, such as nonces. Called once a minute."""

    async def read(self, job: Job[T], company_id: int = EVERY_COMPANY, timeout: float = REQUEST_TIMEOUT) -> T:
        """Run a short job on one snapshot, with a timeout in seconds. It may fetch all its rows at once."""

    async def read_long(self, job: Job[T], company_id: int = EVERY_COMPANY, read_timeout: float = ...) -> T:
        """Run a job on one snapshot that may take minutes, without blocking short jobs where that is possible.

        Rows are streamed. Fails if the server sends none for `read_timeout` seconds.
        """

    async def copy(self, target: Path, fill: Job[None]) -> None:
        """Write a copy of one snapshot to a file of `copy_file`, while others read and write. Raises NoRoom.

        An engine whose data is no file that can be copied runs the job `fill`, as in `read_long`.
        """

    async def write(self, job: Job[T], company_id: int = EVERY_COMPANY, timeout: float = COMMIT_TIMEOUT) -> T:
        """Run a job in a transaction and commit. After an exception the outcome is unknown: see `resolve`.

        Times out after `timeout` seconds. Raises NotBegun where certainly nothing was done.
        """

    async def lock(self, company_id: int) -> WriteLock:
        """Wait for the write lock of a company."""

    async def resolve(self, find: Job[T | None], company_id: int) -> T | None:
        """Decide the outcome of a failed write: return what `find` finds in the log, or None if it is not there.

        What is found is durable. Retries with backoff until the outcome is known. Raises Damaged.
        """

    def migrate(self, steps: Callable[[Connection], None], job: Job[None]) -> None:
        """Run the steps of a migration and then a job, in one transaction. Blocks: no event loop is running yet."""

    def read_now(self, job: Job[T]) -> T:
        """Run a job on what is durable and block until it is done: before the event loop runs, and after."""

    def write_now(self, job: Job[T]) -> T:
        """Run a job in a transaction and block until it is committed."""

    def make_durable_now(self) -> None:
        """Make durable what a killed process has written, before it is shown: checkpoint the WAL."""

    def lock_exclusively(self) -> None:
        """Make sure that no other process has the data open: take its lock exclusively. Raises FolderInUse."""

    async def aclose(self) -> None:
        """Close what belongs to the event loop."""

    def close(self) -> None:
        """Close everything."""


def unique_violation(error: Exception) -> Refusal | None:
    """Return the refusal for a unique constraint that only the database can check: another company has this label."""
    if isinstance(error, Failed) and error.constraint == "uq_companies_label":
        return Conflict(Reason.NAME_TAKEN, "label")
    return None
