"""`deskroster backup`, `restore` and `doctor`."""

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import typer

from deskroster.admin.upkeep import Report, report
from deskroster.cli.console import Exit, Refused, language, padded, print_json, print_markup, worded
from deskroster.cli.folder import Folder
from deskroster.cli.opening import reading, refusing
from deskroster.cli.options import Data, Json
from deskroster.core.records import Language
from deskroster.ledger import BadBackup, FolderInUse, Manifest, restore, verify
from deskroster.ledger.disk.vault import parse_key
from deskroster.ledger.files.paths import as_text, from_text, shown
from deskroster.ledger.upkeep.backup import backup_time, commits_of
from deskroster.ledger.upkeep.check import What, examine
from deskroster.texts import Text, foreign, said

KeyFile = Annotated[
    Path | None, typer.Option("--key-file", metavar="FILE", help="A copy of the installation key (the file `key`).")
]


def backup(
    folder: Annotated[
        Path | None,
        typer.Argument(metavar="FOLDER", help="A folder that does not exist; default: backup-TIME beside the data."),
    ] = None,
    *,
    data: Data,
    json: Json = False,
) -> None:
    """Back up an installation, while it is served or not.

    The copy is a snapshot of one moment. It counts only once it has been verified: until then its name ends in
    .partial. It holds every company with its log. It does not hold the installation key, which decrypts the secrets:
    keep a copy of the file `key` elsewhere.

    For example:

    ```sh
    deskroster backup /backups/deskroster-$(date +%F) --data ./data
    ```
    """
    target = folder or data.absolute().parent / f"backup-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    with Folder(data) as source:
        done = source.installation("POST", "/backups", {"folder": as_text(target)})
    if json:
        print_json(done)
        return
    manifest = msgspec.convert(done["manifest"], Manifest)
    print_markup(
        said(
            "Verified: {folder}, {size:,} bytes: {commits}.",
            folder=shown(from_text(done["folder"])),
            size=manifest.size,
            commits=commits_of(manifest),
        )
    )
    print_markup(said("Restoring it takes the installation key {key}.", key=manifest.key))


def restore_backup(
    backup: Annotated[Path, typer.Argument(metavar="FOLDER", help="The backup.", show_default=False)],
    data: Data,
    key_file: KeyFile = None,
    check_only: Annotated[bool, typer.Option("--check", help="Only verify the backup; --data is not touched.")] = False,
    json: Json = False,
) -> None:
    r"""Restore a backup into a folder that is new or holds nothing but the key.

    The backup is read and verified in full first. It needs the installation key: the file `key` in the new folder,
    --key-file, or DESKROSTER_KEY.

    For example:

    ```sh
    deskroster restore /backups/deskroster-2026-07-01 --data ./restored \
      --key-file ./key-copy
    deskroster restore /backups/deskroster-2026-07-01 --data ./data --check
    ```
    """
    with refusing(data, said("Say where a copy of it is: --key-file FILE, or the variable DESKROSTER_KEY.")):
        try:
            key = None if key_file is None else _read_key(key_file)
            manifest = verify(backup) if check_only else restore(backup, data, key)
        except BadBackup as error:
            raise Refused(Exit.REFUSED, foreign(error)) from None
        except FolderInUse as error:
            raise Refused(Exit.CONFLICT, foreign(error)) from None
    if json:
        print_json(manifest)
    else:
        commits, time_of = commits_of(manifest), backup_time(manifest)
        print_markup(
            said("Verified: {commits}, as of {time}.", commits=commits, time=time_of)
            if check_only
            else said("Restored: {commits}, as of {time}.", commits=commits, time=time_of)
        )


def _read_key(file: Path) -> bytes:
    """Return the installation key in a file. Raises Refused or WrongKey."""
    with reading(file):
        text = file.read_text("ascii", "replace")
    return parse_key(text)


def doctor(data: Data, json: Json = False) -> None:
    """Check a whole installation, and report what is wrong.

    It checks versions, the key, the clock, every page of the database, foreign keys, the hash chain of the
    log, whether the tables match the log, checksums, whether the key decrypts every secret, and secrets without a
    record. It changes nothing. While a server runs, it checks a copy of the data, for which
    the disk must have room, and no request waits. It also checks a folder too damaged to be served. Exit code 1 if
    anything is wrong.

    For example:

    ```sh
    deskroster doctor --data ./data
    ```
    """
    result, hint = _check(data, "en" if json else language())
    if json:
        print_json(result)
    else:
        for check in result.checks:
            line = {"what": padded(worded(_NAMES[check.what]), 11), "detail": check.detail}
            print_markup(
                said("[green]well[/green]   {what} {detail}", **line)
                if check.ok
                else said("[red]wrong[/red]  {what} {detail}", **line)
            )
    if not result.ok:
        raise Refused(Exit.REFUSED, said("not all is well"), hint)


def _check(data: Path, language: Language) -> tuple[Report, Text | None]:
    """Return the report and a hint; if the folder cannot be opened, check its database without opening it."""
    try:
        with Folder(data, language=language) as folder:
            result = msgspec.convert(folder.installation("GET", "/check"), Report)
            return result, said("Keep a copy of the whole folder before you change anything in it.")
    except Refused as refusal:
        if refusal.code not in (Exit.REFUSED, Exit.DAMAGED):
            raise
        with refusing(data):
            findings = examine(data)
        if not findings:
            raise
        return report(findings, {}, data, time.time(), language), refusal.hint


_NAMES: dict[What | Literal["clock"], Text] = {
    "integrity": said("integrity"),
    "foreign_key": said("foreign key"),
    "version": said("version"),
    "newer": said("newer"),
    "log": said("log"),
    "roster": said("roster"),
    "key": said("key"),
    "checksum": said("checksum"),
    "secret": said("secret"),
    "orphan": said("orphan"),
    "row_security": said("row security"),
    "clock": said("clock"),
}
