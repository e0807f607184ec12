"""Engines: all that depends on which database holds the data, behind one protocol. One folder for each.

A further engine is a folder here and no edit elsewhere: `known` finds it, and what its `__init__` has to offer is
`known.Face`.
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, TypeVar

from sqlalchemy import Connection, Dialect
from sqlalchemy.dialects import sqlite

from deskroster.clocks import Clock
from deskroster.core.problems import Conflict, Reason, Refusal

if TYPE_CHECKING:
    from deskroster.ledger.engines.fence import Fence

T = TypeVar("T")

DIALECT: Dialect = sqlite.dialect(paramstyle="qmark")
"""The SQL that statements are compiled to. An engine translates what its database spells in another way."""
LIMIT = " LIMIT "
"""Before the maximum number of rows that a query returns: its rows may be in memory at once."""
PATIENCE = 5.0  # seconds that a request may wait for the database to begin with it
COMMIT_SECONDS = 4.0  # timeout of a commit, which waits for its replica without end
BEGIN_SECONDS = 600.0  # timeout for long work to begin, behind other long work
SCAN_SECONDS = 600.0  # timeout for the next row, where the database reads all that it holds first
COPY_SECONDS = 600.0  # timeout of a copy of the database, and of a process that checks it
AHEAD = 300  # seconds by which the clocks of processes may differ
EVERY_COMPANY = 0  # the company id of a job that sees the rows of all companies
MINUTE = 60  # seconds that a call counts against a limit


class Cursor(Protocol):
    """The rows that a statement returns."""

    def __iter__(self) -> Iterator[Any]: ...
    def fetchone(self) -> Any: ...
    def fetchmany(self, size: int, /) -> list[Any]: ...
    def fetchall(self) -> list[Any]: ...


class Db(Protocol):
    """A connection as jobs use it, in a transaction that is not theirs to end. Its SQL is that of `DIALECT`."""

    def execute(self, statement: str, values: Sequence[Any] = ..., /) -> Cursor: ...
    def executemany(self, statement: str, rows: Iterable[Sequence[Any]], /) -> object: ...

    @property
    def bytewise(self) -> str:
        """The collation that orders text by its bytes."""

    def has_table(self, name: str) -> bool:
        """Tell whether there is a table of this name."""

    def declared(self) -> list[str]:
        """Return how tables, indexes and triggers are declared, in an order that is always the same."""

    def faults(self, most: int, *, quickly: bool = False) -> Iterator[str]:
        """Yield what the database itself finds wrong with its pages."""

    def dangling(self) -> Iterator[str]:
        """Yield which tables have rows that point at none."""

    def moment(self, ours: float) -> float:
        """Return Unix time by the clock that all processes share: the database's; `ours` where there is one process."""

    def product(self) -> str:
        """Return the name of the database and its version."""

    def unbound_role(self) -> str | None:
        """Return the role that is connected, if row-level security exists and does not bind it."""

    def shrink_cache(self) -> None:
        """Free the memory of pages that are read once."""

    def damage(self, error: Exception) -> "Damage | None":
        """Tell what an error of a statement says of the data, where the transaction can go on after it; else None."""


Job = Callable[[Db], T]
Damage = Literal["value", "table"]
"""A stored value or page cannot be read; a table or a column is missing."""


class Failed(Exception):
    """The database did not do it, or is out of reach. `constraint` is the one that was violated, if any."""

    def __init__(self, why: str, constraint: str = "") -> None:
        super().__init__(why)
        self.constraint = constraint


class DiskFailed(Failed):
    """The disk that this process has the data on is full, or fails."""


class BadTables(Failed):
    """A statement of ours does not fit the tables: one of them is missing, or a column."""


class Gone(Failed):
    """The database went away before it could say what it did, or whether."""


class NotBegun(Failed):
    """The database did not get to the job before its timeout, or the job was cancelled: surely nothing was done."""

    def __init__(self, what: str = "it") -> None:
        super().__init__(f"the database has not got to {what} in time")


class Late(Failed):
    """The job was begun and is not done after its timeout: its outcome is not known yet."""

    def __init__(self) -> None:
        super().__init__("the database has not finished in time")


class Outdated(Failed):
    """Another key, or another place, has come into force since this process opened the data. Says what to do."""


class NoRoom(Exception):
    """The disk has no room for a copy. Says how much it takes."""


class InDoubt(Exception):
    """A commit is done and no standby has it: it may be lost with its machine. The log cannot tell."""


ERRORS = (OSError, Failed)
"""What an engine raises when the database could not do as it was asked."""


class Durable(NamedTuple):
    """What is durable: a company's last commit, number and hash, and how often the list of companies has changed.

    All three are None where nobody but this process writes. `unused` tells whether the nonce had not been used before;
    it is now.
    """

    number: int | None
    head: bytes | None
    companies: int | None
    unused: bool


class WriteLock(Protocol):
    """The right to write for one company, until it is released or committed. For one job at a time."""

    @property
    def number(self) -> int | None:
        """The number of the company's last commit; None where nobody but this process writes."""

    async def read(self, job: Job[T], patience: float = ...) -> T:
        """Run a job on what is durable, with a timeout in seconds."""

    async def commit(self, job: Job[T], patience: float = ...) -> T:
        """Run a job and commit. After an exception the outcome is unknown: see `Engine.resolve`.

        Raises NotBegun where surely nothing was done.
        """

    def withdraw(self) -> bool:
        """Cancel a commit that has not begun: it raises NotBegun then. False if it has begun."""

    async def release(self) -> None:
        """Write nothing, and let others."""

    async def reject(self) -> None:
        """Write nothing, and connect to another server: this one has less than there was."""


class Engine(Protocol):
    """A database and its connections. Jobs run in threads of its own; each sees the rows of one company, or all."""

    shared: bool  # whether other processes may write to the same data
    blocks: bool  # whether a long read keeps all other jobs waiting
    patience: float  # seconds that a verb may wait in the queue
    damage: str  # what was found broken; nothing is written any more
    alarm: Callable[[str], None]
    fence: "Fence"  # what is compared where others may change the key or the place

    @property
    def where(self) -> str:
        """Where the data is, in words, without any secret."""

    @property
    def folder(self) -> Path | None:
        """The folder whose lock this engine holds because the data is in it; None if the data is elsewhere."""

    def serve(self, clock: Clock) -> None:
        """Open what only a server needs: where nonces are spent, and calls are counted."""

    def mark_damaged(self, damage: str) -> None:
        """Write nothing any more, and sound the alarm, once."""

    @property
    def in_doubt(self) -> bool:
        """Whether the outcome of the last write is unknown for some company."""

    def doubts(self, company_id: int) -> bool:
        """Tell whether the outcome of a company's last write is unknown."""

    def fresh(self, company_id: int, nonce: str | None, now: int) -> Durable | Awaitable[Durable]:
        """Return what is durable, of no earlier moment than this, and spend a nonce. Raises Busy.

        At once where nobody else writes, else an awaitable. `now` is Unix time in seconds.
        """

    def count_call(self, company_id: int, limit: int) -> int | Awaitable[int]:
        """Count a call against a limit per minute; return the seconds until there is room, 0 if the call is counted.

        At once where nobody else serves the company, else an awaitable, which may raise `ERRORS`.
        """

    async def expire(self) -> None:
        """Delete what only this engine stores and is no longer needed. Called once a minute."""

    async def read(self, job: Job[T], company_id: int = EVERY_COMPANY, patience: float = PATIENCE) -> T:
        """Run a short job on one snapshot, with a timeout in seconds. All its rows may be in memory at once."""

    async def read_long(self, job: Job[T], company_id: int = EVERY_COMPANY, silence: float = ...) -> T:
        """Run a job on one snapshot that may take minutes, and keep no short one waiting where that can be helped.

        Rows are fetched as they are wanted. Gives up a server that sends none for `silence` seconds.
        """

    async def copy(self, target: Path, fill: Job[None]) -> None:
        """Make a file of `copy_file` of what is durable, of one moment, while others read and write. Raises NoRoom.

        Where the data is no file that can be copied, the job `fill` writes it, as in `read_long`.
        """

    async def write(self, job: Job[T], company_id: int = EVERY_COMPANY, silence: float = COMMIT_SECONDS) -> T:
        """Run a job in a transaction and commit. After an exception the outcome is unknown: see `resolve`.

        Gives up after `silence` seconds. Raises NotBegun where surely nothing was done.
        """

    async def lock(self, company_id: int) -> WriteLock:
        """Wait for the right to write for a company."""

    async def resolve(self, find: Job[T | None], company_id: int) -> T | None:
        """Return what `find` finds after a failed write, durable now; None if it surely is not there.

        Retries until the outcome is known. Raises Damaged.
        """

    def migrate(self, steps: Callable[[Connection], None], job: Job[None]) -> None:
        """Run the steps of a migration and then a job, in one transaction, before there is an event loop."""

    def read_now(self, job: Job[T]) -> T:
        """Run a job on what is durable and wait for it: before there is an event loop, and after."""

    def write_now(self, job: Job[T]) -> T:
        """Run a job in a transaction and wait until it is durable."""

    def harden_now(self) -> None:
        """Make what a killed process left durable, before it is shown."""

    def take_alone(self) -> None:
        """Make sure that no other process has the data open. Raises FolderInUse."""

    async def aclose(self) -> None:
        """Let go of what belongs to the event loop."""

    def close(self) -> None:
        """Let go of everything."""


def clash(error: Exception) -> Refusal | None:
    """Return the refusal that only the database can decide: another company has this label."""
    if isinstance(error, Failed) and error.constraint == "uq_companies_label":
        return Conflict(Reason.NAME_TAKEN, "label")
    return None
