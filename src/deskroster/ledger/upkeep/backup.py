"""Backups: copy the durable state while serving, verify the copy, restore it. Only a verified copy counts."""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from deskroster.core import moments
from deskroster.core.problems import Damaged
from deskroster.ledger import location
from deskroster.ledger.disk import log, notes, reading, schema, vault
from deskroster.ledger.disk.vault import Vault, WrongKey
from deskroster.ledger.engines import BadTables, Db, copy_file
from deskroster.ledger.engines.copy_file import FILE
from deskroster.ledger.files import atomic, forms
from deskroster.ledger.files.folder_lock import LOCK, lock
from deskroster.ledger.files.forms import NewerData
from deskroster.ledger.files.paths import as_text, from_text, in_shell, shown
from deskroster.ledger.migrations import HEAD, migrate
from deskroster.ledger.upkeep import check, transfer
from deskroster.texts import Text, foreign, joined, said

MANIFEST = "backup.json"
LATEST = "latest-backup"


class BadBackup(Exception):
    """The backup cannot be trusted, or cannot be written at that path. Says why."""


class Head(Struct, frozen=True):
    """The last commit of a company's log."""

    company_id: int
    label: str
    number: int
    hash: str


class Manifest(Struct, frozen=True):
    """The description of a backup. The installation key, which opens the secrets, is not in it: keep that elsewhere."""

    at: int
    version: str
    key: str  # fingerprint of the installation key
    sha256: str  # checksum of the database file
    size: int
    companies: tuple[Head, ...]
    form: int = 1


class _Form(Struct, frozen=True):
    form: int = 1


class Latest(Struct, frozen=True):
    """Where the latest backup is, and its manifest."""

    folder: str  # encoded by `as_text`
    manifest: Manifest


@contextmanager
def begun(folder: Path) -> Iterator[Path]:
    """Create an empty temporary folder for a backup; `seal` renames it to `folder`, which must not exist.

    At the end it is deleted, unless it was renamed. What a killed process left in it is deleted first. Raises
    BadBackup, OSError.
    """
    partial = atomic.aside(folder)
    if os.path.lexists(folder):
        raise BadBackup(said("{folder} exists", folder=shown(folder)))
    created = atomic.make_folder(folder.parent)
    try:
        partial.mkdir(mode=0o700, exist_ok=True)
        with _locked(partial):
            for path in _unfinished(partial):
                path.unlink()
            try:
                yield partial
            finally:
                shutil.rmtree(partial, ignore_errors=True)
    finally:
        with suppress(OSError):  # the folder is not empty: it holds the backup, or another one
            for parent in created:
                parent.rmdir()


@contextmanager
def _locked(partial: Path) -> Iterator[None]:
    """Lock the temporary folder (flock). Raises BadBackup if another process is writing a backup to it."""
    descriptor = os.open(partial, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BadBackup(said("another process is writing to {partial}", partial=shown(partial))) from None
        yield
    finally:
        os.close(descriptor)


def _unfinished(partial: Path) -> list[Path]:
    """Return the files that a killed process has left. Raises BadBackup if the folder holds any other file."""
    files = list(partial.iterdir())
    if any(not path.name.startswith((FILE, MANIFEST)) for path in files):
        raise BadBackup(said("{partial} is in the way", partial=shown(partial)))
    return files


def abandon(folder: Path) -> None:
    """Delete an unfinished backup."""
    shutil.rmtree(atomic.aside(folder), ignore_errors=True)


def fill(db: Db, file: Path, key_vault: Vault) -> None:
    """Copy all rows of a database, in one snapshot, to a new file. Raises BadBackup."""
    try:
        schema.must_be_known(db)
    except NewerData as error:
        raise BadBackup(foreign(error)) from None
    with copy_file.filled(file, migrate) as target:
        transfer.copy(db, target, lambda done: None)
        schema.sign(target, key_vault)


def seal(partial: Path, folder: Path, at: int, findings: list[check.Finding]) -> Manifest:
    """Write the manifest of a copy that was checked, fsync, and rename the folder. Raises BadBackup, OSError."""
    manifest = _manifest_of(partial / FILE, at, lambda db: findings)
    with (partial / FILE).open("rb+") as file:
        os.fsync(file.fileno())
    atomic.put(partial / MANIFEST, msgspec.json.format(msgspec.json.encode(manifest)))
    partial.rename(folder)
    try:
        atomic.sync_folder(folder.parent)
    except OSError:
        folder.rename(partial)
        raise
    return manifest


def verify(folder: Path) -> Manifest:
    """Verify all of a backup, and return its manifest.

    Raises BadBackup; DiskFailed or OSError where the disk is full or cannot be read.
    """
    manifest = read(folder)
    if _sha256(folder / FILE) != manifest.sha256:
        raise BadBackup(said("{file} is not as it was written", file=shown(folder / FILE)))
    if replace(_manifest_of(folder / FILE, manifest.at, check.damage), form=manifest.form) != manifest:
        raise BadBackup(said("{manifest} does not describe {file}", manifest=shown(folder / MANIFEST), file=FILE))
    return manifest


def read(folder: Path) -> Manifest:
    """Return the manifest of a backup, unverified. Raises BadBackup."""
    try:
        text = (folder / MANIFEST).read_bytes()
        form = msgspec.json.decode(text, type=_Form).form
        if form > forms.MANIFEST:
            raise BadBackup(
                said(
                    "{folder} was written by a later version of Deskroster (form {form})",
                    folder=shown(folder),
                    form=form,
                )
            )
        return msgspec.json.decode(text, type=Manifest)
    except (OSError, msgspec.DecodeError) as error:
        raise BadBackup(said("{folder} holds no backup: {error}", folder=shown(folder), error=foreign(error))) from None


def backups(folder: Path) -> list[tuple[Path, Manifest]]:
    """Return the finished backups in a folder, oldest first."""
    folders = [path.parent for path in folder.glob(f"*/{MANIFEST}") if path.parent.suffix != atomic.PARTIAL]
    return sorted(((path, read(path)) for path in folders), key=lambda backup: (backup[1].at, backup[0]))


def restore(backup: Path, folder: Path, key: bytes | None = None) -> Manifest:
    """Restore a backup into a folder that does not exist, or holds at most a key file.

    `key` is the installation key, if neither that file nor the environment has it. Raises BadBackup, WrongKey,
    FolderInUse; DiskFailed or OSError where the disk is full or cannot be read.
    """
    manifest = verify(backup)
    atomic.make_folder(folder)
    partial = atomic.aside(folder / FILE)
    ours = [folder / name for name in (vault.FILE, LOCK, location.IGNORED)]
    unfinished = [partial, *map(atomic.aside, ours)]  # left by a killed restore
    if any(path not in (*ours, *unfinished) for path in folder.iterdir()):
        raise BadBackup(said("{folder} is not empty", folder=shown(folder)))
    location.hide_from_git(folder)
    descriptor = lock(folder)
    try:
        verified_key = key or vault.read_key(folder)
        if verified_key is None or Vault(verified_key).fingerprint != manifest.key:
            raise WrongKey(said("restoring needs the installation key {key}", key=manifest.key))
        if vault.read_key(folder) not in (None, verified_key):
            raise WrongKey(said("the key of {folder} is another than the one that was given", folder=shown(folder)))
        _copy(backup / FILE, partial, manifest.sha256)
        if vault.read_key(folder) is None:
            vault.write_key(folder, verified_key)
        partial.rename(folder / FILE)
        atomic.sync_folder(folder)
    finally:
        partial.unlink(missing_ok=True)
        os.close(descriptor)
    return manifest


def _copy(file: Path, partial: Path, sha256: str) -> None:
    partial.unlink(missing_ok=True)
    os.close(os.open(partial, os.O_CREAT | os.O_EXCL, 0o600))
    shutil.copyfile(file, partial)
    with partial.open("rb+") as copied:
        os.fsync(copied.fileno())
    if _sha256(partial) != sha256:
        raise BadBackup(said("{partial} could not be copied whole", partial=shown(partial)))


def remember(data: Path, folder: Path, manifest: Manifest) -> None:
    """Note in the data folder where its latest backup is. Raises OSError."""
    atomic.put(data / LATEST, msgspec.json.format(msgspec.json.encode(Latest(as_text(folder), manifest))))


def advice(data: Path) -> Text:
    """Return what to do about a folder with damaged data, and which backup to restore, for an error message."""
    try:
        folder, manifest = msgspec.structs.astuple(msgspec.json.decode((data / LATEST).read_bytes(), type=Latest))
    except (OSError, msgspec.MsgspecError):
        return said(
            "Keep a copy of the whole folder; then restore your latest backup into a new one: "
            "deskroster restore BACKUP --data NEW_DIR"
        )
    return said(
        "Keep a copy of the whole folder; then restore the backup of {time} ({commits}): "
        "deskroster restore {backup} --data NEW_DIR",
        time=backup_time(manifest),
        commits=commits_of(manifest),
        backup=in_shell(from_text(folder)),
    )


def backup_time(manifest: Manifest) -> str:
    """Return the time of a backup, for a message."""
    return f"{moments.utc(manifest.at):%Y-%m-%d %H:%M:%S UTC}"


def commits_of(manifest: Manifest) -> Text:
    """Return how far each company's log goes in a backup, for a message."""
    heads = manifest.companies
    return joined(
        (said("{company} up to commit {number}", company=head.label, number=head.number) for head in heads), ", "
    )


def _manifest_of(file: Path, at: int, run_check: Callable[[Db], list[check.Finding]]) -> Manifest:
    try:
        with copy_file.opened(file) as db:
            with _migrated(db) as database:
                findings = run_check(database)
                if findings:
                    raise BadBackup(
                        joined((said("{what}: {where}", what=what, where=where) for what, _, where in findings), "; ")
                    )
                companies = reading.companies(database)
                heads = tuple(Head(company.id, company.label, *log.head(database, company.id)) for company in companies)
            version, key = schema.version(db), notes.fingerprint(db)
    except Damaged as error:
        raise BadBackup(foreign(error)) from None
    except BadTables as error:
        raise BadBackup(said("{file}: {error}", file=shown(file), error=foreign(error))) from None
    return Manifest(at, version or "", key or "", _sha256(file), file.stat().st_size, heads, forms.MANIFEST)


@contextmanager
def _migrated(db: Db) -> Iterator[Db]:
    """Give a database of this version as it is, and of an earlier version a migrated copy."""
    at = schema.version(db)
    if at is None or at >= HEAD:
        yield db
        return
    with copy_file.migrated(db, migrate) as copy:
        schema.note_serves(copy)
        yield copy


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
