"""Connections to the primary of a PostgreSQL cluster, which is found by trying one host after the other."""

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
from deskroster.texts import Text, foreign, joined, said

CONNECT_TIMEOUT = 1.0  # seconds for each host
UNREPLICATED = "canceling wait for synchronous replication"  # PostgreSQL's warning: no standby has confirmed the commit
_DEFAULTS = {
    "application_name": "deskroster",
    "target_session_attrs": "read-write",
    "client_encoding": "utf8",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "8000",  # milliseconds
}
_ROWS_PER_INSERT = 100  # rows that one INSERT writes, if there are that many
_ROWS_PER_FETCH = 1_000  # rows that one fetch from a server-side cursor returns


class Primary:
    """Finds the primary: the host of a URL that takes writes. The host that was the primary last is tried first."""

    def __init__(self, url: str) -> None:
        """Parse the URL. Raises ValueError if it is invalid."""
        try:
            parameters = {name: str(value) for name, value in conninfo_to_dict(url).items()}
        except psycopg.ProgrammingError as error:
            raise ValueError(str(error).strip()) from None
        hosts, ports = (parameters.pop(name, "").split(",") for name in ("host", "port"))
        if len(ports) == 1:
            ports *= len(hosts)
        if len(ports) != len(hosts):
            raise ValueError(said("there are not as many ports as hosts"))
        addresses = [
            {name: value for name, value in (("host", host), ("port", port)) if value}
            for host, port in zip(hosts, ports, strict=True)
        ]
        self._conninfos = [make_conninfo("", **_DEFAULTS | parameters | one) for one in addresses]
        self._addresses = [(one.get("host", ""), one.get("port", "5432")) for one in addresses]
        self._current = 0
        self.on_connect: Callable[[], None] = lambda: None  # called from any thread, for each new connection
        name = parameters.get("dbname", "")
        named = (":".join(one.values()) or said("this machine") for one in addresses)
        self.where = said("{database} on {hosts}", database=name, hosts=joined(named, ", "))

    def connect(self) -> "Connection":
        """Return a connection to the primary, in autocommit mode. Raises Failed."""
        connection = Connection(self.connect_raw())
        connection.autocommit = True
        return connection

    def connect_raw(self) -> Any:
        """Return a libpq connection to the primary. Waits at most `CONNECT_TIMEOUT` for each host. Raises Failed."""
        reason = Text("")
        for attempt in range(len(self._conninfos)):
            index = (self._current + attempt) % len(self._conninfos)
            try:
                pgconn = _connect_host(self._conninfos[index])
            except (psycopg.Error, OSError) as error:
                reason = foreign(error)
                continue
            self._current = index
            self.on_connect()
            return pgconn
        raise Failed(said("no primary of {where} answers: {reason}", where=self.where, reason=reason))

    def prefer_others(self, pgconn: pq.abc.PGconn) -> None:
        """Try the other hosts first from now on: this one accepts connections and does not answer.

        A primary that was replaced may not know it yet. It accepts connections, but its commits wait forever for a
        standby that follows the new primary.
        """
        if self.is_current(pgconn):
            self._current = (self._current + 1) % len(self._conninfos)

    def is_current(self, pgconn: pq.abc.PGconn) -> bool:
        """Tell whether a connection is to the host that was the primary last. Another host may return old data."""
        return (
            len(self._conninfos) == 1 or (pgconn.host.decode(), pgconn.port.decode()) == self._addresses[self._current]
        )


class Connection(psycopg.Connection):
    """A connection that records since when it waits for the server: TCP does not notice that a machine is frozen."""

    _waiting_since: float | None = None

    def wait(self, *what: Any, **how: Any) -> Any:
        self._waiting_since = time.monotonic()
        try:
            return super().wait(*what, **how)
        finally:
            self._waiting_since = None

    @property
    def seconds_waiting(self) -> float:
        """For how many seconds it has waited for the server; 0 if it does not wait."""
        since = self._waiting_since
        return 0.0 if since is None else time.monotonic() - since


class Session(Introspection):
    """A connection as jobs use it: implements `engines.Db`, with the SQL of the ledger."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._cursors: _Cursors | None = None  # open server-side cursors by name; None if rows are not streamed
        self._cursor_numbers = count()
        self.unreplicated = False  # whether a commit was not confirmed by a standby
        self.has_ended = closed_check(connection)
        connection.add_notice_handler(self._notice)

    def execute(self, statement: str, values: Sequence[Any] = (), /) -> Cursor:
        text = cast("Any", in_postgresql(statement))
        if self._cursors is None or not statement.startswith("SELECT") or LIMIT in statement:
            return self.connection.execute(text, values or None)
        self._close_cursors(self._cursors, lambda rows: rows is None)
        cursor = self.connection.cursor(f"streamed_{next(self._cursor_numbers)}")
        cursor.itersize = _ROWS_PER_FETCH
        rows = _StreamedRows(cursor)
        self._cursors[cursor.name] = (weakref.ref(rows), cursor)
        cursor.execute(text, values or None)
        return rows

    def _close_cursors(self, cursors: "_Cursors", is_unused: Callable[["_StreamedRows | None"], bool]) -> None:
        """Close server-side cursors: each holds its query's state on the server until then."""
        for name, (rows, cursor) in list(cursors.items()):
            if is_unused(rows()):
                del cursors[name]
                cursor.close()

    def executemany(self, statement: str, rows: Iterable[Sequence[Any]], /) -> None:
        remaining = list(rows)
        with self.connection.cursor() as cursor:
            if len(remaining) >= _ROWS_PER_INSERT and "VALUES (" in statement:
                full = len(remaining) - len(remaining) % _ROWS_PER_INSERT
                batches = [
                    tuple(chain.from_iterable(remaining[at : at + _ROWS_PER_INSERT]))
                    for at in range(0, full, _ROWS_PER_INSERT)
                ]
                cursor.executemany(cast("Any", _multi_row(statement)), batches)
                del remaining[:full]
            cursor.executemany(cast("Any", in_postgresql(statement)), remaining)

    @contextmanager
    def streaming(self) -> Iterator[None]:
        """Stream rows through server-side cursors, instead of fetching all at once."""
        cursors: _Cursors = {}
        self._cursors = cursors
        try:
            yield
        finally:
            self._cursors = None
            with suppress(psycopg.Error):  # if the session has ended, so have its cursors
                self._close_cursors(cursors, lambda rows: True)

    def interpolated(self, statement: str, values: Sequence[Any]) -> str:
        """Return a statement with its values interpolated, as a part of a script."""
        return ClientCursor(self.connection).mogrify(cast("Any", in_postgresql(statement)), values)

    def script(self, text: str) -> list[Any]:
        """Run statements without values in one round trip; return the rows of the last one."""
        return self.results(text)[-1]

    def results(self, text: str) -> list[list[Any]]:
        """Run statements without values in one round trip; return the rows of each."""
        cursor = self.connection.execute(cast("Any", text))
        rows: list[list[Any]] = []
        while True:
            rows.append(cursor.fetchall() if cursor.description else [])
            if not cursor.nextset():
                return rows

    @property
    def in_transaction(self) -> bool:
        return self.connection.info.transaction_status != pq.TransactionStatus.IDLE

    def close(self) -> None:
        self.connection.close()

    def _notice(self, notice: psycopg.errors.Diagnostic) -> None:
        if UNREPLICATED in (notice.message_primary or ""):
            self.unreplicated = True


class _StreamedRows:
    """The rows of a server-side cursor, which is closed once this object is garbage."""

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


_Cursors = dict[str, tuple["weakref.ref[_StreamedRows]", ServerCursor[Any]]]


class _HasFileno(Protocol):
    def fileno(self) -> int: ...


def closed_check(connection: _HasFileno) -> Callable[[], bool]:
    """Return a cheap function that tells whether an idle connection has ended: its socket is readable."""
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return lambda: bool(poll.poll(0))


def abort(connection: _HasFileno) -> None:
    """Shut down the socket of a connection, from any thread. Whoever waits for the server gets an error."""
    with suppress(OSError, psycopg.Error), socket.socket(fileno=dup(connection.fileno())) as same:
        same.shutdown(socket.SHUT_RDWR)


@cache
def in_postgresql(statement: str) -> str:
    """Translate the placeholders of a statement to psycopg's. No statement contains a literal `?` or `%`."""
    return statement.replace("?", "%s")


@cache
def _multi_row(statement: str) -> str:
    """Return a single-row INSERT as one of `_ROWS_PER_INSERT` rows. A statement per row costs ten times as much."""
    before, row, after = re.fullmatch(r"(.* VALUES )(\([^)]*\))(.*)", in_postgresql(statement), re.DOTALL).groups()  # type: ignore[union-attr]
    return f"{before}{', '.join([row] * _ROWS_PER_INSERT)}{after}"


def _connect_host(conninfo: str) -> pq.abc.PGconn:
    """Connect to one host within `CONNECT_TIMEOUT`. The timeout of libpq itself is at least two seconds."""
    until = time.monotonic() + CONNECT_TIMEOUT
    pgconn = pq.PGconn.connect_start(conninfo.encode())
    try:
        if pgconn.status == pq.ConnStatus.BAD:
            raise psycopg.OperationalError(pgconn.get_error_message())
        status = pq.PollingStatus.WRITING
        while status != pq.PollingStatus.OK:
            if status == pq.PollingStatus.FAILED:
                raise psycopg.OperationalError(pgconn.get_error_message())
            poll = select.poll()
            poll.register(pgconn.socket, select.POLLIN if status == pq.PollingStatus.READING else select.POLLOUT)
            if not poll.poll(max(0.0, until - time.monotonic()) * 1000):
                raise psycopg.OperationalError("it does not answer in time")
            status = pq.PollingStatus(pgconn.connect_poll())
    except BaseException:
        pgconn.finish()
        raise
    return pgconn
