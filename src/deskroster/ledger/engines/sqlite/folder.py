"""The files of SQLite in a data folder, as `engines.known` asks for them."""

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
LEFT = FILE + ".moved"  # the name of data that was moved elsewhere, with a number behind it where that is taken


def has_data(folder: Path) -> bool:
    """Tell whether the folder holds a database."""
    return (folder / FILE).exists()


def has_lost_data(folder: Path) -> bool:
    """Tell whether the folder has a file that belongs to a database, but no database."""
    return not has_data(folder) and (folder / NONCES).exists()


def discard(folder: Path) -> None:
    """Remove the database of a folder."""
    connection.discard(folder / FILE)


def put_away(folder: Path) -> None:
    """Rename the database of a folder, unless somebody has the folder locked: then a later move does."""
    try:
        held = lock(folder)
    except FolderInUse:
        return
    try:
        with suppress(Damaged, sqlite3.Error):
            if has_data(folder):
                connection.connect(folder / FILE).close()  # brings what is in the WAL into the file
        left = _free_name(folder)
        for ending in (connection.WAL, ""):  # in this order: a WAL without its file is taken for damage
            with suppress(FileNotFoundError):
                os.replace(folder / (FILE + ending), folder / (left + ending))
        atomic.sync_folder(folder)
    finally:
        os.close(held)


def _free_name(folder: Path) -> str:
    """Return the first of `LEFT`, `LEFT`-2, `LEFT`-3, … that no file has."""
    number, name = 1, LEFT
    while (folder / name).exists():
        number += 1
        name = f"{LEFT}-{number}"
    return name
