"""Fixtures of the tests of what is taken away."""

from pathlib import Path

import pytest

from tests.once import made_once
from tests.packaging.built import build, install


@pytest.fixture(scope="session")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder with the wheel and the source archive, built once for all workers."""
    return made_once(tmp_path_factory.getbasetemp(), "built", build) / "dist"


@pytest.fixture(scope="session")
def wheel(dist: Path) -> Path:
    """Give the wheel."""
    (found,) = dist.glob("*.whl")
    return found


@pytest.fixture(scope="session")
def empty_environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the programs of an environment with nothing but the wheel and what it needs, made once for all workers."""
    return made_once(tmp_path_factory.getbasetemp(), "environment", lambda folder: install(wheel, folder)) / "bin"
