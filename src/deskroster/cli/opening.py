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

KEY_HINT = "The key is the file `key` in the folder, or the variable DESKROSTER_KEY."


def must_be_installation(data: Path, database: str | None = None) -> None:
    """Raise Refused unless `init`, `demo` or `restore` has created the folder, or its data is in another database."""
    with refusing(data):
        exists = database is not None or location.is_installation(data)
    if not exists and location.has_lost_its_database(data):
        raise Refused(
            Exit.DAMAGED, f"the database of {shown(data)} is gone; only what belongs to it is left", advice(data)
        )
    if not exists:
        hint = f"Make one with: deskroster init --data {in_shell(data)} --label LABEL --name NAME --email EMAIL"
        raise Refused(Exit.NOT_FOUND, f"there is no installation in {shown(data)}", hint)


@contextmanager
def refusing(data: Path, key_hint: str = KEY_HINT) -> Iterator[None]:
    """Turn errors of opening a folder into Refused, except FolderInUse, which callers handle."""
    try:
        yield
    except WrongKey as error:
        raise Refused(Exit.REFUSED, str(error), key_hint) from None
    except NewerData as error:
        raise Refused(
            Exit.REFUSED, str(error), "Use the version of Deskroster that wrote it, or a later one."
        ) from None
    except Damaged as error:
        raise Refused(Exit.DAMAGED, str(error), advice(data)) from None
    except DiskFailed as error:
        raise Refused(Exit.UNAVAILABLE, f"{shown(data)}: {error}", "Is the disk full, or failing?") from None
    except Failed as error:
        raise Refused(
            Exit.UNAVAILABLE, str(error), "Is the database running, and may it be reached from here?"
        ) from None
    except InDoubt as error:
        raise Refused(Exit.UNKNOWN, str(error), "It may be done. Give the command again.") from None
    except location.NoDatabase as error:
        raise Refused(Exit.REFUSED, str(error)) from None
    except PathTooLong as error:
        raise Refused(Exit.REFUSED, str(error)) from None
    except PermissionError as error:
        raise Refused(Exit.REFUSED, f"{error}", f"Run this as the user who owns {shown(data)}.") from None
    except OSError as error:
        raise Refused(Exit.REFUSED, f"{shown(data)}: {error}") from None


@contextmanager
def reading(file: Path) -> Iterator[None]:
    """Turn errors of reading a file that an option names into Refused."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        raise Refused(Exit.NOT_FOUND, f"there is no file {shown(file)}") from None
    except OSError as error:
        raise Refused(Exit.REFUSED, f"{shown(file)}: {error.strerror}") from None


def installation_of(app: App) -> OpenInstallation:
    """Return the open installation of an app."""
    return OpenInstallation(app.settings, app.store, app.desks, app.passwords, app.telemetry, app.clock)
