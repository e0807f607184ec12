"""Migrations: the steps by which the tables came to be what they are.

A step expands: it adds what an older program does not look at, so that old and new processes write side by side. What
no program uses any more is taken away by a later step, which contracts: it raises `SERVES`. So does a step that lets a
value in that an older program cannot read: a later form, another value of a choice.

A new field of a record needs no step: it stands in the column `more`. A new table must not point by a foreign key at a
record that an older program may delete.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, StaticPool, create_engine, event
from sqlalchemy.exc import DBAPIError

FIRST = "0001"
HEAD = "0005"  # said here so that Alembic is imported only when there is something to do
SERVES = "0003"  # the `HEAD` of the oldest program that can go on with these tables


def migrate(connection: Connection) -> None:
    """Bring the tables to `HEAD`, in one transaction."""
    from alembic import command
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    command.upgrade(config, HEAD)


@contextmanager
def core(connection: sqlite3.Connection) -> Iterator[Connection]:
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
