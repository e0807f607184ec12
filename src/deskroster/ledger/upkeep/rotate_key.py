"""Key rotation: encrypt all secrets, and compute all checksums, with a new installation key."""

import os
from pathlib import Path

from sqlalchemy import select

from deskroster.core.records import KINDS
from deskroster.ledger import installation, location
from deskroster.ledger.beside import last_seen
from deskroster.ledger.disk import log, reading, schema, tables, vault
from deskroster.ledger.disk.vault import Vault, WrongKey, address_of
from deskroster.ledger.disk.writing import UPSERT_SECRET, as_json, checksum_rows, sql
from deskroster.ledger.engines import Db, Engine
from deskroster.ledger.files import atomic
from deskroster.ledger.files.paths import shown
from deskroster.texts import said


def rotate_key(folder: Path) -> Vault:
    """Rotate the key of data that no process serves. Raises FolderInUse, WrongKey, NewerData, Damaged, or Failed.

    Other machines that serve the same database need a copy of the new key.
    """
    engine = location.open_engine(folder)
    try:
        engine.lock_exclusively()
        key_vault = installation.open_vault(folder, engine)
        installation.fence_in(engine, key_vault)
        return change_key(folder, engine, key_vault)
    finally:
        engine.close()


def change_key(folder: Path, engine: Engine, old: Vault) -> Vault:
    """Encrypt all data with a new key, and write that to the file `key`. If killed, the next opening finishes it.

    Raises WrongKey if the key comes from the environment, where it cannot be changed. Raises Damaged.
    """
    if vault.VARIABLE in os.environ:
        raise WrongKey(said("the installation key is that of {variable}", variable=vault.VARIABLE))
    next_key = folder / installation.NEXT_KEY
    key = vault.new_key()
    new = Vault(key)

    def job(db: Db) -> None:
        _seal_again(db, old, new)
        if vault.read_key(folder, installation.NEXT_KEY) != key:  # checked last, right before the commit
            raise WrongKey(
                said("{next_key} was removed or changed meanwhile; give the command again", next_key=shown(next_key))
            )

    with installation.locked(folder, engine):  # so that no other process touches the next key
        vault.write_key(folder, key, installation.NEXT_KEY)
        engine.write_now(job)
        installation.finish_key_change(folder, new.fingerprint)
        if vault.read_key(folder) != key:
            atomic.put(folder / vault.FILE, vault.as_file(key))
    return new


def _seal_again(db: Db, old: Vault, new: Vault) -> None:
    """Encrypt every secret and compute every checksum with a new key, and delete the stored replies.

    Runs in a transaction of the caller. Raises Damaged.
    """
    schema.must_be_known(db)
    for (company_id,) in db.execute(_COMPANIES).fetchall():
        _sign_company(db, old, new, company_id)
    for company_id, kind, id, field, sealed in db.execute(_SECRETS).fetchall():
        address = address_of(company_id, kind, id, field)
        with reading.unreadable_is_damage(db, address):
            db.execute(UPSERT_SECRET, (company_id, kind, id, field, new.seal(old.open(sealed, address), address)))
    db.execute(f"DELETE FROM {tables.replies.name}")
    schema.sign(db, new)


def _sign_company(db: Db, old: Vault, new: Vault, company_id: int) -> None:
    """Verify the checksum of every row of a company with the old key, and replace it by one with the new key."""
    roster, head = reading.settings(db, old, company_id)
    seen, verified = last_seen.load(db, old, company_id), log.verified(db, old, company_id)
    with reading.unreadable_is_damage(db, said("company {company_id}", company_id=company_id)):
        reader = reading.Reader(db, old, company_id)
        checksum_rows(new, company_id, [roster.company]).execute(db)
        for kind in KINDS[1:]:
            checksum_rows(new, company_id, list(reader.records(kind))).execute(db)
    log.move_head(db, new, company_id, (roster.number, as_json(roster.next_ids), head))
    log.note_verified(db, new, company_id, verified)
    last_seen.save(db, new, [(company_id, kind, id, *last) for (kind, id), last in seen.items()], now=0)


_SECRETS = sql(select(tables.secrets))
_COMPANIES = sql(select(tables.companies.c.company_id))
