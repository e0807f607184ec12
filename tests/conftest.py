"""The fixtures that every test may use."""

import gc
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from deskroster.testing import StillClock
from tests import world
from tests.in_process import InProcess
from tests.served import Served

NOW = 1_700_000_000

settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")  # how long an example takes says how busy the machine is


def let_go() -> None:
    """Collect what nobody has any more: whenever a folder is loaded, all that there is is kept from the collector."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # whose it was cannot be told by now
        gc.unfreeze()
        gc.collect()


@pytest.fixture(scope="session", autouse=True)
def _cheap_passwords() -> Iterator[None]:
    """Hash passwords for real, but at the least cost that Argon2 allows."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("deskroster.passwords.Argon2Hasher", world.cheap_hasher)
        yield


@pytest.fixture(scope="module", autouse=True)
def _thawed() -> Iterator[None]:
    """Collect what a module leaves behind."""
    yield
    let_go()


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory, _cheap_passwords: None) -> Path:
    """Give a closed data folder with the company of `world`, to be copied."""
    folder = tmp_path_factory.mktemp("prepared") / "data"
    desk = InProcess(folder, StillClock(NOW))
    desk.add_company(world.COMPANY, world.records())
    desk.close()
    return folder


@pytest.fixture
def clock() -> StillClock:
    """Give the clock of `desk`, at 2023-11-14 22:13:20 UTC."""
    return StillClock(NOW)


@pytest.fixture
def desk(prepared: Path, tmp_path: Path, clock: StillClock) -> Iterator[InProcess]:
    """Give a company of one's own, to be written to."""
    yield from _serving(prepared, tmp_path, clock)


@pytest.fixture(scope="module")
def quiet_desk(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    """Give a company that the tests of a module share. They may write to it only if that disturbs none of them."""
    yield from _serving(prepared, tmp_path_factory.mktemp("quiet"), StillClock(NOW))


def _serving(prepared: Path, folder: Path, clock: StillClock) -> Iterator[InProcess]:
    shutil.copytree(prepared, folder / "data")
    desk = InProcess(folder / "data", clock)
    yield desk
    desk.close()
    assert [] == desk.incidents


@pytest.fixture(scope="module")
def served(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Give the company on a socket of 127.0.0.1, behind the real server. A module shares it."""
    folder = tmp_path_factory.mktemp("served") / "data"
    shutil.copytree(prepared, folder)
    with Served(folder, StillClock(NOW)) as server:
        yield server
