"""Migrating: the connection of SQLite, as SQLAlchemy and Alembic use it."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy
from sqlalchemy import StaticPool, create_engine, event
from sqlalchemy.exc import DBAPIError

from deskroster.ledger.engines.sqlite.connection import Connection


@contextmanager
def for_alembic(connection: Connection) -> Iterator[sqlalchemy.Connection]:
    """Give the same connection for SQLAlchemy and Alembic. Raises what SQLite raises, without their wrapping."""
    engine = create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool)
    event.listen(engine, "begin", lambda begun: begun.exec_driver_sql("BEGIN IMMEDIATE"))
    try:
        with engine.connect() as same:
            yield same
    except DBAPIError as error:
        if isinstance(error.orig, sqlite3.Error):
            raise error.orig from error
        raise
