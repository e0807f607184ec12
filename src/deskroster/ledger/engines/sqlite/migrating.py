"""An open SQLite connection for SQLAlchemy and Alembic, which run the migrations."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy
from sqlalchemy import StaticPool, create_engine, event
from sqlalchemy.exc import DBAPIError

from deskroster.ledger.engines.sqlite.connection import Connection


@contextmanager
def for_alembic(connection: Connection) -> Iterator[sqlalchemy.Connection]:
    """Wrap an open connection for SQLAlchemy and Alembic. Raises the errors of sqlite3, not those that wrap them."""
    engine = create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool)
    event.listen(engine, "begin", lambda begun: begun.exec_driver_sql("BEGIN IMMEDIATE"))
    try:
        with engine.connect() as wrapped:
            yield wrapped
    except DBAPIError as error:
        if isinstance(error.orig, sqlite3.Error):
            raise error.orig from error
        raise
