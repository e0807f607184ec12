"""Opening an installation: the version of its tables, and the key of its data folder."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deskroster.core.problems import Damaged
from deskroster.ledger import location
from deskroster.ledger.disk import notes, schema, vault
from deskroster.ledger.disk.vault import Vault, WrongKey
from deskroster.ledger.engines import BadTables, Db, Engine, Job, fence
from deskroster.ledger.files import atomic
from deskroster.ledger.files.folder_lock import FolderInUse, lock
from deskroster.ledger.files.forms import NewerData
from deskroster.ledger.files.paths import shown
from deskroster.ledger.migrations import HEAD, OLDEST, migrate

NEXT_KEY = vault.FILE + ".next"
_LOCK_SECONDS, _PAUSE = 5.0, 0.05  # to wait for the lock of a folder, and between two tries


def open_vault(folder: Path, engine: Engine) -> Vault:
    """Bring the tables up to date, check them quickly, and return the vault of their key, made with them.

    Raises WrongKey, NewerData, Damaged, or NoDatabase for what was moved elsewhere.
    """
    try:
        return _open_vault(folder, engine)
    except BadTables as error:
        raise Damaged(f"{engine.where}: {error}") from error


def _open_vault(folder: Path, engine: Engine) -> Vault:
    at = _usable_version(engine)
    if at is None:
        _migrate(engine, lambda db: None)
    _check_quickly(engine)
    check_in_charge(engine)
    known = engine.read_now(notes.fingerprint)
    if known is None and engine.read_now(schema.has_companies):
        raise Damaged(f"{engine.where}: it does not tell which key sealed it")
    if any(path.exists() for path in (folder / NEXT_KEY, *_unfinished(folder))):
        with locked(folder, engine):  # nobody changes the key meanwhile
            known = engine.read_now(notes.fingerprint)
            finish_key_change(folder, known)
    key = vault.read_key(folder)
    if key is None and known is not None:
        raise WrongKey(f"the key of this data is missing: {shown(folder / vault.FILE)}, or {vault.VARIABLE}")
    opened = Vault(key or _first_key(folder, engine))
    if known is None:
        known = engine.write_now(lambda db: notes.fingerprint(db) or schema.sign(db, opened))
    if known != opened.fingerprint:
        raise WrongKey(f"this data was sealed with the key {known}, not with {opened.fingerprint}")
    if at is not None and at < HEAD:
        _migrate(engine, lambda db: schema.sign_unless_rotated(db, opened))
    elif not engine.read_now(lambda db: schema.is_signed(db, opened)):
        raise Damaged(f"{engine.where}: the tables are not declared as they were")
    return opened


def _first_key(folder: Path, engine: Engine) -> bytes:
    with locked(folder, engine):
        key = vault.read_key(folder)  # another process may have written it meanwhile
        if key is None:
            key = vault.new_key()
            vault.write_key(folder, key)
    return key


@contextmanager
def locked(folder: Path, engine: Engine) -> Iterator[None]:
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
    engine.fence.set_epoch(opened.fingerprint, HEAD)


def prepare(engine: Engine) -> None:
    """Bring the tables to this version, in a database that is about to be filled. Raises NewerData, Damaged."""
    at = _usable_version(engine)
    if at is None or at < HEAD:
        _migrate(engine, lambda db: None)
    _check_quickly(engine)


def _usable_version(engine: Engine) -> str | None:
    """Return the version of the tables, None for an empty database. Raises NewerData, Damaged if it cannot be used."""
    at = engine.read_now(schema.version)
    if at is None and engine.read_now(lambda db: db.declared()):
        raise Damaged("the database does not tell its version")
    if at is not None and at < OLDEST:
        raise Damaged(f"the database is of version {at}, which never was")
    if at is not None and not (at < HEAD or engine.read_now(schema.serves_us)):
        raise NewerData(f"the data is of version {at}, this program of {HEAD}")
    return at


def _migrate(engine: Engine, sign: Job[object]) -> None:
    """Bring the tables to this version and sign them in one transaction."""

    def note_and_sign(db: Db) -> None:
        schema.note_serves(db)
        sign(db)

    engine.migrate(migrate, note_and_sign)


def check_in_charge(engine: Engine) -> None:
    """Raise NoDatabase where a move has begun or ended: only one of two places may take writes."""
    moved = engine.read_now(lambda db: notes.get_if_any(db, fence.MOVED))
    under_way = engine.read_now(lambda db: notes.get_if_any(db, fence.UNDER_WAY))
    again = "If the move was interrupted, give it again: deskroster move"
    if moved:
        raise location.NoDatabase(f"{engine.where} is no longer in charge: its data was moved elsewhere. {again}")
    if under_way:
        raise location.NoDatabase(f"{engine.where} is not in charge yet: its data is being moved there. {again}")


def _check_quickly(engine: Engine) -> None:
    for text in engine.read_now(lambda db: list(db.faults(1, quickly=True))):
        raise Damaged(f"the database is broken: {text}")


def finish_key_change(folder: Path, known: str | None) -> None:
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
