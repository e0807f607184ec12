"""What the proofs of promise 9 share: a database with pages of every kind, and ways to harm it."""

import asyncio
import shutil
import sqlite3
import struct
from collections import Counter
from contextlib import closing
from pathlib import Path

from deskroster.core.changes import changed, created, deleted
from deskroster.core.records import Agent, Key, PermissionSet, Role, Secret
from deskroster.ledger.beside import idempotency
from deskroster.ledger.engines.copy_file import FILE
from tests.ledger.support import NOW, new_group, opened, work

_PAGES = {2: "index interior", 5: "table interior", 10: "index leaf", 13: "table leaf"}


def make_healthy(folder: Path) -> Path:
    """Make a closed folder whose database has pages of every kind that SQLite knows."""
    asyncio.run(_live_a_little(folder))
    return folder


async def _live_a_little(folder: Path) -> None:
    now = [float(NOW)]
    async with opened(folder, clock=lambda: now[0]) as (store, ledger):

        async def do(verb):
            await ledger.submit(work(verb))

        for first in (2, 22, 42):
            ids = range(first, first + 20)
            await do(lambda r, c: [created(make(id)) for make in (_agent, _key) for id in ids])  # noqa: B023 - at once
        await do(lambda r, c: [created(Role(id=2, name="质检")), created(PermissionSet(id=1, name="all"))])
        for n in range(12):
            once = ledger.once("1", f"key {n}", b"body")
            long = work(new_group(f"group {n}", tuple(range(1, 60, n + 1))), once)
            await ledger.submit(long._replace(shape=lambda roster, done: b"reply" * 2_000))
            now[0] += 1
        for id in range(2, 30):
            less = {"state": "disabled", "role_ids": (1, 2), "permission_set_ids": (1,), "remark": ""}
            await do(lambda r, c: changed(r.agents[id], **less))  # noqa: B023 - at once
        await do(lambda r, c: [deleted(r.table(kind)[id]) for kind in ("key", "agent") for id in range(40, 62)])
        await store._engine.write(lambda db: idempotency.delete_expired(db, NOW + 8))  # leaves free pages
        ledger.key_used(1, "C", NOW)
        ledger.logged_in(1, NOW)


def _agent(id: int) -> Agent:
    return Agent(
        id=id, name=f"Agent {id}", email=f"Agent{id}@example.com", mobile=f"1380000{id:04}", job_number=f"J{id}",
        role_ids=(1,), position_id=1, remark="long " * (1_500 if id % 10 == 0 else 10), created_at=NOW, updated_at=NOW,
        password=Secret(f"hash of {id}"), sip_password=Secret("sip") if id % 3 else None,
    )  # fmt: skip


def _key(id: int) -> Key:
    return Key(id=id, agent_id=id, name=f"key {id}", secret=Secret(f"secret of {id}"), created_at=NOW)


def kinds_of_pages(folder: Path) -> list[str]:
    """Return the kind of each page, the first one's as its tree has it."""
    data = (folder / FILE).read_bytes()
    size = struct.unpack_from(">H", data, 16)[0]
    free: set[int] = set()
    trunk = struct.unpack_from(">I", data, 32)[0]
    while trunk:
        following, leaves = struct.unpack_from(">II", data, (trunk - 1) * size)
        free |= {trunk, *struct.unpack_from(f">{leaves}I", data, (trunk - 1) * size + 8)}
        trunk = following
    return [
        "free" if at // size + 1 in free else _PAGES.get(data[at or 100], "overflow")
        for at in range(0, len(data), size)
    ]


def bytes_of_notes(folder: Path) -> range:
    """Return where the cells of the table `installation` stand, which fit into one page, at its end."""
    ((root, size),) = edit(
        folder, "SELECT rootpage, page_size FROM sqlite_master, pragma_page_size WHERE name = 'installation'"
    )
    page = (folder / FILE).read_bytes()[(root - 1) * size : root * size]
    return range((root - 1) * size + struct.unpack_from(">H", page, 5)[0], root * size)


def flip(healthy: Path, folder: Path, offset: int, bit: int, name: str = FILE) -> Path:
    """Copy a folder and flip one bit of its database."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(healthy, folder)
    with (folder / name).open("rb+") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 1 << bit]))
    return folder


def contents(folder: Path) -> tuple[object, ...] | None:
    """Return all declarations and every row of every table, as they are without us; None if they cannot be read.

    But how often the list of companies has changed: who finds another count reads the list again.
    """
    try:
        with closing(sqlite3.connect(f"file:{folder / FILE}?immutable=1", uri=True)) as db:
            declared = db.execute("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY name").fetchall()
            names = [name for type, name, *_ in declared if type == "table"]
            rows = {name: Counter(db.execute(f"SELECT * FROM {name}")) for name in names}
            rows["installation"] = Counter(row for row in rows["installation"].elements() if row[0] != "companies")
            return declared, rows
    except (sqlite3.Error, UnicodeDecodeError):
        return None


def edit(folder: Path, statement: str) -> list[tuple[object, ...]]:
    """Change what the database holds behind the program's back, as SQLite would have it."""
    with closing(sqlite3.connect(folder / FILE)) as db, db:
        return db.execute(statement).fetchall()
