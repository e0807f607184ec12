"""Search: the text by which agents are found, cached in blocks, so that a search reads each character once."""

import re
from collections.abc import Generator

from deskroster.core.ids import Ids
from deskroster.core.records import Agent
from deskroster.core.table import Table
from deskroster.core.text import MAX_NAME

_BITS = 10  # low bits of an id that are not in the number of its block
_LONGEST = 3 * MAX_NAME  # a character folds into three at most
_END_OF_FIELD, _END_OF_TEXT, _END = "\x1f", "\x1e", "\n"  # which no name, e-mail or phone may contain
_REST = f"[^{_END_OF_TEXT}{_END}]*+{_END_OF_TEXT}([0-9]+){_END}"


class Texts:
    """Name, e-mail and mobile of the agents, case-folded, in a block for each 1,024 ids; made by the first search."""

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

        Agents may change between two steps: blocks that changed are read again, so the result is that of one moment,
        the last.
        """
        if len(part) > _LONGEST or not {_END_OF_FIELD, _END_OF_TEXT, _END}.isdisjoint(part):
            return []
        find = re.compile(re.escape(part) + _REST).findall
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
            text = self._texts[block] = "".join(
                [
                    f"{one.name.casefold()}{_END_OF_FIELD}{one.email.lower()}{_END_OF_FIELD}{one.mobile}"
                    f"{_END_OF_TEXT}{one.id}{_END}"
                    for one in map(rows.__getitem__, ids)
                ]
            )
        return text
