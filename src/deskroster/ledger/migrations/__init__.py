"""Schema migrations, by Alembic.

A step expands: it adds what an older program ignores, so that old and new processes write side by side. A later step
contracts: it removes what no program uses any more, and raises `SERVES`. So does a step that allows a value that an
older program cannot read: a later form, another value of a choice.

A new field of a record needs no step: it is stored in the column `more`. A new table must not have a foreign key to a
record that an older program may delete.
"""

from pathlib import Path

from sqlalchemy import Connection

OLDEST = "0001"
HEAD = "0006"  # a constant, so that Alembic is imported only when there is something to do
SERVES = "0003"  # the `HEAD` of the oldest program that can use these tables


def migrate(connection: Connection) -> None:
    """Migrate the tables to `HEAD`, in one transaction."""
    from alembic import command
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    command.upgrade(config, HEAD)
