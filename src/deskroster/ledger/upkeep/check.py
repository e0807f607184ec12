"""Checks of the data, for `doctor` and for backups. A finding is data: the command line words it."""

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
from deskroster.ledger.disk.tables import replies as stored_replies
from deskroster.ledger.disk.vault import Vault, WrongKey, address_of
from deskroster.ledger.disk.writing import sql
from deskroster.ledger.engines import BadTables, Db, DiskFailed, Engine, Failed, Gone
from deskroster.ledger.files.forms import NewerData
from deskroster.texts import Text, foreign, said, verbatim

What = Literal[
    "integrity", "foreign_key", "version", "newer", "log", "roster", "key", "checksum", "secret", "orphan",
    "row_security",
]  # fmt: skip
NO_DAMAGE: frozenset[What] = frozenset({"newer", "row_security"})
MAX_FINDINGS = 100  # of each kind of finding


class Finding(NamedTuple):
    """Something that is wrong with the data. `company_id` is 0 if it concerns no single company."""

    what: What
    company_id: int
    where: Text | str


def examine(folder: Path) -> list[Finding]:
    """Check a data folder that no process serves, however damaged it is.

    Raises FolderInUse; DiskFailed or OSError where the disk is full or cannot be read; Failed where the database is
    unreachable.
    """
    try:
        with closing(location.open_engine(folder)) as engine:
            return _check_engine(engine, folder)
    except NewerData as error:
        return [Finding("newer", 0, foreign(error))]
    except (Damaged, BadTables) as error:
        return [Finding("integrity", 0, foreign(error))]


def everything(db: Db, key_vault: Vault) -> list[Finding]:
    """Run all checks."""
    findings = damage(db)
    return findings if _is_fatal(findings) else findings + check_with_key(db, key_vault)


def damage(db: Db) -> list[Finding]:
    """Check the file, foreign keys, tables and log, and that tables and log agree. Needs no installation key."""
    findings = _collect(db, "integrity", 0, lambda: _integrity(db))
    if findings:
        return findings
    findings = _collect(db, "version", 0, lambda: _version(db))
    if not findings:
        findings += _collect(db, "foreign_key", 0, lambda: _foreign_keys(db))
        for company_id in _companies(db):
            findings += _collect(db, "log", company_id, lambda: _log(db, company_id))  # noqa: B023 - called at once
    return findings


def check_with_key(db: Db, key_vault: Vault) -> list[Finding]:
    """Run the checks that need the installation key: row checksums, decryption of secrets, signature of the schema."""
    findings = _collect(db, "version", 0, lambda: _schema(db, key_vault))
    for company_id in _companies(db):
        reader = reading.Reader(db, key_vault, company_id)
        for kind in KINDS[1:]:
            findings += _collect(db, "checksum", company_id, lambda: _rows(reader, kind))  # noqa: B023 - called at once
        findings += _collect(db, "checksum", company_id, lambda: _other_checksums(db, key_vault, company_id))  # noqa: B023 - as above
    findings += _collect(db, "secret", 0, lambda: _secrets(db, key_vault))
    findings += _collect(db, "secret", 0, lambda: _replies(db, key_vault))
    return findings + _collect(db, "row_security", 0, lambda: _row_security(db))


def _check_engine(engine: Engine, folder: Path) -> list[Finding]:
    try:
        return engine.read_now(lambda db: _check_with_folder_key(db, folder))
    except (Gone, DiskFailed):
        raise
    except Failed as error:  # the database answers, but a table or a column is missing
        return [Finding("integrity", 0, foreign(error))]


def _check_with_folder_key(db: Db, folder: Path) -> list[Finding]:
    findings = damage(db)
    if _is_fatal(findings):
        return findings
    try:
        key = vault.read_key(folder)
        fingerprint = notes.fingerprint(db)
        key_vault = None if key is None else Vault(key)
    except WrongKey as error:
        return [*findings, Finding("key", 0, foreign(error))]
    if key_vault is None or key_vault.fingerprint != fingerprint:
        ours = str(key_vault and key_vault.fingerprint)
        where = said(
            "the data was sealed with {fingerprint}, the key here is {ours}", fingerprint=str(fingerprint), ours=ours
        )
        return [*findings, Finding("key", 0, where)]
    return findings + check_with_key(db, key_vault)


def _is_fatal(findings: list[Finding]) -> bool:
    return any(finding.what in ("integrity", "version", "newer") for finding in findings)


def _collect(db: Db, what: What, company_id: int, find: Callable[[], Iterable[Finding]]) -> list[Finding]:
    """Return the findings of a check. What it cannot decode is a finding too; an error of the disk is raised."""
    findings: list[Finding] = []
    try:
        with reading.unreadable_is_damage(db, said("it")):
            for finding in islice(find(), MAX_FINDINGS):
                findings.append(finding)  # noqa: PERF402 - those before an error count
    except Damaged as error:
        findings.append(Finding(what, company_id, foreign(error)))
    except NewerData as error:
        findings.append(Finding("newer", company_id, foreign(error)))
    except Exception as error:
        if db.damage(error) is None:
            raise
        findings.append(Finding("integrity", company_id, foreign(error)))
    return findings


def _integrity(db: Db) -> Iterator[Finding]:
    for text in db.faults(MAX_FINDINGS):
        yield Finding("integrity", 0, verbatim(text))


def _version(db: Db) -> Iterator[Finding]:
    if not schema.serves_us(db):
        yield Finding("version", 0, str(schema.version(db)))
    for note in schema.unknown_notes(db):
        yield Finding("version", 0, note)


def _foreign_keys(db: Db) -> Iterator[Finding]:
    for where in db.dangling():
        yield Finding("foreign_key", 0, where)


def _log(db: Db, company_id: int) -> Iterator[Finding]:
    replay = Replay()
    try:
        for commit in log.commits(db, company_id):
            replay.apply(commit.changes)
    except log.Broken as broken:
        yield Finding("log", company_id, said("commit {number}", number=broken.number))
        return
    for where in replay.differences(db, company_id):
        yield Finding("roster", company_id, where)


def _schema(db: Db, key_vault: Vault) -> Iterator[Finding]:
    if not schema.is_signed(db, key_vault):
        yield Finding("version", 0, said("the tables are not declared as they were"))


def _rows(reader: reading.Reader, kind: Kind) -> Iterable[Finding]:
    deque(reader.records(kind), maxlen=0)
    return ()


def _other_checksums(db: Db, key_vault: Vault, company_id: int) -> Iterable[Finding]:
    reading.settings(db, key_vault, company_id)
    log.verified(db, key_vault, company_id)
    last_seen.load(db, key_vault, company_id)
    return ()


def _secrets(db: Db, key_vault: Vault) -> Iterator[Finding]:
    """Find secrets that the key does not decrypt, and secrets of records that are not in the log."""
    logged_records = set(db.execute(_LOGGED_RECORDS))
    for company_id, kind, id, field, sealed in db.execute(_SECRETS):
        address = address_of(company_id, kind, id, field)
        if (company_id, kind, id) not in logged_records:
            yield Finding("orphan", company_id, address)
        if not _opens(key_vault, sealed, address):
            yield Finding("secret", company_id, address)


def _replies(db: Db, key_vault: Vault) -> Iterator[Finding]:
    for company_id, key, request, at, sealed in db.execute(_REPLIES):
        if not _opens(key_vault, sealed, idempotency.reply_address(company_id, key, request, at)):
            yield Finding("secret", company_id, said("the reply kept for {key}", key=key.hex()))


def _row_security(db: Db) -> Iterator[Finding]:
    role = db.unbound_role()
    if role is not None:
        where = said("the role {role} sees the rows of every company: it is above row security", role=role)
        yield Finding("row_security", 0, where)


def _opens(key_vault: Vault, sealed: bytes, address: str) -> bool:
    try:
        key_vault.open(sealed, address)
    except WrongKey:
        return False
    return True


def _companies(db: Db) -> list[int]:
    return [id for (id,) in db.execute(_COMPANIES)]


_COMPANIES = sql(select(companies.c.company_id).order_by(companies.c.company_id))
_SECRETS, _REPLIES = sql(select(secrets)), sql(select(stored_replies))
_LOGGED_RECORDS = sql(select(changes.c.company_id, changes.c.kind, changes.c.record_id).distinct())
