"""Move an installation from its folder to another database, or back, with its history, or not at all.

At no time can both locations be used, wherever a move is killed. Notes in the two databases record the progress: first
the copy is `UNDER_WAY`; then the old location is `MOVED`; then the copy has `ARRIVED`; last, a file in the folder names
the new location. Each note holds the name of the move, and another file in the folder holds its target. So the same
command finishes a move that was killed, and the opposite one takes it back unless its copy has arrived.
"""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from secrets import token_hex
from typing import NamedTuple

from sqlalchemy import select

from deskroster.core.problems import Damaged
from deskroster.ledger import installation, location
from deskroster.ledger.disk import notes, schema
from deskroster.ledger.disk.tables import companies
from deskroster.ledger.disk.vault import Vault
from deskroster.ledger.disk.writing import sql
from deskroster.ledger.engines import ERRORS, Db, Engine, known
from deskroster.ledger.engines.fence import MOVED, UNDER_WAY
from deskroster.ledger.files.paths import shown
from deskroster.ledger.upkeep import transfer
from deskroster.texts import Text, said

_NOT_FROM_ENVIRONMENT = ""  # ignore the environment: the location noted in the folder is the one that changes


class CannotMove(Exception):
    """The move was refused; the data is where it was. Says why."""


class Progress(NamedTuple):
    """Callbacks: the number of rows to copy and compare, and then each number that is done."""

    begin: Callable[[int], None]
    advance: Callable[[int], None]


class Moved(NamedTuple):
    """How many rows the installation has. `taken_back`: an interrupted move was taken back, so it is where it was."""

    rows: int
    taken_back: bool = False


def move(folder: Path, url: str | None, progress: Progress) -> Moved:
    """Move the data of a folder to PostgreSQL at `url`, or to SQLite in the folder.

    No process may have it open. All rows are written in one transaction, and compared before it commits. A move that
    was killed is finished, or taken back if `url` is the old location and the copy has not arrived. Raises CannotMove,
    FolderInUse, NoDatabase, Damaged, WrongKey, Failed.
    """
    here = location.url_of(folder, _NOT_FROM_ENVIRONMENT)
    if here is None and not known.in_folder().has_data(folder):
        raise CannotMove(said("{folder} holds no data", folder=shown(folder)))
    if here == url:
        return _stay(folder, url)
    with closing(location.engine_at(here)(folder)) as source:
        source.lock_exclusively()
        if location.url_of(folder, _NOT_FROM_ENVIRONMENT) != here:
            raise CannotMove(said("the data of {folder} was moved meanwhile", folder=shown(folder)))
        source.make_durable_now()
        name = source.read_now(lambda db: notes.get_if_any(db, MOVED))
        rows = _begin(folder, source, url, progress) if name is None else _resume(folder, source, url, name)
    if url is not None:
        known.in_folder().put_away(folder)
    return Moved(rows)


def _stay(folder: Path, url: str | None) -> Moved:
    """Take back an interrupted move from this location. Raises CannotMove if there is none: the data is there."""
    with closing(location.engine_at(url)(folder)) as here:
        name = here.read_now(lambda db: notes.get_if_any(db, MOVED))
        if name is not None:
            here.lock_exclusively()
            _take_back(folder, here, name)
            return Moved(here.read_now(transfer.count), taken_back=True)
        installation.check_in_charge(here)
    location.forget_move(folder)
    if url is not None:
        known.in_folder().put_away(folder)  # a finished move was killed before this
    raise CannotMove(said("the data of {folder} is there already", folder=shown(folder)))


def _take_back(folder: Path, source: Engine, name: str) -> None:
    """Put the old location in charge again. Raises CannotMove if the copy has arrived, or its location is unknown."""
    to = location.move_goes_to(folder, name)
    if to is None:
        raise _elsewhere(folder, name)
    if to != location.IN_FOLDER or known.in_folder().has_data(folder):
        with closing(location.engine_at(None if to == location.IN_FOLDER else to)(folder)) as target:
            target.lock_exclusively()
            if name in target.read_now(notes.arrivals):
                raise CannotMove(
                    said(
                        "the data of {folder} has arrived at its new place: {finish}",
                        folder=shown(folder),
                        finish=_finish(folder, to),
                    )
                )
            source.write_now(lambda db: notes.remove(db, MOVED))
    else:
        source.write_now(lambda db: notes.remove(db, MOVED))
    location.forget_move(folder)


def _begin(folder: Path, source: Engine, url: str | None, progress: Progress) -> int:
    name, key_vault = token_hex(8), installation.open_vault(folder, source)
    if url is None:
        _make_room(folder)
    with closing(location.engine_at(url)(folder)) as target:
        target.lock_exclusively()
        installation.prepare(target)
        rows = source.read_now(
            lambda db: target.write_now(lambda target_db: _copy(db, target_db, key_vault, name, progress))
        )
        _hand_over(folder, source, target, url, name)
    return rows


def _resume(folder: Path, source: Engine, url: str | None, name: str) -> int:
    """Finish a move that was killed after its source was marked. Raises CannotMove if its copy is not at `url`."""
    if url is None and not known.in_folder().has_data(folder):
        raise _elsewhere(folder, name)
    with closing(location.engine_at(url)(folder)) as target:
        target.lock_exclusively()
        if name in target.read_now(notes.arrivals):
            location.note(folder, url)  # the copy may be in use already
            location.forget_move(folder)
        elif target.read_now(lambda db: notes.get_if_any(db, UNDER_WAY)) == name:
            _hand_over(folder, source, target, url, name)
        else:
            raise _elsewhere(folder, name)
        return target.read_now(transfer.count)


def _elsewhere(folder: Path, name: str) -> CannotMove:
    interrupted = said("a move of the data of {folder} to another place was interrupted", folder=shown(folder))
    to = location.move_goes_to(folder, name)
    if to is None:
        return CannotMove(
            said("{interrupted}: give that one again, in the folder where it was begun", interrupted=interrupted)
        )
    return CannotMove(
        said(
            "{interrupted}: {finish}, or take it back by a move to where the data was",
            interrupted=interrupted,
            finish=_finish(folder, to),
        )
    )


def _finish(folder: Path, to: str) -> Text:
    if to == location.IN_FOLDER:
        return said("give that move again, to sqlite")
    return said("give that move again, to the address in {file}", file=shown(folder / location.MOVE))


def _copy(source: Db, target: Db, key_vault: Vault, name: str, progress: Progress) -> int:
    schema.must_be_known(source)
    _may_be_cleared(source, target)
    rows = transfer.count(source)
    progress.begin(2 * rows)
    transfer.clear(target)
    transfer.copy(source, target, progress.advance)
    difference = next(transfer.differences(source, target, progress.advance), None)
    if difference is not None:
        raise CannotMove(said("the copy is not what was copied: {difference}", difference=difference))
    schema.sign(target, key_vault)
    notes.put(target, UNDER_WAY, name)
    return rows


def _may_be_cleared(source: Db, target: Db) -> None:
    """Raise CannotMove if the target is in charge of its data, or its data did not move to the source."""
    if notes.get(target, UNDER_WAY) is not None or not schema.has_companies(target):
        return
    moved = notes.get(target, MOVED)
    if moved is None:
        raise CannotMove(said("there is an installation at the other place"))
    if moved not in notes.arrivals(source):
        raise CannotMove(
            said(
                "the other place holds data that was moved, or is being moved, to somewhere else than here: finish that"
                " move, or give the address of an empty database"
            )
        )


def _hand_over(folder: Path, source: Engine, target: Engine, url: str | None, name: str) -> None:
    """Put the copy in charge, while no process can use the data. After an error the source is in charge."""
    here, copied_state = location.noted_in(folder), target.read_now(_state)

    def mark_moved(db: Db) -> None:
        if _state(db) != copied_state:  # in the transaction that locks out all writers
            raise CannotMove(said("it was written to, or its key was changed, meanwhile; give the command again"))
        notes.put(db, MOVED, name)

    location.note_move(folder, name, url)
    try:
        source.write_now(mark_moved)
        target.write_now(lambda db: _arrive(db, name))
        location.note(folder, url)
        location.forget_move(folder)
    except BaseException:
        _undo(folder, source, target, here, name)
        raise


def _undo(folder: Path, source: Engine, target: Engine, here: str | None, name: str) -> None:
    """Revert the steps of `_hand_over`, in the opposite order."""
    if location.noted_in(folder) != here:
        location.note(folder, here)
    target.write_now(lambda db: _undo_arrive(db, name))
    source.write_now(lambda db: notes.remove(db, MOVED))
    location.forget_move(folder)


def _state(db: Db) -> tuple[str | None, list[tuple[int, int]]]:
    """Return the fingerprint of the key, and the last commit of every company: they change with any write."""
    return notes.fingerprint(db), [(id, number) for id, number in db.execute(_HEADS)]


_HEADS = sql(select(companies.c.company_id, companies.c.number).order_by(companies.c.company_id))


def _arrive(db: Db, name: str) -> None:
    notes.remove(db, UNDER_WAY)
    notes.put_arrivals(db, [*notes.arrivals(db), name])


def _undo_arrive(db: Db, name: str) -> None:
    notes.put_arrivals(db, [arrival for arrival in notes.arrivals(db) if arrival != name])
    notes.put(db, UNDER_WAY, name)


def _make_room(folder: Path) -> None:
    """Clear the folder of a database: delete the unfinished copy of an interrupted move, rename anything else."""
    ours = known.in_folder()
    if ours.has_data(folder) and _is_unfinished(folder):
        ours.discard(folder)
    ours.put_away(folder)


def _is_unfinished(folder: Path) -> bool:
    def job(db: Db) -> bool:
        if schema.version(db) is None:
            return True
        return notes.get_if_any(db, UNDER_WAY) is not None or not schema.has_companies(db)

    try:
        with closing(known.in_folder().opened(folder, None)) as unfinished:
            return unfinished.read_now(job)
    except (Damaged, *ERRORS):
        return False
