"""Freshness queries: what is durable now, on a database that others write to. Waiting requests share one query."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar

import psycopg
from psycopg import pq
from psycopg.errors import error_from_result

from deskroster.core.problems import Busy
from deskroster.ledger.engines import EVERY_COMPANY, Durable, Failed
from deskroster.ledger.engines.fence import COMPANY_LIST, NOTES_AS_TEXT, Fence, parse_notes
from deskroster.ledger.engines.postgresql.connection import Primary, abort, closed_check
from deskroster.ledger.engines.postgresql.nonces import RELEASE, SPEND, Spending, Unconfirmed, new_spender
from deskroster.texts import said

QUERY_TIMEOUT = 3.0  # seconds for the result; then the requests are refused with Busy
MAX_BATCH = 500  # requests that share one query
MAX_CONNECTIONS = 16  # connections in use at once, each for another company
ACQUIRE_TIMEOUT = 1.0  # seconds that a query may wait for one of them
MAX_CONNECTING = 2  # threads that connect
CONNECT_QUEUE_TIMEOUT = 3.0  # seconds that a query may wait for a new connection, behind others that are made
RELEASE_BACKOFF = 0.2, 5.0  # seconds between attempts to release what failed queries have spent: the first, the longest
MAX_WAIT_SECONDS = 3.0  # seconds that a request may have waited for an earlier query when the next one starts

_SELECT_STATE = f"""SELECT (SELECT number || ' ' || encode(head, 'hex') FROM companies WHERE company_id = $1::bigint),
    {NOTES_AS_TEXT},
    current_setting('synchronous_standby_names') <> '', """
_STATEMENTS = {
    b"spending": SPEND + _SELECT_STATE + "(SELECT string_agg(encode(digest, 'hex'), ' ') FROM spent)",
    b"plain": _SELECT_STATE + "NULL",
    b"proving": _SELECT_STATE + "nullif(pg_logical_emit_message(true, 'deskroster', '')::text, NULL)",
}
"""Prepared statements, by name. The last column is used by "spending" only: the digests of nonces that were unused."""
T = TypeVar("T")
_SUCCESS = (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK)


class _Result(NamedTuple):
    """The result of a query."""

    number: int
    head: bytes
    notes: dict[str, str]
    unused: set[bytes]


class _Waiter(NamedTuple):
    nonce: bytes | None
    now: int
    since: float  # of the event loop's clock
    future: "asyncio.Future[Durable]"


class FreshnessQueries:
    """The freshness queries of one process, one at a time for a company. Requests that arrive meanwhile share the next.

    A primary that was cut off from its cluster does not know it at once. So where there are synchronous standbys, a
    query also writes, if only a WAL message, and is answered once a standby has received that. A standby that follows
    another primary never receives it. Without synchronous standbys nothing is waited for: a spent nonce may be lost in
    a power failure.
    """

    def __init__(self, primary: Primary, fence: Fence) -> None:
        self._primary = primary
        self._fence = fence
        self._thread_pool = ThreadPoolExecutor(MAX_CONNECTING, "connecting")
        self._waiting: defaultdict[int, list[_Waiter]] = defaultdict(list)
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._unconfirmed = Unconfirmed()
        self._releasing: dict[int, asyncio.Task[None]] = {}
        self._idle: list[_QueryConnection] = []
        self._busy: set[_QueryConnection] = set()
        self._semaphore = asyncio.Semaphore(MAX_CONNECTIONS)

    async def query(self, company_id: int, nonce: bytes | None, now: int) -> Durable:
        """Return the durable state as of now or later, and spend a nonce. Raises Busy."""
        loop = asyncio.get_running_loop()
        waiter = _Waiter(nonce, now, loop.time(), loop.create_future())
        self._waiting[company_id].append(waiter)
        if company_id not in self._tasks:
            self._tasks[company_id] = loop.create_task(self._run_company(company_id))
        return await waiter.future

    async def close(self) -> None:
        """Refuse the requests that still wait, and close the connections."""
        for connection in self._busy:
            connection.abort()
        while self._tasks:
            await asyncio.wait(list(self._tasks.values()))
        for task in self._releasing.values():
            task.cancel()
        while self._idle:
            self._idle.pop().close()
        self._thread_pool.shutdown(wait=False, cancel_futures=True)

    async def _run_company(self, company_id: int) -> None:
        batch: list[_Waiter] = []
        try:
            while batch := self._take_batch(company_id):
                await self._run_batch(company_id, batch)
        finally:
            del self._tasks[company_id]
            for waiter in (*batch, *self._waiting.pop(company_id, ())):
                _refuse(waiter)

    def _take_batch(self, company_id: int) -> list[_Waiter]:
        waiting = self._waiting.pop(company_id, [])
        deadline = asyncio.get_running_loop().time() - MAX_WAIT_SECONDS
        if waiting and waiting[0].since < deadline:
            for waiter in waiting:
                if waiter.since < deadline:
                    _refuse(waiter)
            waiting = [waiter for waiter in waiting if waiter.since >= deadline]
        if len(waiting) > MAX_BATCH:
            self._waiting[company_id] = waiting[MAX_BATCH:]
        return waiting[:MAX_BATCH]

    async def _run_batch(self, company_id: int, batch: list[_Waiter]) -> None:
        first_waiter: dict[bytes, _Waiter] = {}  # the first request with a nonce gets it
        for waiter in batch:
            if waiter.nonce is not None:
                first_waiter.setdefault(waiter.nonce, waiter)
        try:
            number, head, notes, unused = await self._query(company_id, list(first_waiter), batch[0].now)
        except (Failed, psycopg.Error, OSError):
            for waiter in batch:
                _refuse(waiter)
            return
        for waiter in batch:
            is_unused = waiter.nonce is None or (waiter.nonce in unused and first_waiter[waiter.nonce] is waiter)
            if not waiter.future.done():
                waiter.future.set_result(Durable(number, head, int(notes.get(COMPANY_LIST, 0)), is_unused))

    async def _query(self, company_id: int, nonces: list[bytes], now: int) -> _Result:
        clock = asyncio.get_running_loop().time
        spending = Spending(company_id, tuple(nonces), new_spender(), clock())
        free = [query.spender for query in self._unconfirmed.of(company_id, clock())]

        async def run(connection: _QueryConnection) -> _Result:
            try:
                result = await connection.query(spending, now, free)
                self._fence.check(result.notes)
                return result
            except BaseException:
                if nonces:
                    self._unconfirmed.add(spending)
                    self._start_releasing(company_id)
                raise

        return await self._with_connection(run)

    async def _with_connection(self, run: "Callable[[_QueryConnection], Awaitable[T]]") -> T:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(ACQUIRE_TIMEOUT):
            await self._semaphore.acquire()
        try:
            connection = self._idle_connection()
            if connection is None:
                async with asyncio.timeout(CONNECT_QUEUE_TIMEOUT):
                    connection = await _QueryConnection.open(self._primary, self._thread_pool)
            self._busy.add(connection)
            deadline = loop.call_later(QUERY_TIMEOUT, connection.abort)
            try:
                result = await run(connection)
            except BaseException:
                connection.close()
                raise
            finally:
                deadline.cancel()
                self._busy.discard(connection)
            self._idle.append(connection)
        finally:
            self._semaphore.release()
        return result

    def _start_releasing(self, company_id: int) -> None:
        if company_id not in self._releasing:
            self._releasing[company_id] = asyncio.get_running_loop().create_task(self._release(company_id))

    async def _release(self, company_id: int) -> None:
        """Delete what failed queries have spent, for other processes; this one lets it be spent again in any case."""
        backoff, longest = RELEASE_BACKOFF
        clock = asyncio.get_running_loop().time
        released: set[Spending] = set()
        try:
            while queries := set(self._unconfirmed.of(company_id, clock())) - released:
                await asyncio.sleep(backoff)
                try:
                    await self._with_connection(lambda connection: connection.release(company_id, queries))
                except (Failed, psycopg.Error, OSError):
                    backoff = min(2 * backoff, longest)
                else:
                    released |= queries
        finally:
            del self._releasing[company_id]

    def _idle_connection(self) -> "_QueryConnection | None":
        """Return an idle connection that has not ended, or None."""
        while self._idle:
            connection = self._idle.pop()
            if not connection.has_ended:
                return connection
            connection.close()
        return None


class _QueryConnection:
    """A connection for freshness queries. It is set to one company, and waits for standbys where there are any.

    It uses libpq directly, because each read waits for such a query.
    """

    def __init__(self, pgconn: Any, primary: Primary) -> None:
        self._pgconn = pgconn
        self._primary = primary
        self._loop = asyncio.get_running_loop()
        self._descriptor: int = pgconn.socket
        self._is_readable = closed_check(self)
        self._future: asyncio.Future[Any] | None = None
        self._result: Any = None
        self._prepared: set[bytes] = set()
        self._company_id = EVERY_COMPANY
        self._waits_for_standbys: bool | None = None
        pgconn.nonblocking = 1
        self._loop.add_reader(self._descriptor, self._receive)

    @classmethod
    async def open(cls, primary: Primary, threads: Executor) -> "_QueryConnection":
        return cls(await asyncio.get_running_loop().run_in_executor(threads, primary.connect_raw), primary)

    async def query(self, spending: Spending, now: int, free: list[int]) -> _Result:
        """Return what is durable, and spend nonces, among them those that the queries `free` have spent."""
        if self._waits_for_standbys is None:
            await self._execute("SET synchronous_commit = off")
            self._waits_for_standbys = False
        await self._switch_to(spending.company_id)
        log_end, notes, standbys, unused = await self._run_statement(spending, now, free)
        if (standbys == b"t") != self._waits_for_standbys:
            await self._execute(f"SET synchronous_commit = {'off' if self._waits_for_standbys else 'remote_write'}")
            self._waits_for_standbys = not self._waits_for_standbys
            if self._waits_for_standbys:
                log_end, notes, _, _ = await self._run_statement(spending._replace(digests=()), now, free)
        if log_end is None:
            raise Failed(said("company {company_id} is not there", company_id=spending.company_id))
        number, head = log_end.decode().split()
        spent = set(map(bytes.fromhex, unused.decode().split())) if spending.digests else set()
        return _Result(int(number), bytes.fromhex(head), parse_notes((notes or b"").decode()), spent)

    async def release(self, company_id: int, queries: Iterable[Spending]) -> None:
        """Delete what queries about a company have spent."""
        digests = _array([digest for query in queries for digest in query.digests])
        await self._switch_to(company_id)
        self._pgconn.send_query_params(
            RELEASE.encode(), [b"%d" % company_id, digests, _array([query.spender for query in queries])]
        )
        await self._wait_for_result()

    async def _switch_to(self, company_id: int) -> None:
        if company_id != self._company_id:
            await self._execute(f"SELECT set_config('deskroster.company', '{company_id:d}', false)")
            self._company_id = company_id

    async def _run_statement(self, spending: Spending, now: int, free: list[int]) -> list[bytes]:
        name, values = b"proving" if self._waits_for_standbys else b"plain", [b"%d" % spending.company_id]
        if spending.digests:
            name = b"spending"
            values += [b"%d" % now, _array(spending.digests), b"%d" % spending.spender, _array(free)]
        if name not in self._prepared:
            self._pgconn.send_prepare(name, _STATEMENTS[name].encode())
            await self._wait_for_result()
            self._prepared.add(name)
        self._pgconn.send_query_prepared(name, values)
        result = await self._wait_for_result()
        return [result.get_value(0, column) for column in range(3)] + [result.get_value(0, 3) or b""]

    async def _execute(self, statement: str) -> None:
        self._pgconn.send_query(statement.encode())
        await self._wait_for_result()

    async def _wait_for_result(self) -> Any:
        """Wait for the result of what was sent. Raises psycopg.Error."""
        self._future = self._loop.create_future()
        self._flush()
        result = await self._future
        if result is None or result.status not in _SUCCESS:
            raise psycopg.OperationalError("no answer") if result is None else error_from_result(result)
        return result

    def _flush(self) -> None:
        if self._pgconn.flush():  # the socket's buffer is full
            self._loop.add_writer(self._descriptor, self._flush_the_rest)

    def _flush_the_rest(self) -> None:
        try:
            if not self._pgconn.flush():
                self._loop.remove_writer(self._descriptor)
        except psycopg.Error as error:
            self._fail(error)

    def _receive(self) -> None:
        pgconn = self._pgconn
        try:
            pgconn.consume_input()
            while not pgconn.is_busy():
                result = pgconn.get_result()
                if result is None:
                    break
                self._result = result
            else:
                return
        except psycopg.Error as error:
            self._fail(error)
            return
        future, self._future = self._future, None
        if future is None:  # no query is running
            self._stop_watching()
        elif not future.done():
            future.set_result(self._result)
        self._result = None

    def _fail(self, error: psycopg.Error) -> None:
        self._stop_watching()
        if self._future is not None and not self._future.done():
            self._future.set_exception(error)

    def fileno(self) -> int:
        return int(self._pgconn.socket)

    @property
    def has_ended(self) -> bool:
        return self._descriptor < 0 or self._is_readable() or not self._primary.is_current(self._pgconn)

    def abort(self) -> None:
        """Shut down the socket, so that the query fails. Cancelling it would need an answer from the server."""
        self._primary.prefer_others(self._pgconn)
        abort(self)

    def close(self) -> None:
        self._stop_watching()
        self._pgconn.finish()

    def _stop_watching(self) -> None:
        """Stop watching the socket."""
        if self._descriptor >= 0:
            self._loop.remove_reader(self._descriptor)
            self._loop.remove_writer(self._descriptor)
            self._descriptor = -1


def _array(values: Sequence[bytes | int]) -> bytes:
    """Return values as the text of an array."""
    return b"{%b}" % b",".join(b"%d" % v if isinstance(v, int) else b'"\\\\x%b"' % v.hex().encode() for v in values)


def _refuse(waiter: _Waiter) -> None:
    if not waiter.future.done():
        waiter.future.set_exception(Busy())
