"""Backup: copy what is durable while serving, verify it, and restore it. A copy counts only once it is verified."""

import hashlib
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from deskroster.core import moments
from deskroster.ledger import check, installation, loading, log, place, transfer, vault
from deskroster.ledger.engines import Db
from deskroster.ledger.engines.embedded import FILE, LOCK, core, lock
from deskroster.ledger.forms import MANIFEST_FORM, NewerData
from deskroster.ledger.migrations import HEAD, migrate
from deskroster.ledger.vault import Vault, WrongKey, sync_folder

MANIFEST = "backup.json"
LATEST = "latest-backup"
_PARTIAL = ".partial"  # what is not yet verified is called so


class BadBackup(Exception):
    """A backup that cannot be trusted, or a place where none can be put. Says why."""


class Head(Struct, frozen=True):
    """How far a company's log goes."""

    company_id: int
    label: str
    number: int
    hash: str


class Manifest(Struct, frozen=True):
    """What a backup is. The installation key is no part of it: it opens the secrets, so it is to be kept elsewhere."""

    at: int
    version: str
    key: str  # fingerprint
    sha256: str  # of the database file
    size: int
    companies: tuple[Head, ...]
    form: int = 1


class _Form(Struct, frozen=True):
    form: int = 1


class Latest(Struct, frozen=True):
    """Where the latest backup was put, and what it says of itself."""

    folder: str
    manifest: Manifest


def begin(folder: Path) -> Path:
    """Return where the file of a backup in `folder`, which must not exist, is to be put. Raises BadBackup, OSError."""
    partial = _partial(folder)
    if folder.exists():
        raise BadBackup(f"{folder} exists")
    abandon(folder)
    partial.mkdir(mode=0o700, parents=True)
    return partial / FILE


def abandon(folder: Path) -> None:
    """Remove what there is of a backup that was not finished."""
    shutil.rmtree(_partial(folder), ignore_errors=True)


def fill(db: Db, file: Path, opened: Vault) -> None:
    """Write all rows of a database to a new file of SQLite. What is read is of one moment. Raises BadBackup."""
    try:
        installation.must_be_ours(db)
    except NewerData as error:
        raise BadBackup(str(error)) from None
    os.close(os.open(file, os.O_CREAT | os.O_EXCL, 0o600))
    with closing(sqlite3.connect(file, isolation_level=None)) as target:
        with core(target) as connection:
            migrate(connection)
        target.execute("BEGIN")
        transfer.copy(db, target, lambda done: None)
        installation.sign_again(target, opened)
        target.execute("COMMIT")


def seal(folder: Path, at: int, found: list[check.Finding]) -> Manifest:
    """Write the manifest of a copy that was looked over, and give it its name. Raises BadBackup, OSError."""
    partial = _partial(folder)
    manifest = _examine(partial / FILE, at, lambda db: found)
    for name, content in ((MANIFEST, msgspec.json.format(msgspec.json.encode(manifest))), (FILE, None)):
        with (partial / name).open("wb" if content is not None else "rb+") as file:
            if content is not None:
                file.write(content)
            file.flush()
            os.fsync(file.fileno())
    sync_folder(partial)
    partial.rename(folder)
    sync_folder(folder.parent)
    return manifest


def verify(folder: Path) -> Manifest:
    """Return what a backup is, having read all of it. Raises BadBackup."""
    manifest = read(folder)
    if _sha256(folder / FILE) != manifest.sha256:
        raise BadBackup(f"{folder / FILE} is not as it was written")
    if replace(_examine(folder / FILE, manifest.at, check.damage), form=manifest.form) != manifest:
        raise BadBackup(f"{folder / MANIFEST} does not describe {FILE}")
    return manifest


def read(folder: Path) -> Manifest:
    """Return what a backup says of itself. Raises BadBackup."""
    try:
        text = (folder / MANIFEST).read_bytes()
        form = msgspec.json.decode(text, type=_Form).form
        if form > MANIFEST_FORM:
            raise BadBackup(f"{folder} was written by a later version of Deskroster (form {form})")
        return msgspec.json.decode(text, type=Manifest)
    except (OSError, msgspec.DecodeError) as error:
        raise BadBackup(f"{folder} holds no backup: {error}") from None


def backups(folder: Path) -> list[tuple[Path, Manifest]]:
    """Return the finished backups in a folder, oldest first."""
    found = [path.parent for path in folder.glob(f"*/{MANIFEST}") if path.parent.suffix != _PARTIAL]
    return sorted(((path, read(path)) for path in found), key=lambda one: (one[1].at, one[0]))


def restore(backup: Path, folder: Path, key: bytes | None = None) -> Manifest:
    """Make an installation of a backup in a folder that is absent or empty but for a key file.

    `key` is the installation key if neither that file nor the environment has it. Raises BadBackup, WrongKey.
    """
    manifest = verify(backup)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if any(path.name not in (vault.FILE, LOCK, place.IGNORED) for path in folder.iterdir()):
        raise BadBackup(f"{folder} is not empty")
    place.hide_from_git(folder)
    held = lock(folder)
    try:
        found = key or vault.read_key(folder)
        if found is None or Vault(found).fingerprint != manifest.key:
            raise WrongKey(f"restoring needs the installation key {manifest.key}")
        partial = folder / (FILE + _PARTIAL)
        shutil.copyfile(backup / FILE, partial)
        partial.chmod(0o600)
        if _sha256(partial) != manifest.sha256:
            raise BadBackup(f"{partial} could not be copied whole")
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        if vault.read_key(folder) is None:
            vault.write_key(folder, found)
        partial.rename(folder / FILE)
        sync_folder(folder)
    finally:
        os.close(held)
    return manifest


def remember(data: Path, folder: Path, manifest: Manifest) -> None:
    """Note in the data folder which backup of it is the latest. Raises OSError."""
    partial = data / (LATEST + _PARTIAL)
    partial.write_bytes(msgspec.json.format(msgspec.json.encode(Latest(str(folder.absolute()), manifest))))
    partial.chmod(0o600)
    partial.rename(data / LATEST)


def advice(data: Path) -> str:
    """Say what to do about a folder whose data is damaged, and which backup to restore."""
    keep = "Keep a copy of the whole folder"
    try:
        folder, manifest = msgspec.structs.astuple(msgspec.json.decode((data / LATEST).read_bytes(), type=Latest))
    except (OSError, msgspec.MsgspecError):
        return f"{keep}; then restore your latest backup into a new one: deskroster restore BACKUP --data NEW_DIR"
    moment = f"{moments.utc(manifest.at):%Y-%m-%d %H:%M:%S UTC}"
    commits = ", ".join(f"{head.label} up to commit {head.number}" for head in manifest.companies)
    return f"{keep}; then restore the backup of {moment} ({commits}): deskroster restore {folder} --data NEW_DIR"


def _partial(folder: Path) -> Path:
    return folder.with_name(folder.name + _PARTIAL)


def _examine(file: Path, at: int, look: Callable[[Db], list[check.Finding]]) -> Manifest:
    with closing(sqlite3.connect(f"file:{file}?mode=ro&immutable=1", uri=True)) as db:
        with _brought_up(db) as ours:
            try:
                findings = look(ours)
            except sqlite3.DatabaseError as error:
                raise BadBackup(f"{file}: {error}") from None
            if findings:
                raise BadBackup("; ".join(map(str, findings)))
            companies = loading.companies(ours)
            heads = tuple(Head(company.id, company.label, *log.head(ours, company.id)) for company in companies)
        version, key = installation.version(db), installation.fingerprint(db)
    return Manifest(at, version or "", key or "", _sha256(file), file.stat().st_size, heads, MANIFEST_FORM)


@contextmanager
def _brought_up(db: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """Give a database as it is, or of an earlier version a copy that was brought to this one."""
    at = installation.version(db)
    if at is None or at >= HEAD:
        yield db
        return
    with TemporaryDirectory() as folder, closing(sqlite3.connect(Path(folder) / FILE, isolation_level=None)) as copy:
        db.backup(copy)
        with core(copy) as connection:
            migrate(connection)
        yield copy


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
