"""The fixtures that every test may use."""

import gc
import itertools
import os
import shutil
import signal
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from deskroster.ledger.engines.postgresql import engine as postgresql
from deskroster.ledger.engines.postgresql import freshness
from deskroster.testing import StillClock
from tests import world
from tests.databases import Databases, for_every_folder, running
from tests.in_process import InProcess
from tests.served import Served

NOW = 1_700_000_000
POSTGRESQL = "postgresql"
DEADLINES = [
    *((freshness, name) for name in ("QUERY_TIMEOUT", "ACQUIRE_TIMEOUT", "CONNECT_QUEUE_TIMEOUT", "MAX_WAIT_SECONDS")),
    (postgresql, "WRITE_LOCK_TIMEOUT"),
    (postgresql.PostgreSQL, "queue_timeout"),
]
"""After which PostgreSQL is given up. What is about them opens a database of its own, in a run for SQLite."""

os.environ |= {"LANGUAGE": "en", "LC_ALL": "C.UTF-8"}  # whatever the machine's locale is, before anything is collected

_numbers = itertools.count()
_modules = itertools.count(1)

gc.set_threshold(10_000)  # as a server has it; eleven thousand tests are collected in four fifths of the time

collect_ignore = ["ha"]  # needs etcd and Patroni: run by make test-ha


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--engine", choices=("sqlite", POSTGRESQL), default="sqlite", help="Which database holds the data."
    )


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Run more tests at once than there are cores: many wait for a process, the disk or a deadline."""
    return 2 * (os.cpu_count() or 1)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is about the files of the other engine, and what is of no engine, which runs once."""
    if config.getoption("--engine") == POSTGRESQL:
        left_out = [item for item in items if item.get_closest_marker("once")]
        items[:] = [item for item in items if not item.get_closest_marker("once")]
        config.hook.pytest_deselected(items=left_out)


@pytest.fixture(scope="session")
def databases() -> Iterator[Databases]:
    """Give a real PostgreSQL."""
    with running() as found:
        yield found


@pytest.fixture
def database(databases: Databases) -> Iterator[str]:
    """Give the name of an empty database."""
    name = f"empty_{next(_numbers)}"
    databases.create(name)
    yield name
    databases.drop(name)


@pytest.fixture(scope="session", autouse=True)
def _engine(request: pytest.FixtureRequest) -> Iterator[None]:
    """Have the data of every folder in the database that the run is for. On a busy machine it may take its time."""
    if request.config.getoption("--engine") != POSTGRESQL:
        yield
        return
    with for_every_folder(request.getfixturevalue("databases")), pytest.MonkeyPatch.context() as patch:
        for module, name in DEADLINES:
            patch.setattr(module, name, 60.0)
        yield


@pytest.fixture(autouse=True)
def _own_databases(request: pytest.FixtureRequest) -> Iterator[None]:
    """Remove the databases of a test when it ends."""
    if request.config.getoption("--engine") != POSTGRESQL or "tmp_path" not in request.fixturenames:
        yield
        return
    folder, databases = request.getfixturevalue("tmp_path"), request.getfixturevalue("databases")
    yield
    databases.drop_below(folder)


settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")  # how long an example takes says how busy the machine is


def let_go() -> None:
    """Collect what nobody has any more: whenever a folder is loaded, all that there is is kept from the collector."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # whose it was cannot be told by now
        gc.unfreeze()
        gc.collect()


@pytest.fixture(scope="session", autouse=True)
def _interruptible() -> Iterator[None]:
    """Let programs that tests start end by SIGINT, where these run in a shell's background, which has it ignored."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session", autouse=True)
def _cheap_passwords() -> Iterator[None]:
    """Hash passwords for real, but at the least cost that Argon2 allows."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("deskroster.passwords.Argon2Hasher", world.cheap_hasher)
        yield


@pytest.fixture(scope="module", autouse=True)
def _thawed() -> Iterator[None]:
    """Collect what modules leave behind, of ten at a time: to look through all that there is takes long."""
    yield
    if next(_modules) % 10 == 0:
        let_go()


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory, _cheap_passwords: None, _engine: None) -> Path:
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
