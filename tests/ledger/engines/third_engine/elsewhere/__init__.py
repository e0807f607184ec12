"""An engine that the program does not know: its data is in another folder, whose path is its address."""

from pathlib import Path

from deskroster.ledger.engines import Engine
from deskroster.ledger.engines.sqlite.engine import SQLite

SCHEMES = ("elsewhere",)


class Elsewhere(SQLite):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._there = folder
        self.folder = None  # what is locked is not the data folder

    @property
    def where(self) -> str:
        return f"elsewhere, in {self._there.name}"


def opened(folder: Path, address: str | None) -> Engine:
    there = Path((address or "").removeprefix("elsewhere://"))
    if not there.is_dir():
        raise ValueError(f"{there.name} is no folder")
    return Elsewhere(there)
