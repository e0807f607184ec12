"""Moving: an installation from SQLite in its folder to PostgreSQL, or back, with its history, or not at all.

At no moment can both places be used, wherever a move is killed. Notes in the two databases say how far it is: the copy
is `UNDER_WAY`; then the old place is `MOVED`; then the copy has `ARRIVED`; last the folder names the new place. Each
note holds the name of the move, so that it can be finished by the same command.
"""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from secrets import token_hex
from typing import NamedTuple

from sqlalchemy import select

from deskroster.core.problems import Damaged
from deskroster.ledger import durable, installation, place, transfer
from deskroster.ledger.engines import ERRORS, Db, Engine, FolderInUse
from deskroster.ledger.engines.embedded import FILE, Embedded, connect, discard, lock
from deskroster.ledger.installation import ARRIVED, MOVED, UNDER_WAY
from deskroster.ledger.paths import shown
from deskroster.ledger.rows import sql
from deskroster.ledger.tables import companies
from deskroster.ledger.vault import Vault

LEFT = FILE + ".moved"  # what is no longer in charge is called so
_NOTED = ""  # not what the environment says: what is noted in the folder is what changes


class CannotMove(Exception):
    """The data is where it was. Says why."""


class Progress(NamedTuple):
    """Called with how many rows there are to copy and compare, and with each that are done."""

    begin: Callable[[int], None]
    advance: Callable[[int], None]


def move(folder: Path, url: str | None, progress: Progress) -> int:
    """Move the data of a folder to PostgreSQL at `url`, or to SQLite in the folder; return how many rows it has.

    Nobody may have it open. All is written in one transaction and compared row by row before that is committed. A move
    that was killed is finished. Raises CannotMove, FolderInUse, NoDatabase, Damaged, WrongKey, Failed.
    """
    here = place.url_of(folder, _NOTED)
    if here == url:
        if url is not None:
            _put_away(folder)  # where a move ended before it had
        raise CannotMove(f"the data of {shown(folder)} is there already")
    if here is None and not (folder / FILE).exists():
        raise CannotMove(f"{shown(folder)} holds no data")
    with closing(place.engine_at(here)(folder)) as source:
        source.take_alone()
        if place.url_of(folder, _NOTED) != here:
            raise CannotMove(f"the data of {shown(folder)} was moved meanwhile")
        source.harden_now()
        name = source.read_now(lambda db: installation.noted(db, MOVED))
        rows = _begin(folder, source, url, progress) if name is None else _go_on(folder, source, url, name)
    if url is not None:
        _put_away(folder)
    return rows


def _begin(folder: Path, source: Engine, url: str | None, progress: Progress) -> int:
    name, opened = token_hex(8), installation.open_vault(folder, source)
    if url is None:
        _make_room(folder)
    with closing(place.engine_at(url)(folder)) as target:
        target.take_alone()
        installation.prepare(target)
        rows = source.read_now(lambda db: target.write_now(lambda other: _copied(db, other, opened, name, progress)))
        _hand_over(folder, source, target, url, name)
    return rows


def _go_on(folder: Path, source: Engine, url: str | None, name: str) -> int:
    """Finish a move that was killed after its source was marked. Raises CannotMove if its copy is not at this place."""
    if url is None and not (folder / FILE).exists():
        raise _elsewhere(folder)
    with closing(place.engine_at(url)(folder)) as target:
        target.take_alone()
        if target.read_now(lambda db: installation.noted(db, ARRIVED)) == name:
            place.note(folder, url)  # it may have been used since
        elif target.read_now(lambda db: installation.noted(db, UNDER_WAY)) == name:
            _hand_over(folder, source, target, url, name)
        else:
            raise _elsewhere(folder)
        return target.read_now(transfer.count)


def _elsewhere(folder: Path) -> CannotMove:
    return CannotMove(f"a move of the data of {shown(folder)} to another place was interrupted: give that one again")


def _copied(source: Db, target: Db, opened: Vault, name: str, progress: Progress) -> int:
    installation.must_be_ours(source)
    in_charge = not any(installation.notes(target, note) for note in (UNDER_WAY, MOVED))
    if in_charge and installation.has_companies(target):
        raise CannotMove("there is an installation at the other place")
    rows = transfer.count(source)
    progress.begin(2 * rows)
    transfer.clear(target)
    transfer.copy(source, target, progress.advance)
    found = next(transfer.differences(source, target, progress.advance), None)
    if found is not None:
        raise CannotMove(f"the copy is not what was copied: {found}")
    installation.sign_again(target, opened)
    installation.forget(target, ARRIVED)  # of an earlier move, which brought the data to where it is copied from
    installation.note(target, UNDER_WAY, name)
    return rows


def _hand_over(folder: Path, source: Engine, target: Engine, url: str | None, name: str) -> None:
    """Let the copy have the data, which nobody can use meanwhile; after an error it is where it was."""
    here, copied = place.noted_in(folder), target.read_now(_heads)

    def leave(db: Db) -> None:
        if _heads(db) != copied:  # in the transaction that locks out all writers
            raise CannotMove("it was written to meanwhile; give the command again")
        installation.note(db, MOVED, name)

    try:
        source.write_now(leave)
        target.write_now(lambda db: _replace(db, UNDER_WAY, ARRIVED, name))
        place.note(folder, url)
    except BaseException:
        if place.noted_in(folder) != here:
            place.note(folder, here)
        target.write_now(lambda db: _replace(db, ARRIVED, UNDER_WAY, name))
        source.write_now(lambda db: installation.forget(db, MOVED))
        raise


def _heads(db: Db) -> list[tuple[int, int]]:
    """Return how far the log of every company goes."""
    return [(id, number) for id, number in db.execute(_HEADS)]


_HEADS = sql(select(companies.c.company_id, companies.c.number).order_by(companies.c.company_id))


def _replace(db: Db, note: str, by: str, name: str) -> None:
    installation.forget(db, note)
    installation.note(db, by, name)


def _make_room(folder: Path) -> None:
    """Have no database in the folder: what an interrupted move has left is removed, anything else is put away."""
    if (folder / FILE).exists() and _is_unfinished(folder):
        discard(folder / FILE)
    _put_away(folder)


def _is_unfinished(folder: Path) -> bool:
    def job(db: Db) -> bool:
        return installation.noted(db, UNDER_WAY) is not None or not installation.has_companies(db)

    try:
        with closing(Embedded(folder)) as left:
            return left.read_now(lambda db: installation.version(db) is None or job(db))
    except (Damaged, *ERRORS):
        return False


def _put_away(folder: Path) -> None:
    """Give the database in the folder another name, unless somebody has it, or the folder: then a later move does."""
    try:
        held = lock(folder)
    except FolderInUse:
        return
    try:
        with suppress(Damaged, sqlite3.Error):
            if (folder / FILE).exists():
                connect(folder / FILE).close()  # brings what is in SQLite's log into the file
        for ending in ("", "-wal"):
            with suppress(FileNotFoundError):
                os.replace(folder / (FILE + ending), folder / (LEFT + ending))
        durable.sync_folder(folder)
    finally:
        os.close(held)
