"""The upkeep of an installation: health, backup, check."""

import os
import platform
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from msgspec import Struct

from deskroster import __version__
from deskroster.admin.open_installation import OpenInstallation
from deskroster.core import moments
from deskroster.core.access import Permission
from deskroster.core.problems import Invalid, Rule
from deskroster.core.records import Language
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
from deskroster.texts import Text, Value, foreign, joined, said, verbatim

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
_WELL: dict[What, Text] = {
    "integrity": said("every page of the database reads as it was written"),
    "foreign_key": said("every row points at rows that are there"),
    "log": said("every commit follows from the one before"),
    "roster": said("the tables are what the log says"),
    "checksum": said("every row has the checksum that it was written with"),
    "secret": said("the installation key opens every one"),
    "orphan": said("no secret is left of a record that never was"),
    "row_security": said("nothing shows a company the rows of another"),
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
            status = 409 if isinstance(error, BadBackup) else 503
            return _refused(request, status, "backup-failed", foreign(error))

    async def check(request: Request, desk: Desk) -> Reply:
        labels = {company.id: company.label for company in installation.store.listed.all()}
        try:
            findings = await (installation.store.check_in_place() if installation.alone else installation.store.check())
        except NoRoom as error:
            why = said("{error}; stop the server, and the data is looked over in its place", error=foreign(error))
            return _refused(request, 503, "no-room", why)
        except BadBackup as error:
            why = said("the copy that a check looks over cannot be put there: {error}", error=foreign(error))
            return _refused(request, 503, "check-failed", why)
        except ERRORS as error:
            return _refused(request, 503, "check-failed", foreign(error))
        product = await installation.store.product()
        return written(
            report(findings, labels, installation.settings.data, installation.clock(), request.language, product)
        )

    needs = Permission.WRITE_COMPANY
    return (
        Route(method="GET", path="/health", handler=health, needs=needs, reply=Health),
        Route(method="POST", path="/backups", handler=back_up, needs=needs,
              body=BackupBody, reply=BackupOut),
        Route(method="GET", path="/check", handler=check, needs=needs, reply=Report),
    )  # fmt: skip


def _refused(request: Request, status: int, name: str, why: Text) -> Reply:
    return own.refused(status, name, why.of(request.language))


def report(
    findings: list[Finding], labels: dict[int, str], data: Path, now: float, language: Language, product: str = ""
) -> Report:
    """Return the report on a data folder: the findings in its database, its key and the clock.

    `now`: Unix seconds. `product`: name and version of the database.
    """
    wrong: dict[What, list[Value]] = {what: [] for what in get_args(What)}
    for what, company_id, where in findings:
        wrong[what].append(joined((labels[company_id], where), " ") if company_id in labels else where)
    rest_skipped = any(wrong[what] for what in _PREREQUISITES)
    found = [
        _Found("version", *_checked(wrong.pop("version") + wrong.pop("newer"), _versions(product))),
        _Found("key", *_key(wrong.pop("key"), data)),
        _Found("clock", *_clock(data, now)),
        *(
            _Found(what, *_checked(details, _WELL[what]))
            for what, details in wrong.items()
            if details or not rest_skipped
        ),
    ]
    checks = [Check(one.what, one.ok, one.detail.of(language)) for one in found]
    return Report(all(check.ok for check in checks), checks)


class _Found(NamedTuple):
    """The result of one check, not yet in a language."""

    what: What | Literal["clock"]
    ok: bool
    detail: Text


def _checked(wrong: list[Value], well: Text) -> tuple[bool, Text]:
    if not wrong:
        return True, well
    shown_ones = joined(wrong[:_MAX_SHOWN], "; ")
    if len(wrong) <= _MAX_SHOWN:
        return False, shown_ones
    return False, said("{findings} and {count} more", findings=shown_ones, count=len(wrong) - _MAX_SHOWN)


def _versions(product: str) -> Text:
    named = (
        f"deskroster {__version__}",
        f"Python {platform.python_version()}",
        product,
        said("data {head}", head=HEAD),
    )
    return joined(filter(None, named), ", ")


def _key(wrong: list[Value], data: Path) -> tuple[bool, Text]:
    if wrong:
        return _checked(wrong, Text(""))
    try:
        key = read_key(data)
    except WrongKey as error:
        return False, foreign(error)
    if key is None:
        return False, said("{file} is missing: put it back before the server stops", file=shown(data / FILE))
    where = said("from {variable}", variable=VARIABLE) if VARIABLE in os.environ else shown(data / FILE)
    return True, said("fingerprint {fingerprint}, {where}", fingerprint=Vault(key).fingerprint, where=where)


def _clock(data: Path, now: float) -> tuple[bool, Text]:
    if now < _EARLIEST_TIME:
        return False, said("it has not been set: signatures will be refused")
    newest = max((path.stat().st_mtime for path in data.iterdir()), default=now)
    if newest > now + _CLOCK_TOLERANCE:
        return False, said("it is {seconds:.0f} s behind the files of this folder", seconds=newest - now)
    return True, verbatim(moments.utc(int(now)).strftime("%Y-%m-%d %H:%M:%S UTC"))
