"""Figures: what was measured, what it should be at least, what is aimed at. And the bench that rows are measured on."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

from msgspec import Struct

from bench import data

Unit = Literal["", "×", "MiB", "s", "ms"]


class Figure(Struct, frozen=True, kw_only=True):
    """One measured figure. Of a ratio more is better; of a growth (×, against less data), a size or a time, less."""

    what: str
    measured: float
    at_least: float | None = None  # None: told beside the others, without a verdict
    aim: float | None = None
    unit: Unit = ""
    less: bool = False  # is better
    remark: str = ""

    @property
    def verdict(self) -> str:
        if self.at_least is None or self.aim is None:
            return ""
        sign = -1 if self.less else 1
        if sign * self.measured >= sign * self.aim:
            return "aim"
        return "enough" if sign * self.measured >= sign * self.at_least else "short"


class Bench:
    """Where rows are measured: a folder on the disk that counts, and how long they may take."""

    def __init__(self, folder: Path, quick: bool) -> None:
        self.folder = folder
        self.quick = quick
        self.rounds = 3 if quick else 5
        self._folders = 0

    def requests(self, count: int) -> int:
        return max(count // 5, 20) if self.quick else count

    def company(self, agents: int) -> Path:
        """Return a data folder of its own that holds a company with so many agents."""
        first = self.folder / f"company-{agents}"
        if not first.exists():
            data.fill(first, agents)
        self._folders += 1
        return Path(shutil.copytree(first, self.folder / f"served-{self._folders}"))


Row = Callable[[Bench], Iterator[Figure]]
