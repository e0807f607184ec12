"""The schema of a database: its version, and whether it is declared as when the key signed it."""

from collections.abc import Iterator

from sqlalchemy import select

from deskroster.ledger.disk import notes, tables
from deskroster.ledger.disk.vault import Vault, WrongKey
from deskroster.ledger.disk.writing import sql
from deskroster.ledger.engines import Db, fence
from deskroster.ledger.files import forms
from deskroster.ledger.files.forms import NewerData, newer
from deskroster.ledger.migrations import HEAD, SERVES


def version(db: Db) -> str | None:
    """Return the version of the tables; None for an empty database."""
    if not db.has_table("alembic_version"):
        return None
    row = db.execute("SELECT version_num FROM alembic_version").fetchone()
    return None if row is None else str(row[0])


def serves_us(db: Db) -> bool:
    """Tell whether this program can work with the tables: of its version, or of a later one that still serves it."""
    at = version(db)
    return at == HEAD or (at is not None and at > HEAD and (notes.get(db, fence.SERVES) or at) <= HEAD)


def must_be_known(db: Db) -> None:
    """Raise NewerData if the tables are of a later version: to copy or sign all rows, all tables must be known."""
    at = version(db)
    if at is not None and at > HEAD:
        raise NewerData(f"the tables are of version {at}, this program is of {HEAD}: use the version that made them")


def note_serves(db: Db) -> None:
    """Note which versions of the program can go on with the tables once they are migrated to this one."""
    notes.put(db, fence.SERVES, SERVES)


def unknown_notes(db: Db) -> Iterator[str]:
    """Yield the notes that this version does not write; none if the tables are of a later version."""
    return notes.unknown(db, SERVES) if version(db) == HEAD else iter(())


def sign(db: Db, opened: Vault) -> str:
    """Note which key seals the data, and how the tables are declared. Return the key's fingerprint.

    Each engine declares the tables in its own way, so a copy is signed anew.
    """
    notes.put(db, fence.KEY, opened.fingerprint)
    notes.put(db, notes.SCHEMA, f"{forms.SCHEMA} {_digest(db, opened)}")
    return opened.fingerprint


def sign_unless_rotated(db: Db, opened: Vault) -> None:
    """Sign anew after a migration. Raises WrongKey if another process has changed the key."""
    if notes.fingerprint(db) != opened.fingerprint:
        raise WrongKey("the installation key was changed meanwhile")
    sign(db, opened)


def is_signed(db: Db, opened: Vault) -> bool:
    """Tell whether the tables, indexes and triggers are declared as when they were signed. Raises NewerData."""
    form, _, digest = (notes.get(db, notes.SCHEMA) or "").rpartition(" ")  # form 1 is the digest alone
    if form.isdecimal() and int(form) > forms.SCHEMA:
        raise newer("the note of how the tables are declared", int(form), forms.SCHEMA)
    return form in ("", *map(str, range(2, forms.SCHEMA + 1))) and digest == _digest(db, opened)


def has_companies(db: Db) -> bool:
    """Tell whether there is any company."""
    return db.execute(_COMPANIES).fetchone() is not None


def _digest(db: Db, opened: Vault) -> str:
    return opened.digest("schema", *db.declared()).hex()


_COMPANIES = sql(select(tables.companies.c.company_id))
