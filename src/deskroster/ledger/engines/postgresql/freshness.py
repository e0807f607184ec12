"""Asking: what is durable now, on a database that others write to. One question serves all who wait for an answer."""

import asyncio
from collections import defaultdict
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any, NamedTuple

import psycopg
from psycopg import pq
from psycopg.errors import error_from_result

from deskroster.core.problems import Busy
from deskroster.ledger.engines import EVERY_COMPANY, Durable, Failed
from deskroster.ledger.engines.fence import COMPANY_LIST, NOTES_AS_TEXT, Fence, parse_notes
from deskroster.ledger.engines.postgresql.connection import Primary, abort, watched
from deskroster.ledger.engines.postgresql.nonces import SPEND

QUESTION_SECONDS = 3.0  # for an answer; then whoever asked is told Busy
MAX_ASKED = 500  # nonces of one question
ASKING = 16  # connections that ask at once, each for another company
ROOM_SECONDS = 1.0  # that a question may wait for one of them
CONNECTING = 2  # connections that are made at once
CONNECTING_SECONDS = 3.0  # that a question may wait for one to be made, behind others that are
STALE_SECONDS = 3.0  # that somebody may have waited for an earlier question when the next one is put

_STATE = f"""SELECT (SELECT number || ' ' || encode(head, 'hex') FROM companies WHERE company_id = $1::bigint),
    {NOTES_AS_TEXT},
    current_setting('synchronous_standby_names') <> '', """
_QUESTIONS = {
    b"spending": SPEND + _STATE + "(SELECT string_agg(encode(digest, 'hex'), ' ') FROM spent)",
    b"plain": _STATE + "NULL",
    b"proving": _STATE + "nullif(pg_logical_emit_message(true, 'deskroster', '')::text, NULL)",
}
"""By the names under which a connection prepares them. What is no nonce in their last column is of no interest."""
_WELL = (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK)


class _Told(NamedTuple):
    """The answer to a question."""

    number: int
    head: bytes
    notes: dict[str, str]
    unused: set[bytes]


class _Asked(NamedTuple):
    nonce: bytes | None
    now: int
    since: float  # of the loop
    answer: "asyncio.Future[Durable]"


class Questions:
    """The questions of one process. There is one at a time for a company; who comes meanwhile shares the next.

    A primary that was cut off from its cluster does not know it at once. So where there are synchronous standbys a
    question writes, if only a note, and is answered when a standby has that: one that follows another primary never
    gets it. Elsewhere nothing needs to be waited for: a nonce may be forgotten when the machine loses its power.
    """

    def __init__(self, primary: Primary, fence: Fence) -> None:
        self._primary = primary
        self._fence = fence
        self._threads = ThreadPoolExecutor(CONNECTING, "connecting")
        self._waiting: defaultdict[int, list[_Asked]] = defaultdict(list)
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._idle: list[_Line] = []
        self._busy: set[_Line] = set()
        self._room = asyncio.Semaphore(ASKING)

    async def ask(self, company_id: int, nonce: bytes | None, now: int) -> Durable:
        """Return what is durable, of no earlier moment than this; spend a nonce with it. Raises Busy."""
        loop = asyncio.get_running_loop()
        asked = _Asked(nonce, now, loop.time(), loop.create_future())
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
            self._idle.pop().drop()
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
        stale = asyncio.get_running_loop().time() - STALE_SECONDS
        if waiting and waiting[0].since < stale:
            for asked in waiting:
                if asked.since < stale:
                    _refuse(asked)
            waiting = [asked for asked in waiting if asked.since >= stale]
        if len(waiting) > MAX_ASKED:
            self._waiting[company_id] = waiting[MAX_ASKED:]
        return waiting[:MAX_ASKED]

    async def _settle(self, company_id: int, batch: list[_Asked]) -> None:
        first: dict[bytes, _Asked] = {}  # who asks for a nonce first gets it
        for asked in batch:
            if asked.nonce is not None:
                first.setdefault(asked.nonce, asked)
        try:
            number, head, notes, unused = await self._ask(company_id, list(first), batch[0].now)
            self._fence.check(notes)
        except (Failed, psycopg.Error, OSError):
            for asked in batch:
                _refuse(asked)
            return
        for asked in batch:
            mine = asked.nonce is None or (asked.nonce in unused and first[asked.nonce] is asked)
            if not asked.answer.done():
                asked.answer.set_result(Durable(number, head, int(notes.get(COMPANY_LIST, 0)), mine))

    async def _ask(self, company_id: int, nonces: list[bytes], now: int) -> _Told:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(ROOM_SECONDS):
            await self._room.acquire()
        try:
            line = self._usable()
            if line is None:
                async with asyncio.timeout(CONNECTING_SECONDS):
                    line = await _Line.open(self._primary, self._threads)
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
    """A connection that asks. It is set to one company, and to wait for standbys where there are any.

    It talks to libpq itself: what a question costs is what a read costs.
    """

    def __init__(self, link: Any, primary: Primary) -> None:
        self._link = link
        self._primary = primary
        self._loop = asyncio.get_running_loop()
        self._descriptor: int = link.socket
        self._something_came = watched(self)
        self._answer: asyncio.Future[Any] | None = None
        self._result: Any = None
        self._prepared: set[bytes] = set()
        self._company_id = EVERY_COMPANY
        self._standbys: bool | None = None
        link.nonblocking = 1
        self._loop.add_reader(self._descriptor, self._receive)

    @classmethod
    async def open(cls, primary: Primary, threads: Executor) -> "_Line":
        return cls(await asyncio.get_running_loop().run_in_executor(threads, primary.link), primary)

    async def ask(self, company_id: int, nonces: list[bytes], now: int) -> _Told:
        if self._standbys is None:
            await self._do("SET synchronous_commit = off")
            self._standbys = False
        if company_id != self._company_id:
            await self._do(f"SELECT set_config('deskroster.company', '{company_id:d}', false)")
            self._company_id = company_id
        end, notes, standbys, unused = await self._question(company_id, nonces, now)
        if (standbys == b"t") != self._standbys:
            await self._do(f"SET synchronous_commit = {'off' if self._standbys else 'remote_write'}")
            self._standbys = not self._standbys
            if self._standbys:
                end, notes, _, _ = await self._question(company_id, [], now)
        if end is None:
            raise Failed(f"company {company_id} is not there")
        number, head = end.decode().split()
        spent = set(map(bytes.fromhex, unused.decode().split())) if nonces else set()
        return _Told(int(number), bytes.fromhex(head), parse_notes((notes or b"").decode()), spent)

    async def _question(self, company_id: int, nonces: list[bytes], now: int) -> list[bytes]:
        name, values = b"proving" if self._standbys else b"plain", [b"%d" % company_id]
        if nonces:
            name, digests = b"spending", b",".join(b'"\\\\x%b"' % nonce.hex().encode() for nonce in nonces)
            values += [b"%d" % now, b"{%b}" % digests]
        if name not in self._prepared:
            self._link.send_prepare(name, _QUESTIONS[name].encode())
            await self._answered()
            self._prepared.add(name)
        self._link.send_query_prepared(name, values)
        result = await self._answered()
        return [result.get_value(0, column) for column in range(3)] + [result.get_value(0, 3) or b""]

    async def _do(self, statement: str) -> None:
        self._link.send_query(statement.encode())
        await self._answered()

    async def _answered(self) -> Any:
        """Return the result of what was sent. Raises psycopg.Error."""
        self._answer = self._loop.create_future()
        self._flush()
        result = await self._answer
        if result is None or result.status not in _WELL:
            raise psycopg.OperationalError("no answer") if result is None else error_from_result(result)
        return result

    def _flush(self) -> None:
        if self._link.flush():  # not all of it could be sent
            self._loop.add_writer(self._descriptor, self._flush_the_rest)

    def _flush_the_rest(self) -> None:
        try:
            if not self._link.flush():
                self._loop.remove_writer(self._descriptor)
        except psycopg.Error as error:
            self._fail(error)

    def _receive(self) -> None:
        link = self._link
        try:
            link.consume_input()
            while not link.is_busy():
                result = link.get_result()
                if result is None:
                    break
                self._result = result
            else:
                return
        except psycopg.Error as error:
            self._fail(error)
            return
        answer, self._answer = self._answer, None
        if answer is None:  # nothing was asked
            self._leave()
        elif not answer.done():
            answer.set_result(self._result)
        self._result = None

    def _fail(self, error: psycopg.Error) -> None:
        self._leave()
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)

    def fileno(self) -> int:
        return int(self._link.socket)

    @property
    def ended(self) -> bool:
        return self._descriptor < 0 or self._something_came() or not self._primary.has(self._link)

    def abort(self) -> None:
        """Let the question fail. To cancel it would ask the server, which may not answer."""
        self._primary.doubt(self._link)
        abort(self)

    def drop(self) -> None:
        self._leave()
        self._link.finish()

    def _leave(self) -> None:
        """Listen no more."""
        if self._descriptor >= 0:
            self._loop.remove_reader(self._descriptor)
            self._loop.remove_writer(self._descriptor)
            self._descriptor = -1


def _refuse(asked: _Asked) -> None:
    if not asked.answer.done():
        asked.answer.set_exception(Busy())
