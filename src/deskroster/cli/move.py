"""`deskroster move`: move an installation from SQLite to PostgreSQL, or back."""

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from deskroster.cli.console import Exit, Refused, err, print_json, print_markup, worded
from deskroster.cli.opening import must_be_installation, refusing
from deskroster.cli.options import Data, Json
from deskroster.ledger import FolderInUse
from deskroster.ledger.files.paths import shown
from deskroster.ledger.location import IN_FOLDER
from deskroster.ledger.upkeep import move as ledger
from deskroster.texts import Text, foreign, said

To = Annotated[
    str,
    typer.Option(
        "--to", metavar="URL", help="The address of an empty PostgreSQL database; or `sqlite`.", show_default=False
    ),
]


def move(data: Data, to: To, json: Json = False) -> None:
    r"""Move an installation from SQLite in its folder to PostgreSQL, or back, with its whole history.

    Stop every server of the installation first. Everything is copied in one transaction and every record is compared
    on both sides. Only then is the source marked as moved, and the target noted in the folder: at no moment can both be
    used. If a record differs or a step fails, the data stays where it was. If the command is killed, run it again to
    finish; or move to where the data was, which undoes it as long as the copy is not complete. A move to PostgreSQL
    keeps the old database as deskroster.db.moved.

    The installation key stays in the folder. Other machines need a copy of it, and the address by --database.

    For example:

    ```sh
    deskroster move --data ./data \
      --to postgresql://deskroster@db1,db2,db3/deskroster
    deskroster move --data ./data --to sqlite
    ```
    """
    must_be_installation(data)
    columns = (TextColumn(worded(said("Copy and compare"))), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with refusing(data), Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        task = bar.add_task("rows", total=None)
        progress = ledger.Progress(
            lambda total: bar.update(task, total=total), lambda done: bar.update(task, advance=done)
        )
        try:
            done = ledger.move(data, None if to == IN_FOLDER else to, progress)
        except ledger.CannotMove as error:
            raise Refused(Exit.CONFLICT, foreign(error)) from None
        except FolderInUse as error:
            raise Refused(Exit.UNAVAILABLE, foreign(error), said("Stop what serves it, on every machine.")) from None
    if json:
        print_json(
            {"rows": done.rows, "to": IN_FOLDER if to == IN_FOLDER else "postgresql"}
            | ({"taken_back": True} if done.taken_back else {})
        )
        return
    print_markup(_told(data, to, done))


def _told(data: Path, to: str, done: ledger.Moved) -> Text:
    place = said("SQLite in the folder") if to == IN_FOLDER else said("PostgreSQL")
    if done.taken_back:
        return said(
            "The interrupted move is taken back: the data of {folder} is in {place}, as before.",
            folder=shown(data),
            place=place,
        )
    return said(
        "Moved: {rows:,} rows, each the same on both sides. The data of {folder} is in {place} now.",
        rows=done.rows,
        folder=shown(data),
        place=place,
    )
