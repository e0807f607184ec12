"""What a release has left, put where a later one finds it: a data folder, a database, a backup."""

import gzip
import json
import shutil
from pathlib import Path
from typing import Any

from tests.databases import Databases
from tests.releases.make import key_in

TOP = Path(__file__).parent
VERSIONS = sorted(path.name for path in TOP.iterdir() if (path / "backup.json").exists())


def expected(version: str, engine: str) -> list[dict[str, Any]]:
    """Return what the companies must be, as `make.told` tells it."""
    return json.loads(_read(version, f"{engine}.json"))["companies"]


def data_folder(version: str, folder: Path) -> Path:
    """Put a data folder of SQLite there."""
    key_in(folder)
    for name in ("deskroster.db", "nonces"):
        (folder / name).write_bytes(_read(version, name))
    return folder


def database(version: str, databases: Databases, name: str) -> str:
    """Make a database of PostgreSQL; return its address."""
    url = databases.create(name)
    with databases.connect(name) as db:
        db.execute(_read(version, "postgresql.sql"))
    return url


def backup(version: str, folder: Path) -> Path:
    """Put a backup there."""
    folder.mkdir()
    (folder / "deskroster.db").write_bytes(_read(version, "backup.db"))
    shutil.copy(TOP / version / "backup.json", folder)
    return folder


def _read(version: str, name: str) -> bytes:
    return gzip.decompress((TOP / version / f"{name}.gz").read_bytes())
