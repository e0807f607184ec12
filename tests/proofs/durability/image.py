"""What a data folder holds, read with none of our code from a copy of its files, or from the database that it names."""

import json
import shutil
import sqlite3
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import psycopg

from tests.proofs.durability.world import Agent, Group, Known

FILES = ("deskroster.db", "deskroster.db-wal")
ELSEWHERE = "database"
_OTHERS = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


class Image(NamedTuple):
    """Agents and groups that the tests have written, by the tables and by the log, and how long the log is."""

    tables: Known
    log: Known
    number: int

    def of(self, tag: str) -> Known:
        """Return what there is of one writer."""
        return frozenset(one for one in self.tables if one[0].startswith(tag))


def taken(folder: Path) -> Image:
    """Return what is in a folder that no process writes to at the moment."""
    if (folder / ELSEWHERE).exists():
        with _connected((folder / ELSEWHERE).read_text().strip()) as shared:
            return read(shared)
    with _copied(folder) as db:
        assert [("ok",)] == db.execute("PRAGMA integrity_check").fetchall()
        assert [] == db.execute("PRAGMA foreign_key_check").fetchall()
        return read(db)


def read(db: Any) -> Image:
    """Return what is in a database of SQLite or PostgreSQL, with one company."""
    agents = {id: (email, name) for id, email, name in db.execute("SELECT id, email, name FROM agents")}
    groups = dict(db.execute("SELECT id, name FROM groups").fetchall())
    joined = set(db.execute("SELECT agent_id, group_id FROM memberships"))
    tables = _known(agents, groups, joined)
    assert len(agents) + len(groups) == len(tables), "two of the same"
    ((number,),) = db.execute("SELECT number FROM companies").fetchall()
    assert list(range(1, number + 1)) == [n for (n,) in db.execute("SELECT number FROM commits ORDER BY number")]
    return Image(tables, _known(*_told(db)), number)


@contextmanager
def _copied(folder: Path) -> Iterator[sqlite3.Connection]:
    with TemporaryDirectory() as copy:
        for name in FILES:
            if (folder / name).exists():
                shutil.copy(folder / name, copy)
        with closing(sqlite3.connect(Path(copy) / FILES[0])) as db:
            yield db


@contextmanager
def _connected(url: str) -> Iterator[psycopg.Connection[Any]]:
    """Wait until the server has noticed that a killed process is gone: till then it may be at its last commit."""
    with closing(psycopg.connect(url, autocommit=True)) as db:
        while db.execute(_OTHERS).fetchall():
            time.sleep(0.01)
        db.execute("SELECT set_config('deskroster.company', '1', false)")
        yield db


def _told(db: Any) -> tuple[dict[int, tuple[str, str]], dict[int, str], set[tuple[int, int]]]:
    """Return what there must be if every change of the log was made."""
    records: dict[tuple[str, int], dict[str, Any]] = defaultdict(dict)
    joined: set[tuple[int, int]] = set()
    rows = db.execute("SELECT kind, record_id, before, after FROM changes ORDER BY number, ordinal")
    for kind, id, *texts in rows:
        before, after = (json.loads(text or "{}") for text in texts)
        for gone, fields in ((True, before), (False, after)):
            pairs = {(id, other) for other in _moved(fields.get("group_ids", ())) if kind == "agent"}
            pairs |= {(other, id) for other in _moved(fields.get("member_ids", ())) if kind == "group"}
            joined = joined - pairs if gone else joined | pairs
        if texts[1] is None:
            del records[kind, id]
        else:
            records[kind, id] |= after
    agents = {id: (fields["email"], fields["name"]) for (kind, id), fields in records.items() if kind == "agent"}
    groups = {id: fields["name"] for (kind, id), fields in records.items() if kind == "group"}
    return agents, groups, joined


def _moved(said: Any) -> list[int]:
    """Return the ids that the log tells of: all of a new or a deleted record, else those that joined or left."""
    return next(iter(said.values())) if isinstance(said, dict) else said


def _known(agents: dict[int, tuple[str, str]], groups: dict[int, str], joined: set[tuple[int, int]]) -> Known:
    of_agent: dict[int, set[str]] = defaultdict(set)
    of_group: dict[int, set[str]] = defaultdict(set)
    for agent, group in joined:
        of_agent[agent].add(groups[group])
        of_group[group].add(agents[agent][0])
    return frozenset(
        {Agent(email, name, frozenset(of_agent[id])) for id, (email, name) in agents.items()}
        | {Group(name, frozenset(of_group[id])) for id, name in groups.items()}
    )
