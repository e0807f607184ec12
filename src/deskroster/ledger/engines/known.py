"""The engines that there are: every folder beside this module, found by the scheme of a database's address."""

import pkgutil
from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from deskroster.ledger import engines
from deskroster.ledger.engines import Engine

_DEFAULT = "postgresql"  # opens an address without a scheme of its own, or says what is wrong with it


class Face(Protocol):
    """What the package of an engine offers, without importing a driver."""

    SCHEMES: tuple[str, ...]  # of the addresses that it opens; none if the data is in the folder

    def opened(self, folder: Path, address: str | None) -> Engine:
        """Open the database. Raises ValueError for a bad address, FolderInUse, Damaged or Failed."""


class FolderFace(Face, Protocol):
    """What the one engine offers besides that has its data in the folder."""

    def has_data(self, folder: Path) -> bool:
        """Tell whether the folder holds a database."""

    def has_lost_data(self, folder: Path) -> bool:
        """Tell whether the folder has a file that belongs to a database, but no database."""

    def put_away(self, folder: Path) -> None:
        """Rename the database of a folder, unless somebody has the folder locked."""

    def discard(self, folder: Path) -> None:
        """Remove the database of a folder."""


@cache
def faces() -> dict[str, Face]:
    """Return the engines by their names."""
    names = [module.name for module in pkgutil.iter_modules(engines.__path__) if module.ispkg]
    return {name: cast(Face, import_module(f"{engines.__name__}.{name}")) for name in names}


@cache
def in_folder() -> FolderFace:
    """Return the engine that needs no address."""
    (face,) = (face for face in faces().values() if not face.SCHEMES)
    return cast(FolderFace, face)


def at(address: str | None) -> Callable[[Path], Engine]:
    """Return a function that opens the database at an address for a folder; None is the folder itself."""
    if address is None:
        face: Face = in_folder()
    else:
        scheme = address.partition("://")[0]
        face = next((face for face in faces().values() if scheme in face.SCHEMES), faces()[_DEFAULT])
    return lambda folder: face.opened(folder, address)
