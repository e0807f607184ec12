"""`deskroster backup`, `restore` and `doctor`: the upkeep of an installation."""

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.markup import escape

from deskroster.admin.upkeep import Report, report
from deskroster.cli.console import Exit, Refused, as_json, say
from deskroster.cli.folder import Folder
from deskroster.cli.opening import reading, refusing
from deskroster.cli.options import Data, Json
from deskroster.core import moments
from deskroster.ledger import BadBackup, FolderInUse, Manifest, restore, verify
from deskroster.ledger.disk.vault import parse_key
from deskroster.ledger.files.paths import as_text, from_text, shown
from deskroster.ledger.upkeep.check import examine

KeyFile = Annotated[
    Path | None, typer.Option("--key-file", metavar="FILE", help="A copy of the installation key (the file `key`).")
]


def backup(
    folder: Annotated[
        Path | None,
        typer.Argument(metavar="FOLDER", help="A folder that does not exist; without, backup-TIME beside the data."),
    ] = None,
    *,
    data: Data,
    json: Json = False,
) -> None:
    """Back up an installation, while it is served or not.

    The copy is of one moment, and counts only once it has been verified: until then its name ends in .partial. It holds
    every company with its log. The installation key is not in it, since it opens the secrets: keep a copy of the file
    `key` elsewhere.

    For example:

    ```sh
    deskroster backup /backups/deskroster-$(date +%F) --data ./data
    ```
    """
    target = folder or data.absolute().parent / f"backup-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    with Folder(data) as served:
        done = served.installation("POST", "/backups", {"folder": as_text(target)})
    if json:
        as_json(done)
        return
    manifest = done["manifest"]
    commits = ", ".join(f"{head['label']} up to commit {head['number']}" for head in manifest["companies"])
    say(f"Verified: {escape(shown(from_text(done['folder'])))}, {manifest['size']:,} bytes: {escape(commits)}.")
    say(f"Restoring it takes the installation key {manifest['key']}.")


def restore_backup(
    backup: Annotated[Path, typer.Argument(metavar="FOLDER", help="The backup.", show_default=False)],
    data: Data,
    key_file: KeyFile = None,
    check_only: Annotated[bool, typer.Option("--check", help="Only verify the backup; --data is not touched.")] = False,
    json: Json = False,
) -> None:
    """Make an installation of a backup, in a folder that is new or holds nothing but the key.

    The backup is read and verified in full first. It needs the installation key: the file `key` in the new folder,
    --key-file, or DESKROSTER_KEY.

    For example:

    ```sh
    deskroster restore /backups/deskroster-2026-07-01 --data ./restored --key-file ./key-copy
    deskroster restore /backups/deskroster-2026-07-01 --data ./data --check
    ```
    """
    with refusing(data, "Say where a copy of it is: --key-file FILE, or the variable DESKROSTER_KEY."):
        try:
            key = None if key_file is None else _key_in(key_file)
            manifest = verify(backup) if check_only else restore(backup, data, key)
        except BadBackup as error:
            raise Refused(Exit.REFUSED, str(error)) from None
        except FolderInUse as error:
            raise Refused(Exit.CONFLICT, str(error)) from None
    if json:
        as_json(manifest)
    else:
        say(f"{'Verified' if check_only else 'Restored'}: {_contents(manifest)}.")


def _key_in(file: Path) -> bytes:
    with reading(file):
        text = file.read_text("ascii", "replace")
    return parse_key(text)


def doctor(data: Data, json: Json = False) -> None:
    """Look an installation over, and say whether all of it is as it must be.

    It looks at versions, the key, the clock, every page of the database, what rows point at, the chain of hashes over
    the log, whether the tables are what the log says, checksums, whether the key opens every secret, and rows that are
    left of nothing. It changes nothing, and can be run while serving: then a copy of the data is looked over, for which
    the disk must have room, and nobody waits. A folder too broken to be served is looked over too. Exit code 1 if
    anything is wrong.

    For example:

    ```sh
    deskroster doctor --data ./data
    ```
    """
    found, hint = _examined(data)
    if json:
        as_json(found)
    else:
        for check in found.checks:
            mark = "[green]well[/green] " if check.ok else "[red]wrong[/red]"
            say(f"{mark}  {check.what.replace('_', ' '):<11} {escape(check.detail)}")
    if not found.ok:
        raise Refused(Exit.REFUSED, "not all is well", hint)


def _examined(data: Path) -> tuple[Report, str]:
    """Return what was found, and what to do about it; of a folder that cannot be opened, from outside."""
    try:
        with Folder(data) as folder:
            found = msgspec.convert(folder.installation("GET", "/check"), Report)
            return found, "Keep a copy of the whole folder before you change anything in it."
    except Refused as refusal:
        if refusal.code not in (Exit.REFUSED, Exit.DAMAGED):
            raise
        with refusing(data):
            findings = examine(data)
        if not findings:
            raise
        return report(findings, {}, data, time.time()), refusal.hint


def _contents(manifest: Manifest) -> str:
    commits = ", ".join(f"{head.label} up to commit {head.number}" for head in manifest.companies)
    return f"{escape(commits)}, as of {moments.utc(manifest.at):%Y-%m-%d %H:%M:%S UTC}"
