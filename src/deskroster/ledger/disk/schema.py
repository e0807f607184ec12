"""The schema of a database: its version, and whether it is still declared as when it was signed."""

from collections.abc import Iterator

from sqlalchemy import select

from deskroster.ledger.disk import notes, tables
from deskroster.ledger.disk.vault import Vault, WrongKey
from deskroster.ledger.disk.writing import sql
from deskroster.ledger.engines import Db, fence
from deskroster.ledger.files import forms
from deskroster.ledger.files.forms import NewerData, newer
from deskroster.ledger.migrations import HEAD, SERVES
from deskroster.texts import said


def version(db: Db) -> str | None:
    """Return the version of the tables; None for an empty database."""
    if not db.has_table("alembic_version"):
        return None
    row = db.execute("SELECT version_num FROM alembic_version").fetchone()
    return None if row is None else str(row[0])


def serves_us(db: Db) -> bool:
    """Tell whether this program can use the tables: they are of its version, or of a later one that still serves it."""
    at = version(db)
    return at == HEAD or (at is not None and at > HEAD and (notes.get(db, fence.SERVES) or at) <= HEAD)


def must_be_known(db: Db) -> None:
    """Raise NewerData if the tables are of a later version: whoever copies or signs all rows must know all tables."""
    at = version(db)
    if at is not None and at > HEAD:
        raise NewerData(
            said(
                "the tables are of version {version}, this program is of {head}: use the version that made them",
                version=at,
                head=HEAD,
            )
        )


def note_serves(db: Db) -> None:
    """Note the oldest version of the program that can use the tables once they are migrated to this version."""
    notes.put(db, fence.SERVES, SERVES)


def unknown_notes(db: Db) -> Iterator[str]:
    """Yield the notes that this version does not write; none if the tables are of a later version."""
    return notes.unknown(db, SERVES) if version(db) == HEAD else iter(())


def sign(db: Db, key_vault: Vault) -> str:
    """Note the fingerprint of the key that seals the data, and the HMAC of the table declarations.

    Return the fingerprint. Each engine declares the tables in its own way, so a copy must be signed again.
    """
    notes.put(db, fence.KEY, key_vault.fingerprint)
    notes.put(db, notes.SCHEMA, f"{forms.SCHEMA} {_digest(db, key_vault)}")
    return key_vault.fingerprint


def sign_unless_rotated(db: Db, key_vault: Vault) -> None:
    """Sign again after a migration. Raises WrongKey if another process has changed the key."""
    if notes.fingerprint(db) != key_vault.fingerprint:
        raise WrongKey(said("the installation key was changed meanwhile"))
    sign(db, key_vault)


def is_signed(db: Db, key_vault: Vault) -> bool:
    """Tell whether tables, indexes and triggers are declared as when they were signed. Raises NewerData."""
    form, _, digest = (notes.get(db, notes.SCHEMA) or "").rpartition(" ")  # form 1 is the digest alone
    if form.isdecimal() and int(form) > forms.SCHEMA:
        raise newer(said("the note of how the tables are declared"), int(form), forms.SCHEMA)
    return form in ("", *map(str, range(2, forms.SCHEMA + 1))) and digest == _digest(db, key_vault)


def has_companies(db: Db) -> bool:
    """Tell whether there is any company."""
    return db.execute(_COMPANIES).fetchone() is not None


def _digest(db: Db, key_vault: Vault) -> str:
    return key_vault.digest("schema", *db.declared()).hex()


_COMPANIES = sql(select(tables.companies.c.company_id))
