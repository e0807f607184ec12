"""The fixtures of the proofs."""

import shutil
from pathlib import Path

import pytest

from tests.faults.disk import Disk, compiled
from tests.once import made_once
from tests.proofs.load.company import fill


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the disk that fails, compiled."""
    return compiled(tmp_path_factory.mktemp("shim"))


@pytest.fixture
def disk(library: Path, tmp_path: Path, prepared: Path) -> Disk:
    """Give the disk under `data`, a copy of the prepared folder."""
    shutil.copytree(prepared, tmp_path / "data")
    return Disk(library, tmp_path / "faults", tmp_path / "data")


@pytest.fixture(scope="session")
def large_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a closed data folder with 100,000 agents, made once for all workers."""
    return made_once(tmp_path_factory.getbasetemp(), "large", fill)


@pytest.fixture
def own_large_folder(large_folder: Path, tmp_path: Path) -> Path:
    """Give a copy of one's own."""
    return Path(shutil.copytree(large_folder, tmp_path / "data"))
