"""What the tests of the ledger share: a small company, works on it, and engines that fail when they are told to."""

import itertools
import sqlite3
from collections.abc import Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from deskroster.core import groups
from deskroster.core.access import Caller, Identity, Verb
from deskroster.core.changes import Batch, Change, Origin
from deskroster.core.records import KINDS, Agent, AnyRecord, Company, Key, Position, Role, Secret
from deskroster.core.roster import Roster
from deskroster.ledger import Ledger, Once, Store, Work, location
from deskroster.ledger.engines import COMMIT_TIMEOUT
from deskroster.ledger.engines.postgresql import transactions
from deskroster.ledger.engines.postgresql.connection import Session
from deskroster.ledger.engines.postgresql.engine import PostgreSQL
from deskroster.ledger.engines.sqlite.engine import SQLite
from deskroster.ledger.upkeep import move as moving
from tests.databases import set_clock

PASSWORD_HASH = "$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHQ$never-in-the-log"
TOKEN = "11111111-2222-3333-4444-never-in-the-log"
NOW = 1_700_000_000

_requests = itertools.count()


def origin() -> Origin:
    return Origin(None, "own", "127.0.0.1", f"request-{next(_requests)}")


def first_records() -> list[AnyRecord]:
    return [
        Position(id=1, name="客服"),
        Role(id=1, name="Service"),
        Agent(
            id=1, name="Zhao Feng", email="zhaofeng@Udesk.cn", level="admin", position_id=1, role_ids=(1,),
            password=Secret(PASSWORD_HASH),
        ),
        Key(id=1, agent_id=1, name="token", secret=Secret(TOKEN), dialects=("udesk",)),
    ]  # fmt: skip


@asynccontextmanager
async def opened(folder: Path, clock: Callable[[], float] = lambda: NOW):
    """Open the folder and its first company, made if there is none. `faults` of the engine says what is to fail."""
    set_clock(folder, clock())
    store = open_store(folder, clock)
    try:
        if store.listed.all():
            yield store, await store.load(1)
        else:
            yield store, await store.create_company(Company(id=0, label="demo", name="Demo"), first_records(), origin())
    finally:
        await store.close()


def work(verb: Verb, once: Once | None = None, identity: Identity | None = None) -> Work:
    return Work(identity, origin(), verb, first_id, once)


def first_id(roster: Roster, result: list[Change] | Batch) -> bytes:
    changes = result.changes if isinstance(result, Batch) else result
    return str(changes[0].id if changes else 0).encode()


def new_group(name: str, member_ids: tuple[int, ...] = ()) -> Verb:
    def verb(roster: Roster, caller: Caller) -> list[Change]:
        return groups.create(roster, caller, name, member_ids, NOW)

    return verb


def before_the_mark(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Have something done, once, when a move has copied the data and not yet marked the old place."""
    real, done = moving._hand_over, []

    def hand_over(*arguments: Any) -> None:
        if not done:
            done.append(act())
        real(*arguments)

    monkeypatch.setattr(moving, "_hand_over", hand_over)


def expect_many(ledger: Ledger) -> Ledger:
    """Have what is submitted in the next turn of the loop share a batch, as where verbs have come together before."""
    ledger._queue.recent_batch_size = 2
    return ledger


def plan(db: Any, statement: str, values: Any) -> str:
    """Return the query plan of a statement, as the database words it."""
    if isinstance(db, Session):
        return "\n".join(line for (line,) in db.execute(f"EXPLAIN {statement}", values).fetchall())
    return "\n".join(row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {statement}", values).fetchall())


def names(ledger: Ledger) -> list[str]:
    return [group.name for group in ledger.roster.groups]


def state(roster: Roster) -> dict[str, Any]:
    """All that a roster is."""
    records = {kind: list(roster.table(kind)) for kind in KINDS[1:]}
    return {"company": roster.company, "number": roster.number, "next_ids": dict(roster.next_ids), **records}


def open_store(folder: Path, clock: Callable[[], float] = lambda: NOW) -> Store:
    """Open the folder on the engine that the run is for."""
    url = location.url_of(folder)
    return Store.open(folder, clock, Failing if url is None else _failing_at(url))


class Failing(SQLite):
    """Fails when `faults` says so: each commit takes the next of them."""

    faults: list[str]

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.faults = []

    def _commit(self, connection: sqlite3.Connection) -> None:
        fault = self.faults.pop(0) if self.faults else ""
        if fault == "before":
            raise sqlite3.OperationalError("disk I/O error")
        super()._commit(connection)
        if fault == "after":
            raise sqlite3.OperationalError("disk I/O error")


def hook_commits(engine: PostgreSQL, commit: Callable[[Session, Any], Any]) -> None:
    """Have an engine commit by another function than `transactions.commit`."""
    locked = engine._take_write_lock

    async def hooked(*which: Any) -> Any:
        lock = await locked(*which)

        async def commit_by_hook(job: Any, timeout: float = COMMIT_TIMEOUT) -> Any:
            try:
                return await lock._worker.run(lambda session: commit(session, job), timeout, total_timeout=timeout)
            finally:
                lock._release_worker()

        lock.commit = commit_by_hook
        return lock

    engine._take_write_lock = hooked


def _failing_at(url: str) -> Callable[[Path], PostgreSQL]:
    def engine(folder: Path) -> PostgreSQL:
        made = PostgreSQL(url)
        made.faults = []
        hook_commits(made, lambda session, job: _committed(made.faults, session, job))
        return made

    return engine


def _committed(faults: list[str], session: Session, job: Any) -> Any:
    fault = faults.pop(0) if faults else ""
    if fault == "before":
        raise psycopg.errors.DiskFull("could not extend file", encoding="utf8")
    done = transactions.commit(session, job)
    if fault == "after":
        raise psycopg.errors.DiskFull("could not extend file", encoding="utf8")
    return done
