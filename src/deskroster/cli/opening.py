"""Opening a data folder, with errors as Refused."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deskroster.admin.open_installation import OpenInstallation
from deskroster.admin.sockets import PathTooLong
from deskroster.app import App
from deskroster.cli.console import Exit, Refused
from deskroster.ledger import Damaged, DiskFailed, Failed, InDoubt, NewerData, WrongKey, advice, location
from deskroster.ledger.files.paths import in_shell, shown
from deskroster.texts import Text, foreign, said, verbatim

KEY_HINT = said("The key is the file `key` in the folder, or the variable DESKROSTER_KEY.")


def must_be_installation(data: Path, database: str | None = None) -> None:
    """Raise Refused unless `init`, `demo` or `restore` has created the folder, or its data is in another database."""
    with refusing(data):
        exists = database is not None or location.is_installation(data)
    if not exists and location.has_lost_its_database(data):
        raise Refused(
            Exit.DAMAGED,
            said("the database of {data} is gone; only what belongs to it is left", data=shown(data)),
            advice(data),
        )
    if not exists:
        hint = said(
            "Make one with: deskroster init --data {data} --label LABEL --name NAME --email EMAIL", data=in_shell(data)
        )
        raise Refused(Exit.NOT_FOUND, said("there is no installation in {data}", data=shown(data)), hint)


@contextmanager
def refusing(data: Path, key_hint: Text = KEY_HINT) -> Iterator[None]:
    """Turn errors of opening a folder into Refused, except FolderInUse, which callers handle."""
    try:
        yield
    except WrongKey as error:
        raise Refused(Exit.REFUSED, foreign(error), key_hint) from None
    except NewerData as error:
        raise Refused(
            Exit.REFUSED, foreign(error), said("Use the version of Deskroster that wrote it, or a later one.")
        ) from None
    except Damaged as error:
        raise Refused(Exit.DAMAGED, foreign(error), advice(data)) from None
    except DiskFailed as error:
        raise Refused(
            Exit.UNAVAILABLE,
            said("{data}: {error}", data=shown(data), error=foreign(error)),
            said("Is the disk full, or failing?"),
        ) from None
    except Failed as error:
        raise Refused(
            Exit.UNAVAILABLE, foreign(error), said("Is the database running, and may it be reached from here?")
        ) from None
    except InDoubt as error:
        raise Refused(Exit.UNKNOWN, foreign(error), said("It may be done. Give the command again.")) from None
    except location.NoDatabase as error:
        raise Refused(Exit.REFUSED, foreign(error)) from None
    except PathTooLong as error:
        raise Refused(Exit.REFUSED, foreign(error)) from None
    except PermissionError as error:
        raise Refused(
            Exit.REFUSED,
            foreign(error),
            said("Run this as the user who owns {data}.", data=shown(data)),
        ) from None
    except OSError as error:
        raise Refused(Exit.REFUSED, said("{data}: {error}", data=shown(data), error=foreign(error))) from None


@contextmanager
def reading(file: Path) -> Iterator[None]:
    """Turn errors of reading a file that an option names into Refused."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        raise Refused(Exit.NOT_FOUND, said("there is no file {file}", file=shown(file))) from None
    except OSError as error:
        raise Refused(
            Exit.REFUSED, said("{file}: {why}", file=shown(file), why=verbatim(error.strerror or str(error)))
        ) from None


def installation_of(app: App) -> OpenInstallation:
    """Return the open installation of an app."""
    return OpenInstallation(app.settings, app.store, app.desks, app.passwords, app.telemetry, app.clock)
