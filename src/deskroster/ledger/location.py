"""Location: which database has the data of a folder: the one that a file in it names, else the folder itself."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from deskroster.ledger.engines import Engine, known
from deskroster.ledger.files import atomic
from deskroster.ledger.files.paths import shown

ELSEWHERE = "database"
MOVE = "moving"  # while a move is under way: its name, and the address that it takes the data to
IN_FOLDER = "sqlite"  # stands for the folder itself where an address is expected
IGNORED = ".gitignore"
VARIABLE = "DESKROSTER_DATABASE"


class NoDatabase(Exception):
    """The address is invalid, or the database there is not in charge of the data. Says why."""


def url_of(folder: Path, wanted: str | None = None) -> str | None:
    """Return the address of the database of a folder, as wanted or as the environment has it, else as noted there.

    None stands for the folder itself. `wanted` is empty where the environment does not count.

    Raises NoDatabase where the folder has its data already, and not there, or what is noted is no address.
    """
    wanted, noted = os.environ.get(VARIABLE) if wanted is None else wanted, noted_in(folder)
    if not wanted or wanted == noted:
        return noted
    if noted is None and known.in_folder().has_data(folder):
        raise NoDatabase(
            f"the data of {shown(folder)} is in the folder; to have it elsewhere, move it: deskroster move"
        )
    return wanted


def noted_in(folder: Path) -> str | None:
    """Return the address that is noted in a folder. Raises NoDatabase for a note that is empty."""
    file = folder / ELSEWHERE
    try:
        noted = os.fsdecode(file.read_bytes()).strip()
    except FileNotFoundError:
        return None
    if not noted:
        raise NoDatabase(f"{shown(file)} is empty: write the address of the database into it, postgresql://…")
    return noted


def engine_at(url: str | None) -> Callable[[Path], Engine]:
    """Return a function that opens a database. It raises NoDatabase, FolderInUse, Damaged or Failed."""
    opened = known.at(url)

    def connected(folder: Path) -> Engine:
        try:
            return opened(folder)
        except ValueError as error:
            raise NoDatabase(f"that is no address of a PostgreSQL database: {error}") from None

    return connected


def open_engine(folder: Path) -> Engine:
    """Open the database of a folder. Raises NoDatabase, FolderInUse, Damaged or Failed."""
    return engine_at(url_of(folder))(folder)


def is_installation(folder: Path) -> bool:
    """Tell whether a folder says where its data is."""
    return VARIABLE in os.environ or known.in_folder().has_data(folder) or (folder / ELSEWHERE).exists()


def has_lost_its_database(folder: Path) -> bool:
    """Tell whether a folder has files that belong to a database, but no database and no address of one."""
    return not is_installation(folder) and known.in_folder().has_lost_data(folder)


def hide_from_git(folder: Path) -> None:
    """Have git ignore a data folder: `git add .` above it would add the installation key.

    A `.gitignore` that says anything is left as it is; an empty one is written. If it cannot be written, nothing else
    is affected.
    """
    file = folder / IGNORED
    with suppress(OSError):
        if not file.exists() or not file.stat().st_size:
            atomic.put(file, b"*\n")


def note(folder: Path, url: str | None) -> None:
    """Note where the data of a folder is, durably: from the next start on it is looked for there."""
    path = folder / ELSEWHERE
    if url is None:
        path.unlink(missing_ok=True)
        atomic.sync_folder(folder)
    else:
        atomic.put(path, os.fsencode(url) + b"\n")


def note_move(folder: Path, name: str, url: str | None) -> None:
    """Note where a move takes the data of a folder, durably, before the old place is marked."""
    atomic.put(folder / MOVE, name.encode() + b" " + os.fsencode(url or IN_FOLDER) + b"\n")


def move_goes_to(folder: Path, name: str) -> str | None:
    """Return the address that the move of this name takes the data to, or `IN_FOLDER`; None if it is not noted here."""
    try:
        noted, _, url = os.fsdecode((folder / MOVE).read_bytes()).strip().partition(" ")
    except FileNotFoundError:
        return None
    return url if noted == name and url else None


def forget_move(folder: Path) -> None:
    """Remove the note of where a move goes. One that stays is of no consequence: no other move has its name."""
    (folder / MOVE).unlink(missing_ok=True)
