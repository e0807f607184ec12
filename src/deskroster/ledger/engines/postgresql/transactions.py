"""Transactions: how a session of PostgreSQL begins, locks, reads and commits, in as few round trips as there can be."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

from deskroster.ledger.engines import EVERY_COMPANY, InDoubt, Job
from deskroster.ledger.engines.fence import NOTES, Fence
from deskroster.ledger.engines.postgresql.connection import Session
from deskroster.ledger.engines.postgresql.keeper import OPENED

T = TypeVar("T")

ALONE_TIMEOUT = "10s"  # for the writes of others to end, where the key or the place is changed
_BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED"  # so that a statement sees what was committed while one waited


def wait_for_replicas(session: Session) -> None:
    """See to it that a commit is durable when it is answered, whatever the server is set to."""
    if session.connection.execute("SHOW synchronous_commit").fetchone() in (("off",), ("local",)):
        session.connection.execute("SET synchronous_commit = on")


def read_streamed(session: Session, job: Job[T], company_id: int, fence: Fence) -> T:
    """Run a job on one snapshot; rows are fetched from the server as they are wanted. Raises Outdated."""

    def streamed(session: Session) -> T:
        with session.streaming():
            return job(session)

    return read_at_once(session, streamed, company_id, fence)


def read_at_once(session: Session, job: Callable[[Session], T], company_id: int, fence: Fence) -> T:
    """Run a job on one snapshot; all rows of a statement are fetched at once. Raises Outdated."""
    begin = f"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; {_for(company_id)}; {fence.query}"
    fence.check(dict(session.script(begin)))
    result = job(session)
    session.script("COMMIT")
    return result


def run_alone(session: Session, statement: str, values: Sequence[int], company_id: int, fence: Fence) -> Any:
    """Run a statement in a transaction of its own, all of it in one message: no lock waits for this process.

    Returns its row. Raises Outdated, though it may be done: it is of no worth then.
    """
    begin = f"{_BEGIN}; SET LOCAL synchronous_commit = off; {_for(company_id)}; {fence.query}"
    *_, notes, rows, _ = session.results(f"{begin}; {session.written(statement, values)}; COMMIT")
    fence.check(dict(notes))
    return rows[0]


def lock(session: Session, company_id: int, fence: Fence) -> int | None:
    """Begin a transaction and wait for the company's row, or for the installation; return the last commit's number.

    The epoch is read by a statement of its own, so that it is of the time after the wait. Raises Outdated.
    """
    lock = f"SELECT number FROM companies WHERE company_id = {company_id:d} FOR NO KEY UPDATE"
    if company_id == EVERY_COMPANY:
        lock = f"SELECT NULL FROM pg_advisory_xact_lock({OPENED}, 2)"
    *_, locked, notes = session.results(f"{_BEGIN}; {_for(company_id)}; {lock}; {NOTES}")
    fence.check(dict(notes))
    return cast("int | None", locked[0][0]) if locked else None


def lock_all(session: Session, fence: Fence) -> None:
    """Begin a transaction, and wait until nobody else writes, whatever company it is for. Raises Outdated."""
    locks = f"SELECT pg_advisory_xact_lock({OPENED}, 2); LOCK TABLE companies IN EXCLUSIVE MODE"
    begin = f"{_BEGIN}; SET LOCAL lock_timeout = '{ALONE_TIMEOUT}'; {_for(EVERY_COMPANY)}; {locks}"
    fence.check(dict(session.script(f"{begin}; {NOTES}")))


def commit(session: Session, job: Job[T]) -> T:
    """Run a job in the transaction that the session is in, in one round trip, and commit. Raises InDoubt."""
    session.unreplicated = False
    with session.connection.pipeline():
        result = job(session)
        session.connection.execute("COMMIT")
    if session.unreplicated:
        raise InDoubt(f"{session.connection.info.host} has a commit that no standby has")
    return result


def _for(company_id: int) -> str:
    return f"SELECT set_config('deskroster.company', '{company_id:d}', true)"
