"""Fencing by an epoch: stop a process whose data was meanwhile sealed with another key, moved, or migrated beyond it.

An advisory lock keeps the key and the location from being changed while a process has the installation open, but the
lock ends with its session. So every transaction also compares the epoch: which key sealed the data, whether this
database is in charge of it, and whether its tables still serve this program. A writer compares it after it has its
lock, and whoever changes the epoch locks out all writers. A reader compares it in the freshness query.
"""

from collections.abc import Callable, Mapping

from deskroster.ledger.engines import Outdated
from deskroster.texts import said

KEY = "key"  # note: the fingerprint of the key that sealed the data
MOVED = "moved"  # note, in a database whose data was moved elsewhere
SERVES = "serves"  # note: the version of the oldest program that the tables serve
UNDER_WAY = "moving"  # note, in a copy that is not in charge of the data yet

COMPANY_LIST = "companies"  # note: how often the list of companies has changed

NOTES = "SELECT name, value FROM installation"
"""The query for `Fence.check`. A writer must run it in a statement of its own, after it has waited for its lock."""
NOTES_AS_TEXT = r"(SELECT string_agg(name || '=' || value, E'\n') FROM installation)"
"""The same as one text value, for `parse_notes`. Neither names nor values contain a line break."""
_NO_NOTES = "SELECT name, value FROM (VALUES ('', '')) AS notes (name, value) WHERE false"

_ANOTHER_KEY = said(
    "the installation key was changed while this process ran: start it again, with the new key in its data folder"
)
_CONTRACTED = said(
    "a later version has changed the tables so that this one cannot go on with them: stop it, and use that one"
)
_ELSEWHERE = said("the data was moved elsewhere while this process ran: stop it, and serve the data where it is now")


class Fence:
    """The epoch that this process has opened the data in."""

    def __init__(self) -> None:
        self.outdated = ""  # why reads and writes are refused, by the last comparison; empty if they are not
        self.alarm: Callable[[str], None] = lambda why: None
        self._fingerprint: str | None = None
        self._version = ""

    def set_epoch(self, fingerprint: str, version: str) -> None:
        """Require, from now on, this key fingerprint and a database in charge that serves this program version."""
        self._fingerprint, self._version = fingerprint, version

    @property
    def query(self) -> str:
        """The query for the notes that `check` needs. Before `set_epoch` it reads no table: there may be none."""
        return _NO_NOTES if self._fingerprint is None else NOTES

    def check(self, notes: Mapping[str, str]) -> None:
        """Raise Outdated if the epoch has changed, and call the alarm if the reason is new.

        The next comparison may succeed: a primary that was replaced may not know the new epoch.
        """
        if self._fingerprint is None:
            return
        if MOVED in notes or UNDER_WAY in notes:
            why = _ELSEWHERE
        elif notes.get(SERVES, "") > self._version:
            why = _CONTRACTED
        elif notes.get(KEY) != self._fingerprint:
            why = _ANOTHER_KEY
        else:
            self.outdated = ""
            return
        if str(why) != self.outdated:
            self.outdated = str(why)
            self.alarm(str(why))
        raise Outdated(why)


def parse_notes(text: str) -> dict[str, str]:
    """Return the notes from the result of `NOTES_AS_TEXT`."""
    return dict(line.split("=", 1) for line in text.split("\n") if line)
