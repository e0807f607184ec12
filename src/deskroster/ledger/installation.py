"""Installation: the version of the tables and the key of a data folder, and a change of that key."""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import bindparam, select

from deskroster.core.problems import Damaged
from deskroster.core.records import KINDS
from deskroster.ledger import location
from deskroster.ledger.beside import last_seen
from deskroster.ledger.disk import forms, log, reading, tables, vault
from deskroster.ledger.disk.forms import NewerData, newer
from deskroster.ledger.disk.vault import Vault, WrongKey, bound
from deskroster.ledger.disk.writing import PUT_SECRET, as_json, putting, removing, sign, sql
from deskroster.ledger.engines import Db, Engine, FolderInUse, Job, fence, introspection
from deskroster.ledger.engines.sqlite.engine import lock
from deskroster.ledger.files import atomic
from deskroster.ledger.files.paths import shown
from deskroster.ledger.migrations import FIRST, HEAD, SERVES, migrate

NEXT_KEY = vault.FILE + ".next"
BROKEN = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR}
"""SQLite's codes for a broken file. The last one: a table or column of our own statements is missing."""
ARRIVED = "arrived"  # noted in a copy that has become the data: the names of the moves that brought it here, in order
_SCHEMA = "schema"
_ARRIVALS_KEPT = 20  # names: every write reads all notes
_LOCK_SECONDS, _PAUSE = 5.0, 0.05  # to wait for the lock of a folder, and between two tries


def open_vault(folder: Path, engine: Engine) -> Vault:
    """Bring the tables up to date, check them quickly, and return the vault of their key, made with them.

    Raises WrongKey, NewerData, Damaged, or NoDatabase for what was moved elsewhere.
    """
    try:
        return _open_vault(folder, engine)
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF not in BROKEN:
            raise
        raise Damaged(f"{engine.where}: {error}") from error


def _open_vault(folder: Path, engine: Engine) -> Vault:
    at = _usable_version(engine)
    if at is None:
        _migrate(engine, lambda db: None)
    _check_quickly(engine)
    check_in_charge(engine)
    known = engine.read_now(fingerprint)
    if known is None and engine.read_now(has_companies):
        raise Damaged(f"{engine.where}: it does not tell which key sealed it")
    if any(path.exists() for path in (folder / NEXT_KEY, *_unfinished(folder))):
        with _locked(folder, engine):  # nobody changes the key meanwhile
            known = engine.read_now(fingerprint)
            finish_rekey(folder, known)
    key = vault.read_key(folder)
    if key is None and known is not None:
        raise WrongKey(f"the key of this data is missing: {shown(folder / vault.FILE)}, or {vault.VARIABLE}")
    opened = Vault(key or _first_key(folder, engine))
    if known is None:
        known = engine.write_now(lambda db: fingerprint(db) or _sign(db, opened))
    if known != opened.fingerprint:
        raise WrongKey(f"this data was sealed with the key {known}, not with {opened.fingerprint}")
    if at is not None and at < HEAD:
        _migrate(engine, lambda db: _sign_unless_rotated(db, opened))
    elif not engine.read_now(lambda db: schema_is_ours(db, opened)):
        raise Damaged(f"{engine.where}: the tables are not declared as they were")
    return opened


def _first_key(folder: Path, engine: Engine) -> bytes:
    with _locked(folder, engine):
        key = vault.read_key(folder)  # another process may have written it meanwhile
        if key is None:
            key = vault.new_key()
            vault.write_key(folder, key)
    return key


@contextmanager
def _locked(folder: Path, engine: Engine) -> Iterator[None]:
    """Hold the lock of a folder, as every process does that writes or removes a key in it. Raises FolderInUse.

    An engine with its data in the folder holds it already.
    """
    if engine.folder is not None:
        yield
        return
    until = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            descriptor = lock(folder)
            break
        except FolderInUse:
            if time.monotonic() > until:
                raise
            time.sleep(_PAUSE)
    try:
        yield
    finally:
        os.close(descriptor)


def fence_in(engine: Engine, opened: Vault) -> None:
    """Refuse all reads and writes from now on as soon as the key, the place or the tables have changed."""
    engine.fence.keep_to(opened.fingerprint, HEAD)


def prepare(engine: Engine) -> None:
    """Bring the tables to this version, in a database that is about to be filled. Raises NewerData, Damaged."""
    at = _usable_version(engine)
    if at is None or at < HEAD:
        _migrate(engine, lambda db: None)
    _check_quickly(engine)


def _usable_version(engine: Engine) -> str | None:
    """Return the version of the tables, None for an empty database. Raises NewerData, Damaged if it cannot be used."""
    at = engine.read_now(version)
    if at is None and not engine.read_now(introspection.is_empty):
        raise Damaged("the database does not tell its version")
    if at is not None and at < FIRST:
        raise Damaged(f"the database is of version {at}, which never was")
    if at is not None and not (at < HEAD or engine.read_now(serves_us)):
        raise NewerData(f"the data is of version {at}, this program of {HEAD}")
    return at


def _migrate(engine: Engine, sign: Job[object]) -> None:
    """Bring the tables to this version and sign them in one transaction."""

    def note_and_sign(db: Db) -> None:
        note_whom_it_serves(db)
        sign(db)

    engine.migrate(migrate, note_and_sign)


def check_in_charge(engine: Engine) -> None:
    """Raise NoDatabase where a move has begun or ended: only one of two places may take writes."""
    moved, under_way = engine.read_now(lambda db: (noted(db, fence.MOVED), noted(db, fence.UNDER_WAY)))
    again = "If the move was interrupted, give it again: deskroster move"
    if moved:
        raise location.NoDatabase(f"{engine.where} is no longer in charge: its data was moved elsewhere. {again}")
    if under_way:
        raise location.NoDatabase(f"{engine.where} is not in charge yet: its data is being moved there. {again}")


def _check_quickly(engine: Engine) -> None:
    for text in engine.read_now(lambda db: list(introspection.faults(db, 1, quickly=True))):
        raise Damaged(f"the database is broken: {text}")


def serves_us(db: Db) -> bool:
    """Tell whether this program can work with the tables: of its version, or of a later one that still serves it."""
    at = version(db)
    return at == HEAD or (at is not None and at > HEAD and (notes(db, fence.SERVES) or at) <= HEAD)


def version(db: Db) -> str | None:
    """Return the version of the tables; None for an empty database."""
    if not introspection.has_table(db, "alembic_version"):
        return None
    row = db.execute("SELECT version_num FROM alembic_version").fetchone()
    return None if row is None else str(row[0])


def fingerprint(db: Db) -> str | None:
    """Return the fingerprint of the key that sealed the data; None if no key was used yet."""
    return notes(db, fence.KEY)


def schema_is_ours(db: Db, opened: Vault) -> bool:
    """Tell whether the tables, indexes and triggers are declared as when the tables were made. Raises NewerData."""
    form, _, digest = (notes(db, _SCHEMA) or "").rpartition(" ")  # form 1 is the digest alone
    if form.isdecimal() and int(form) > forms.SCHEMA:
        raise newer("the note of how the tables are declared", int(form), forms.SCHEMA)
    return form in ("", *map(str, range(2, forms.SCHEMA + 1))) and digest == _schema(db, opened)


def must_be_ours(db: Db) -> None:
    """Raise NewerData if the tables are of a later version: to copy or sign all rows, all tables must be known."""
    at = version(db)
    if at is not None and at > HEAD:
        raise NewerData(f"the tables are of version {at}, this program is of {HEAD}: use the version that made them")


def count_change(db: Db) -> None:
    """Count a change of the list of companies, so that other processes read it again."""
    db.execute(_PUT, (fence.COMPANY_LIST, str(changes_counted(db) + 1)))


def changes_counted(db: Db) -> int:
    """Return how often the list of companies was changed. Raises Damaged."""
    counted = notes(db, fence.COMPANY_LIST) or "0"
    if not counted.isdecimal():
        raise Damaged("how often the list of companies has changed is not as it was written")
    return int(counted)


def note_whom_it_serves(db: Db) -> None:
    """Note which versions of the program can go on with the tables once they are migrated to this one."""
    note(db, fence.SERVES, SERVES)


def strange_notes(db: Db) -> Iterator[str]:
    """Yield the names of notes that this version does not write; none if the tables are of a later version."""
    if version(db) != HEAD:
        return
    for name, value in db.execute(fence.NOTES).fetchall():
        known = name in (fence.KEY, _SCHEMA, ARRIVED, fence.MOVED, fence.UNDER_WAY)
        if not (known or (name, value) == (fence.SERVES, SERVES) or (name == fence.COMPANY_LIST and value.isdecimal())):
            yield f"the note {name!r}"


def note(db: Db, name: str, value: str) -> None:
    """Write a note of the installation."""
    db.execute(_PUT, (name, value))


def notes(db: Db, name: str) -> str | None:
    """Return the value of a note, or None."""
    row = db.execute(_GET, (name,)).fetchone()
    return None if row is None else str(row[0])


def noted(db: Db, name: str) -> str | None:
    """Return the value of a note, or None; also for a database that has no tables yet."""
    return notes(db, name) if introspection.has_table(db, tables.installation.name) else None


def arrivals(db: Db) -> list[str]:
    """Return the names of the moves that have brought the data here, or to where it was moved from."""
    return (noted(db, ARRIVED) or "").split()


def note_arrivals(db: Db, names: list[str]) -> None:
    """Note which moves have brought the data here; the last ones, if they are many."""
    forget(db, ARRIVED)
    if names:
        note(db, ARRIVED, " ".join(names[-_ARRIVALS_KEPT:]))


def forget(db: Db, name: str) -> None:
    """Remove a note."""
    db.execute(_FORGET, (name,))


def sign_again(db: Db, opened: Vault) -> None:
    """Sign the tables of a database that has just been filled: each engine declares them in another way."""
    _sign(db, opened)


def rotate_key(folder: Path) -> Vault:
    """Change the key of data that nobody serves. Raises FolderInUse, WrongKey, NewerData, Damaged, or Failed.

    Other machines that serve the same database need a copy of the new key.
    """
    engine = location.engine_at(location.url_of(folder))(folder)
    try:
        engine.take_alone()
        opened = open_vault(folder, engine)
        fence_in(engine, opened)
        return change_key(folder, engine, opened)
    finally:
        engine.close()


def change_key(folder: Path, engine: Engine, old: Vault) -> Vault:
    """Seal all data with a new key and put that into the file `key`. After a kill, the next opening finishes it.

    Raises WrongKey if the key comes from the environment: then it is not ours to change. Raises Damaged.
    """
    if vault.VARIABLE in os.environ:
        raise WrongKey(f"the installation key is that of {vault.VARIABLE}")
    key = vault.new_key()
    new = Vault(key)

    def job(db: Db) -> None:
        rekey(db, old, new)
        if vault.read_key(folder, NEXT_KEY) != key:  # the last look before the commit
            raise WrongKey(f"{shown(folder / NEXT_KEY)} was removed or changed meanwhile; give the command again")

    with _locked(folder, engine):  # other processes do not touch NEXT_KEY meanwhile
        vault.write_key(folder, key, NEXT_KEY)
        engine.write_now(job)
        finish_rekey(folder, new.fingerprint)
        if vault.read_key(folder) != key:
            atomic.put(folder / vault.FILE, vault.as_file(key))
    return new


def rekey(db: Db, old: Vault, new: Vault) -> None:
    """Seal every secret and sign every row again, with a new key, and drop the kept replies. Raises Damaged.

    In one transaction of the caller's.
    """
    must_be_ours(db)
    for (company_id,) in db.execute(_COMPANIES).fetchall():
        _sign_company(db, old, new, company_id)
    for company_id, kind, id, field, sealed in db.execute(_SECRETS).fetchall():
        place = bound(company_id, kind, id, field)
        with reading.legible(place):
            db.execute(PUT_SECRET, (company_id, kind, id, field, new.seal(old.open(sealed, place), place)))
    db.execute(f"DELETE FROM {tables.replies.name}")
    _sign(db, new)


def finish_rekey(folder: Path, known: str | None) -> None:
    """Put the next key in its place if the data is sealed with it already; remove it if not. Raises WrongKey."""
    for path in _unfinished(folder):
        path.unlink(missing_ok=True)
    if not (folder / NEXT_KEY).exists():
        return
    key = _next_key(folder, known)
    if key is not None and Vault(key).fingerprint == known:
        os.replace(folder / NEXT_KEY, folder / vault.FILE)
    else:
        os.remove(folder / NEXT_KEY)
    atomic.sync_folder(folder)


def _unfinished(folder: Path) -> list[Path]:
    """Return the paths at which a killed process may have left a key file that is not complete."""
    return [atomic.aside(folder / name) for name in (vault.FILE, NEXT_KEY)]


def _next_key(folder: Path, known: str | None) -> bytes | None:
    """Return the next key; None if it cannot be read and is not needed. Raises WrongKey."""
    try:
        return vault.read_key(folder, NEXT_KEY)
    except WrongKey:
        key = vault.read_key(folder)
        if key is None or Vault(key).fingerprint != known:
            raise
        return None


def has_companies(db: Db) -> bool:
    """Tell whether there is any company."""
    return db.execute(_COMPANIES).fetchone() is not None


def _sign_company(db: Db, old: Vault, new: Vault, company_id: int) -> None:
    """Verify the checksum of every row of a company with the old key, and write it anew with the new one."""
    roster, head = reading.settings(db, old, company_id)
    seen, verified = last_seen.load(db, old, company_id), log.verified(db, old, company_id)
    with reading.legible(f"company {company_id}"):
        reader = reading.Reader(db, old, company_id)
        sign(new, company_id, [roster.company]).execute(db)
        for kind in KINDS[1:]:
            sign(new, company_id, list(reader.records(kind))).execute(db)
    log.move_head(db, new, company_id, (roster.number, as_json(roster.next_ids), head))
    log.note_verified(db, new, company_id, verified)
    last_seen.save(db, new, [(company_id, kind, id, *last) for (kind, id), last in seen.items()], now=0)


def _sign(db: Db, opened: Vault) -> str:
    declared = _schema(db, opened)
    db.execute(_PUT, (fence.KEY, opened.fingerprint))
    db.execute(_PUT, (_SCHEMA, f"{forms.SCHEMA} {declared}"))
    return opened.fingerprint


def _sign_unless_rotated(db: Db, opened: Vault) -> None:
    if fingerprint(db) != opened.fingerprint:
        raise WrongKey("the installation key was changed meanwhile")
    _sign(db, opened)


def _schema(db: Db, opened: Vault) -> str:
    return opened.digest("schema", *introspection.declared(db)).hex()


_PUT, _FORGET = putting(tables.installation), removing(tables.installation)
_GET = sql(select(tables.installation.c.value).where(tables.installation.c.name == bindparam("key_")))
_SECRETS = sql(select(tables.secrets))
_COMPANIES = sql(select(tables.companies.c.company_id))
