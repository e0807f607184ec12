"""Asking: what is durable now, on a database that others write to. One question serves all who wait for an answer."""

import asyncio
from collections import defaultdict
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any, NamedTuple

import psycopg
from psycopg import AsyncConnection

from deskroster.core.problems import Busy
from deskroster.ledger.engines import EVERY_COMPANY, Durable, Failed
from deskroster.ledger.engines.session import Primary, abort, watched
from deskroster.ledger.nonces import LIFETIME

QUESTION_SECONDS = 3.0  # for an answer; then whoever asked is told Busy
MAX_ASKED = 500  # nonces of one question
ASKING = 16  # connections that ask at once, each for another company
ROOM_SECONDS = 1.0  # that a question may wait for one of them
CONNECTING = 2  # connections that are made at once

_SPEND = """WITH spent AS (
    INSERT INTO nonces (company_id, digest, until) SELECT %s, digest, %s FROM unnest(%s::bytea[]) AS digest
    ON CONFLICT (company_id, digest) DO UPDATE SET until = excluded.until WHERE nonces.until <= %s RETURNING digest
) """
_STATE = """SELECT (SELECT number FROM companies WHERE company_id = %s),
    (SELECT head FROM companies WHERE company_id = %s),
    (SELECT value FROM installation WHERE name = 'companies'),
    current_setting('synchronous_standby_names') <> '', """
_WITH_NONCES = _SPEND + _STATE + "ARRAY(SELECT digest FROM spent)"
_WITHOUT = _STATE + "'{}'::bytea[]"
_PROVING = _STATE + "CASE WHEN pg_logical_emit_message(true, 'deskroster', '') IS NULL THEN NULL ELSE '{}'::bytea[] END"


class _Asked(NamedTuple):
    nonce: bytes | None
    now: int
    answer: "asyncio.Future[Durable]"


class Questions:
    """The questions of one process. There is one at a time for a company; who comes meanwhile shares the next.

    A primary that was cut off from its cluster does not know it at once. So where there are synchronous standbys a
    question writes, if only a note, and is answered when a standby has that: one that follows another primary never
    gets it. Elsewhere nothing needs to be waited for: a nonce may be forgotten when the machine loses its power.
    """

    def __init__(self, primary: Primary) -> None:
        self._primary = primary
        self._threads = ThreadPoolExecutor(CONNECTING, "connecting")
        self._waiting: defaultdict[int, list[_Asked]] = defaultdict(list)
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._idle: list[_Line] = []
        self._busy: set[_Line] = set()
        self._room = asyncio.Semaphore(ASKING)

    async def ask(self, company_id: int, nonce: bytes | None, now: int) -> Durable:
        """Return what is durable, of no earlier moment than this; spend a nonce with it. Raises Busy."""
        loop = asyncio.get_running_loop()
        asked = _Asked(nonce, now, loop.create_future())
        self._waiting[company_id].append(asked)
        if company_id not in self._tasks:
            self._tasks[company_id] = loop.create_task(self._run(company_id))
        return await asked.answer

    async def close(self) -> None:
        """Refuse whoever still waits, and hang up."""
        for line in self._busy:
            line.abort()
        while self._tasks:
            await asyncio.wait(list(self._tasks.values()))
        while self._idle:
            await self._idle.pop().close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _run(self, company_id: int) -> None:
        batch: list[_Asked] = []
        try:
            while batch := self._take(company_id):
                await self._settle(company_id, batch)
        finally:
            del self._tasks[company_id]
            for asked in (*batch, *self._waiting.pop(company_id, ())):
                _refuse(asked)

    def _take(self, company_id: int) -> list[_Asked]:
        waiting = self._waiting.pop(company_id, [])
        if len(waiting) > MAX_ASKED:
            self._waiting[company_id] = waiting[MAX_ASKED:]
        return waiting[:MAX_ASKED]

    async def _settle(self, company_id: int, batch: list[_Asked]) -> None:
        first: dict[bytes, _Asked] = {}  # who asks for a nonce first gets it
        for asked in batch:
            if asked.nonce is not None:
                first.setdefault(asked.nonce, asked)
        try:
            number, head, companies, unused = await self._ask(company_id, list(first), batch[0].now)
        except (Failed, psycopg.Error, OSError):
            for asked in batch:
                _refuse(asked)
            return
        for asked in batch:
            mine = asked.nonce is None or (asked.nonce in unused and first[asked.nonce] is asked)
            if not asked.answer.done():
                asked.answer.set_result(Durable(number, head, companies, mine))

    async def _ask(self, company_id: int, nonces: list[bytes], now: int) -> tuple[int, bytes, int, set[bytes]]:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(ROOM_SECONDS):
            await self._room.acquire()
        try:
            line = self._usable() or await _Line.open(self._primary, self._threads)
            self._busy.add(line)
            deadline = loop.call_later(QUESTION_SECONDS, line.abort)
            try:
                found = await line.ask(company_id, nonces, now)
            except BaseException:
                line.drop()
                raise
            finally:
                deadline.cancel()
                self._busy.discard(line)
            self._idle.append(line)
        finally:
            self._room.release()
        return found

    def _usable(self) -> "_Line | None":
        """Return a connection that is still there."""
        while self._idle:
            line = self._idle.pop()
            if not line.ended:
                return line
            line.drop()
        return None


class _Line:
    """A connection that asks. It is set to one company, and to wait for standbys where there are any."""

    def __init__(self, connection: AsyncConnection, primary: Primary) -> None:
        self._connection = connection
        self._primary = primary
        self._ended = watched(connection)
        self._company_id = EVERY_COMPANY
        self._standbys: bool | None = None

    @classmethod
    async def open(cls, primary: Primary, threads: Executor) -> "_Line":
        link = await asyncio.get_running_loop().run_in_executor(threads, primary.link)
        connection: AsyncConnection = AsyncConnection(link)
        await connection.set_autocommit(True)
        connection.prepare_threshold = 0
        return cls(connection, primary)

    async def ask(self, company_id: int, nonces: list[bytes], now: int) -> tuple[int, bytes, int, set[bytes]]:
        if self._standbys is None:
            await self._connection.execute("SET synchronous_commit = off")
            self._standbys = False
        if company_id != self._company_id:
            await self._connection.execute("SELECT set_config('deskroster.company', %s, false)", (str(company_id),))
            self._company_id = company_id
        number, head, companies, standbys, unused = await self._question(company_id, nonces, now)
        if standbys != self._standbys:
            await self._connection.execute(f"SET synchronous_commit = {'remote_write' if standbys else 'off'}")
            self._standbys = standbys
            if standbys:
                number, head, companies, _, _ = await self._question(company_id, [], now)
        if number is None:
            raise Failed(f"company {company_id} is not there")
        return number, head, int(companies or 0), set(unused)

    async def _question(self, company_id: int, nonces: list[bytes], now: int) -> Any:
        if nonces:
            values: tuple[Any, ...] = (company_id, now + LIFETIME, nonces, now, company_id, company_id)
            cursor = await self._connection.execute(_WITH_NONCES, values, binary=True)
        else:
            question = _PROVING if self._standbys else _WITHOUT
            cursor = await self._connection.execute(question, (company_id, company_id), binary=True)
        return await cursor.fetchone()

    @property
    def ended(self) -> bool:
        return self._ended() or not self._primary.has(self._connection)

    def abort(self) -> None:
        """Let the question fail. To cancel it would ask the server, which may not answer."""
        self._primary.doubt(self._connection)
        abort(self._connection)

    def drop(self) -> None:
        self._connection.pgconn.finish()

    async def close(self) -> None:
        await self._connection.close()


def _refuse(asked: _Asked) -> None:
    if not asked.answer.done():
        asked.answer.set_exception(Busy())
