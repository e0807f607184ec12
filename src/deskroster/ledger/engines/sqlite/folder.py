"""The SQLite files of a data folder, for `engines.known`."""

import os
import sqlite3
from contextlib import suppress
from pathlib import Path

from deskroster.core.problems import Damaged
from deskroster.ledger.engines.sqlite import connection
from deskroster.ledger.engines.sqlite.nonce_file import FILE as NONCES
from deskroster.ledger.files import atomic
from deskroster.ledger.files.folder_lock import FolderInUse, lock

FILE = "deskroster.db"
MOVED_NAME = FILE + ".moved"  # the name of a database that was moved elsewhere; a number is added if it is taken


def has_data(folder: Path) -> bool:
    """Tell whether the folder holds a database."""
    return (folder / FILE).exists()


def has_lost_data(folder: Path) -> bool:
    """Tell whether the folder has files that belong to a database, but no database."""
    return not has_data(folder) and (folder / NONCES).exists()


def discard(folder: Path) -> None:
    """Delete the database of a folder."""
    connection.discard(folder / FILE)


def put_away(folder: Path) -> None:
    """Rename the database file of a folder, unless another process has the folder locked: then a later move does it."""
    try:
        descriptor = lock(folder)
    except FolderInUse:
        return
    try:
        with suppress(Damaged, sqlite3.Error):
            if has_data(folder):
                connection.connect(folder / FILE).close()  # checkpoints the WAL into the file
        moved_name = _free_name(folder)
        for ending in (connection.WAL, ""):  # in this order: a WAL without its file counts as damage
            with suppress(FileNotFoundError):
                os.replace(folder / (FILE + ending), folder / (moved_name + ending))
        atomic.sync_folder(folder)
    finally:
        os.close(descriptor)


def _free_name(folder: Path) -> str:
    """Return the first of `MOVED_NAME`, `MOVED_NAME`-2, `MOVED_NAME`-3, … that no file has."""
    number, name = 1, MOVED_NAME
    while (folder / name).exists():
        number += 1
        name = f"{MOVED_NAME}-{number}"
    return name
