"""Fence: keeps a process off data that is no longer its own: sealed with another key since, or moved elsewhere.

An advisory lock keeps the key and the place from being changed while processes have an installation open, but it ends
with its session. So whoever reads or writes compares the epoch too: which key has sealed the data, and whether this
database is in charge of it. Writers do so in their transaction, once they have its lock; whoever changes the epoch
has locked out all writers. Readers do so in the question that makes them fresh.
"""

from collections.abc import Callable, Mapping

from deskroster.ledger.engines import Outdated

KEY = "key"  # noted: the fingerprint of the key that sealed the data
MOVED = "moved"  # noted in a database whose data was moved elsewhere
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
_ELSEWHERE = "the data was moved elsewhere while this process ran: stop it, and serve the data where it is now"


class Fence:
    """The epoch that this process keeps to."""

    def __init__(self) -> None:
        self.outdated = ""  # why nothing may be read or written, as the last comparison had it
        self.alarm: Callable[[str], None] = lambda why: None
        self._kept: str | None = None

    def keep_to(self, fingerprint: str) -> None:
        """Let pass, from now on, what is sealed with this key, in a database that is in charge."""
        self._kept = fingerprint

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
        elsewhere = MOVED in notes or UNDER_WAY in notes
        if notes.get(KEY) == self._kept and not elsewhere:
            self.outdated = ""
            return
        why = _ELSEWHERE if elsewhere else _ANOTHER_KEY
        if why != self.outdated:
            self.outdated = why
            self.alarm(why)
        raise Outdated(why)


def noted(text: str) -> dict[str, str]:
    """Return the notes that stand in a text."""
    return dict(line.split("=", 1) for line in text.split("\n") if line)
