"""The registry of engines: every package beside this module, chosen by the scheme of a database's address."""

import pkgutil
from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from deskroster.ledger import engines
from deskroster.ledger.engines import Engine

_DEFAULT = "postgresql"  # opens an address of no registered scheme, and reports what is wrong with it


class EnginePackage(Protocol):
    """What the package of an engine offers. Importing it must not import a database driver."""

    SCHEMES: tuple[str, ...]  # of the addresses that it opens; empty if the data is in the folder

    def opened(self, folder: Path, address: str | None) -> Engine:
        """Open the database. Raises ValueError for an invalid address, FolderInUse, Damaged or Failed."""


class FolderEnginePackage(EnginePackage, Protocol):
    """What the engine offers in addition that has its data in the folder. There is one such engine."""

    def has_data(self, folder: Path) -> bool:
        """Tell whether the folder holds a database."""

    def has_lost_data(self, folder: Path) -> bool:
        """Tell whether the folder has files that belong to a database, but no database."""

    def put_away(self, folder: Path) -> None:
        """Rename the database file, unless another process has the folder locked."""

    def discard(self, folder: Path) -> None:
        """Delete the database of a folder."""


@cache
def packages() -> dict[str, EnginePackage]:
    """Return the packages of all engines by name."""
    names = [module.name for module in pkgutil.iter_modules(engines.__path__) if module.ispkg]
    return {name: cast(EnginePackage, import_module(f"{engines.__name__}.{name}")) for name in names}


@cache
def in_folder() -> FolderEnginePackage:
    """Return the package of the engine that needs no address."""
    (package,) = (package for package in packages().values() if not package.SCHEMES)
    return cast(FolderEnginePackage, package)


def at(address: str | None) -> Callable[[Path], Engine]:
    """Return a function that opens the database at an address, given a folder; None means the folder itself."""
    if address is None:
        package: EnginePackage = in_folder()
    else:
        scheme = address.partition("://")[0]
        package = next((package for package in packages().values() if scheme in package.SCHEMES), packages()[_DEFAULT])
    return lambda folder: package.opened(folder, address)
