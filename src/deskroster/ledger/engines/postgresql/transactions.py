"""Transactions of a PostgreSQL session: how they begin, lock, read and commit, in as few round trips as possible."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

from deskroster.ledger.engines import EVERY_COMPANY, InDoubt, Job
from deskroster.ledger.engines.fence import NOTES, Fence
from deskroster.ledger.engines.postgresql.advisory_lock import ADVISORY_LOCK
from deskroster.ledger.engines.postgresql.connection import Session
from deskroster.texts import said

T = TypeVar("T")

EXCLUSIVE_LOCK_TIMEOUT = "10s"  # to wait for other writers, when the key or the location is changed
_BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED"  # after a wait for a lock, the next statement sees what was committed


def require_synchronous_commit(session: Session) -> None:
    """Turn `synchronous_commit` on if the server's default is off: a commit must be durable when it returns."""
    if session.connection.execute("SHOW synchronous_commit").fetchone() in (("off",), ("local",)):
        session.connection.execute("SET synchronous_commit = on")


def read_streamed(session: Session, job: Job[T], company_id: int, fence: Fence) -> T:
    """Run a job on one snapshot, and stream rows through server-side cursors. Raises Outdated."""

    def streamed(session: Session) -> T:
        with session.streaming():
            return job(session)

    return read_buffered(session, streamed, company_id, fence)


def read_buffered(session: Session, job: Callable[[Session], T], company_id: int, fence: Fence) -> T:
    """Run a job on one snapshot, and fetch all rows of a statement at once. Raises Outdated."""
    begin = f"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; {_set_company(company_id)}; {fence.query}"
    fence.check(dict(session.script(begin)))
    result = job(session)
    session.script("COMMIT")
    return result


def run_in_one_round_trip(
    session: Session, statement: str, values: Sequence[int], company_id: int, fence: Fence
) -> Any:
    """Run a statement in a transaction of its own, sent as one message, and return its row.

    So the server holds no lock while it waits for this process. Raises Outdated; the statement may be committed then,
    which does no harm.
    """
    begin = f"{_BEGIN}; SET LOCAL synchronous_commit = off; {_set_company(company_id)}; {fence.query}"
    *_, notes, rows, _ = session.results(f"{begin}; {session.interpolated(statement, values)}; COMMIT")
    fence.check(dict(notes))
    return rows[0]


def lock(session: Session, company_id: int, fence: Fence) -> int | None:
    """Begin a transaction and lock the company's row, or the installation; return the number of the last commit.

    The epoch is read by a statement of its own, so that it is as of after the wait for the lock. Raises Outdated.
    """
    lock = f"SELECT number FROM companies WHERE company_id = {company_id:d} FOR NO KEY UPDATE"
    if company_id == EVERY_COMPANY:
        lock = f"SELECT NULL FROM pg_advisory_xact_lock({ADVISORY_LOCK}, 2)"
    *_, locked, notes = session.results(f"{_BEGIN}; {_set_company(company_id)}; {lock}; {NOTES}")
    fence.check(dict(notes))
    return cast("int | None", locked[0][0]) if locked else None


def lock_all(session: Session, fence: Fence) -> None:
    """Begin a transaction and wait until no other process writes, for any company. Raises Outdated."""
    locks = f"SELECT pg_advisory_xact_lock({ADVISORY_LOCK}, 2); LOCK TABLE companies IN EXCLUSIVE MODE"
    begin = f"{_BEGIN}; SET LOCAL lock_timeout = '{EXCLUSIVE_LOCK_TIMEOUT}'; {_set_company(EVERY_COMPANY)}; {locks}"
    fence.check(dict(session.script(f"{begin}; {NOTES}")))


def commit(session: Session, job: Job[T]) -> T:
    """Run a job in the open transaction and commit, pipelined in one round trip.

    Raises InDoubt if no standby has confirmed the commit.
    """
    session.unreplicated = False
    with session.connection.pipeline():
        result = job(session)
        session.connection.execute("COMMIT")
    if session.unreplicated:
        raise InDoubt(said("{host} has a commit that no standby has", host=session.connection.info.host))
    return result


def _set_company(company_id: int) -> str:
    return f"SELECT set_config('deskroster.company', '{company_id:d}', true)"
