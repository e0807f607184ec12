"""Check: all that can be said of the data, as facts. `doctor` asks for all of it, and so does a backup of itself."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Literal, NamedTuple

from sqlalchemy import select

from deskroster.core.problems import Damaged
from deskroster.core.records import KINDS, Kind
from deskroster.ledger import location
from deskroster.ledger.beside import idempotency, last_seen
from deskroster.ledger.disk import log, notes, reading, schema, vault
from deskroster.ledger.disk.replay import Replay
from deskroster.ledger.disk.tables import changes, companies, secrets
from deskroster.ledger.disk.tables import replies as kept
from deskroster.ledger.disk.vault import Vault, WrongKey, address_of
from deskroster.ledger.disk.writing import sql
from deskroster.ledger.engines import BadTables, Db, DiskFailed, Engine, Failed, Gone
from deskroster.ledger.files.forms import NewerData

What = Literal[
    "integrity", "foreign_key", "version", "newer", "log", "roster", "key", "checksum", "secret", "orphan",
    "row_security",
]  # fmt: skip
NO_DAMAGE: frozenset[What] = frozenset({"newer", "row_security"})
MAX_FINDINGS = 100  # of one kind


class Finding(NamedTuple):
    """Something that is not as it must be. `company_id` is 0 where no company is meant."""

    what: What
    company_id: int
    where: str


def examine(folder: Path) -> list[Finding]:
    """Look a folder over that nobody serves, however broken it is.

    Raises FolderInUse; DiskFailed or OSError where the disk is full or cannot be read; Failed where the database is out
    of reach.
    """
    try:
        with closing(location.open_engine(folder)) as engine:
            return _in_place(engine, folder)
    except NewerData as error:
        return [Finding("newer", 0, str(error))]
    except (Damaged, BadTables) as error:
        return [Finding("integrity", 0, str(error))]


def everything(db: Db, opened: Vault) -> list[Finding]:
    """Return all that is wrong."""
    found = damage(db)
    return found if _hopeless(found) else found + doubts(db, opened)


def damage(db: Db) -> list[Finding]:
    """Return what is wrong with the file, the tables and the log, and where the two differ. Needs no key."""
    found = _all(db, "integrity", 0, lambda: _pages(db))
    if found:
        return found
    found = _all(db, "version", 0, lambda: _version(db))
    if not found:
        found += _all(db, "foreign_key", 0, lambda: _pointers(db))
        for company_id in _companies(db):
            found += _all(db, "log", company_id, lambda: _log(db, company_id))  # noqa: B023 - used up at once
    return found


def doubts(db: Db, opened: Vault) -> list[Finding]:
    """Return what is wrong besides: rows without the checksum they were written with, secrets that do not open."""
    found = _all(db, "version", 0, lambda: _schema(db, opened))
    for company_id in _companies(db):
        reader = reading.Reader(db, opened, company_id)
        for kind in KINDS[1:]:
            found += _all(db, "checksum", company_id, lambda: _rows(reader, kind))  # noqa: B023 - used up at once
        found += _all(db, "checksum", company_id, lambda: _rest(db, opened, company_id))  # noqa: B023 - as above
    found += _all(db, "secret", 0, lambda: _secrets(db, opened)) + _all(db, "secret", 0, lambda: _replies(db, opened))
    return found + _all(db, "row_security", 0, lambda: _row_security(db))


def _in_place(engine: Engine, folder: Path) -> list[Finding]:
    try:
        return engine.read_now(lambda db: _with_key(db, folder))
    except (Gone, DiskFailed):
        raise
    except Failed as error:  # the database answers, and not as it should: a table or a column is missing
        return [Finding("integrity", 0, str(error))]


def _with_key(db: Db, folder: Path) -> list[Finding]:
    found = damage(db)
    if _hopeless(found):
        return found
    try:
        key = vault.read_key(folder)
        known = notes.fingerprint(db)
        opened = None if key is None else Vault(key)
    except WrongKey as error:
        return [*found, Finding("key", 0, str(error))]
    if opened is None or opened.fingerprint != known:
        return [
            *found,
            Finding("key", 0, f"the data was sealed with {known}, the key here is {opened and opened.fingerprint}"),
        ]
    return found + doubts(db, opened)


def _hopeless(found: list[Finding]) -> bool:
    return any(finding.what in ("integrity", "version", "newer") for finding in found)


def _all(db: Db, what: What, company_id: int, look: Callable[[], Iterable[Finding]]) -> list[Finding]:
    """Return what a look finds; what it cannot read is a finding too. An error of the disk is none, and is raised."""
    found: list[Finding] = []
    try:
        with reading.unreadable_is_damage(db, "it"):
            for finding in islice(look(), MAX_FINDINGS):
                found.append(finding)  # noqa: PERF402 - what was found before an error counts
    except Damaged as error:
        found.append(Finding(what, company_id, str(error)))
    except NewerData as error:
        found.append(Finding("newer", company_id, str(error)))
    except Exception as error:
        if db.damage(error) is None:
            raise
        found.append(Finding("integrity", company_id, str(error)))
    return found


def _pages(db: Db) -> Iterator[Finding]:
    for text in db.faults(MAX_FINDINGS):
        yield Finding("integrity", 0, text)


def _version(db: Db) -> Iterator[Finding]:
    if not schema.serves_us(db):
        yield Finding("version", 0, str(schema.version(db)))
    for strange in schema.unknown_notes(db):
        yield Finding("version", 0, strange)


def _pointers(db: Db) -> Iterator[Finding]:
    for where in db.dangling():
        yield Finding("foreign_key", 0, where)


def _log(db: Db, company_id: int) -> Iterator[Finding]:
    replay = Replay()
    try:
        for told in log.commits(db, company_id):
            replay.apply(told.changes)
    except log.Broken as broken:
        yield Finding("log", company_id, f"commit {broken.number}")
        return
    for where in replay.differences(db, company_id):
        yield Finding("roster", company_id, where)


def _schema(db: Db, opened: Vault) -> Iterator[Finding]:
    if not schema.is_signed(db, opened):
        yield Finding("version", 0, "the tables are not declared as they were")


def _rows(reader: reading.Reader, kind: Kind) -> Iterable[Finding]:
    deque(reader.records(kind), maxlen=0)
    return ()


def _rest(db: Db, opened: Vault, company_id: int) -> Iterable[Finding]:
    reading.settings(db, opened, company_id)
    log.verified(db, opened, company_id)
    last_seen.load(db, opened, company_id)
    return ()


def _secrets(db: Db, opened: Vault) -> Iterator[Finding]:
    """Find secrets that the key does not open, and those of records that never were."""
    known = set(db.execute(_KNOWN))
    for company_id, kind, id, field, sealed in db.execute(_SECRETS):
        address = address_of(company_id, kind, id, field)
        if (company_id, kind, id) not in known:
            yield Finding("orphan", company_id, address)
        if not _opens(opened, sealed, address):
            yield Finding("secret", company_id, address)


def _replies(db: Db, opened: Vault) -> Iterator[Finding]:
    for company_id, key, request, at, sealed in db.execute(_REPLIES):
        if not _opens(opened, sealed, idempotency.reply_address(company_id, key, request, at)):
            yield Finding("secret", company_id, f"the reply kept for {key.hex()}")


def _row_security(db: Db) -> Iterator[Finding]:
    role = db.unbound_role()
    if role is not None:
        yield Finding("row_security", 0, f"the role {role} sees the rows of every company: it is above row security")


def _opens(opened: Vault, sealed: bytes, address: str) -> bool:
    try:
        opened.open(sealed, address)
    except WrongKey:
        return False
    return True


def _companies(db: Db) -> list[int]:
    return [id for (id,) in db.execute(_COMPANIES)]


_COMPANIES = sql(select(companies.c.company_id).order_by(companies.c.company_id))
_SECRETS, _REPLIES = sql(select(secrets)), sql(select(kept))
_KNOWN = sql(select(changes.c.company_id, changes.c.kind, changes.c.record_id).distinct())
