"""Session: a connection to the primary of a PostgreSQL installation, found host by host."""

import re
import select
import socket
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from itertools import chain, count
from os import dup
from typing import Any, Protocol, cast

import psycopg
from psycopg import ClientCursor, ServerCursor, pq
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from deskroster.ledger.engines import LIMIT, Cursor, Failed
from deskroster.ledger.engines.postgresql.introspection import Introspection

CONNECT_SECONDS = 1.0  # for each host
UNREPLICATED = "canceling wait for synchronous replication"  # what PostgreSQL warns of a commit that only it has
_DEFAULTS = {
    "application_name": "deskroster",
    "target_session_attrs": "read-write",
    "client_encoding": "utf8",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "8000",  # milliseconds
}
_TOGETHER = 100  # rows of one INSERT, where there are as many
_STREAMED = 1_000  # rows that are fetched at once where there may be many


class Primary:
    """Where the primary is: the hosts of a URL, one of which takes writes. The last good one is tried first."""

    def __init__(self, url: str) -> None:
        """Read the URL. Raises ValueError for what is no address of a database."""
        try:
            wanted = {name: str(value) for name, value in conninfo_to_dict(url).items()}
        except psycopg.ProgrammingError as error:
            raise ValueError(str(error).strip()) from None
        hosts, ports = (wanted.pop(name, "").split(",") for name in ("host", "port"))
        if len(ports) == 1:
            ports *= len(hosts)
        if len(ports) != len(hosts):
            raise ValueError("there are not as many ports as hosts")
        named = [
            {name: value for name, value in (("host", host), ("port", port)) if value}
            for host, port in zip(hosts, ports, strict=True)
        ]
        self._hosts = [make_conninfo("", **_DEFAULTS | wanted | one) for one in named]
        self._ends = [(one.get("host", ""), one.get("port", "5432")) for one in named]
        self._last = 0
        self.met: Callable[[], None] = lambda: None  # called, from any thread, when there is a new connection
        name = wanted.get("dbname", "")
        self.where = f"{name} on {', '.join(':'.join(one.values()) or 'this machine' for one in named)}"

    def connect(self) -> "Connection":
        """Return a connection to the primary, with a transaction for each statement. Raises Failed."""
        connection = Connection(self.link())
        connection.autocommit = True
        return connection

    def link(self) -> Any:
        """Return a link of libpq to the primary. Waits for each host at most `CONNECT_SECONDS`. Raises Failed."""
        why = ""
        for turn in range(len(self._hosts)):
            at = (self._last + turn) % len(self._hosts)
            try:
                link = _connected(self._hosts[at])
            except (psycopg.Error, OSError) as error:
                why = str(error).strip()
                continue
            self._last = at
            self.met()
            return link
        raise Failed(f"no primary of {self.where} answers: {why}")

    def doubt(self, link: pq.abc.PGconn) -> None:
        """Try the other hosts first from now on: this one takes writes, and does not answer.

        A primary that was replaced may not know it. It takes connections, and its commits wait for ever for a standby
        that follows another.
        """
        if self.has(link):
            self._last = (self._last + 1) % len(self._hosts)

    def has(self, link: pq.abc.PGconn) -> bool:
        """Tell whether a link is to the host that was found last. What another one says may be of the past."""
        return len(self._hosts) == 1 or (link.host.decode(), link.port.decode()) == self._ends[self._last]


class Connection(psycopg.Connection):
    """A connection that knows since when the server is waited for: a machine that stands still never ends one."""

    _since: float | None = None

    def wait(self, *what: Any, **how: Any) -> Any:
        self._since = time.monotonic()
        try:
            return super().wait(*what, **how)
        finally:
            self._since = None

    @property
    def waiting(self) -> float:
        """For how many seconds the server has been waited for; 0 when it is not."""
        since = self._since
        return 0.0 if since is None else time.monotonic() - since


class Session(Introspection):
    """A connection as jobs use it, in the SQL of the ledger."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._streams: _Streams | None = None  # those that are open, by their names
        self._streamed = count()
        self.unreplicated = False  # whether a commit was done without its replica
        self.ended = watched(connection)
        connection.add_notice_handler(self._notice)

    def execute(self, statement: str, values: Sequence[Any] = (), /) -> Cursor:
        text = cast("Any", in_postgresql(statement))
        if self._streams is None or not statement.startswith("SELECT") or LIMIT in statement:
            return self.connection.execute(text, values or None)
        self._close_streams(self._streams, lambda stream: stream is None)
        cursor = self.connection.cursor(f"streamed_{next(self._streamed)}")
        cursor.itersize = _STREAMED
        stream = _Stream(cursor)
        self._streams[cursor.name] = (weakref.ref(stream), cursor)
        cursor.execute(text, values or None)
        return stream

    def _close_streams(self, streams: "_Streams", over: Callable[["_Stream | None"], bool]) -> None:
        """Close cursors on the server: each holds its place in a query there until then."""
        for name, (stream, cursor) in list(streams.items()):
            if over(stream()):
                del streams[name]
                cursor.close()

    def executemany(self, statement: str, rows: Iterable[Sequence[Any]], /) -> None:
        left = list(rows)
        with self.connection.cursor() as cursor:
            if len(left) >= _TOGETHER and "VALUES (" in statement:
                whole = len(left) - len(left) % _TOGETHER
                many = [tuple(chain.from_iterable(left[at : at + _TOGETHER])) for at in range(0, whole, _TOGETHER)]
                cursor.executemany(cast("Any", _for_many(statement)), many)
                del left[:whole]
            cursor.executemany(cast("Any", in_postgresql(statement)), left)

    @contextmanager
    def streaming(self) -> Iterator[None]:
        """Fetch rows as they are wanted, and not all at once."""
        streams: _Streams = {}
        self._streams = streams
        try:
            yield
        finally:
            self._streams = None
            with suppress(psycopg.Error):  # when it has ended, so have they
                self._close_streams(streams, lambda stream: True)

    def written(self, statement: str, values: Sequence[Any]) -> str:
        """Return a statement with its values in it, as a part of a script."""
        return ClientCursor(self.connection).mogrify(cast("Any", in_postgresql(statement)), values)

    def script(self, text: str) -> list[Any]:
        """Run statements without values in one round trip; return the rows of the last."""
        return self.results(text)[-1]

    def results(self, text: str) -> list[list[Any]]:
        """Run statements without values in one round trip; return the rows of each."""
        cursor = self.connection.execute(cast("Any", text))
        found: list[list[Any]] = []
        while True:
            found.append(cursor.fetchall() if cursor.description else [])
            if not cursor.nextset():
                return found

    @property
    def in_transaction(self) -> bool:
        return self.connection.info.transaction_status != pq.TransactionStatus.IDLE

    def close(self) -> None:
        self.connection.close()

    def _notice(self, notice: psycopg.errors.Diagnostic) -> None:
        if UNREPLICATED in (notice.message_primary or ""):
            self.unreplicated = True


class _Stream:
    """The rows of a cursor on the server, which is closed once nobody has this any more."""

    def __init__(self, cursor: ServerCursor[Any]) -> None:
        self._cursor = cursor

    def __iter__(self) -> Iterator[Any]:
        yield from self._cursor

    def fetchone(self) -> Any:
        return self._cursor.fetchone()

    def fetchmany(self, size: int, /) -> list[Any]:
        return self._cursor.fetchmany(size)

    def fetchall(self) -> list[Any]:
        return self._cursor.fetchall()


_Streams = dict[str, tuple["weakref.ref[_Stream]", ServerCursor[Any]]]


class _Connected(Protocol):
    def fileno(self) -> int: ...


def watched(connection: _Connected) -> Callable[[], bool]:
    """Return what tells, at little cost, whether a connection that is asked nothing has ended: something has come."""
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return lambda: bool(poll.poll(0))


def abort(connection: _Connected) -> None:
    """Break a connection, from any thread: whatever waits for an answer gets an error."""
    with suppress(OSError, psycopg.Error), socket.socket(fileno=dup(connection.fileno())) as same:
        same.shutdown(socket.SHUT_RDWR)


@cache
def in_postgresql(statement: str) -> str:
    """Return a statement of the ledger with the placeholders of psycopg. None holds a literal `?` or `%`."""
    return statement.replace("?", "%s")


@cache
def _for_many(statement: str) -> str:
    """Return an INSERT of a row as one of `_TOGETHER` rows: a statement for each costs ten times as much."""
    before, row, after = re.fullmatch(r"(.* VALUES )(\([^)]*\))(.*)", in_postgresql(statement), re.DOTALL).groups()  # type: ignore[union-attr]
    return f"{before}{', '.join([row] * _TOGETHER)}{after}"


def _connected(conninfo: str) -> pq.abc.PGconn:
    """Connect to one host within `CONNECT_SECONDS`: libpq itself waits for two seconds at least."""
    until = time.monotonic() + CONNECT_SECONDS
    link = pq.PGconn.connect_start(conninfo.encode())
    try:
        if link.status == pq.ConnStatus.BAD:
            raise psycopg.OperationalError(link.get_error_message())
        status = pq.PollingStatus.WRITING
        while status != pq.PollingStatus.OK:
            if status == pq.PollingStatus.FAILED:
                raise psycopg.OperationalError(link.get_error_message())
            poll = select.poll()
            poll.register(link.socket, select.POLLIN if status == pq.PollingStatus.READING else select.POLLOUT)
            if not poll.poll(max(0.0, until - time.monotonic()) * 1000):
                raise psycopg.OperationalError("it does not answer in time")
            status = pq.PollingStatus(link.connect_poll())
    except BaseException:
        link.finish()
        raise
    return link
