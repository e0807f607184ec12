"""Migrations: the steps by which the tables came to be what they are.

A step expands: it adds what an older program does not look at, so that old and new processes write side by side. What
no program uses any more is taken away by a later step, which contracts: it raises `SERVES`. So does a step that lets a
value in that an older program cannot read: a later form, another value of a choice.

A new field of a record needs no step: it stands in the column `more`. A new table must not point by a foreign key at a
record that an older program may delete.
"""

from pathlib import Path

from sqlalchemy import Connection

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
