"""Which database has the data of a folder: the one that a file in the folder names, else the folder itself."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from deskroster.ledger.engines import Engine, known
from deskroster.ledger.files import atomic
from deskroster.ledger.files.paths import shown
from deskroster.texts import foreign, said

ELSEWHERE = "database"
MOVE = "moving"  # a file, during a move: its name and its target
IN_FOLDER = "sqlite"  # stands for the folder itself in place of an address
IGNORED = ".gitignore"
VARIABLE = "DESKROSTER_DATABASE"


class NoDatabase(Exception):
    """The address is invalid, or the database there is not in charge of the data. Says why."""


def url_of(folder: Path, wanted: str | None = None) -> str | None:
    """Return the address of the database of a folder: `wanted`, else the one in its file `database`, else None.

    None stands for the folder itself. `wanted` None: the value of `DESKROSTER_DATABASE`; empty: that file only.

    Raises NoDatabase if the folder itself has data and an address is wanted, or if the file holds no address.
    """
    wanted, noted = os.environ.get(VARIABLE) if wanted is None else wanted, noted_in(folder)
    if not wanted or wanted == noted:
        return noted
    if noted is None and known.in_folder().has_data(folder):
        raise NoDatabase(
            said(
                "the data of {folder} is in the folder; to have it elsewhere, move it: deskroster move",
                folder=shown(folder),
            )
        )
    return wanted


def noted_in(folder: Path) -> str | None:
    """Return the address in the file of a folder; None without a file. Raises NoDatabase if it is empty."""
    file = folder / ELSEWHERE
    try:
        noted = os.fsdecode(file.read_bytes()).strip()
    except FileNotFoundError:
        return None
    if not noted:
        raise NoDatabase(
            said("{file} is empty: write the address of the database into it, postgresql://…", file=shown(file))
        )
    return noted


def engine_at(url: str | None) -> Callable[[Path], Engine]:
    """Return a function that opens the database at an address, given a folder.

    It raises NoDatabase, FolderInUse, Damaged or Failed.
    """
    opened = known.at(url)

    def opener(folder: Path) -> Engine:
        try:
            return opened(folder)
        except ValueError as error:
            raise NoDatabase(
                said("that is no address of a PostgreSQL database: {error}", error=foreign(error))
            ) from None

    return opener


def open_engine(folder: Path) -> Engine:
    """Open the database of a folder. Raises NoDatabase, FolderInUse, Damaged or Failed."""
    return engine_at(url_of(folder))(folder)


def is_installation(folder: Path) -> bool:
    """Tell whether a folder, or the environment, says where its data is."""
    return VARIABLE in os.environ or known.in_folder().has_data(folder) or (folder / ELSEWHERE).exists()


def has_lost_its_database(folder: Path) -> bool:
    """Tell whether a folder has files that belong to a database, but no database and no address of one."""
    return not is_installation(folder) and known.in_folder().has_lost_data(folder)


def hide_from_git(folder: Path) -> None:
    """Make git ignore a data folder: else `git add .` above it would add the installation key.

    An empty `.gitignore` is overwritten, any other is left as it is. An OSError is ignored.
    """
    file = folder / IGNORED
    with suppress(OSError):
        if not file.exists() or not file.stat().st_size:
            atomic.put(file, b"*\n")


def note(folder: Path, url: str | None) -> None:
    """Write the file that says where the data of a folder is, atomically. The next start uses it."""
    path = folder / ELSEWHERE
    if url is None:
        path.unlink(missing_ok=True)
        atomic.sync_folder(folder)
    else:
        atomic.put(path, os.fsencode(url) + b"\n")


def note_move(folder: Path, name: str, url: str | None) -> None:
    """Write the file that says where a move takes the data, atomically, before the old location is marked."""
    atomic.put(folder / MOVE, name.encode() + b" " + os.fsencode(url or IN_FOLDER) + b"\n")


def move_goes_to(folder: Path, name: str) -> str | None:
    """Return the target of the move of this name, an address or `IN_FOLDER`; None if no file here names it."""
    try:
        noted, _, url = os.fsdecode((folder / MOVE).read_bytes()).strip().partition(" ")
    except FileNotFoundError:
        return None
    return url if noted == name and url else None


def forget_move(folder: Path) -> None:
    """Delete the file with the target of a move. One that stays does no harm: no other move has its name."""
    (folder / MOVE).unlink(missing_ok=True)
