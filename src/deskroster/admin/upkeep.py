"""The upkeep of an installation: health, backup, check."""

import os
import platform
from pathlib import Path
from typing import Literal, get_args

from msgspec import Struct

from deskroster import __version__
from deskroster.admin.open_installation import OpenInstallation
from deskroster.core import moments
from deskroster.core.access import Permission
from deskroster.core.problems import Invalid, Rule
from deskroster.desk import Desk
from deskroster.dialect import Reply, Request, Route
from deskroster.dialects import own
from deskroster.dialects.own.shapes import written
from deskroster.ledger import BadBackup, Finding, Manifest, Vault, WrongKey
from deskroster.ledger.disk.vault import FILE, VARIABLE, read_key
from deskroster.ledger.engines import ERRORS, NoRoom
from deskroster.ledger.files.paths import as_text, from_text, shown
from deskroster.ledger.migrations import HEAD
from deskroster.ledger.upkeep.check import What

_EARLIEST_TIME = 1_700_000_000  # Unix seconds (November 2023): an earlier clock has not been set
_CLOCK_TOLERANCE = 60  # seconds that a file may be newer than the clock
_MAX_SHOWN = 5  # findings of one kind


class Health(Struct, frozen=True):
    """Whether the installation can be written to, and the version of the program."""

    writable: bool
    version: str


class BackupBody(Struct, frozen=True):
    """The absolute path of a folder that does not exist yet; a `file:` URL if the path is not UTF-8."""

    folder: str


class BackupOut(Struct, frozen=True):
    """The folder of a backup, and its manifest."""

    folder: str
    manifest: Manifest


class Check(Struct, frozen=True):
    """The result of one check."""

    what: What | Literal["clock"]
    ok: bool
    detail: str


class Report(Struct, frozen=True):
    """The results of all checks, and whether every one is in order."""

    ok: bool
    checks: list[Check]


_PREREQUISITES: tuple[What, ...] = ("integrity", "version", "newer", "key")
"""If one of these fails, the other checks are skipped."""
_WELL: dict[What, str] = {
    "integrity": "every page of the database reads as it was written",
    "foreign_key": "every row points at rows that are there",
    "log": "every commit follows from the one before",
    "roster": "the tables are what the log says",
    "checksum": "every row has the checksum that it was written with",
    "secret": "the installation key opens every one",
    "orphan": "no secret is left of a record that never was",
    "row_security": "nothing shows a company the rows of another",
}


def routes(installation: OpenInstallation) -> tuple[Route, ...]:
    """Return the routes for health, backup and check."""

    def health(request: Request, desk: Desk) -> Reply:
        return written(Health(installation.store.writable, __version__))

    async def back_up(request: Request, desk: Desk) -> Reply:
        folder = from_text(request.read(BackupBody).folder)
        if not folder.is_absolute() or "\0" in str(folder):
            raise Invalid("folder", Rule.FORM)
        try:
            return written(BackupOut(as_text(folder), await installation.store.backup(folder)))
        except (BadBackup, NoRoom, *ERRORS) as error:
            return own.refused(409 if isinstance(error, BadBackup) else 503, "backup-failed", str(error))

    async def check(request: Request, desk: Desk) -> Reply:
        labels = {company.id: company.label for company in installation.store.listed.all()}
        try:
            findings = await (installation.store.check_in_place() if installation.alone else installation.store.check())
        except NoRoom as error:
            return own.refused(503, "no-room", f"{error}; stop the server, and the data is looked over in its place")
        except BadBackup as error:
            return own.refused(503, "check-failed", f"the copy that a check looks over cannot be put there: {error}")
        except ERRORS as error:
            return own.refused(503, "check-failed", str(error))
        product = await installation.store.product()
        return written(report(findings, labels, installation.settings.data, installation.clock(), product))

    needs = Permission.WRITE_COMPANY
    return (
        Route(method="GET", path="/health", handler=health, needs=needs, summary="Health", reply=Health),
        Route(method="POST", path="/backups", handler=back_up, needs=needs, summary="Back up while serving",
              body=BackupBody, reply=BackupOut),
        Route(method="GET", path="/check", handler=check, needs=needs, summary="Check everything", reply=Report),
    )  # fmt: skip


def report(findings: list[Finding], labels: dict[int, str], data: Path, now: float, product: str = "") -> Report:
    """Return the report on a data folder: the findings in its database, its key and the clock.

    `now`: Unix seconds. `product`: name and version of the database.
    """
    wrong: dict[What, list[str]] = {what: [] for what in get_args(What)}
    for what, company_id, where in findings:
        wrong[what].append(f"{labels.get(company_id, '')} {where}".strip())
    rest_skipped = any(wrong[what] for what in _PREREQUISITES)
    checks = [
        _checked("version", wrong.pop("version") + wrong.pop("newer"), _versions(product)),
        _key(wrong.pop("key"), data),
        _clock(data, now),
        *(_checked(what, details, _WELL[what]) for what, details in wrong.items() if details or not rest_skipped),
    ]
    return Report(all(check.ok for check in checks), checks)


def _checked(what: What, wrong: list[str], well: str) -> Check:
    if not wrong:
        return Check(what, True, well)
    more = f" and {len(wrong) - _MAX_SHOWN} more" if len(wrong) > _MAX_SHOWN else ""
    return Check(what, False, "; ".join(wrong[:_MAX_SHOWN]) + more)


def _versions(product: str) -> str:
    named = (f"deskroster {__version__}", f"Python {platform.python_version()}", product, f"data {HEAD}")
    return ", ".join(filter(None, named))


def _key(wrong: list[str], data: Path) -> Check:
    if wrong:
        return _checked("key", wrong, "")
    try:
        key = read_key(data)
    except WrongKey as error:
        return Check("key", False, str(error))
    if key is None:
        return Check("key", False, f"{shown(data / FILE)} is missing: put it back before the server stops")
    where = f"from {VARIABLE}" if VARIABLE in os.environ else shown(data / FILE)
    return Check("key", True, f"fingerprint {Vault(key).fingerprint}, {where}")


def _clock(data: Path, now: float) -> Check:
    if now < _EARLIEST_TIME:
        return Check("clock", False, "it has not been set: signatures will be refused")
    newest = max((path.stat().st_mtime for path in data.iterdir()), default=now)
    if newest > now + _CLOCK_TOLERANCE:
        return Check("clock", False, f"it is {newest - now:.0f} s behind the files of this folder")
    return Check("clock", True, moments.utc(int(now)).strftime("%Y-%m-%d %H:%M:%S UTC"))
