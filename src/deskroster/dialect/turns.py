"""Turns: long work on the event loop, interrupted after some milliseconds so that other requests are answered."""

import asyncio
from collections.abc import Awaitable, Callable, Generator
from time import perf_counter
from typing import TypeVar, cast

from deskroster.core import groups
from deskroster.core.pieces import Encoder
from deskroster.core.roster import Roster
from deskroster.core.table import Page
from deskroster.dialect.request import Reply

T = TypeVar("T")

TURN = 0.005  # seconds of work, after which the event loop runs others


def groups_page(
    roster: Roster,
    encoder: Encoder[Roster],
    page: Page,
    answer: Callable[[bytes], Reply],
    finish: Callable[[bytes], bytes] = bytes,
) -> Reply | Awaitable[Reply]:
    """Return the answer of a page of groups, made of their finished pieces; in turns if they have very many members."""
    if groups.crowded(roster, page):
        return _crowded_page(roster, encoder, page, answer, finish)
    return answer(finish(roster.pieces.join("group", encoder, page.ids)))


async def _crowded_page(
    roster: Roster,
    encoder: Encoder[Roster],
    page: Page,
    answer: Callable[[bytes], Reply],
    finish: Callable[[bytes], bytes],
) -> Reply:
    return answer(await in_turns(roster.pieces.joined("group", encoder, page.ids, finish)))


async def in_turns(steps: Generator[None, None, T]) -> T:
    """Run a generator to its end, in turns, and return its result."""
    until = perf_counter() + TURN
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return cast(T, end.value)
        if perf_counter() > until:
            await asyncio.sleep(0)
            until = perf_counter() + TURN
