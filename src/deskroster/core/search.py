"""Search: the text by which agents are found, cached in blocks, so that a search reads each character once.

Texts are compared as NFKC in one letter case, so that full-width letters find others; phones also by their digits.
"""

import re
import unicodedata
from collections.abc import Generator

from deskroster.core.ids import Ids
from deskroster.core.records import Agent
from deskroster.core.table import Table
from deskroster.core.text import MAX_NAME

_BITS = 10  # low bits of an id that are not in the number of its block
_END_OF_FIELD, _DIGITS, _END_OF_TEXT, _END = "\x1f", "\x1d", "\x1e", "\n"  # which no name or e-mail or phone has
_PHONE = re.compile(r"[0-9 +().-]+")
_LEAST_DIGITS = 3  # of a query that is sought among the digits of phones
_ANY_BUT_DIGITS = re.compile(r"[^0-9]+")
_REST = f"[^{_END_OF_TEXT}{_END}]*+{_END_OF_TEXT}([0-9]+){_END}"


class Texts:
    """Name, e-mail and mobile of the agents, folded, in a block for each 1,024 ids; made by the first search."""

    __slots__ = ("_agents", "_blocks", "_texts")

    def __init__(self, agents: Table[Agent]) -> None:
        self._agents = agents
        self._blocks: Ids | None = None  # those that may have agents; None until the first search
        self._texts: dict[int, str] = {}

    def forget(self, agent_id: int) -> None:
        """Drop the block of an agent that changes."""
        if self._blocks is not None:
            self._blocks.add(agent_id >> _BITS)
            self._texts.pop(agent_id >> _BITS, None)

    def holding(self, part: str) -> Generator[None, None, list[int]]:
        """Return the ids of the agents that contain a text, ascending, in steps of one block.

        A text of nothing but digits and what stands between them in a phone is also sought in the digits of mobiles.

        Agents may change between two steps: blocks that changed are read again, so the result is that of one moment,
        the last.
        """
        if len(part) > MAX_NAME:
            return []
        part = folded(part)
        if not {_END_OF_FIELD, _DIGITS, _END_OF_TEXT, _END}.isdisjoint(part):
            return []
        find = re.compile(_pattern(part) + _REST).findall
        found: dict[int, tuple[str, list[int]]] = {}
        while unread := [at for at in self._known() if at not in found or found[at][0] is not self._texts.get(at)]:
            for at in unread:
                text = self._text(at)
                found[at] = text, list(map(int, find(text)))
                yield
        return [id for at in self._known() for id in found[at][1]]

    def _known(self) -> Ids:
        if self._blocks is None:
            self._blocks = Ids(dict.fromkeys(id >> _BITS for id in self._agents.ids))
        return self._blocks

    def _text(self, block: int) -> str:
        text = self._texts.get(block)
        if text is None:
            rows = self._agents.rows
            ids = self._agents.ids.between(block << _BITS, (block + 1) << _BITS)
            text = self._texts[block] = "".join([_searched(rows[id]) for id in ids])
        return text


def folded(text: str) -> str:
    """Return a text as it is compared: NFKC, in one letter case (Unicode, section 3.13)."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def _searched(agent: Agent) -> str:
    """Return what is kept of one agent."""
    mobile = folded(agent.mobile)
    fields = _END_OF_FIELD.join((folded(agent.name), agent.email.lower(), mobile))
    return f"{fields}{_DIGITS}{_ANY_BUT_DIGITS.sub('', mobile)}{_END_OF_TEXT}{agent.id}{_END}"


def _pattern(part: str) -> str:
    """Return the expression that finds a folded text in what is kept of one agent."""
    literal = f"{re.escape(part)}[^{_DIGITS}{_END_OF_TEXT}{_END}]*+{_DIGITS}"
    digits = _ANY_BUT_DIGITS.sub("", part)
    if len(digits) < _LEAST_DIGITS or not _PHONE.fullmatch(part):
        return literal
    return f"(?:{literal}|{_DIGITS}[0-9]*?{digits})"
