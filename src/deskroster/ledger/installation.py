"""Open an installation: check and migrate its tables, and find its key."""

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
from deskroster.texts import foreign, said, verbatim

NEXT_KEY = vault.FILE + ".next"
_LOCK_TIMEOUT, _RETRY_SECONDS = 5.0, 0.05  # seconds to wait for the lock of a folder, and between two tries


def open_vault(folder: Path, engine: Engine) -> Vault:
    """Migrate and quickly check the tables, and return the vault of their key. A new installation gets a new key.

    Raises WrongKey, NewerData, Damaged, or NoDatabase for data that was moved elsewhere.
    """
    try:
        return _open_vault(folder, engine)
    except BadTables as error:
        raise Damaged(said("{where}: {error}", where=engine.where, error=foreign(error))) from error


def _open_vault(folder: Path, engine: Engine) -> Vault:
    version = _usable_version(engine)
    if version is None:
        _migrate(engine, lambda db: None)
    _check_quickly(engine)
    check_in_charge(engine)
    fingerprint = engine.read_now(notes.fingerprint)
    if fingerprint is None and engine.read_now(schema.has_companies):
        raise Damaged(said("{where}: it does not tell which key sealed it", where=engine.where))
    if any(path.exists() for path in (folder / NEXT_KEY, *_unfinished(folder))):
        with locked(folder, engine):  # so that no process changes the key
            fingerprint = engine.read_now(notes.fingerprint)
            finish_key_change(folder, fingerprint)
    key = vault.read_key(folder)
    if key is None and fingerprint is not None:
        raise WrongKey(
            said(
                "the key of this data is missing: {file}, or {variable}",
                file=shown(folder / vault.FILE),
                variable=vault.VARIABLE,
            )
        )
    key_vault = Vault(key or _first_key(folder, engine))
    if fingerprint is None:
        fingerprint = engine.write_now(lambda db: notes.fingerprint(db) or schema.sign(db, key_vault))
    if fingerprint != key_vault.fingerprint:
        raise WrongKey(
            said(
                "this data was sealed with the key {sealed_with}, not with {key}",
                sealed_with=fingerprint,
                key=key_vault.fingerprint,
            )
        )
    if version is not None and version < HEAD:
        _migrate(engine, lambda db: schema.sign_unless_rotated(db, key_vault))
    elif not engine.read_now(lambda db: schema.is_signed(db, key_vault)):
        raise Damaged(said("{where}: the tables are not declared as they were", where=engine.where))
    return key_vault


def _first_key(folder: Path, engine: Engine) -> bytes:
    with locked(folder, engine):
        key = vault.read_key(folder)  # another process may have written it
        if key is None:
            key = vault.new_key()
            vault.write_key(folder, key)
    return key


@contextmanager
def locked(folder: Path, engine: Engine) -> Iterator[None]:
    """Hold the lock of a folder, which every process takes to write or delete a key in it. Raises FolderInUse.

    An engine that has its data in the folder holds the lock already.
    """
    if engine.folder is not None:
        yield
        return
    deadline = time.monotonic() + _LOCK_TIMEOUT
    while True:
        try:
            descriptor = lock(folder)
            break
        except FolderInUse:
            if time.monotonic() > deadline:
                raise
            time.sleep(_RETRY_SECONDS)
    try:
        yield
    finally:
        os.close(descriptor)


def fence_in(engine: Engine, key_vault: Vault) -> None:
    """Refuse all reads and writes from now on once the key, the location or the schema has changed."""
    engine.fence.set_epoch(key_vault.fingerprint, HEAD)


def prepare(engine: Engine) -> None:
    """Migrate and quickly check the tables of a database that will be filled. Raises NewerData, Damaged."""
    version = _usable_version(engine)
    if version is None or version < HEAD:
        _migrate(engine, lambda db: None)
    _check_quickly(engine)


def _usable_version(engine: Engine) -> str | None:
    """Return the version of the tables; None for an empty database. Raises NewerData, Damaged if it cannot be used."""
    version = engine.read_now(schema.version)
    if version is None and engine.read_now(lambda db: db.declared()):
        raise Damaged(said("the database does not tell its version"))
    if version is not None and version < OLDEST:
        raise Damaged(said("the database is of version {version}, which never was", version=version))
    if version is not None and not (version < HEAD or engine.read_now(schema.serves_us)):
        raise NewerData(said("the data is of version {version}, this program of {head}", version=version, head=HEAD))
    return version


def _migrate(engine: Engine, sign: Job[object]) -> None:
    """Migrate the tables to this version and sign them, in one transaction."""

    def note_and_sign(db: Db) -> None:
        schema.note_serves(db)
        sign(db)

    engine.migrate(migrate, note_and_sign)


def check_in_charge(engine: Engine) -> None:
    """Raise NoDatabase during and after a move from here: only one of two locations may take writes."""
    moved = engine.read_now(lambda db: notes.get_if_any(db, fence.MOVED))
    under_way = engine.read_now(lambda db: notes.get_if_any(db, fence.UNDER_WAY))
    again = said("If the move was interrupted, give it again: deskroster move")
    if moved:
        raise location.NoDatabase(
            said(
                "{where} is no longer in charge: its data was moved elsewhere. {again}", where=engine.where, again=again
            )
        )
    if under_way:
        raise location.NoDatabase(
            said(
                "{where} is not in charge yet: its data is being moved there. {again}", where=engine.where, again=again
            )
        )


def _check_quickly(engine: Engine) -> None:
    for error in engine.read_now(lambda db: list(db.faults(1, quickly=True))):
        raise Damaged(said("the database is broken: {error}", error=verbatim(error)))


def finish_key_change(folder: Path, fingerprint: str | None) -> None:
    """Install the next key if the data is sealed with it; delete it if not. Raises WrongKey."""
    for path in _unfinished(folder):
        path.unlink(missing_ok=True)
    if not (folder / NEXT_KEY).exists():
        return
    key = _next_key(folder, fingerprint)
    if key is not None and Vault(key).fingerprint == fingerprint:
        os.replace(folder / NEXT_KEY, folder / vault.FILE)
    else:
        os.remove(folder / NEXT_KEY)
    atomic.sync_folder(folder)


def _unfinished(folder: Path) -> list[Path]:
    """Return the paths of key files that a killed process may have left incomplete."""
    return [atomic.aside(folder / name) for name in (vault.FILE, NEXT_KEY)]


def _next_key(folder: Path, fingerprint: str | None) -> bytes | None:
    """Return the next key; None if it is unreadable and not needed. Raises WrongKey."""
    try:
        return vault.read_key(folder, NEXT_KEY)
    except WrongKey:
        key = vault.read_key(folder)
        if key is None or Vault(key).fingerprint != fingerprint:
            raise
        return None
