"""Moving: an installation from SQLite in its folder to PostgreSQL, or back, with its history, or not at all."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from deskroster.ledger import installation, place, transfer
from deskroster.ledger.engines import Db
from deskroster.ledger.engines.embedded import FILE
from deskroster.ledger.vault import sync_folder

MOVED = ".moved"  # what is no longer in charge is called so
_NOTED = ""  # not what the environment says: what is noted in the folder is what changes
_NOT_IN_CHARGE = (installation.UNDER_WAY, installation.MOVED)


class CannotMove(Exception):
    """The data is where it was. Says why."""


class Progress(NamedTuple):
    """Called with how many rows there are to copy and compare, and with each that are done."""

    begin: Callable[[int], None]
    advance: Callable[[int], None]


def move(folder: Path, url: str | None, progress: Progress) -> int:
    """Move the data of a folder to PostgreSQL at `url`, or to SQLite in the folder; return how many rows it has.

    Nobody may have it open. All is written in one transaction, compared row by row before it is committed, and only
    then is the new place noted in the folder. Raises CannotMove, FolderInUse, NoDatabase, Damaged, WrongKey, Failed.
    """
    here = place.url_of(folder, _NOTED)
    if here == url:
        if url is not None:
            _put_away(folder)  # where a move ended before it had
        raise CannotMove(f"the data of {folder} is there already")
    source = place.engine_at(here)(folder)
    try:
        source.take_alone()
        source.harden_now()
        opened = installation.open_vault(folder, source)
        if url is None:
            _make_room(folder)
        target = place.engine_at(url)(folder)
        try:
            target.take_alone()
            installation.prepare(target)
            rows = source.read_now(lambda db: target.write_now(lambda other: _copied(db, other, progress)))
            target.write_now(lambda db: installation.sign_again(db, opened))
            place.note(folder, url)
            target.write_now(lambda db: installation.forget(db, installation.UNDER_WAY))
            if url is None:  # others may still look there
                source.write_now(lambda db: installation.note(db, installation.MOVED, "1"))
        finally:
            target.close()
    finally:
        source.close()
    if url is not None:
        _put_away(folder)
    return rows


def _copied(source: Db, target: Db, progress: Progress) -> int:
    installation.must_be_ours(source)
    if installation.has_companies(target) and not any(installation.notes(target, name) for name in _NOT_IN_CHARGE):
        raise CannotMove("there is an installation at the other place")
    rows = transfer.count(source)
    progress.begin(2 * rows)
    transfer.clear(target)
    transfer.copy(source, target, progress.advance)
    found = next(transfer.differences(source, target, progress.advance), None)
    if found is not None:
        raise CannotMove(f"the copy is not what was copied: {found}")
    installation.note(target, installation.UNDER_WAY, "1")
    return rows


def _make_room(folder: Path) -> None:
    """Remove what an interrupted move has left: the data is elsewhere."""
    for name in (FILE, FILE + "-wal", FILE + "-shm"):
        (folder / name).unlink(missing_ok=True)


def _put_away(folder: Path) -> None:
    for name in (FILE, FILE + "-wal"):
        with suppress(FileNotFoundError):
            os.replace(folder / name, folder / (name + MOVED))
    sync_folder(folder)
