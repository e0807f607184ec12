"""Migrations: the steps by which the tables came to be what they are."""

from pathlib import Path

from sqlalchemy import Connection

HEAD = "0001"  # said here so that Alembic is imported only when there is something to do


def migrate(connection: Connection) -> None:
    """Bring the tables to `HEAD`, in one transaction."""
    from alembic import command
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    command.upgrade(config, HEAD)
