"""The program made worse on purpose, or later: what a control must notice, and what brings the tables up to date."""

import os
from pathlib import Path

import sqlalchemy as sa
from alembic import op
from alembic.script import Script, ScriptDirectory

from deskroster.ledger import installation, location, migrations
from deskroster.ledger.disk import notes, schema, vault
from deskroster.ledger.engines import known
from deskroster.ledger.engines.fence import MOVED
from deskroster.ledger.files import atomic
from deskroster.ledger.upkeep import move as moving
from deskroster.ledger.upkeep import rotate_key

LATER = "9000"


def key_in_place() -> None:
    """Make the key file first and fill it afterwards, in so many steps that one more or less elsewhere hides none."""

    def write_key(folder: Path, key: bytes, name: str = vault.FILE) -> None:
        descriptor = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        atomic.sync_folder(folder)
        with os.fdopen(descriptor, "w") as file:
            for part in (key.hex()[:8], key.hex()[8:], "\n"):
                file.write(part)
                file.flush()
                os.fsync(file.fileno())
        atomic.sync_folder(folder)

    def read_key(folder: Path, name: str = vault.FILE) -> bytes | None:
        path = folder / name
        return vault.parse_key(path.read_text()) if path.exists() else None

    vault.write_key, vault.read_key = write_key, read_key


def key_first() -> None:
    """Put the new key in its place before the data is sealed with it."""

    def change_key(folder, engine, old):
        key = vault.new_key()
        new = vault.Vault(key)
        atomic.put(folder / vault.FILE, vault.as_file(key))
        engine.write_now(lambda db: rotate_key._seal_again(db, old, new))
        return new

    rotate_key.change_key = change_key


def place_first() -> None:
    """Note the new place of a move before the old one is marked, and let both be used."""

    def hand_over(folder, source, target, url, name):
        location.note(folder, url)
        target.write_now(lambda db: moving._arrive(db, name))
        source.write_now(lambda db: notes.put(db, MOVED, name))

    moving._hand_over = hand_over


def unseen() -> None:
    """Say that data is there already where it was to be moved from, without a look at the notes of a move."""

    def _stay(folder, url):
        if url is not None:
            known.in_folder().put_away(folder)
        raise moving.CannotMove("it is there already")

    moving._stay = _stay


def note_last() -> None:
    """Note where a new installation's data is when it is there already."""
    from deskroster.cli import init

    real, noted = init._init, location.note

    async def _init(settings, fields, start):
        location.note = lambda folder, url: None
        made = await real(settings, fields, start)
        if settings.database is not None:
            noted(settings.data, settings.database)
        return made

    init._init = _init


def later() -> None:
    """Be the program of a later version: what it opens is brought to that."""

    class Revision:
        """A later version."""

        revision, down_revision, dependencies, branch_labels = LATER, migrations.HEAD, None, set()

        @staticmethod
        def upgrade():
            op.add_column("agents", sa.Column("pronouns", sa.Text(), nullable=True))
            op.create_table("shifts", sa.Column("company_id", sa.BigInteger(), primary_key=True))

    real = ScriptDirectory._load_revisions

    def with_later(self):
        yield from real(self)
        yield Script(Revision, LATER, "later.py")

    ScriptDirectory._load_revisions = with_later
    serves = migrations.HEAD
    for module in (migrations, installation, schema):
        module.HEAD = LATER
    for module in (migrations, schema):
        module.SERVES = serves


def later_in_two_steps() -> None:
    """Be of a later version, and sign the tables in a transaction after the one that changes them."""
    later()

    def _migrate(engine, sign):
        engine.migrate(migrations.migrate, lambda db: None)
        engine.write_now(sign)

    installation._migrate = _migrate
