"""Fence: keeps a process off data that is no longer its own: sealed with another key since, moved, or contracted.

An advisory lock keeps the key and the place from being changed while processes have an installation open, but it ends
with its session. So whoever reads or writes compares the epoch too: which key has sealed the data, whether this
database is in charge of it, and whether its tables still serve this program. Writers do so in their
transaction, once they have its lock; whoever changes the epoch has locked out all writers. Readers do so in the
question that makes them fresh.
"""

from collections.abc import Callable, Mapping

from deskroster.ledger.engines import Outdated

KEY = "key"  # noted: the fingerprint of the key that sealed the data
MOVED = "moved"  # noted in a database whose data was moved elsewhere
SERVES = "serves"  # noted: the version of the oldest program that can go on with the tables
UNDER_WAY = "moving"  # noted in a copy that is not in charge of the data yet

COMPANY_LIST = "companies"  # noted: how often the list of companies has changed

NOTES = "SELECT name, value FROM installation"
"""What `Fence.check` needs. It may be read in no earlier snapshot than after the lock of a writer was waited for."""
NOTES_AS_TEXT = r"(SELECT string_agg(name || '=' || value, E'\n') FROM installation)"
"""The same, for `noted`. No name and no value has a line break."""
_NOTHING = "SELECT name, value FROM (VALUES ('', '')) AS notes (name, value) WHERE false"

_ANOTHER_KEY = (
    "the installation key was changed while this process ran: start it again, with the new key in its data folder"
)
_CONTRACTED = (
    "a later version has changed the tables so that this one cannot go on with them: stop it, and use that one"
)
_ELSEWHERE = "the data was moved elsewhere while this process ran: stop it, and serve the data where it is now"


class Fence:
    """The epoch that this process keeps to."""

    def __init__(self) -> None:
        self.outdated = ""  # why nothing may be read or written, as the last comparison had it
        self.alarm: Callable[[str], None] = lambda why: None
        self._kept: str | None = None
        self._version = ""

    def keep_to(self, fingerprint: str, version: str) -> None:
        """Let pass, from now on, what is sealed with this key and serves this version, in a database in charge."""
        self._kept, self._version = fingerprint, version

    @property
    def question(self) -> str:
        """The query for what `check` is given: nothing is asked before there may be tables."""
        return _NOTHING if self._kept is None else NOTES

    def check(self, notes: Mapping[str, str]) -> None:
        """Raise Outdated where another epoch has begun, and sound the alarm if that is new.

        The next comparison may be right again: a primary that was replaced may not know of the epoch.
        """
        if self._kept is None:
            return
        if MOVED in notes or UNDER_WAY in notes:
            why = _ELSEWHERE
        elif notes.get(SERVES, "") > self._version:
            why = _CONTRACTED
        elif notes.get(KEY) != self._kept:
            why = _ANOTHER_KEY
        else:
            self.outdated = ""
            return
        if why != self.outdated:
            self.outdated = why
            self.alarm(why)
        raise Outdated(why)


def noted(text: str) -> dict[str, str]:
    """Return the notes that stand in a text."""
    return dict(line.split("=", 1) for line in text.split("\n") if line)
